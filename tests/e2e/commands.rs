//! Do the commands around the token tell what is, for people and for programs?

use serde_json::Value;
use support::fake_as::{Grant, Revoked};

use support::processes::Daemon;

use crate::stage::{Stage, prompted};

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn login_signs_in_and_prints_no_token() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let mut asked = stage.spawn("login work");
    let code = prompted(&mut asked).await;
    stage.server.approve(&code, "alice");
    let output = asked.finish().await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""), "{output:?}");
    assert!(output.stderr.ends_with("brokerctl: signed in as alice@example.com (work)\n"), "{}", output.stderr);

    // A login is always interactive, and another user is another account.
    let mut asked = stage.spawn("login -o json");
    let code = prompted(&mut asked).await;
    stage.server.approve(&code, "bob");
    let output = asked.finish().await;
    let answer: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(keys(&answer), ["account", "profile"]);
    assert_eq!((&answer["profile"], &answer["account"]["username"]), (&"work".into(), &"bob@example.com".into()));

    let which = stage.run("get-token").await;
    assert_eq!(which.code, Some(3), "{which:?}");
    for name in ["alice@example.com", "bob@example.com", "--account"] {
        assert!(which.stderr.contains(name), "{}", which.stderr);
    }
    assert!(stage.run("get-token -a bob@example.com").await.code == Some(0));
}

#[tokio::test]
async fn accounts_and_status_say_who_is_signed_in_and_where_it_is_kept() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let nobody = stage.run("accounts").await;
    assert_eq!((nobody.code, nobody.stdout.as_str()), (Some(0), ""), "{nobody:?}");
    assert!(nobody.stderr.contains("nobody is signed in"), "{}", nobody.stderr);
    assert_eq!(stage.json("accounts -o json").await, serde_json::json!({"accounts": []}));

    stage.sign_in("alice").await;
    let table = stage.ok("accounts").await;
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 2, "{table}");
    assert!(rows[1].starts_with("work") && rows[1].contains("alice@example.com") && rows[1].contains("signed in"));
    let accounts = stage.json("accounts -o json").await;
    let account = &accounts["accounts"][0];
    assert_eq!(keys(account), ["id", "profile", "scope", "signed_in_at", "state", "tokens", "username"]);
    assert_eq!(account["state"], "signed_in");
    assert_eq!(keys(&account["tokens"][0]), ["expires_at", "refresh_after", "scope"]);

    let status = stage.json("status -o json").await;
    assert_eq!(status["pid"], daemon.pid().expect("it runs"));
    assert_eq!(status["store"]["kind"], "file");
    assert_eq!(status["store"]["state"], "ok");
    assert!(status["store"]["durability"].as_str().is_some_and(|text| text.contains("sealed file")), "{status}");
    assert_eq!(status["configuration"]["path"], stage.home.config_file().display().to_string());
    assert_eq!(status["profiles"][0]["name"], "work");
    assert_eq!(status["profiles"][0]["default"], true);
    assert_eq!((&status["accounts"], &status["notices"]), (&1.into(), &serde_json::json!([])));
    let text = stage.ok("status").await;
    for part in ["brokerd", "file (ok)", "work (oidc at ", "account        alice@example.com (work), signed in"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn prompts_are_listed_watched_and_cancelled() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let none = stage.run("prompts").await;
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""), "{none:?}");

    let mut watching = stage.spawn("watch -o json");
    let mut asked = stage.spawn("get-token");
    let code = prompted(&mut asked).await;
    let prompts = stage.json("prompts -o json").await;
    let prompt = &prompts["prompts"][0];
    assert_eq!(prompt["user_code"], code.as_str());
    assert_eq!(prompt["requested_by"]["pid"], asked.pid().expect("it waits"));
    assert_eq!(prompt["requested_by"]["command"], "brokerctl");
    assert_eq!((&prompt["profile"], &prompt["interval"]), (&"work".into(), &1.into()));
    assert!(stage.ok("prompts").await.contains(&code));
    let status = stage.json("status -o json").await;
    assert_eq!(status["flights"][0]["kind"], "device_code");
    assert_eq!(status["flights"][0]["waiters"], 1);

    let id = prompt["id"].as_str().expect("an id");
    assert_eq!(stage.json(&format!("prompts cancel {id} -o json")).await, serde_json::json!({"cancelled": id}));
    let output = asked.finish().await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(4), ""), "{output:?}");
    assert!(output.stderr.contains("cancelled"), "{}", output.stderr);
    let seen = watching.stdout_until(|seen| seen.contains("prompt_ended")).await;
    let events: Vec<Value> = seen.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(events[0]["event"], "prompt_started");
    assert_eq!(events[1], serde_json::json!({"event": "prompt_ended", "id": id, "outcome": "cancelled"}));
    assert_eq!(stage.run(&format!("prompts cancel {id}")).await.code, Some(1));
    watching.kill9().await;
}

