//! Does each tool get what it asks for in its own words, and its own "there is none" when there is none?

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use serde_json::{Value, json};
use support::processes::{Ctl, Home, Output, binaries};

use crate::stage::{PATIENCE, Stage};

const HOSTS: &str = "[[hosts]]\nmatch = \"pkg.example.com\"\nprofile = \"work\"\nusername = \"token\"\n";
const GIT: &str = "capability[]=authtype\nprotocol=https\nhost=pkg.example.com\n\n";
const CARGO: &str =
    r#"{"v":1,"registry":{"index-url":"sparse+https://pkg.example.com/index/"},"kind":"get","operation":"read"}"#;
const EXEC_INFO: &str = r#"{"apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}"#;
const SECRET: &str = "hunter2-s3cret";

/// How a tool asks, and what it sends.
const QUESTIONS: &[(&str, &str)] = &[
    ("helper bazel get", r#"{"uri":"https://pkg.example.com/x"}"#),
    ("helper cargo --cargo-plugin", CARGO),
    ("helper curl --url https://pkg.example.com/", ""),
    ("helper docker get", "https://pkg.example.com/v2/\n"),
    ("helper gcloud --file token", ""),
    ("helper git get", GIT),
    ("helper keyring get https://pkg.example.com/simple/ ada", ""),
    ("helper kubernetes", ""),
    ("helper npm", ""),
    ("helper sasl", ""),
    ("helper terraform get pkg.example.com", ""),
    ("helper wlcg", ""),
    ("az account get-access-token --output json --resource https://x.test", ""),
    ("azd auth token --output json --no-prompt --scope https://x.test/.default", ""),
];

async fn ask(home: &Home, question: &str, stdin: &str) -> Output {
    let ctl = Ctl::new(home).limit(PATIENCE).stdin(stdin).env("KUBERNETES_EXEC_INFO", EXEC_INFO);
    ctl.run(question.split_whitespace()).await
}

async fn stage() -> (Stage, support::processes::Daemon) {
    let stage = Stage::new().await;
    let daemon = support::processes::Daemon::start(&stage.home, &(stage.config() + HOSTS)).await;
    (stage, daemon)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn each_tool_gets_its_words() {
    let (stage, _daemon) = stage().await;
    let token = stage.sign_in("alice").await;
    let expiry = &stage.json("get-token -o json").await;
    let (at, on) = (expiry["expires_at"].as_str().unwrap(), expiry["expires_on"].as_i64().unwrap());
    let answer = |question: &str| {
        let stdin = QUESTIONS.iter().find(|(asked, _)| asked.starts_with(question)).unwrap();
        async {
            let output = ask(&stage.home, stdin.0, stdin.1).await;
            assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
            output.stdout
        }
    };
    let bearer = format!("Bearer {token}");
    assert_eq!(json(&answer("helper bazel").await), json!({"headers": {"Authorization": [bearer]}, "expires": at}));
    let cargo = answer("helper cargo").await;
    let (hello, get) = cargo.split_once('\n').unwrap();
    assert_eq!(json(hello), json!({"v": [1]}));
    assert_eq!(
        json(get),
        json!({"Ok": {"kind": "get", "token": bearer, "cache": "expires", "expiration": on, "operation_independent": true}})
    );
    assert_eq!(answer("helper curl").await, format!("oauth2-bearer = \"{token}\"\n"));
    assert_eq!(
        json(&answer("helper docker").await),
        json!({"ServerURL": "https://pkg.example.com/v2/", "Username": "token", "Secret": token})
    );
    assert_eq!(
        answer("helper git").await,
        format!("capability[]=authtype\nauthtype=Bearer\ncredential={token}\nephemeral=1\npassword_expiry_utc={on}\n")
    );
    assert_eq!(answer("helper keyring").await, format!("{token}\n"));
    assert_eq!(
        json(&answer("helper kubernetes").await),
        json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
               "status": {"token": token, "expirationTimestamp": at}})
    );
    assert_eq!(answer("helper npm").await, format!("{bearer}\n"));
    assert_eq!(json(&answer("helper terraform").await), json!({"token": token}));

    // What has more than one form.
    let old = GIT.replace("capability[]=authtype\n", "");
    let output = ask(&stage.home, "helper git get", &old).await;
    assert_eq!(output.stdout, format!("username=token\npassword={token}\npassword_expiry_utc={on}\n"));
    let output = ask(&stage.home, "helper keyring --mode creds get https://pkg.example.com/", "").await;
    assert_eq!(output.stdout, format!("token\n{token}\n"));
    let output = ask(&stage.home, "helper keyring --mode=creds --output=json get https://pkg.example.com/", "").await;
    assert_eq!(json(&output.stdout), json!({"username": "token", "password": token}));
    let output = ask(&stage.home, "get-token -o azure-cli", "").await;
    let azure = json(&output.stdout);
    assert_eq!((&azure["accessToken"], &azure["expires_on"]), (&json!(token), &json!(on)));
    let output = ask(&stage.home, "helper wlcg", "").await;
    let file = output.stdout.trim_end();
    assert!(file.contains("/bt_u"), "{file}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), token);
    // It is asked for, and has a token in it; the home is looked through for others.
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn without_brokerd_each_tool_is_told_in_its_words_and_one_line() {
    let home = Home::new();
    for (question, stdin) in QUESTIONS {
        let output = ask(&home, question, stdin).await;
        let own = match question.split(' ').nth(1).unwrap() {
            "cargo" => (Some(0), "{\"v\":[1]}\n{\"Err\":{\"kind\":\"not-found\"}}\n"),
            "docker" => (Some(1), "credentials not found in native keychain\n"),
            "keyring" | "account" | "auth" => (Some(1), ""),
            _ => (Some(7), ""),
        };
        assert_eq!((output.code, output.stdout.as_str()), own, "{question}: {output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{question}: {output:?}");
        assert!(output.stderr.contains("brokerd is not running"), "{question}: {output:?}");
        match *question {
            az if az.starts_with("az ") => assert!(output.stderr.contains("Please run 'az login'"), "{output:?}"),
            azd if azd.starts_with("azd ") => {
                let message = &json(&output.stderr)["data"]["message"];
                assert!(
                    message.as_str().unwrap().contains("not logged in, run `azd auth login` to login"),
                    "{message}"
                );
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn nobody_signed_in_is_told_at_once_and_nobody_is_asked_for_a_strangers_host() {
    let (stage, _daemon) = stage().await;
    for (question, stdin) in QUESTIONS {
        let output = ask(&stage.home, question, stdin).await;
        let fails = !question.starts_with("helper cargo");
        assert_eq!(output.code == Some(0), !fails, "{question}: {output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{question}: {output:?}");
        assert!(output.stderr.contains("brokerctl login"), "{question}: {output:?}");
    }
    let silent = [
        ("helper bazel get", r#"{"uri":"https://x.test/"}"#, Some(0), "{\"headers\":{}}\n"),
        ("helper docker get", "x.test\n", Some(1), "credentials not found in native keychain\n"),
        ("helper git get", "protocol=https\nhost=x.test\n", Some(0), ""),
        ("helper git erase", "protocol=https\nhost=x.test\npassword=p\n", Some(0), ""),
        ("helper keyring get https://x.test/ ada", "", Some(1), ""),
        ("helper terraform get x.test", "", Some(0), "{}\n"),
    ];
    for (question, stdin, code, stdout) in silent {
        let output = ask(&stage.home, question, stdin).await;
        assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (code, stdout, ""), "{question}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_an_error_that_repeats_nothing() {
    let home = Home::new();
    let questions = [
        ("helper bazel get", format!("{{\"uri\":[\"{SECRET}\"]}}")),
        ("helper bazel get", format!("{SECRET}\0")),
        ("helper cargo --cargo-plugin", format!("{{\"v\":\"{SECRET}\"}}\n")),
        ("helper cargo --cargo-plugin", format!("{SECRET}\n")),
        ("helper docker get", format!("https://ada:{SECRET}@/\n")),
        ("helper docker get", format!("ftp://ada:{SECRET}@x.test\n")),
        ("helper git get", format!("protocol=https\nhost=x.test\n{SECRET}\n")),
        ("helper git get", format!("protocol=http\nhost=x.test\npassword={SECRET}\n")),
        ("helper git erase", format!("password={SECRET}\n")),
        ("helper git get", format!("password={SECRET}{}\n", "x".repeat(300_000))),
        // What has no stdin is asked by its arguments, in which a tool may pass on a URL with a password.
        ("helper curl --url ftp://ada:{}@x.test/", String::new()),
        ("helper curl --url http://ada:{}@x.test/", String::new()),
        ("helper keyring get ftp://ada:{}@x.test/ ada", String::new()),
        ("helper keyring set x.test ada", SECRET.to_owned()),
        ("helper terraform get ada:{}@/", String::new()),
        ("helper terraform store x.test", format!("{{\"token\":\"{SECRET}\"}}")),
    ];
    for (question, stdin) in questions {
        let output = ask(&home, &question.replace("{}", SECRET), &stdin).await;
        assert!(!format!("{output:?}").contains(SECRET), "{question}: {output:?}");
        assert_ne!(output.code, Some(0), "{question}: {output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{question}: {output:?}");
        assert!(!output.stderr.contains("not running"), "{question}: nobody is to be asked: {output:?}");
    }
}

/// The link is an `az` for what it knows; of anything else it knows nothing, least of all another resource's token.
#[tokio::test]
async fn what_az_is_not_known_here_is_the_next_ones() {
    let (stage, _daemon) = stage().await;
    let token = stage.sign_in("alice").await;
    fs::create_dir(stage.home.path().join("others")).expect("a directory");
    let az = stage.home.program("others/az", b"#!/bin/sh\necho \"next: $*\"\n").expect("a file");
    let path = format!("{}:/usr/bin:/bin", az.parent().expect("a directory").display());
    let ask = async |line: &[&OsStr]| {
        let line = ["az"].map(OsStr::new).into_iter().chain(line.iter().copied());
        stage.ctl().env("PATH", &path).run(line).await
    };
    let get = "account get-access-token --output json --resource https://x.test";
    for line in [
        "group list".to_owned(),
        "version".to_owned(),
        "--version".to_owned(),
        "account show -s other".to_owned(),
        format!("{get} --help"),
        format!("{get} -h"),
        format!("{get} --resource-type vault"),
        format!("{get} --claims-challenge x"),
        format!("{get} more"),
        // Before anybody is asked for a token.
        "account get-access-token --query {t:accessToken}".to_owned(),
        "account get-access-token --output table".to_owned(),
        "account get-access-token -o tsv".to_owned(),
    ] {
        let output = ask(&line.split(' ').map(OsStr::new).collect::<Vec<_>>()).await;
        assert_eq!((output.code, output.stdout), (Some(0), format!("next: {line}\n")), "{}", output.stderr);
    }
    let odd = OsStr::from_bytes(b"\xff");
    let output = ask(&["group", "show", "-n"].map(OsStr::new).into_iter().chain([odd]).collect::<Vec<_>>()).await;
    assert!(output.code == Some(0) && output.stdout.starts_with("next: group show -n "), "{output:?}");
    for line in ["-s mine -otsv", "-o=tsv", "--output=tsv --only-show-errors"] {
        let line = format!("account get-access-token --scope openid --query accessToken {line}");
        let output = ask(&line.split(' ').map(OsStr::new).collect::<Vec<_>>()).await;
        assert_eq!((output.code, output.stdout), (Some(0), format!("{token}\n")), "{line}: {}", output.stderr);
    }
}

/// Two brokerctl are each the next of the other, and azurerm asks whoever it finds for a version.
#[tokio::test]
async fn where_no_az_is_another_program_there_is_no_next_one() {
    let home = Home::new();
    let brokerctl = fs::read(&binaries().brokerctl).expect("the program");
    let directories = ["one", "two"].map(|name| {
        let directory = home.path().join(name);
        fs::create_dir(&directory).expect("a directory");
        home.program(directory.join("az"), &brokerctl).expect("a copy");
        directory.display().to_string()
    });
    let path = directories.join(":");
    let ctl = Ctl::new(&home).limit(PATIENCE).env("PATH", &path);
    let output = ctl.run("az login --password hunter2-s3cret".split(' ')).await;
    assert_eq!((output.code, output.stderr.lines().count()), (Some(2), 1), "{output:?}");
    assert!(output.stderr.contains("no other az in PATH for: login with these options"), "{output:?}");
    let version = ctl.run("az version -o=json".split(' ')).await;
    let version = json(&version.stdout);
    assert!(version["azure-cli"].as_str().is_some_and(|version| version.starts_with("2.")), "{version}");
    assert_eq!(version["extensions"], json!({}), "{version}");
}

#[tokio::test]
async fn a_script_named_az_that_runs_this_one_is_not_run_for_ever() {
    let home = Home::new();
    let script = format!("#!/bin/sh\nexec '{}' az \"$@\"\n", binaries().brokerctl.display());
    home.program("az", script.as_bytes()).expect("a file");
    let path = format!("{}:/usr/bin:/bin", home.path().display());
    let output = Ctl::new(&home).limit(PATIENCE).env("PATH", &path).run(["az", "group", "list"]).await;
    assert_eq!((output.code, output.stderr.lines().count()), (Some(2), 1), "{output:?}");
}

/// Bytes that are no text, and text that is not what was asked for.
#[tokio::test]
async fn no_helper_that_reads_stdin_takes_garbage() {
    let home = Home::new();
    for question in ["helper bazel get", "helper cargo --cargo-plugin", "helper docker get", "helper git get"] {
        for garbage in [&b"\xff\xfe\0hunter2"[..], b"\n", b"[]", b"\0"] {
            let ctl = Ctl::new(&home).limit(PATIENCE).stdin(garbage);
            let output = ctl.run(question.split_whitespace()).await;
            assert_ne!(output.code, Some(0), "{question}: {output:?}");
            assert_eq!(output.stderr.lines().count(), 1, "{question}: {garbage:?}: {output:?}");
            assert!(!format!("{output:?}").contains("hunter2"), "{question}: {output:?}");
        }
    }
    // kubectl's request is in its environment.
    for info in ["{", "[]", r#"{"apiVersion":"hunter2"}"#, r#"{"apiVersion":7}"#] {
        let ctl = Ctl::new(&home).limit(PATIENCE).env("KUBERNETES_EXEC_INFO", info);
        let output = ctl.run(["helper", "kubernetes"]).await;
        assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{info}: {output:?}");
        assert!(output.stderr.lines().count() == 1 && !output.stderr.contains("hunter2"), "{info}: {output:?}");
    }
}
