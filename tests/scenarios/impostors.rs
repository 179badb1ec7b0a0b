//! Somebody else answers in the provider's place, in words that look like the provider's.

use support::fake_as::{Endpoint, Fault, Grant};
use support::rig::{Rig, interactive, never, s};

#[tokio::test(start_paused = true)]
async fn a_gateways_words_end_no_sign_in() {
    for (status, kind, body) in [
        (200, "text/plain", "https://portal.example/?a=1&error=invalid_grant&next=x"),
        (302, "text/plain", "https://portal.example/?a=1&error=invalid_grant&next=x"),
        (404, "text/plain", "error=invalid_grant"),
        (403, "text/html", "&error=invalid_grant"),
        (302, "application/json", r#"{"error":"invalid_grant"}"#),
        (403, "application/json", r#"{"status":403,"message":"access_denied"}"#),
        (403, "application/json", r#"{"error":{"code":"access_denied"}}"#),
        (403, "application/json", r#"{"error":"Forbidden"}"#),
    ] {
        let rig = Rig::start();
        rig.sign_in("alice").await;
        rig.expire().await;
        rig.fake.always(Grant::RefreshToken, Fault::answer(status, kind, body));
        let refused = rig.refused(&never()).await;
        assert_eq!(refused.error.as_str(), "provider_error", "{status} {kind} {body}");
        rig.fake.clear();
        rig.pass(s(60)).await;
        rig.token(&never()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateways_words_do_not_say_that_a_person_declined() {
    for body in [
        r#"{"status":403,"message":"access_denied"}"#,
        r#"{"error":{"code":"access_denied"}}"#,
        r#"{"error":"Forbidden"}"#,
        r#"{"status":404,"error":"Not Found","path":"/token"}"#,
    ] {
        let rig = Rig::start();
        let mut call = rig.call(&interactive());
        let prompt = call.prompt().await;
        rig.fake.script(Grant::DeviceCode, Fault::answer(403, "application/json", body));
        rig.fake.wait_for_count(Grant::DeviceCode, 2).await;
        rig.fake.approve(&prompt.user_code, "alice");
        call.token().await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_called_revoked_that_was_not() {
    for (kind, body) in
        [("text/html", "<html>welcome to the hotel</html>"), ("application/json", r#"{"error":"invalid_client"}"#)]
    {
        let rig = Rig::start();
        let id = rig.sign_in("alice").await.account.id;
        rig.fake.script(Endpoint::Revocation, Fault::answer(200, kind, body));
        let told = serde_json::to_value(rig.client.sign_out(&id).await.unwrap()).unwrap();
        assert_eq!(told["revocation"], "failed", "{body}: {told}");
    }
}
