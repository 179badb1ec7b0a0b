//! Does a restricted socket give what it is for and nothing else, also through a container's walls and an SSH connection?

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use support::fake_as::Grant;
use support::processes::{Daemon, Output, binaries};

use crate::stage::{PATIENCE, Stage, options, prompted};
use crate::strangers::{can_become_another, open_copy};

pub(crate) struct Restricted {
    pub(crate) stage: Stage,
    pub(crate) daemon: Daemon,
    pub(crate) socket: PathBuf,
}

impl Restricted {
    /// With a socket for the profile `work`, and a profile `other` that is not for it.
    pub(crate) async fn new(more: &str) -> Self {
        let stage = Stage::new().await;
        let socket = stage.home.path().join("r/s");
        let path = socket.display().to_string();
        let config = format!(
            "{}{}[[sockets]]\npath = {path:?}\nprofiles = [\"work\"]\n{more}\n",
            stage.config(),
            stage.profile("other")
        );
        let daemon = Daemon::start(&stage.home, &config).await;
        daemon.log_until(|log| log.contains("listening, restricted")).await;
        Self { stage, daemon, socket }
    }

    pub(crate) async fn sign_in(&self) -> String {
        let mut asked = self.stage.spawn("get-token work");
        let code = prompted(&mut asked).await;
        self.stage.server.approve(&code, "alice");
        asked.finish().await.stdout.trim_end().to_owned()
    }

    /// Runs brokerctl at the restricted socket.
    async fn run(&self, arguments: &str) -> Output {
        self.stage.ctl().at(&self.socket).run(arguments.split_whitespace()).await
    }
}

#[tokio::test]
async fn it_serves_tokens_of_its_profiles_and_refuses_the_rest() {
    let restricted = Restricted::new("").await;
    let token = restricted.sign_in().await;
    let output = restricted.run("get-token").await;
    assert_eq!((output.code, output.stdout.trim_end()), (Some(0), token.as_str()), "{output:?}");
    for refused in [
        "get-token other",
        "accounts",
        "status",
        "logout --all",
        "login work",
        "reload",
        "prompts",
        "watch",
        "get-token --param a=b",
    ] {
        let output = restricted.run(refused).await;
        assert_eq!((output.code, output.stdout.as_str()), (Some(7), ""), "{refused}: {output:?}");
        assert!(output.stderr.contains("restricted socket"), "{refused}: {output:?}");
    }
    let doctor = restricted.run("doctor").await;
    assert!(doctor.code == Some(7) && doctor.stdout.contains("restricted socket"), "{doctor:?}");
    let log = restricted.daemon.log();
    let lines =
        |outcome: &str| log.lines().filter(|line| line.contains("brokerd::audit") && line.contains(outcome)).count();
    assert!(lines("granted") >= 2 && lines("refused") >= 2, "{log}");
    let named = format!("socket={:?}", restricted.socket.display().to_string());
    assert!(log.lines().any(|line| line.contains("granted") && line.contains(&named)), "{log}");
}

#[tokio::test]
async fn nobody_is_asked_unless_prompts_are_relayed() {
    let silent = Restricted::new("").await;
    let output = silent.run("get-token").await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{output:?}");

    let relay = Restricted::new("interaction = \"relay\"").await;
    let socket = relay.socket.to_str().expect("UTF-8");
    let mut asked = relay.stage.ctl().at(socket).spawn(["get-token"]);
    let code = prompted(&mut asked).await;
    let prompts = relay.stage.json("prompts -o json").await;
    assert_eq!(prompts["prompts"][0]["requested_by"]["via"], socket);
    relay.stage.server.approve(&code, "alice");
    assert_eq!(asked.finish().await.code, Some(0));
}

/// Whom else the user has signed in as is not for it, whatever it asks for: neither in an error nor in a prompt.
#[tokio::test]
async fn it_does_not_tell_who_is_signed_in() {
    let restricted = Restricted::new("interaction = \"relay\"").await;
    let (stage, socket) = (&restricted.stage, &restricted.socket);
    for user in ["alice", "bob"] {
        let mut asked = stage.spawn("login work");
        let code = prompted(&mut asked).await;
        stage.server.approve(&code, user);
        assert_eq!(asked.finish().await.code, Some(0));
    }
    // The user is told.
    let own = stage.run("get-token work --account zzz --no-prompt").await;
    assert!(own.stderr.contains("alice") && own.stderr.contains("bob"), "{own:?}");
    for (request, code) in [("--account zzz --no-prompt", 3), ("--no-prompt", 3), ("", 3)] {
        let output = restricted.run(&format!("get-token -o json {request}")).await;
        assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{request}: {output:?}");
        assert!(output.stderr.contains("\"hint\""), "{request}: {output:?}");
        assert!(!output.stderr.contains("alice") && !output.stderr.contains("bob"), "{request}: {output:?}");
    }
    // A prompt for a name that is nobody's: the user sees beside it whom there is.
    let ask = ["get-token", "--prompt", "json", "--account", "zzz"];
    let mut asked = stage.ctl().at(socket).spawn(ask);
    asked.stderr_until(|told| told.contains("user_code")).await;
    let prompts = stage.json("prompts -o json").await;
    assert_eq!(
        prompts["prompts"][0]["other_accounts"],
        serde_json::json!(["alice@example.com", "bob@example.com"]),
        "{prompts}"
    );
    let id = prompts["prompts"][0]["id"].as_str().expect("an id");
    stage.ok(&format!("prompts cancel {id}")).await;
    let output = asked.finish().await;
    assert!(!output.stderr.contains("alice") && !output.stderr.contains("bob"), "{output:?}");
    assert!(output.stderr.contains("\"account\":\"zzz\""), "it is told its own word: {output:?}");
}

