use serde_json::json;
use zeroize::Zeroizing;

use super::*;

fn failure(status: u16, body: &Value) -> Failure {
    let response = ProviderResponse {
        status,
        retry_after: None,
        is_form: false,
        body: Zeroizing::new(body.to_string().into_bytes()),
    };
    match response.object() {
        Some(object) if object.contains_key("error") => Failure::oauth(&response, &object),
        _ => Failure::not_oauth(&response),
    }
}

#[test]
fn only_a_parsed_permanent_error_ends_a_grant() {
    for (status, body, want) in [
        (400, json!({"error": "invalid_grant"}), Verdict::GrantDead),
        (400, json!({"error": "invalid_grant", "suberror": "bad_token"}), Verdict::GrantDead),
        (400, json!({"error": "invalid_grant", "error_codes": [700_082]}), Verdict::GrantDead),
        (400, json!({"error": "invalid_grant", "error_codes": ["50076"]}), Verdict::InteractionRequired),
        (
            400,
            json!({"error": "invalid_grant", "error_codes": [65_001], "suberror": "consent_required"}),
            Verdict::InteractionRequired,
        ),
        (
            400,
            json!({"error": "invalid_grant", "error_codes": [50_076], "suberror": "basic_action"}),
            Verdict::InteractionRequired,
        ),
        (
            400,
            json!({"error": "invalid_grant", "error_codes": [70_043], "suberror": "token_expired"}),
            Verdict::InteractionRequired,
        ),
        (400, json!({"error": "invalid_grant", "error_codes": [50_105]}), Verdict::InteractionRequired),
        (400, json!({"error": "invalid_grant", "error_codes": [53_003], "suberror": "message_only"}), Verdict::Blocked),
        (400, json!({"error": "interaction_required"}), Verdict::InteractionRequired),
        (200, json!({"error": "bad_refresh_token"}), Verdict::GrantDead),
        (403, json!({"error": "mfa_required"}), Verdict::InteractionRequired),
        (403, json!({"error": "admin_policy_enforced"}), Verdict::Blocked),
        (401, json!({"error": "invalid_client"}), Verdict::Misconfigured),
        (400, json!({"error": "unauthorized_client", "error_codes": [700_016]}), Verdict::Misconfigured),
        (400, json!({"error": "invalid_request", "error_codes": [90_002]}), Verdict::Misconfigured),
        (503, json!({"error": "temporarily_unavailable"}), Verdict::Transient),
        (429, json!({"error": "temporarily_unavailable"}), Verdict::Throttled),
        (500, json!({"error": "something_new"}), Verdict::Transient),
        (502, json!({"error": "invalid_grant"}), Verdict::Transient),
        (200, json!({"error": "something_new"}), Verdict::Unknown),
        (400, json!({"error": "something_new"}), Verdict::Unknown),
        (401, json!({"error": "something_new"}), Verdict::Unknown),
        (408, json!({"error": "something_new"}), Verdict::Transient),
        (429, json!({"error": "something_new"}), Verdict::Throttled),
        (400, json!({"error": "access_denied"}), Verdict::Declined),
        (403, json!({"error": "something_new"}), Verdict::NotOAuth),
        (401, json!({"error": "invalid_token"}), Verdict::GrantDead),
        (400, json!({"error": "token_expired"}), Verdict::GrantDead),
        (403, json!({"message": "Forbidden"}), Verdict::NotOAuth),
        (404, json!([]), Verdict::NotOAuth),
        (502, json!("bad gateway"), Verdict::Transient),
        (429, json!(null), Verdict::Throttled),
        (200, json!("<html>please log in to the Wi-Fi</html>"), Verdict::NotOAuth),
    ] {
        assert_eq!(failure(status, &body).verdict(), want, "{status} {body}");
    }
}

#[test]
fn polls_end_only_by_their_own_words() {
    for (status, body, want) in [
        (400, json!({"error": "authorization_pending"}), PollVerdict::Pending),
        (200, json!({"error": "authorization_pending"}), PollVerdict::Pending),
        (428, json!({"error": "authorization_pending"}), PollVerdict::Pending),
        (403, json!({"error": "rate_limit_exceeded"}), PollVerdict::KeepTrying),
        (403, json!({"error": "access_denied"}), PollVerdict::Declined),
        (400, json!({"error": "slow_down"}), PollVerdict::SlowDown { interval: None }),
        (200, json!({"error": "slow_down", "interval": 10}), PollVerdict::SlowDown { interval: Some(10) }),
        (400, json!({"error": "access_denied"}), PollVerdict::Declined),
        (400, json!({"error": "authorization_declined"}), PollVerdict::Declined),
        (400, json!({"error": "expired_token", "error_codes": [70_020]}), PollVerdict::Expired),
        (400, json!({"error": "code_expired"}), PollVerdict::Expired),
        (400, json!({"error": "invalid_grant"}), PollVerdict::Expired),
        (400, json!({"error": "invalid_grant", "suberror": "message_only"}), PollVerdict::Ended(Verdict::Blocked)),
        (401, json!({"error": "invalid_client"}), PollVerdict::Ended(Verdict::Misconfigured)),
        (502, json!({"error": "access_denied"}), PollVerdict::KeepTrying),
        (503, json!("oops"), PollVerdict::KeepTrying),
        (429, json!(null), PollVerdict::KeepTrying),
        (200, json!("<html>"), PollVerdict::KeepTrying),
        (503, json!({"error": "temporarily_unavailable"}), PollVerdict::KeepTrying),
    ] {
        assert_eq!(failure(status, &body).poll_verdict(), want, "{status} {body}");
    }
}