#[tokio::test]
async fn logout_revokes_and_forgets() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    let output = stage.run("logout").await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""), "{output:?}");
    assert_eq!(output.stderr, "brokerctl: signed out alice@example.com (work); at the provider: revoked\n");
    assert_eq!(stage.server.families()[0].revoked, Some(Revoked::Client));
    assert!(stage.server.access_token(&token).is_none(), "the server ended it");
    assert_eq!(stage.json("accounts -o json").await["accounts"], serde_json::json!([]));
    assert_eq!(stage.run("get-token --no-prompt").await.code, Some(3));
    let again = stage.run("logout").await;
    assert_eq!(again.code, Some(6), "{again:?}");

    // Without the provider it is forgotten all the same.
    stage.sign_in("bob").await;
    stage.server.refuse_connections(true);
    stage.server.drop_connections();
    let signed_out = stage.json("logout --all -o json").await;
    let one = &signed_out["signed_out"][0];
    assert_eq!(one["revocation"], "failed");
    assert_eq!(keys(one), ["account", "detail", "profile", "revocation"]);
    assert_eq!(stage.json("accounts -o json").await["accounts"], serde_json::json!([]));
    assert_eq!(stage.server.count(Grant::RefreshToken), 0);
}

#[tokio::test]
async fn the_doctor_looks_at_everything() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let findings = stage.json("doctor -o json").await;
    assert_eq!(findings["ok"], true, "{findings}");
    let checks: Vec<&str> =
        findings["findings"].as_array().expect("a list").iter().filter_map(|f| f["check"].as_str()).collect();
    let wanted =
        ["socket", "version", "configuration", "service", "environment", "store", "provider", "device flow", "clock"];
    assert_eq!(checks, wanted);
    stage.server.reconfigure(|options| options.date = Some("Sun, 06 Nov 1994 08:49:37 GMT".into()));
    let unwell = stage.run("doctor").await;
    assert_eq!(unwell.code, Some(1), "{unwell:?}");
    assert!(unwell.stdout.contains("s ahead of the provider's") && unwell.stdout.contains("timedatectl"), "{unwell:?}");
    stage.server.reconfigure(|options| options.date = None);
    stage.server.refuse_connections(true);
    stage.server.drop_connections();
    let unwell = stage.run("doctor").await;
    assert_eq!(unwell.code, Some(1), "{unwell:?}");
    assert!(unwell.stdout.contains("NOT OK") && unwell.stdout.contains("hint:"), "{}", unwell.stdout);
}

#[tokio::test]
async fn a_rejected_token_is_replaced_once_and_never_named() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let refused = stage.sign_in("alice").await;
    let mut got = Vec::new();
    for _ in 0..2 {
        let output = stage.ctl().stdin(format!("{refused}\n")).run(["get-token", "--rejected"]).await;
        assert_eq!(output.code, Some(0), "{output:?}");
        got.push(output.stdout.trim_end().to_owned());
    }
    assert!(got[0] == got[1] && got[0] != refused);
    assert_eq!(stage.refreshes(), 1);
    let empty = stage.run("get-token --rejected").await;
    assert_eq!((empty.code, empty.stdout.as_str()), (Some(1), ""), "{empty:?}");
    assert!(empty.stderr.contains("stdin"), "{}", empty.stderr);
}

#[tokio::test]
async fn the_doctor_speaks_without_a_daemon_too() {
    let stage = Stage::new().await;
    let unwell = stage.run("doctor").await;
    assert_eq!(unwell.code, Some(7), "{unwell:?}");
    assert!(unwell.stdout.contains("NOT OK  socket") && unwell.stdout.contains("hint: "), "{unwell:?}");
    let output = stage.run("doctor -o json").await;
    let findings: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!((output.code, &findings["ok"]), (Some(7), &false.into()));
}

/// A daemon that hangs is told of in seconds, not in a minute.
#[tokio::test]
async fn a_daemon_that_hangs_holds_nobody_up() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    daemon.signal(rustix::process::Signal::STOP);
    let start = tokio::time::Instant::now();
    let all = ["status", "prompts", "doctor", "get-token --timeout 3"];
    let outputs = futures_util::future::join_all(all.map(|arguments| stage.run(arguments))).await;
    for (arguments, output) in all.into_iter().zip(outputs) {
        assert_eq!(output.code, Some(5), "{arguments}: {output:?}");
        assert!(format!("{output:?}").contains("or hangs"), "{arguments}: {output:?}");
    }
    daemon.signal(rustix::process::Signal::CONT);
    assert!(start.elapsed() < tokio::time::Duration::from_secs(12), "{:?}", start.elapsed());
}

