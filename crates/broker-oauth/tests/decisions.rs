//! What each refusal means, row by row: for the grant, for the person, in a refresh and in a poll.
#![expect(clippy::panic, clippy::unwrap_used, reason = "tests and their helpers")]

use broker_oauth::classification::Classification;
use broker_oauth::failure::PollVerdict::{Ended, Expired, KeepTrying};
use broker_oauth::failure::Verdict::{Blocked, GrantDead, InteractionRequired, Misconfigured, Transient, Unknown};
use broker_oauth::failure::{ErrorResponse, Failure, PollVerdict, Verdict};
use broker_oauth::wire::ProviderResponse;
use serde_json::{Value, json};
use zeroize::Zeroizing;

fn answer(body: &Value) -> (Failure, Box<ErrorResponse>) {
    let bytes = Zeroizing::new(body.to_string().into_bytes());
    let response = ProviderResponse { status: 400, retry_after: None, is_form: false, body: bytes };
    match Failure::oauth(&response, &response.object().unwrap()) {
        Failure::OAuth(response) => (Failure::OAuth(response.clone()), response),
        other => panic!("{other:?}"),
    }
}

/// `error`, `suberror`, numbers, and what they mean in a refresh and in a poll.
type Row = (&'static str, Option<&'static str>, &'static [i64], Verdict, PollVerdict);

#[rustfmt::skip]
const DECISIONS: &[Row] = &[
    // A person helps; the refresh token is kept.
    ("interaction_required", None, &[], InteractionRequired, Ended(InteractionRequired)),
    ("login_required", None, &[], InteractionRequired, Ended(InteractionRequired)),
    ("consent_required", None, &[], InteractionRequired, Ended(InteractionRequired)),
    ("interaction_required", Some("basic_action"), &[50_079], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", Some("basic_action"), &[50_076], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", Some("additional_action"), &[50_072], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", Some("consent_required"), &[65_001], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", Some("user_password_expired"), &[50_055], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", Some("token_expired"), &[70_043], InteractionRequired, Ended(InteractionRequired)),
    ("interaction_required", Some("token_expired"), &[70_043], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", Some("device_authentication_failed"), &[50_155], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", Some("device_authentication_failed"), &[135_011], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", Some("a_new_one"), &[], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", None, &[70_043], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", None, &[135_011], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", None, &[50_105], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", None, &[53_000], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", None, &[999_999], InteractionRequired, Ended(InteractionRequired)),
    // Suberror and claims say more than numbers.
    ("invalid_grant", Some("basic_action"), &[700_082], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", Some("device_authentication_failed"), &[700_003], InteractionRequired, Ended(InteractionRequired)),
    // One tenant's refusal, whatever it calls the token.
    ("invalid_grant", Some("bad_token"), &[50_034], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", Some("bad_token"), &[50_057], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", None, &[50_034], InteractionRequired, Ended(InteractionRequired)),
    ("invalid_grant", None, &[70_000, 50_057], InteractionRequired, Ended(InteractionRequired)),
    // A scope that was never consented to, where bad_token does not say that it is the token.
    ("invalid_grant", None, &[70_000], InteractionRequired, Expired),
    ("invalid_grant", Some("bad_token"), &[70_000], GrantDead, Expired),
    // Policy: no person helps, and nothing is wiped.
    ("invalid_grant", Some("message_only"), &[53_003], Blocked, Ended(Blocked)),
    ("invalid_grant", Some("message_only"), &[53_000], Blocked, Ended(Blocked)),
    ("invalid_grant", Some("protection_policy_required"), &[], Blocked, Ended(Blocked)),
    // Another client's token: not dead, and no prompt.
    ("invalid_grant", Some("client_mismatch"), &[], Misconfigured, Ended(Misconfigured)),
    ("invalid_grant", Some("client_mismatch"), &[70_000], Misconfigured, Ended(Misconfigured)),
    // Dead; in a poll it is the device code that is.
    ("invalid_grant", None, &[], GrantDead, Expired),
    ("invalid_grant", Some("bad_token"), &[], GrantDead, Expired),
    ("invalid_grant", Some("bad_token"), &[50_173], GrantDead, Expired),
    ("invalid_grant", Some("bad_token"), &[999_999], GrantDead, Expired),
    ("invalid_grant", None, &[50_132], GrantDead, Expired),
    ("invalid_grant", None, &[50_133], GrantDead, Expired),
    ("invalid_grant", None, &[50_173], GrantDead, Expired),
    ("invalid_grant", None, &[70_008], GrantDead, Expired),
    ("invalid_grant", None, &[530_036], GrantDead, Expired),
    ("invalid_grant", None, &[700_003], GrantDead, Expired),
    ("invalid_grant", None, &[700_082], GrantDead, Expired),
    ("invalid_grant", None, &[700_084], GrantDead, Expired),
    ("invalid_grant", None, &[9_002_313], GrantDead, Expired),
    ("invalid_grant", Some("a_new_one"), &[700_082], GrantDead, Expired),
    // The configuration.
    ("invalid_client", None, &[7_000_218], Misconfigured, Ended(Misconfigured)),
    ("unauthorized_client", None, &[700_016], Misconfigured, Ended(Misconfigured)),
    ("invalid_scope", None, &[70_011], Misconfigured, Ended(Misconfigured)),
    ("invalid_resource", None, &[500_011], Misconfigured, Ended(Misconfigured)),
    ("invalid_request", None, &[50_059], Misconfigured, Ended(Misconfigured)),
    // Numbers that elsewhere mean death do not outvote `error`.
    ("invalid_request", None, &[9_002_313], Misconfigured, Ended(Misconfigured)),
    ("interaction_required", None, &[70_008], InteractionRequired, Ended(InteractionRequired)),
    ("temporarily_unavailable", None, &[700_082], Transient, KeepTrying),
    ("something_new", None, &[700_082], Unknown, Ended(Unknown)),
];

#[test]
fn each_row_of_the_decision_table_is_kept() {
    for (error, suberror, numbers, refresh, poll) in DECISIONS {
        let mut body = json!({"error": error, "error_codes": numbers});
        if let Some(suberror) = suberror {
            body["suberror"] = (*suberror).into();
        }
        let (failure, _) = answer(&body);
        assert_eq!(failure.verdict(), *refresh, "refresh: {body}");
        assert_eq!(failure.poll_verdict(), *poll, "poll: {body}");
    }
}

#[test]
fn a_challenge_can_be_met() {
    let (failure, _) = answer(&json!({"error": "invalid_grant", "claims": "{\"access_token\":{}}"}));
    assert_eq!(failure.verdict(), InteractionRequired);
}

/// MSAL Python's table, with `none` where it says "".
#[test]
fn a_suberror_is_classified_as_msal_does() {
    for (error, suberror, want) in [
        ("invalid_grant", Some("basic_action"), Some("basic_action")),
        ("invalid_grant", Some("additional_action"), Some("additional_action")),
        ("invalid_grant", Some("message_only"), Some("message_only")),
        ("invalid_grant", Some("consent_required"), Some("consent_required")),
        ("invalid_grant", Some("user_password_expired"), Some("user_password_expired")),
        ("invalid_grant", Some("bad_token"), Some("none")),
        ("invalid_grant", Some("token_expired"), Some("none")),
        ("invalid_grant", Some("protection_policy_required"), Some("none")),
        ("invalid_grant", Some("client_mismatch"), Some("none")),
        ("invalid_grant", Some("device_authentication_failed"), Some("none")),
        ("invalid_grant", Some("a_new_one"), Some("none")),
        ("interaction_required", Some("basic_action"), Some("basic_action")),
        ("consent_required", None, Some("consent_required")),
        ("invalid_grant", None, None),
        ("interaction_required", None, None),
    ] {
        let (_, response) = answer(&json!({"error": error, "suberror": suberror}));
        assert_eq!(Classification::of(&response).map(Classification::as_str), want, "{error} {suberror:?}");
    }
}
