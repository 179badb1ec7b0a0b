//! `brokerctl profile` and `brokerd --check-config`: is what they write and say right, and is nothing lost when it is not?

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::{Value, json};
use support::processes::{Daemon, Output, binaries};

use crate::stage::Stage;

/// What the user has written around it.
const COMMENTS: &str = "# mine\n\n[store]   # where\nkind = \"memory\"\n\n# the end\n";

impl Stage {
    fn config_text(&self) -> String {
        fs::read_to_string(self.home.config_file()).unwrap_or_default()
    }

    fn write_config(&self, text: &str) {
        self.home.write(self.home.config_file(), text.as_bytes()).expect("a file");
    }

    /// The words that add a profile at the server.
    fn add(&self, name: &str) -> String {
        format!("profile add {name} --issuer {} --client-id cli -s openid -s offline_access", self.server.issuer())
    }

    async fn check_config(&self) -> Output {
        let mut command = self.home.command(&binaries().brokerd);
        let output = command.arg("--check-config").output().await.expect("brokerd");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Output { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

fn refused(output: &Output, code: i32, named: &str) {
    assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{output:?}");
    assert!(output.stderr.contains(named), "{named}: {}", output.stderr);
    assert!(output.stderr.lines().nth(1).is_some_and(|line| line.starts_with("hint: ")), "{}", output.stderr);
}

#[tokio::test]
async fn what_a_killed_edit_left_beside_the_file_is_removed_by_the_next_and_nothing_else_is() {
    let stage = Stage::new().await;
    let _daemon = Daemon::start(&stage.home, COMMENTS).await;
    let beside = |name: &str| stage.home.config_file().with_file_name(name);
    let (left, others) = (beside(".config.toml.Ab3xYz.tmp"), [beside(".config.toml.swp"), beside("other.toml")]);
    for path in others.iter().chain([&left]) {
        stage.home.write(path, b"half a line").expect("a file");
    }
    stage.ok(&stage.add("sso")).await;
    assert!(!left.exists() && others.iter().all(|path| path.exists()));
}

#[tokio::test]
async fn a_profile_that_is_added_is_checked_written_and_in_force() {
    let stage = Stage::new().await;
    let _daemon = Daemon::start(&stage.home, COMMENTS).await;
    let output = stage.run(&stage.add("sso")).await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""), "{output:?}");
    let issuer = stage.server.issuer();
    let told = format!(
        "brokerctl: profile sso, the default: added to {}\nbrokerctl: provider: {issuer} answers\n\
         brokerctl: device flow: {issuer}/device_authorization\nbrokerctl: clock: within 1 s of the provider's\n\
         brokerctl: next: brokerctl login sso\n",
        stage.home.config_file().display()
    );
    assert_eq!(output.stderr, told);
    let profile = format!(
        "[profiles.sso]\nissuer = \"{issuer}\"\nclient_id = \"cli\"\nscopes = [\"openid\", \"offline_access\"]\n"
    );
    assert_eq!(stage.config_text(), format!("{COMMENTS}\n{profile}"));
    // It is in force: nothing was restarted, and somebody can sign in.
    stage.sign_in("alice").await;

    let kept = stage.run("profile remove sso").await;
    refused(&kept, 6, "alice@example.com");
    // Nor by another client, which could neither use the sign-in nor revoke it.
    let other = format!("profile add sso --replace --issuer {issuer} --client-id other --no-check");
    refused(&stage.run(&other).await, 6, "alice@example.com");
    assert!(stage.config_text().contains("\"cli\""));
    stage.ok(&format!("{other} --keep-accounts")).await;
    stage.ok(&format!("{} --replace --keep-accounts", stage.add("sso"))).await;
    stage.ok(&format!("{} --replace", stage.add("sso"))).await;
    let moved = format!(
        "{} --token-endpoint http://127.0.0.1:1/t --device-authorization-endpoint http://127.0.0.1:1/d --replace --no-check",
        stage.add("sso")
    );
    refused(&stage.run(&moved).await, 6, "alice@example.com");
    let second = stage.run(&stage.add("two")).await;
    assert!(
        second.stderr.contains("no default profile any more: say which, or write default_profile = \"sso\""),
        "{second:?}"
    );
    stage.ok("profile remove two").await;
    assert!(stage.config_text().contains("[profiles.sso]"));
    stage.ok("logout").await;
    let removed = stage.json("profile remove sso -o json").await;
    let path = stage.home.config_file().display().to_string();
    assert_eq!(removed, json!({"path": path, "profile": "sso", "was_default": false}));
    assert_eq!(stage.json("status -o json").await["profiles"], json!([]));
    assert_eq!(stage.config_text(), COMMENTS);
}

/// One file under two names is one, and a profile of another file is none of the daemon's accounts' business.
#[tokio::test]
async fn what_the_daemon_knows_is_about_its_own_file_whatever_it_is_called() {
    let stage = Stage::new().await;
    let dots = stage.home.write("dots.toml", COMMENTS.as_bytes()).expect("a file");
    fs::remove_file(stage.home.config_file()).ok();
    symlink(&dots, stage.home.config_file()).expect("a link");
    let _daemon = Daemon::launch(&stage.home).start().await;
    let added = stage.json(&format!("{} --config {} -o json", stage.add("work"), dots.display())).await;
    assert_eq!(added["not_in_force"], Value::Null, "{added}");
    stage.sign_in("alice").await;
    refused(&stage.run(&format!("profile remove work --config {}", dots.display())).await, 6, "alice@example.com");

    let other = stage.home.path().join("other.toml");
    let added = stage.json(&format!("{} --config {} --no-check -o json", stage.add("work"), other.display())).await;
    assert!(added["not_in_force"].as_str().is_some_and(|why| why.contains("another file")), "{added}");
    let removed = stage.run(&format!("profile remove work --config {}", other.display())).await;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert!(removed.stderr.contains("uses another file"), "{removed:?}");
    assert!(stage.config_text().contains("[profiles.work]"));
}

#[tokio::test]
async fn a_provider_that_cannot_serve_is_found_out_before_anything_is_written() {
    let mut options = crate::stage::options();
    options.metadata_overrides.insert("device_authorization_endpoint".into(), Value::Null);
    let stage = Stage::with(options).await;
    let _daemon = Daemon::start(&stage.home, COMMENTS).await;
    refused(&stage.run(&stage.add("sso")).await, 6, "device flow");
    let away = stage.run("profile add sso --issuer http://127.0.0.1:1 --client-id cli").await;
    refused(&away, 8, "http://127.0.0.1:1 of profile sso cannot be reached");
    assert!(away.stderr.contains("provider_unreachable") && !away.stderr.contains("doctor"), "{away:?}");
    assert_eq!(stage.config_text(), COMMENTS);
    let added = stage.json(&(stage.add("sso") + " --no-check -o json")).await;
    assert_eq!((&added["unchecked"], &added["replaced"]), (&json!("so wished"), &json!(false)), "{added}");
    assert_eq!(stage.json("status -o json").await["profiles"][0]["name"], "sso");
}

#[tokio::test]
async fn without_a_daemon_profiles_are_written_all_the_same() {
    let stage = Stage::new().await;
    let file = stage.home.config_file();
    fs::remove_dir_all(file.parent().expect("a directory")).expect("it is there");
    assert_eq!(stage.json("profile list -o json").await["profiles"], json!([]), "none is no error");
    let work =
        "profile add work --provider entra --tenant contoso.onmicrosoft.com --client-id 1 -s User.Read --default";
    let added = stage.json(&format!("{work} -o json")).await;
    assert_eq!((&added["unchecked"], &added["profile"]["default"]), (&json!("brokerd is not running"), &json!(true)));
    assert!(added["not_in_force"].as_str().is_some_and(|why| why.contains("not running")), "{added}");
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let google = stage.run("profile add g --provider google --client-id 2 --client-secret-in-keyring").await;
    assert!(google.stderr.ends_with("next: brokerctl client-secret set g\n"), "{google:?}");

    let listed = stage.json("profile list -o json").await;
    assert_eq!((&listed["profiles"][0]["name"], &listed["profiles"][1]["name"]), (&json!("g"), &json!("work")));
    assert!(stage.ok("profile list").await.contains("https://login.microsoftonline.com/contoso.onmicrosoft.com"));
    let shown = stage.json("profile show -o json").await;
    assert_eq!((&shown["profile"], &shown["settings"]["cloud"]), (&json!("work"), &Value::Null));
    assert_eq!(shown["settings"]["authority"], "https://login.microsoftonline.com");
    assert_eq!(shown["in_file"], json!(["client_id", "provider", "scopes", "tenant"]));

    let checked = stage.check_config().await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    for part in ["profile work, the default: entra", "not checked: whether the store opens", "secret of profile g"] {
        assert!(checked.stdout.contains(part), "{part}: {}", checked.stdout);
    }
    refused(&stage.run("profile show wrk").await, 6, "no profile \"wrk\"");
    let removed = stage.run("profile remove work").await;
    assert!(removed.stderr.contains("it was the default profile") && removed.code == Some(0), "{removed:?}");
    assert!(!stage.config_text().contains("default_profile"));
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let stage = Stage::new().await;
    let good = format!("{COMMENTS}\n[profiles.work]\nissuer = \"https://i.example\"\nclient_id = \"c\"\n");
    stage.write_config(&good);
    for (words, code, named) in [
        ("profile add work --issuer https://other.example --client-id c", 6, "a profile \"work\" already"),
        ("profile add b/d --issuer https://i.example --client-id c", 6, "letters, digits"),
        ("profile add new --issuer http://i.example --client-id c", 6, "not https"),
        ("profile add new --client-id c", 6, "issuer is missing"),
        ("profile add new --provider entra --client-id c", 6, "tenant is missing"),
        ("profile add new --provider google --client-id c", 6, "client secret is missing"),
        ("profile add new --token-endpoint https://i.example/t --client-id c", 6, "device_authorization_endpoint"),
        ("profile add new --issuer https://i.example --client-id c --ca-file nowhere.pem", 6, "nowhere.pem"),
        ("profile add new --issuer https://i.example --client-id c --proxy http://a:hunter2@p", 1, "command line"),
        ("profile remove wrk", 6, "no profile \"wrk\""),
    ] {
        let output = stage.run(words).await;
        refused(&output, code, named);
        assert!(!output.stderr.contains("hunter2"), "{output:?}");
        assert_eq!(stage.config_text(), good, "{words}");
    }
    let add = "profile add new --issuer https://i.example --client-id c";
    for (bad, named) in [("[profiles.work\n", "line 1"), ("colour = 1\n", "\"colour\" is no key")] {
        stage.write_config(bad);
        refused(&stage.run(add).await, 6, named);
        assert_eq!(stage.config_text(), bad);
    }
    stage.write_config(&good);
    fs::set_permissions(stage.home.config_file(), fs::Permissions::from_mode(0o666)).expect("a mode");
    refused(&stage.run(add).await, 6, "others may write it");
    assert_eq!(stage.config_text(), good);
    assert_eq!(fs::read_dir(stage.home.config_file().parent().expect("a directory")).expect("it").count(), 1);
}

#[tokio::test]
async fn a_file_under_version_control_stays_a_link_and_two_editors_lose_nothing() {
    let stage = Stage::new().await;
    let dots = stage.home.write("dots.toml", COMMENTS.as_bytes()).expect("a file");
    symlink(&dots, stage.home.config_file()).expect("a link");
    let editors = (0..6).map(|n| {
        let words = format!("profile add p{n} --issuer https://i{n}.example --client-id c");
        stage.spawn(&words)
    });
    for editor in editors.collect::<Vec<_>>() {
        let output = editor.finish().await;
        assert_eq!(output.code, Some(0), "{output:?}");
    }
    assert!(stage.home.config_file().is_symlink());
    assert_eq!(stage.json("profile list -o json").await["profiles"].as_array().map(Vec::len), Some(6));
    assert!(fs::read_to_string(&dots).expect("it").starts_with("# mine\n"));
}

/// brokerd names its keys and providers when it meets one that it does not know.
#[tokio::test]
async fn there_is_a_flag_for_each_key_and_each_provider() {
    let stage = Stage::new().await;
    let help = stage.ok("profile add --help").await;
    stage.write_config("[profiles.p]\n0 = 1\n");
    let keys = stage.check_config().await.stderr;
    let keys = keys.split_once("the keys there are: ").expect("the keys").1.trim().split(", ").collect::<Vec<_>>();
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        let flag = match key {
            "scopes" => "--scope <".into(),
            "extra_parameters" => "--param <".into(),
            "client_secret" => "--client-secret-in-keyring".into(),
            "client_capabilities" => "--client-capability <".into(),
            _ => format!("--{}", key.replace('_', "-")),
        };
        assert!(help.contains(&flag), "{flag} is not in: {help}");
    }
    stage.write_config("[profiles.p]\nclient_id = \"c\"\nprovider = \"0\"\n");
    let providers = stage.check_config().await.stderr;
    let providers = providers.split_once("is none of: ").expect("the providers").1.lines().next().expect("a line");
    assert!(help.contains(&format!("[possible values: {providers}]")), "{providers} is not in: {help}");
}
