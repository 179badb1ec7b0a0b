//! What a probe says of a provider: well only if what answered is one.

use broker_client::ProbeRequest;
use broker_ipc::api::Finding;
use support::fake_as::{Endpoint, Fault, Options};
use support::rig::Rig;

/// How a fake is made like a provider.
type Speak = fn(&mut Options);

const PORTAL: &str = "<!doctype html><html><body>Welcome to our wireless network</body></html>";
const DOCUMENT: &str = r#"{"issuer":"http://127.0.0.1:7001/c0ffee00/v2.0"}"#;

const EXPLICIT: &str = "[profiles.work]\nissuer = \"https://id.example\"\nclient_id = \"cli\"\n\
                        token_endpoint = \"http://127.0.0.1:7001/token\"\n\
                        device_authorization_endpoint = \"http://127.0.0.1:7001/device_authorization\"\n";
const GITHUB: &str =
    "[profiles.work]\nprovider = \"github\"\nauthority = \"http://127.0.0.1:7001\"\nclient_id = \"cli\"\n";
const ADFS: &str =
    "[profiles.work]\nprovider = \"adfs\"\nauthority = \"http://127.0.0.1:7001/adfs\"\nclient_id = \"cli\"\n";
const ENTRA: &str = "[profiles.work]\nprovider = \"entra\"\nauthority = \"http://127.0.0.1:7001\"\n\
                     tenant = \"contoso.onmicrosoft.com\"\nclient_id = \"cli\"\n";
const ISSUER: &str = "[profiles.work]\nissuer = \"http://127.0.0.1:7001\"\nclient_id = \"cli\"\n";

async fn probed(rig: &Rig) -> Finding {
    let probe = ProbeRequest { profile: Some("work".into()), ..ProbeRequest::default() };
    rig.client.probe(&probe).await.unwrap().findings.remove(0)
}

fn answer(code: u16, body: &str) -> Fault {
    let headers = vec![("location".to_owned(), "https://portal.example/login".to_owned())];
    Fault::Status { code, body: body.into(), content_type: "text/html".into(), headers }
}

fn form(body: &str) -> Fault {
    let content_type = "application/x-www-form-urlencoded".into();
    Fault::Status { code: 200, body: body.into(), content_type, headers: Vec::new() }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_one_answers() {
    let providers: [(&str, Speak); 5] =
        [(EXPLICIT, |_| {}), (GITHUB, Options::github), (ADFS, Options::adfs), (ENTRA, |_| {}), (ISSUER, |_| {})];
    for (profile, speak) in providers {
        let rig = Rig::setup().provider(speak).config(Some(profile)).start();
        let finding = probed(&rig).await;
        assert!(finding.ok && finding.detail.ends_with("answers"), "{profile}: {finding:?}");
    }
}

/// Each row: the endpoint that is asked, what it answers, and what of that the finding says; `None` if it is well.
#[tokio::test(start_paused = true)]
async fn what_only_stands_in_its_place_is_a_finding_that_says_what_was_answered() {
    let rows = [
        (EXPLICIT, Endpoint::Token, answer(400, r#"{"error":"invalid_request"}"#), None),
        (EXPLICIT, Endpoint::Token, form("error=incorrect_client_credentials"), None),
        (EXPLICIT, Endpoint::Token, answer(200, "error=incorrect_client_credentials"), Some("HTTP 200")),
        (EXPLICIT, Endpoint::Token, answer(404, r#"{"message":"Not Found"}"#), None),
        (EXPLICIT, Endpoint::Token, answer(400, ""), None),
        (EXPLICIT, Endpoint::Token, answer(401, "unauthorized\n"), None),
        (EXPLICIT, Endpoint::Token, answer(404, "not found\n"), None),
        (EXPLICIT, Endpoint::Token, answer(405, ""), None),
        (EXPLICIT, Endpoint::Token, answer(200, PORTAL), Some("HTTP 200")),
        (EXPLICIT, Endpoint::Token, answer(200, ""), Some("HTTP 200")),
        (EXPLICIT, Endpoint::Token, answer(302, ""), Some("HTTP 302")),
        (EXPLICIT, Endpoint::Token, answer(302, r#"{"moved":true}"#), Some("HTTP 302")),
        (EXPLICIT, Endpoint::Token, answer(403, "blocked by the gateway\n"), Some("HTTP 403")),
        (EXPLICIT, Endpoint::Token, answer(404, PORTAL), Some("HTTP 404")),
        (EXPLICIT, Endpoint::Token, answer(400, &format!("\u{feff}\n {PORTAL}")), Some("HTTP 400")),
        (EXPLICIT, Endpoint::Token, Fault::status(503), Some("HTTP 503")),
        (
            EXPLICIT,
            Endpoint::Token,
            answer(503, r#"{"error":"temporarily_unavailable"}"#),
            Some("temporarily_unavailable"),
        ),
        (GITHUB, Endpoint::Unknown, answer(200, PORTAL), Some("HTTP 200")),
        (ADFS, Endpoint::Unknown, answer(200, PORTAL), Some("HTTP 200")),
        (ENTRA, Endpoint::Discovery, answer(200, DOCUMENT), None),
        (ENTRA, Endpoint::Discovery, answer(200, PORTAL), Some("HTTP 200")),
        (ENTRA, Endpoint::Discovery, answer(200, r#"{"captive":true}"#), Some("HTTP 200")),
        (ENTRA, Endpoint::Discovery, answer(302, DOCUMENT), Some("HTTP 302")),
        (ENTRA, Endpoint::Discovery, answer(404, "not found\n"), Some("HTTP 404")),
        (ENTRA, Endpoint::Discovery, answer(503, DOCUMENT), Some("HTTP 503")),
        (ISSUER, Endpoint::Discovery, answer(200, PORTAL), Some("HTTP 200")),
        (ISSUER, Endpoint::Discovery, answer(302, ""), Some("HTTP 302")),
    ];
    for (profile, endpoint, fault, said) in rows {
        let rig = Rig::setup().config(Some(profile)).start();
        let shown = format!("{profile}: {fault:?}");
        rig.fake.always(endpoint, fault);
        let finding = probed(&rig).await;
        assert_eq!(finding.ok, said.is_none(), "{shown}: {finding:?}");
        assert!(finding.detail.contains(said.unwrap_or_default()), "{shown}: {finding:?}");
        assert_eq!(finding.hint.is_some(), said.is_some(), "{shown}: {finding:?}");
    }
}

/// Some have a page for people at the token endpoint, and answer clients all the same.
#[tokio::test(start_paused = true)]
async fn a_token_endpoint_is_asked_as_clients_ask_it_and_given_nothing() {
    let rig = Rig::setup().config(Some(EXPLICIT)).start();
    probed(&rig).await;
    let log = rig.fake.log();
    assert_eq!((log.len(), log[0].method.as_str()), (1, "POST"));
    assert_eq!(log[0].form.len(), 1, "{:?}", log[0]);
    assert_eq!(log[0].header("authorization"), None);
}