#[tokio::test]
async fn its_prompts_leave_room_for_the_users_own() {
    let relay = Restricted::new("interaction = \"relay\"").await;
    let ctl = || relay.stage.ctl().at(&relay.socket);
    let mut pending = Vec::new();
    for name in 0..8 {
        let mut asked = ctl().spawn(["get-token".into(), "--account".into(), format!("user{name}@example.com")]);
        prompted(&mut asked).await;
        pending.push(asked);
    }
    let output = ctl().run(["get-token", "--account", "one.more@example.com"]).await;
    assert!(output.code == Some(8) && output.stderr.contains("too many sign-ins"), "{output:?}");
    relay.sign_in().await;
}

#[tokio::test]
async fn no_token_grants_more_than_its_scopes() {
    let restricted = Restricted::new("scopes = [\"openid\", \"read\"]").await;
    // The user's own token has more, and is at hand.
    let mut asked = restricted.stage.spawn("get-token work -s openid -s offline_access -s read -s write");
    let code = prompted(&mut asked).await;
    restricted.stage.server.approve(&code, "alice");
    let wide = asked.finish().await.stdout;
    let output = restricted.run("get-token -o json").await;
    assert_eq!(output.code, Some(0), "{output:?}");
    let token: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_ne!(token["access_token"], wide.trim_end());
    assert!(!token["scope"].as_str().expect("a scope").contains("write"), "{token}");
    for more in ["get-token -s write", "get-token -s read -s write", "get-token --resource https://x.test/"] {
        let output = restricted.run(more).await;
        assert_eq!((output.code, output.stdout.as_str()), (Some(7), ""), "{more}: {output:?}");
    }
}

/// The provider gives what it likes, and is not asked for it by each caller.
#[tokio::test]
async fn a_provider_that_does_not_narrow_is_asked_once() {
    let restricted = Restricted::new("scopes = [\"openid\", \"read\"]").await;
    let server = &restricted.stage.server;
    let mut asked = restricted.stage.spawn("get-token work -s openid -s offline_access -s read -s write");
    let code = prompted(&mut asked).await;
    server.approve(&code, "alice");
    assert_eq!(asked.finish().await.code, Some(0));
    server.reconfigure(|options| drop(options.token_overrides.insert("scope".into(), "openid read write".into())));
    for _ in 0..3 {
        let output = restricted.run("get-token").await;
        assert!(output.code == Some(4) && output.stderr.contains("more than this socket is for"), "{output:?}");
    }
    assert_eq!(server.count(Grant::RefreshToken), 1);
}

/// GitHub's tokens have no end and no refresh token: such a token is all there is of the sign-in.
#[tokio::test]
async fn nobody_there_ends_the_users_sign_in() {
    let mut options = options();
    options.github();
    let stage = Stage::with(options).await;
    let socket = stage.home.path().join("r/s");
    let config = format!(
        "{}[profiles.work]\nprovider = \"github\"\nauthority = {:?}\nclient_id = \"cli\"\nscopes = [\"repo\"]\n\
         [[sockets]]\npath = {:?}\nprofiles = [\"work\"]\n",
        stage.store(),
        stage.server.issuer(),
        socket.display().to_string()
    );
    let daemon = Daemon::start(&stage.home, &config).await;
    daemon.log_until(|log| log.contains("listening, restricted")).await;
    let token = stage.sign_in("alice").await;
    let rejecting = || stage.ctl().stdin(format!("{token}\n"));

    for _ in 0..2 {
        let output = rejecting().at(&socket).run(["get-token", "--rejected"]).await;
        assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{output:?}");
        assert!(output.stderr.contains("that was rejected") && output.stderr.contains("hint: "), "{output:?}");
        assert_eq!(stage.ok("get-token --no-prompt").await.trim_end(), token, "it goes on for the user");
    }
    let served = stage.ctl().at(&socket).run(["get-token"]).await;
    assert_eq!(served.stdout.trim_end(), token, "and there for whoever does not reject it");
    assert!(daemon.sigterm().await.success());
    let _daemon = Daemon::launch(&stage.home).start().await;
    assert_eq!(stage.ok("get-token --no-prompt").await.trim_end(), token, "nothing else was kept either");

    let output = rejecting().run(["get-token", "--rejected", "--no-prompt"]).await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "the user may end it: {output:?}");
}

