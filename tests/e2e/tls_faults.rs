//! Servers whose TLS is not good: what is wrong is named, the hint fits, no request gets through, and the sign-in is kept.

use std::time::Duration;

use serde_json::Value;
use support::fake_as::{Ca, FakeAs, Handshake, Leaf};
use support::processes::Daemon;
use tokio::time;

use crate::stage::{PATIENCE, Stage, options};

/// What the server does, what the description says of it, and what the hint speaks of.
type Row = (&'static str, Handshake, &'static str, &'static str);

fn certificates(ca: &Ca) -> Vec<Row> {
    let with = |ca: &Ca, leaf| Handshake::Accepted(ca.acceptor_for(leaf).expect("a certificate"));
    vec![
        ("expired", with(ca, Leaf::Expired), "certificate has expired", "clock"),
        ("of tomorrow", with(ca, Leaf::NotYetValid), "certificate is not valid yet", "clock"),
        ("of another name", with(ca, Leaf::OtherName), "certificate is for another name", "host in the profile"),
        ("of an unknown authority", with(&Ca::named("nobody"), Leaf::Good), "unknown issuer", "ca_file"),
        ("of a namesake of ours", with(&Ca::new(), Leaf::Good), "signed by another authority", "ca_file"),
    ]
}

fn other_answers() -> Vec<Row> {
    let row = |name, bytes: &'static [u8], described, hinted| (name, Handshake::Answered(bytes), described, hinted);
    let (cut, other, refused) =
        ("ended the connection in the TLS handshake", "does not speak TLS", "refused the TLS handshake");
    vec![
        row("closed at once", b"", cut, "firewall"),
        row("closed in the middle of a record", b"\x16\x03\x03\x40\x00\x02\x00", cut, "firewall"),
        row("plain HTTP", b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", other, "port"),
        row("another protocol", b"220 mail.example ESMTP\r\n", other, "port"),
        row("handshake_failure", b"\x15\x03\x03\x00\x02\x02\x28", refused, "TLS 1.2"),
        row("protocol_version", b"\x15\x03\x01\x00\x02\x02\x46", refused, "TLS 1.2"),
    ]
}

#[tokio::test]
async fn a_bad_certificate_is_named_and_the_sign_in_is_kept() {
    let ca = Ca::new();
    all(certificates(&ca), &ca).await;
}

#[tokio::test]
async fn a_handshake_that_fails_is_named_and_the_sign_in_is_kept() {
    all(other_answers(), &Ca::new()).await;
}

/// After each the next refresh works, without a person; the daemon waits a moment before it.
async fn all(rows: Vec<Row>, ca: &Ca) {
    let stage = Stage::at(FakeAs::listen_tls(options(), ca).await.expect("a server on loopback"));
    let file = stage.home.write("ca.pem", ca.pem().as_bytes()).expect("a file");
    let config = format!("{}ca_file = {:?}\n", stage.config(), file.display().to_string());
    let _daemon = Daemon::start(&stage.home, &config).await;
    stage.sign_in("alice").await;

    for (name, handshake, described, hinted) in rows {
        let requests = stage.server.log().len();
        stage.server.meet_with(Some(handshake));
        stage.server.drop_connections();
        // By its answer the daemon has seen that they ended.
        stage.run("status").await;
        let output = stage.run("get-token --force-refresh --no-prompt -o json").await;
        let body: Value = serde_json::from_str(&output.stderr).unwrap_or_else(|_| panic!("{name}: {output:?}"));
        assert_eq!((output.code, &body["error"]), (Some(8), &"provider_unreachable".into()), "{name}: {output:?}");
        for (field, words) in [("error_description", described), ("hint", hinted)] {
            assert!(body[field].as_str().is_some_and(|text| text.contains(words)), "{name}: no {words:?} in {body}");
        }
        assert_eq!(stage.server.log().len(), requests, "{name}: a request got through");

        stage.server.meet_with(None);
        let kept = async {
            while stage.run("get-token --force-refresh --no-prompt").await.code != Some(0) {
                time::sleep(Duration::from_millis(100)).await;
            }
        };
        time::timeout(PATIENCE, kept).await.unwrap_or_else(|_| panic!("{name}: the sign-in is lost"));
    }
}
