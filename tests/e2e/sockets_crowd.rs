//! Whoever is on a restricted socket asks for more new tokens than anybody needs: what does the user notice?

use serde_json::Value;
use support::fake_as::{Grant, Request};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::sockets::Restricted;
use crate::stage::PATIENCE;

/// Asks for a token that satisfies claims nobody else has, and waits for no answer.
async fn ask(restricted: &Restricted, claim: usize) -> UnixStream {
    let mut stream = UnixStream::connect(&restricted.socket).await.expect("room");
    let body = format!(r#"{{"claims":{{"x":{claim}}}}}"#);
    let head = "POST /v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length";
    stream.write_all(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes()).await.expect("it is read");
    stream
}

async fn in_the_air(restricted: &Restricted) -> usize {
    let status: Value = restricted.stage.json("status -o json").await;
    status["flights"].as_array().expect("flights").len()
}

#[tokio::test]
async fn a_few_of_them_are_before_the_users_own_refresh_and_no_more() {
    let restricted = Restricted::new("").await;
    restricted.sign_in().await;
    let server = &restricted.stage.server;
    let gate = server.hold(Grant::RefreshToken);
    let mut crowd = Vec::new();
    for claim in 0..12 {
        crowd.push(ask(&restricted, claim).await);
    }
    timeout(PATIENCE, async { while in_the_air(&restricted).await < 4 {} }).await.expect("some are heard");
    // What was written before is read before: each of them has been heard.
    for _ in 0..3 {
        assert!(in_the_air(&restricted).await <= 4);
    }
    let own = restricted.stage.spawn("get-token work --force-refresh");
    timeout(PATIENCE, async { while in_the_air(&restricted).await < 5 {} }).await.expect("it waits for its turn");
    gate.open();
    assert_eq!(own.finish().await.code, Some(0));
    let refreshes = || server.log().into_iter().filter(|sent| sent.grant_type.as_deref() == Some("refresh_token"));
    let is_own = |sent: &Request| sent.form.iter().all(|(name, _)| name != "claims");
    assert_eq!(refreshes().position(|sent| is_own(&sent)), Some(4));
}

#[tokio::test]
async fn one_that_goes_on_and_on_is_told_to_wait_and_the_user_is_not() {
    for way in ["--force-refresh", "--rejected"] {
        goes_on_and_on(way).await;
    }
}

async fn goes_on_and_on(way: &str) {
    let restricted = Restricted::new("").await;
    let mut token = restricted.sign_in().await;
    let ctl = || restricted.stage.ctl().at(&restricted.socket);
    let mut refused = None;
    for _ in 0..40 {
        let output = ctl().stdin(token).run(["get-token", way]).await;
        if output.code != Some(0) {
            refused = Some(output);
            break;
        }
        token = output.stdout;
    }
    let refused = refused.expect("a limit");
    assert!(refused.code == Some(8) && refused.stderr.contains("restricted socket"), "{way}: {refused:?}");
    assert_eq!(ctl().run(["get-token"]).await.code, Some(0), "what is at hand is served");
    restricted.stage.ok("get-token work --force-refresh").await;
}

/// As long as it is so, and no longer.
#[tokio::test]
async fn that_it_is_not_there_is_told_until_it_is() {
    let restricted = Restricted::new("").await;
    let stage = &restricted.stage;
    let home = stage.home.path();
    std::fs::write(home.join("file"), "").expect("a file");
    let config = |place: &str| {
        let path = home.join(place).display().to_string();
        format!("{}[[sockets]]\npath = {path:?}\nprofiles = [\"work\"]\n", stage.config())
    };
    let notices = async || stage.json("status -o json").await["notices"].to_string();
    stage.home.write(stage.home.config_file(), config("file/s").as_bytes()).expect("a file");
    stage.ok("reload").await;
    timeout(PATIENCE, async { while !notices().await.contains("is not there") {} }).await.expect("it is told");
    std::fs::remove_file(home.join("file")).expect("it is there");
    stage.home.write(stage.home.config_file(), (config("file/s") + "\n").as_bytes()).expect("a file");
    stage.ok("reload").await;
    timeout(PATIENCE, async { while notices().await.contains("is not there") {} }).await.expect("it is mended");
}
