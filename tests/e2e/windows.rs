//! Does brokerd keep its promises with Windows' own pipe and keyring? Under Wine where there is no Windows.

use std::env;
use std::path::Path;
use std::time::Duration;

use broker_client::TokenRequest;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use support::fake_as::{Endpoint, Grant, Options, Rotation};
use support::processes::{Daemon, Launch, Output, binaries};
use tokio::time;

use crate::stage::{PATIENCE, Stage, options, prompted};

fn in_the_keyring(stage: &Stage) -> String {
    "[store]\nkind = \"keyring\"\n".to_owned() + &stage.profile("work")
}

fn launch(stage: &Stage) -> Launch<'_> {
    Daemon::launch(&stage.home).config(&in_the_keyring(stage))
}

#[tokio::test]
async fn a_sign_in_in_the_credential_manager_outlives_the_daemon() {
    let stage = Stage::new().await;
    let daemon = launch(&stage).start().await;
    assert_eq!(stage.json("status -o json").await["store"]["kind"], "keyring");

    let mut asked = stage.spawn("get-token");
    let code = prompted(&mut asked).await;
    stage.server.approve(&code, "alice");
    let first = asked.finish().await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let token = first.stdout.trim_end();
    assert_eq!(stage.server.access_token(token).expect("a live token").user, "alice");
    assert!(first.stderr.contains("brokerctl.exe (process "), "{}", first.stderr);
    assert_eq!(stage.ok("get-token").await.trim_end(), token, "from memory");
    assert_eq!(stage.refreshes(), 0);
    stage.ok("get-token --force-refresh").await;
    daemon.kill9().await;

    let daemon = launch(&stage).start().await;
    let silent = stage.run("get-token").await;
    assert_eq!((silent.code, silent.stderr.as_str()), (Some(0), ""), "{silent:?}");
    assert!(stage.server.access_token(silent.stdout.trim_end()).is_some());
    assert_eq!((stage.refreshes(), stage.server.reuse_detected()), (2, 0));
    assert_eq!(stage.server.count(Endpoint::DeviceAuthorization), 1);

    stage.ok("logout --all").await;
    daemon.kill9().await;
    let _daemon = launch(&stage).start().await;
    assert_eq!(stage.run("get-token --no-prompt").await.code, Some(3), "nothing is left of it");
}

#[tokio::test]
async fn a_second_daemon_leaves_the_first_alone() {
    let stage = Stage::new().await;
    let first = stage.daemon().await;
    let mut second = Daemon::launch(&stage.home).spawn(binaries()).expect("a process");
    assert!(!second.exited().await.success());
    let log = first.log();
    assert!(log.contains(&format!("another brokerd is running (process {})", first.pid().unwrap())), "{log}");
    stage.ok("status").await;
}

#[tokio::test]
async fn a_program_without_brokerctl_is_served_too() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    let place = broker_client::Endpoint::from_path(daemon.socket());
    let client = broker_client::Client::new(place);
    assert_eq!(client.status().await.expect("an answer").pid, daemon.pid().expect("it runs"));
    let answer = client.access_token(&TokenRequest::default(), |_| panic!("nobody is to be asked")).await;
    assert_eq!(answer.expect("a token").access_token.expose_secret(), token);
}

#[tokio::test]
async fn the_pipe_of_a_killed_daemon_is_free_at_once() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    daemon.kill9().await;
    let gone = stage.run("get-token").await;
    assert_eq!(gone.code, Some(7), "{gone:?}");
    let _daemon = stage.daemon().await;
    stage.ok("status").await;
}

#[tokio::test]
async fn a_caller_who_waits_comes_back_to_the_next_daemon() {
    let rotation = Rotation::Grace(Duration::from_secs(60));
    let stage = Stage::with(Options { rotation, ..options() }).await;
    let daemon = launch(&stage).start().await;
    stage.sign_in("alice").await;
    let gate = stage.server.hold_answer(Grant::RefreshToken);
    let asked = stage.spawn("get-token --force-refresh --timeout 30s");
    time::timeout(PATIENCE, gate.arrived()).await.expect("a refresh");
    daemon.kill9().await;
    let daemon = launch(&stage).start().await;
    let output = asked.finish().await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!((stage.server.reuse_detected(), stage.server.count(Endpoint::DeviceAuthorization)), (0, 1));
    daemon.log_until(|log| log.contains("a refresh was cut off")).await;
    stage.ok("logout --all").await;
}

