//! Does a tool get its token, once with a person and then without, in the shape it asks for?

use support::fake_as::{Endpoint, Grant};

use crate::stage::{Stage, codes, prompted};

#[tokio::test]
async fn the_first_token_takes_a_person_and_the_second_takes_nobody() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let mut asked = stage.spawn("get-token work");
    let code = prompted(&mut asked).await;
    assert_eq!(stage.server.pending_user_codes(), [code.as_str()]);
    stage.server.wait_for_count(Grant::DeviceCode, 1).await;
    stage.server.approve(&code, "alice");
    let first = asked.finish().await;
    assert_eq!(first.code, Some(0), "{first:?}");

    // stdout is the token and a line end; whatever a person reads is on stderr.
    let token = first.stdout.strip_suffix('\n').expect("a line");
    assert_eq!(stage.server.access_token(token).expect("a live token").user, "alice");
    assert!(first.stderr.contains("asks to sign in to work"), "{}", first.stderr);
    let asking = format!("brokerctl{} (process ", std::env::consts::EXE_SUFFIX);
    assert!(first.stderr.contains(&asking), "{}", first.stderr);
    assert!(first.stderr.contains(&format!("open:      {}/device", stage.server.issuer())), "{}", first.stderr);
    assert!(first.stderr.ends_with("brokerctl: signed in as alice@example.com (work)\n"), "{}", first.stderr);
    assert_eq!(codes(&first.stderr).len(), 1);

    let before = stage.server.log().len();
    let second = stage.run("get-token").await;
    assert_eq!((second.code, second.stdout.trim_end(), second.stderr.as_str()), (Some(0), token, ""));
    assert_eq!(stage.server.log().len(), before, "a cached token costs no request");
    #[cfg(unix)]
    assert!(daemon.sigterm().await.success());
    #[cfg(windows)]
    daemon.kill9().await;
}

#[tokio::test]
async fn stdout_stays_empty_until_there_is_a_token() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let mut asked = stage.spawn("get-token");
    let code = prompted(&mut asked).await;
    let nothing =
        tokio::time::timeout(std::time::Duration::from_millis(300), asked.stdout_until(|out| !out.is_empty()));
    assert!(nothing.await.is_err(), "something was printed before the token");
    stage.server.approve(&code, "bob");
    let output = asked.finish().await;
    assert_eq!((output.code, output.stdout.lines().count()), (Some(0), 1), "{output:?}");
}

#[tokio::test]
async fn the_token_comes_in_the_shape_asked_for() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    assert_eq!(stage.ok("get-token -o token").await, format!("{token}\n"));
    assert_eq!(stage.ok("get-token -o header").await, format!("Authorization: Bearer {token}\n"));

    let answer = stage.json("get-token -o json").await;
    assert_eq!(answer["access_token"], token.as_str());
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["profile"], "work");
    assert_eq!(answer["scope"], "offline_access openid profile");
    assert_eq!(answer["account"]["username"], "alice@example.com");
    assert!(answer["account"]["id"].as_str().is_some_and(|id| !id.is_empty()), "{answer}");
    assert!(answer["expires_on"].is_i64() && answer["expires_at"].as_str().is_some_and(|at| at.ends_with('Z')));
    assert!(answer.get("refresh_token").is_none() && answer.get("id_token").is_none(), "{answer}");
}

#[tokio::test]
async fn options_of_get_token_reach_the_server() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    let forced = stage.ok("get-token --force-refresh").await;
    assert_ne!(forced.trim_end(), token);
    assert_eq!(stage.refreshes(), 1);
    // It lives an hour and is new: asking the server again would bring none that lives two.
    assert_eq!(stage.ok("get-token --min-validity 2h").await, forced);
    assert_eq!(stage.ok("get-token -a ALICE@example.com -s profile").await, forced);
    assert_eq!(stage.refreshes(), 1);
    let log = stage.server.log();
    let other = stage.json("get-token -o json --audience https://api.example").await;
    let asked = &stage.server.log()[log.len()..];
    assert_eq!(asked.iter().filter(|request| request.endpoint == Endpoint::Token).count(), 1);
    assert_eq!(asked[0].field("audience"), Some("https://api.example"));
    let audience = stage.server.access_token(other["access_token"].as_str().expect("a token"));
    assert_eq!(audience.expect("a live token").audience, ["https://api.example"]);
}