#[test]
fn a_server_is_believed_when_to_come_back_and_a_page_that_forbids_is_not() {
    let told = |status, body: &str| {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        let response = ProviderResponse { status, retry_after: Some(7), is_form: false, body };
        match response.object() {
            Some(object) => Failure::oauth(&response, &object).retry_after(),
            None => Failure::not_oauth(&response).retry_after(),
        }
    };
    assert_eq!(told(400, r#"{"error": "slow_down"}"#), Some(7));
    assert_eq!(told(403, r#"["secondary rate limit"]"#), Some(7));
    assert_eq!(told(429, " <html>"), Some(7));
    assert_eq!(told(403, " <html>"), None);
    assert_eq!(Failure::TooLarge { limit: 1 }.retry_after(), None);
}

#[test]
fn a_number_is_taken_from_the_description_where_there_is_no_other() {
    let numbers = |body: &Value| match failure(400, body) {
        Failure::OAuth(response) => response.error_codes,
        other => panic!("{other:?}"),
    };
    let text = "AADSTS700082: the refresh token has expired";
    for (body, want) in [
        (json!({"error": "e", "error_description": text}), &[700_082][..]),
        (json!({"error": "e", "error_description": text, "error_codes": []}), &[700_082]),
        (json!({"error": "e", "error_description": text, "error_codes": [1, "2"]}), &[1, 2]),
        (json!({"error": "e", "error_description": "see AADSTS1"}), &[]),
        (json!({"error": "e"}), &[]),
    ] {
        assert_eq!(numbers(&body), want, "{body}");
    }
}

/// A client sends them back as they are, so what cleaning would change is not passed on changed.
#[test]
fn claims_with_a_text_that_may_not_be_shown_are_none() {
    let read = |claims: serde_json::Value| {
        let body = json!({"error": "invalid_grant", "claims": claims});
        let Failure::OAuth(response) = failure(400, &body) else { panic!("{body}") };
        assert_eq!(
            response.verdict(),
            Verdict::InteractionRequired,
            "a challenge can be met, also one that is left out"
        );
        response.claims
    };
    for text in ["\u{1b}[2J", "a\nb", "\u{9b}2J", "\u{202e}moc", "al\u{200b}ice", "\u{e0041}", "\u{2028}"] {
        for claims in [json!({"x": text}), json!({text: 1}), json!({"x": {"values": ["y", {"z": [text]}]}})] {
            assert_eq!(read(claims.clone()), None, "{claims:?}");
            assert_eq!(read(claims.to_string().into()), None, "{claims:?} in a string");
        }
    }
    let good = json!({"access_token": {"nbf": {"essential": true, "value": "1 2"}, "é": null}});
    assert_eq!(read(good.clone()), Some(good));
    for (length, passes) in [(MAX_CLAIMS - 8, true), (MAX_CLAIMS - 7, false)] {
        let claims = json!({"x": "y".repeat(length)});
        assert_eq!(read(claims.clone()).is_some(), passes, "{length}");
        assert_eq!(read(claims.to_string().into()).is_some(), passes, "{length} in a string");
    }
}

#[test]
fn claims_are_read_from_a_string_of_json() {
    let body = json!({"error": "invalid_grant", "claims": "{\"access_token\":{\"capolids\":{}}}"});
    let Failure::OAuth(response) = failure(400, &body) else { panic!("not parsed") };
    assert_eq!(response.claims, Some(json!({"access_token": {"capolids": {}}})));
}

#[test]
fn a_servers_text_is_cleaned() {
    let body = json!({"error": "invalid_grant\u{1b}[2J", "error_description": "line\r\nforged: entry"});
    let Failure::OAuth(response) = failure(400, &body) else { panic!("not parsed") };
    assert_eq!(response.error, "invalid_grant [2J");
    assert_eq!(response.description.as_deref(), Some("line forged: entry"));
}