#[tokio::test]
async fn what_is_rejected_there_is_replaced_by_a_refresh() {
    let restricted = Restricted::new("").await;
    let token = restricted.sign_in().await;
    let ctl = restricted.stage.ctl().stdin(format!("{token}\n"));
    let output = ctl.at(&restricted.socket).run(["get-token", "--rejected"]).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_ne!(output.stdout.trim_end(), token);
    assert_eq!(restricted.run("get-token").await.stdout, output.stdout);
    assert_eq!(restricted.stage.refreshes(), 1);
}

#[tokio::test]
async fn a_reload_opens_and_closes_it() {
    let restricted = Restricted::new("").await;
    restricted.sign_in().await;
    let config = restricted.stage.config() + &restricted.stage.profile("other");
    restricted.stage.home.write(restricted.stage.home.config_file(), config.as_bytes()).expect("a file");
    restricted.stage.ok("reload").await;
    for _ in 0..50 {
        if restricted.run("get-token").await.code == Some(7) {
            assert!(!restricted.socket.exists());
            return;
        }
    }
    panic!("it is still there");
}

#[tokio::test]
async fn one_that_a_reload_changes_is_there_with_its_new_rules() {
    let restricted = Restricted::new("").await;
    restricted.sign_in().await;
    assert_eq!(restricted.run("get-token work").await.code, Some(0));
    let (stage, path) = (&restricted.stage, restricted.socket.display().to_string());
    let config = stage.config() + &stage.profile("other");
    let config = format!("{config}[[sockets]]\npath = {path:?}\nprofiles = [\"other\"]\n");
    stage.home.write(stage.home.config_file(), config.as_bytes()).expect("a file");
    stage.ok("reload").await;
    restricted.daemon.log_until(|log| log.matches("listening, restricted").count() == 2).await;
    let output = restricted.run("get-token work").await;
    assert!(output.code == Some(7) && output.stderr.contains("restricted socket"), "{output:?}");
    assert!(restricted.socket.exists(), "it answers");
}

#[tokio::test]
async fn another_user_comes_in_only_where_it_is_allowed() {
    if !can_become_another("sockets::another_user_comes_in_only_where_it_is_allowed") {
        return;
    }
    for (more, expected) in [("allow_uids = [65534]", 200), ("allow_uids = [65533]", 403)] {
        let restricted = Restricted::new(more).await;
        let token = restricted.sign_in().await;
        // The socket's own directory is brokerd's to open; it made it.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(restricted.stage.home.path(), mode).expect("a mode");
        let mut command = restricted.stage.home.command("/usr/bin/setpriv".as_ref());
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--", "curl", "-s", "-w", "%{http_code}"]);
        command.arg("--unix-socket").arg(&restricted.socket).args(["-H", "content-type: application/json"]);
        command.args(["-d", "{}", "http://localhost/v1/token"]).stdin(Stdio::null());
        let output = command.output().await.expect("curl");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(told.ends_with(&expected.to_string()), "{more}: {told}");
        assert_eq!(told.contains(&token), expected == 200, "{more}: {told}");
    }
}

/// A user and mount namespace, as a rootless container has: root in there is this user outside, and only the socket's
/// directory is taken along.
#[tokio::test]
async fn it_is_there_for_a_container_through_a_bind_mount() {
    let test = "sockets::it_is_there_for_a_container_through_a_bind_mount";
    let restricted = Restricted::new("").await;
    let token = restricted.sign_in().await;
    let inside = restricted.stage.home.path().join("inside");
    std::fs::create_dir(&inside).expect("a directory");
    let brokerctl = open_copy(&restricted.stage.home, &binaries().brokerctl);
    let script = format!(
        "mount --bind {} {} && exec {} --socket {}/s get-token",
        restricted.socket.parent().expect("a directory").display(),
        inside.display(),
        brokerctl.display(),
        inside.display()
    );
    let mut command = restricted.stage.home.command("/usr/bin/unshare".as_ref());
    command.args(["--user", "--map-root-user", "--mount", "--", "sh", "-c", &script]).stdin(Stdio::null());
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("in time").expect("unshare");
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("Operation not permitted") || complaint.contains("No such file") {
        crate::real_parts::skip(test, "this system lets nobody make a namespace").expect("a record");
        return;
    }
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), token, "{complaint}");
}
