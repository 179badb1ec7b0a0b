//! Parameters that brokerd does not know: where they are sent, who shares what, and which are refused.

use std::collections::BTreeMap;

use broker_client::TokenRequest;
use support::fake_as::{Endpoint, Grant, Request};
use support::rig::{Rig, exposed, interactive, never};

fn with(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn sent(rig: &Rig, path_has: &str) -> Vec<Request> {
    rig.fake.log().into_iter().filter(|request| request.path.contains(path_has)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_profiles_are_sent_with_every_request_and_a_requests_own_win() {
    let rig = Rig::setup().profile("extra_parameters = { prompt = \"login\", hd = \"a&b\" }").start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.token(&never()).await;
    for request in rig.fake.log().iter().filter(|request| request.endpoint != Endpoint::Discovery) {
        assert_eq!((request.field("prompt"), request.field("hd")), (Some("login"), Some("a&b")), "{request:?}");
    }
    let own = TokenRequest { extra_parameters: with(&[("prompt", "none")]), force_refresh: true, ..never() };
    rig.token(&own).await;
    let last = rig.fake.log().pop().unwrap();
    assert_eq!((last.field("prompt"), last.field("hd")), (Some("none"), Some("a&b")));
}

#[tokio::test(start_paused = true)]
async fn entra_has_them_in_the_query_on_both_legs() {
    let rig = Rig::setup().entra("extra_parameters = { domain_hint = \"contoso.com\" }").start();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.token(&never()).await;
    let (codes, tokens) =
        (sent(&rig, "/devicecode?domain_hint=contoso.com"), sent(&rig, "/token?domain_hint=contoso.com"));
    assert_eq!(codes.len(), 1);
    assert_eq!(tokens.len(), rig.fake.count(Endpoint::Token));
    assert!(tokens.len() > 1 && tokens.iter().all(|request| request.field("domain_hint").is_none()));
}

/// Two who ask in another way do not get each other's answer; two who ask in the same do.
#[tokio::test(start_paused = true)]
async fn refreshes_are_shared_by_those_who_ask_in_the_same_way_only() {
    let rig = Rig::start();
    let first = rig.sign_in("alice").await;
    let asked = |value: &str| TokenRequest { extra_parameters: with(&[("acr_values", value)]), ..never() };
    assert_eq!(exposed(&rig.token(&asked("1")).await), exposed(&first), "what is cached serves");
    rig.expire().await;
    let gate = rig.fake.hold(Grant::RefreshToken);
    let callers: Vec<_> = ["1", "2", "1"].iter().map(|value| rig.background(&asked(value))).collect();
    gate.arrived().await;
    gate.open();
    let mut tokens = Vec::new();
    for caller in callers {
        tokens.push(exposed(&caller.await.unwrap().unwrap()).to_owned());
    }
    assert_eq!((tokens[0] == tokens[2], tokens[0] == tokens[1]), (true, false));
    assert_eq!(rig.fake.count(Grant::RefreshToken), 2);
}

#[tokio::test(start_paused = true)]
async fn what_brokerd_sets_itself_is_refused_by_name_and_nothing_is_sent() {
    let rig = Rig::start();
    for name in ["scope", "client_id", "Client_Secret", "claims", "refresh_token", "a b", ""] {
        let request = TokenRequest { extra_parameters: with(&[(name, "hunter2")]), ..interactive() };
        let refused = rig.call(&request).failure().await;
        assert_eq!(refused.error.as_str(), "bad_request", "{name}");
        assert!(refused.error_description.contains(name) && !format!("{refused:?}").contains("hunter2"), "{refused:?}");
    }
    assert!(rig.fake.log().is_empty());
}

/// They are kept with the code, as is the proof that the code is ours.
#[tokio::test(start_paused = true)]
async fn a_sign_in_goes_on_with_them_and_with_its_proof_after_a_crash() {
    let mut rig = Rig::setup().profile("pkce = true").start();
    let mut call = rig.call(&TokenRequest { extra_parameters: with(&[("hd", "x")]), ..interactive() });
    let prompt = call.prompt().await;
    let waiting = rig.spawn(async move { call.token().await });
    rig.fake.wait_for_count(Grant::DeviceCode, 1).await;
    rig.crash().await;
    rig.run();
    rig.fake.wait_for_count(Grant::DeviceCode, 2).await;
    rig.fake.approve(&prompt.user_code, "alice");
    waiting.await.unwrap();
    assert!(sent(&rig, "/token").iter().all(|request| request.field("hd") == Some("x")));
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
}