#[tokio::test]
async fn a_client_without_a_daemon_says_how_to_start_one() {
    let stage = Stage::new().await;
    let output = stage.run("status").await;
    assert_eq!(output.code, Some(7), "{output:?}");
    assert!(output.stderr.contains(r"\\.\pipe\brokerd-"), "{}", output.stderr);
    let mut wrong = stage.home.command(&binaries().brokerctl);
    let wrong = wrong.args(["--socket", r"C:\brokerd.sock", "status"]).output().await.expect("a process");
    let told = String::from_utf8_lossy(&wrong.stderr);
    assert!(told.contains("not the name of a pipe"), "{told}");
}

#[tokio::test]
async fn the_starter_without_a_window_leaves_a_daemon_behind() {
    let stage = Stage::new().await;
    let config = stage.home.write(stage.home.config_file(), stage.config().as_bytes()).expect("a configuration");
    let mut starter = stage.home.command(&binaries().brokerd.with_file_name("brokerdw.exe"));
    starter.arg("--config").arg(config).arg("--socket").arg(stage.home.socket());
    assert!(starter.status().await.expect("a process").success());
    let status = stage.until("status -o json", |output| output.code == Some(0)).await;
    let status: Value = serde_json::from_str(&status.stdout).expect("JSON");
    let log = until_log(&stage, "listening").await;
    assert!(log.contains("listening"), "{log}");

    // A second one is of no use, and leaves the log to the first.
    assert!(starter.status().await.expect("a process").success());
    let refused = format!("another brokerd is running (process {})", status["pid"]);
    let log = until_log(&stage, &refused).await;
    assert!(log.contains("listening"), "{log}");
    assert!(!stage.home.state().join("brokerd").join("brokerd.old.log").exists());

    end(&stage, &status).await;
}

#[tokio::test]
async fn service_install_has_it_started_at_logon_and_now_and_uninstall_takes_that_back() {
    // The key is the user's own, whatever the test's home.
    if env::var_os("BROKERD_WINE").is_none() {
        println!("SKIPPED service install: it would change this user's Run key");
        return;
    }
    let stage = Stage::new().await;
    stage.home.write(stage.home.config_file(), stage.config().as_bytes()).expect("a configuration");
    // What brokerctl starts finds the test's pipe by this.
    let service = async |words: &str| {
        let ctl = stage.ctl().env("BROKERD_SOCKET", stage.home.socket());
        ctl.run(["service"].into_iter().chain(words.split_whitespace())).await
    };
    let json = |output: Output| serde_json::from_str::<Value>(&output.stdout).expect("JSON");
    assert_eq!(service("status").await.code, Some(1));
    assert_eq!(run_key(&stage).await, None);

    let installed = service("install -o json").await;
    assert_eq!(installed.code, Some(0), "{installed:?}");
    assert_eq!(json(installed)["done"].as_array().map(Vec::len), Some(2), "the key, and a brokerd");
    let starter = binaries().brokerd.with_file_name("brokerdw.exe");
    let named = run_key(&stage).await.expect("a value");
    assert_eq!(Path::new(named.trim_matches('"')), starter);
    let status = stage.until("status -o json", |output| output.code == Some(0)).await;
    let status = json(status);

    let again = service("install -o json").await;
    assert_eq!(json(again)["done"].as_array().map(Vec::len), Some(0), "a second time changes nothing");
    let shown = json(service("status -o json").await);
    assert_eq!(
        (&shown["installed"], &shown["enabled"], &shown["files"][0]["state"]),
        (&true.into(), &true.into(), &"as_written".into())
    );

    assert_eq!(service("uninstall").await.code, Some(0));
    assert_eq!(run_key(&stage).await, None);
    assert_eq!(json(service("uninstall -o json").await)["done"].as_array().map(Vec::len), Some(0));
    end(&stage, &status).await;
}