#[tokio::test]
async fn status_tells_how_long_tokens_last_and_who_waits() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    let mut asked = stage.spawn("login");
    let code = prompted(&mut asked).await;
    let text = stage.ok("status").await;
    assert!(text.contains("refreshed when asked for in 47 min") || text.contains("in 48 min"), "{text}");
    assert!(text.contains("alice@example.com (work), signed in") && text.contains(&code), "{text}");
    let status = stage.json("status -o json").await;
    crate::schema::check("docs/status.schema.json", &status);
    let opened = stage.run("prompts open").await;
    assert!(opened.stderr.contains("there is no browser here") && opened.stderr.contains(&code), "{opened:?}");
    for (browser, code, told) in
        [("/bin/false", Some(1), "the browser does not start"), ("/bin/true", Some(0), "page opened")]
    {
        let opened = stage.ctl().env("BROWSER", browser).run(["prompts", "open"]).await;
        assert_eq!(opened.code, code, "{browser}: {opened:?}");
        assert!(opened.stderr.contains(told), "{browser}: {opened:?}");
    }
    let id = status["prompts"][0]["id"].as_str().expect("an id");
    assert_eq!(stage.run(&format!("prompts cancel {}", &id[..6])).await.code, Some(0));
    assert_eq!(asked.finish().await.code, Some(4));
    // Without a terminal, a watch tells changes and not the passing of time.
    let mut watching = stage.spawn("status --watch -o json");
    watching.stdout_until(|told| told.matches('\n').count() == 1).await;
    let mut asked = stage.spawn("login");
    prompted(&mut asked).await;
    watching.stdout_until(|told| told.matches('\n').count() == 2).await;
    for line in watching.stdout_until(|_| true).await.lines() {
        crate::schema::check("docs/status.schema.json", &serde_json::from_str(line).expect("JSON"));
    }
    watching.kill9().await;
    asked.kill9().await;
}

#[tokio::test]
async fn signing_out_nobody_is_said() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    for (arguments, told) in [
        (
            "logout --all --profile wrok",
            "brokerctl: nobody was signed in under profile wrok\nbrokerctl: there is no profile wrok\n",
        ),
        ("logout --all --profile wrok -o json", ""),
        ("logout --all", "brokerctl: signed out alice@example.com (work); at the provider: revoked\n"),
        ("logout --all", "brokerctl: nobody was signed in\n"),
    ] {
        let output = stage.run(arguments).await;
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), told), "{arguments}: {output:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_had_or_is_not_there_is_said() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    let output = stage.run("get-token --min-validity 24h").await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stderr.contains(" s, not for 86400: the provider gives none that lives longer"), "{output:?}");
    assert_eq!(stage.run("get-token --min-validity 10m").await.stderr, "");
    let output = stage.run("client-secret remove wrok").await;
    assert!(output.stderr.starts_with("brokerctl: there is no profile wrok\n"), "{output:?}");
}

#[tokio::test]
async fn a_first_login_makes_its_profile() {
    let stage = Stage::new().await;
    let _daemon = Daemon::start(&stage.home, &stage.store()).await;
    let output = stage.run("login").await;
    assert_eq!(output.code, Some(6), "{output:?}");
    assert!(output.stderr.contains("--provider NAME and --client-id ID"), "who cannot be asked is told: {output:?}");
    let issuer = stage.server.issuer();
    // A client id that was mistyped is found out by the sign-in, when the profile is there already.
    let output = stage.run(&format!("login sso --issuer {issuer} --client-id lci")).await;
    assert_eq!(output.code, Some(6), "{output:?}");
    assert!(output.stderr.contains("client_id lci"), "{output:?}");
    assert!(output.stderr.contains("or begin again: brokerctl profile remove sso, then brokerctl login"), "{output:?}");
    stage.ok("profile remove sso").await;
    let mut asked = stage.spawn(&format!("login sso --issuer {issuer} --client-id cli"));
    let code = prompted(&mut asked).await;
    stage.server.approve(&code, "alice");
    let output = asked.finish().await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(!output.stderr.contains("next: "), "it is under way: {output:?}");
    assert!(output.stderr.ends_with("brokerctl: signed in as alice@example.com (sso)\n"), "{output:?}");
    let profile = &stage.json("status -o json").await["profiles"][0];
    assert_eq!(profile["name"], "sso");
    assert_eq!(profile["scopes"], serde_json::json!(["offline_access", "openid", "profile"]));
    stage.ok("get-token --no-prompt").await;
}

#[tokio::test]
async fn the_id_token_comes_in_the_access_tokens_place() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    let both = stage.json("get-token --id-token -o json").await;
    assert_eq!(both["access_token"], token.as_str());
    let id_token = both["id_token"].as_str().expect("it is among them");
    assert_eq!(stage.ok("get-token --id-token").await.trim_end(), id_token);
    assert_eq!(stage.json("helper kubernetes --id-token").await["status"]["token"], id_token);
    assert_eq!(stage.refreshes(), 0, "it lives");

    stage.server.reconfigure(|options| drop(options.token_overrides.insert("id_token".into(), Value::Null)));
    stage.ok("get-token --force-refresh").await;
    let output = stage.run("get-token --id-token").await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(6), ""), "{output:?}");
    assert!(output.stderr.contains("no ID token") && output.stderr.contains("openid"), "{output:?}");
}