/// At a console of its own, without a window: the key is pressed there by the command.
#[tokio::test]
async fn ctrl_c_is_the_commands_and_exec_cleans_up_after_it() {
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    let mut exec = stage.home.command(&binaries().brokerctl);
    exec.creation_flags(CREATE_NO_WINDOW).arg("--socket").arg(stage.home.socket());
    exec.args(["exec", "--token-file=TOKEN", "--"]).arg(env::current_exe().expect("this program"));
    exec.args(["--exact", "windows::presses_ctrl_c", "--ignored", "--nocapture"]);
    let ended = time::timeout(PATIENCE, exec.output()).await.expect("its end").expect("a process");
    let shown = String::from_utf8_lossy(&ended.stdout).into_owned();
    let file = shown.lines().find_map(|line| line.split_once("token in ")).unwrap_or_else(|| panic!("{ended:?}")).1;
    assert!(!Path::new(file).exists(), "{file} is left");
    assert!(!shown.contains("1 passed"), "the key did not end the command: {shown}");
}

#[test]
#[ignore = "the command of the test above"]
fn presses_ctrl_c() {
    let file = env::var("TOKEN").expect("a file's name");
    assert!(Path::new(&file).exists(), "{file}");
    println!("token in {file}");
    broker_windows::console::press_ctrl_c().expect("a console");
    // The key ends it at once, on a thread of Windows' own. That it was not is told by its passing, well before the test gives up.
    std::thread::sleep(PATIENCE / 3);
}

#[tokio::test]
async fn an_exit_code_of_32_bits_is_passed_on() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    for code in [0, 7, 256, -1_073_741_510] {
        let words = format!("exec --env A -- cmd.exe /c exit {code}");
        let output = stage.ctl().run(words.split_whitespace()).await;
        assert_eq!(output.code, Some(code), "{output:?}");
    }
}

#[tokio::test]
async fn the_next_az_is_a_script_and_its_exit_code_is_ours() {
    let stage = Stage::new().await;
    let directory = stage.home.path().join("azure");
    std::fs::create_dir(&directory).expect("a directory");
    std::fs::write(directory.join("az"), "for another shell").expect("a file");
    std::fs::write(directory.join("az.cmd"), "@echo the next az: %*\r\n@exit 300\r\n").expect("a script");
    let system = env::split_paths(&env::var_os("PATH").expect("a path")).collect::<Vec<_>>();
    let path = env::join_paths([directory].into_iter().chain(system)).expect("a path");
    let output = stage.ctl().env("PATH", path).run(["az", "group", "list"]).await;
    assert_eq!((output.code, output.stdout.trim_end()), (Some(300), "the next az: group list"), "{output:?}");
}

/// What the user's `Run` key says about brokerd, by Windows' own tool.
async fn run_key(stage: &Stage) -> Option<String> {
    const KEY: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run";
    let shown = stage.home.command("reg.exe".as_ref()).args(["query", KEY, "/v", "brokerd"]).output().await;
    let shown = String::from_utf8_lossy(&shown.expect("a process").stdout).into_owned();
    Some(shown.split_once("REG_SZ")?.1.trim().to_owned())
}

/// Waits until the log of the starter's daemon has this, and returns all of it.
async fn until_log(stage: &Stage, text: &str) -> String {
    let file = stage.home.state().join("brokerd").join("brokerd.log");
    let found = async {
        loop {
            match std::fs::read_to_string(&file) {
                Ok(log) if log.contains(text) => return log,
                _ => time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no {text:?} in {}", file.display()))
}

/// Ends a daemon that is no child of the test's.
async fn end(stage: &Stage, status: &Value) {
    let pid = status["pid"].as_u64().expect("a process id").to_string();
    let ended = stage.home.command("taskkill".as_ref()).args(["/f", "/pid", &pid]).output().await;
    assert!(ended.expect("a process").status.success());
    stage.until("status", |output| output.code == Some(7)).await;
}
