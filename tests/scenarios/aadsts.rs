//! Each AADSTS number where it occurs: what the caller is told, and what becomes of the sign-in.

use broker_client::{ErrorBody, TokenRequest};
use broker_oauth::aadsts::TABLE;
use support::fake_as::{ENTRA_CLIENT_ID, Endpoint, Fault, Grant};
use support::rig::{Rig, interactive, never, s, scopes};

/// Where the answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leg {
    /// To the device authorization request.
    Device,
    /// To a poll.
    Poll,
    /// To a poll, and the sign-in goes on.
    Pending,
    /// To a refresh, and the sign-in lives: for this request later, and for other resources and tenants at once.
    Alive,
    /// To a refresh, and the sign-in is over.
    Dead,
}
use Leg::{Alive, Dead, Device, Pending, Poll};

/// Number, `error`, `suberror`, leg; then the LocalAPI's code, and a word of the hint.
type Row = (u32, &'static str, Option<&'static str>, Leg, &'static str, &'static str);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (28_002, "invalid_scope", None, Alive, "configuration", "scopes"),
    (28_003, "invalid_request", None, Alive, "configuration", "scopes"),
    (50_005, "invalid_grant", None, Alive, "interaction_required", "device code cannot"),
    (50_020, "invalid_grant", None, Alive, "interaction_required", "guest"),
    (50_033, "temporarily_unavailable", None, Alive, "provider_error", "again"),
    (50_034, "invalid_grant", Some("bad_token"), Alive, "interaction_required", "tenant"),
    (50_053, "invalid_grant", None, Alive, "interaction_required", "browser"),
    (50_055, "invalid_grant", Some("user_password_expired"), Alive, "interaction_required", "password"),
    (50_057, "invalid_grant", Some("bad_token"), Alive, "interaction_required", "administrator"),
    (50_059, "invalid_request", None, Device, "configuration", "tenant"),
    (50_072, "invalid_grant", Some("additional_action"), Alive, "interaction_required", "enroll"),
    (50_074, "invalid_grant", Some("basic_action"), Alive, "interaction_required", "multi-factor"),
    (50_076, "invalid_grant", Some("basic_action"), Alive, "interaction_required", "multi-factor"),
    (50_078, "invalid_grant", Some("basic_action"), Alive, "interaction_required", "multi-factor"),
    (50_079, "interaction_required", None, Alive, "interaction_required", "enroll"),
    (50_085, "invalid_grant", None, Alive, "interaction_required", "password"),
    (50_087, "temporarily_unavailable", None, Alive, "provider_error", "again"),
    (50_089, "invalid_grant", None, Alive, "interaction_required", "login"),
    (50_097, "invalid_grant", None, Alive, "interaction_required", "device code cannot"),
    (50_105, "invalid_grant", None, Alive, "interaction_required", "assign"),
    (50_125, "interaction_required", None, Alive, "interaction_required", "browser"),
    (50_126, "invalid_grant", None, Alive, "interaction_required", "login"),
    (50_132, "invalid_grant", None, Dead, "interaction_required", "login"),
    (50_133, "invalid_grant", None, Dead, "interaction_required", "login"),
    (50_134, "bad_verification_code", None, Poll, "expired_token", "new code"),
    (50_155, "invalid_grant", Some("device_authentication_failed"), Alive, "interaction_required", "device code cannot"),
    (50_158, "interaction_required", None, Alive, "interaction_required", "pass it"),
    (50_173, "invalid_grant", Some("bad_token"), Dead, "interaction_required", "login"),
    (50_194, "invalid_request", None, Device, "configuration", "tenant"),
    (50_196, "temporarily_unavailable", None, Alive, "provider_error", "wait"),
    (50_199, "authorization_pending", None, Pending, "", ""),
    (53_000, "invalid_grant", None, Alive, "interaction_required", "device code cannot"),
    (53_001, "invalid_grant", Some("message_only"), Alive, "blocked", "device code cannot"),
    (53_003, "invalid_grant", Some("message_only"), Alive, "blocked", "administrator"),
    (53_004, "invalid_grant", Some("message_only"), Alive, "blocked", "administrator"),
    (65_001, "invalid_grant", Some("consent_required"), Alive, "interaction_required", "administrator"),
    (65_002, "invalid_client", None, Device, "configuration", "client_id"),
    (65_004, "access_denied", None, Poll, "access_denied", "consent"),
    (70_000, "invalid_grant", None, Alive, "interaction_required", "login"),
    (70_008, "invalid_grant", None, Dead, "interaction_required", "login"),
    (70_011, "invalid_scope", None, Device, "configuration", "scopes"),
    (70_016, "authorization_pending", None, Pending, "", ""),
    (70_018, "bad_verification_code", None, Poll, "expired_token", "new code"),
    (70_019, "expired_token", None, Poll, "expired_token", "AADSTS53003"),
    (70_020, "expired_token", None, Poll, "expired_token", "incident"),
    (70_022, "invalid_scope", None, Alive, "configuration", "one resource"),
    (70_043, "invalid_grant", Some("token_expired"), Alive, "interaction_required", "other resources"),
    (90_002, "invalid_request", None, Device, "configuration", "tenant"),
    (90_006, "temporarily_unavailable", None, Alive, "provider_error", "again"),
    (90_010, "invalid_request", None, Device, "configuration", "organizations"),
    (90_024, "temporarily_unavailable", None, Alive, "provider_error", "again"),
    (90_033, "temporarily_unavailable", None, Alive, "provider_error", "again"),
    (90_055, "temporarily_unavailable", None, Alive, "provider_error", "wait"),
    (90_090, "temporarily_unavailable", None, Alive, "provider_error", "again"),
    (90_094, "invalid_grant", Some("consent_required"), Alive, "interaction_required", "administrator"),
    (90_119, "bad_verification_code", None, Poll, "expired_token", "new code"),
    (90_120, "bad_verification_code", None, Poll, "expired_token", "new code"),
    (90_133, "invalid_request", None, Device, "configuration", "tenant"),
    (135_011, "invalid_grant", Some("device_authentication_failed"), Alive, "interaction_required", "administrator"),
    (500_011, "invalid_resource", None, Alive, "configuration", "resource"),
    (500_113, "invalid_request", None, Device, "configuration", "registration"),
    (501_051, "invalid_grant", None, Alive, "interaction_required", "assign"),
    (530_003, "invalid_grant", Some("message_only"), Alive, "blocked", "device code cannot"),
    (530_032, "invalid_grant", Some("message_only"), Alive, "blocked", "administrator"),
    (530_034, "invalid_grant", Some("message_only"), Alive, "blocked", "administrator"),
    (530_035, "invalid_grant", Some("message_only"), Alive, "blocked", "device code cannot"),
    (530_036, "invalid_grant", None, Dead, "interaction_required", "device code cannot"),
    (650_052, "invalid_client", None, Device, "configuration", "administrator"),
    (650_057, "invalid_resource", None, Alive, "configuration", "registration"),
    (700_003, "invalid_grant", None, Dead, "interaction_required", "join"),
    (700_016, "unauthorized_client", None, Device, "configuration", "client_id"),
    (700_022, "invalid_scope", None, Alive, "configuration", "one resource"),
    (700_025, "invalid_client", None, Alive, "configuration", "client_secret_file"),
    (700_082, "invalid_grant", Some("bad_token"), Dead, "interaction_required", "login"),
    (700_084, "invalid_grant", None, Dead, "interaction_required", "login"),
    (901_002, "invalid_request", None, Alive, "configuration", "leave resource out"),
    (7_000_215, "invalid_client", None, Alive, "configuration", "client_secret_file"),
    (7_000_218, "invalid_client", None, Device, "configuration", "public client"),
    (9_001_023, "invalid_request", None, Device, "configuration", "organizations"),
    (9_002_313, "invalid_grant", None, Dead, "interaction_required", "login"),
    (9_002_332, "invalid_request", None, Device, "configuration", "organizations"),
    (9_010_010, "invalid_target", None, Alive, "configuration", "leave resource out"),
];

fn entra() -> Rig {
    Rig::setup().entra("").start()
}

fn other_tenant() -> TokenRequest {
    TokenRequest { tenant: Some("fabrikam.onmicrosoft.com".into()), ..never() }
}

fn other_resource() -> TokenRequest {
    scopes(&["https://vault.azure.net/.default"])
}

#[test]
fn every_number_of_the_table_has_its_row() {
    let rows: Vec<_> = ROWS.iter().map(|row| i64::from(row.0)).collect();
    let table: Vec<_> = TABLE.iter().map(|row| row.number).collect();
    assert_eq!(rows, table);
}

#[tokio::test(start_paused = true)]
async fn each_number_is_explained_where_it_occurs_and_ends_no_more_than_it_must() {
    for row in ROWS {
        let (number, error, suberror, leg, ..) = *row;
        let rig = entra();
        let fault = Fault::aadsts(error, suberror, number);
        match leg {
            Device => {
                rig.fake.script(Endpoint::DeviceAuthorization, fault);
                check(row, &rig.call(&interactive()).failure().await);
            }
            Poll => {
                rig.fake.script(Grant::DeviceCode, fault);
                let mut call = rig.call(&interactive());
                call.prompt().await;
                check(row, &call.failure().await);
            }
            Pending => {
                rig.fake.script(Grant::DeviceCode, fault);
                rig.sign_in("alice").await;
            }
            Alive => refreshed_and_alive(&rig, row, fault).await,
            Dead => refreshed_and_dead(&rig, row, fault).await,
        }
    }
}

async fn refreshed_and_alive(rig: &Rig, row: &Row, fault: Fault) {
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, fault);
    check(row, &rig.refused(&never()).await);
    // Where it is the provider that is not well, everybody waits a moment.
    rig.pass(s(6)).await;
    rig.token(&other_tenant()).await;
    rig.token(&other_resource()).await;
    rig.pass(s(600)).await;
    rig.token(&never()).await;
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1, "{row:?}");
}

async fn refreshed_and_dead(rig: &Rig, row: &Row, fault: Fault) {
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.fake.script(Grant::RefreshToken, fault);
    check(row, &rig.refused(&never()).await);
    let sent = rig.fake.count(Grant::RefreshToken);
    for request in [never(), other_tenant(), other_resource()] {
        assert_eq!(rig.refused(&request).await.error.as_str(), "interaction_required", "{row:?}");
    }
    rig.pass(s(600)).await;
    rig.refused(&never()).await;
    assert_eq!(rig.fake.count(Grant::RefreshToken), sent, "a dead one is never sent again: {row:?}");
    rig.sign_in("alice").await;
}

fn check((number, error, suberror, _, code, hinted): &Row, body: &ErrorBody) {
    assert_eq!(body.error.as_str(), *code, "{number}: {body:?}");
    let exit = match *code {
        "interaction_required" => 3,
        "blocked" | "access_denied" => 4,
        "expired_token" => 5,
        "configuration" => 6,
        _ => 8,
    };
    assert_eq!(body.error.exit_code(), exit, "{number}");
    let hint = body.hint.as_deref().unwrap();
    assert!(hint.contains(hinted), "{number}: {hint}");
    for text in [hint, &body.error_description] {
        assert!(!text.contains(['\n', '{', '}']) && !text.contains("scripted"), "{number}: {text}");
    }
    let provider = body.provider.as_deref().unwrap();
    assert_eq!(provider.error_codes, [i64::from(*number)]);
    assert_eq!((provider.error.as_deref(), provider.suberror.as_deref()), (Some(*error), *suberror));
    assert!(provider.error_description.as_ref().unwrap().contains("scripted"), "its own words stand there alone");
    let class = suberror.map(|suberror| match suberror {
        "bad_token" | "token_expired" | "device_authentication_failed" => "none",
        said => said,
    });
    assert_eq!(provider.classification.as_deref(), class, "{number}");
    assert!(provider.correlation_id.is_some() && provider.trace_id.is_some(), "{number}");
}

#[tokio::test(start_paused = true)]
async fn the_hint_names_what_it_is_about() {
    let rig = entra();
    rig.sign_in("alice").await;
    let vault = TokenRequest { tenant: Some("fabrikam.onmicrosoft.com".into()), ..other_resource() };
    rig.fake.script(Grant::RefreshToken, Fault::aadsts("invalid_grant", Some("consent_required"), 65_001));
    let refused = rig.refused(&vault).await;
    assert_eq!(
        refused.error_description,
        format!(
            "profile work: nobody has consented that the application {ENTRA_CLIENT_ID} uses: \
             https://vault.azure.net/.default"
        )
    );
    assert_eq!(
        refused.hint.as_deref(),
        Some(
            "sign in for these scopes and consent: brokerctl login work -a alice@example.com --tenant \
             fabrikam.onmicrosoft.com -s https://vault.azure.net/.default (an administrator may have to consent)"
        )
    );
    // What a shell would read otherwise is left out of the command.
    let odd = scopes(&["api://x/$(reboot)", "-x", "api://x/read"]);
    rig.fake.script(Grant::RefreshToken, Fault::aadsts("invalid_grant", Some("basic_action"), 50_076));
    let hint = rig.refused(&odd).await.hint.unwrap();
    assert!(hint.ends_with("brokerctl login work -a alice@example.com -s api://x/read"), "{hint}");
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_frequency_is_told_in_hours() {
    let rig = entra();
    rig.sign_in("alice").await;
    rig.expire().await;
    let Fault::Oauth { error, extra, .. } = Fault::aadsts("invalid_grant", Some("token_expired"), 70_043) else {
        panic!("it is one")
    };
    let description = "AADSTS70043: ... the maximum allowed lifetime for this request is 43200. Trace ID: 1".to_owned();
    rig.fake.script(Grant::RefreshToken, Fault::Oauth { error, description, extra });
    let told = rig.refused(&never()).await.error_description;
    assert_eq!(told, "profile work: a policy for this resource wants a sign-in no older than 12 hours");
}

#[tokio::test(start_paused = true)]
async fn numbers_that_are_new_are_explained_by_their_error_and_named() {
    let rig = entra();
    rig.sign_in("alice").await;
    for (error, suberror, code) in [
        ("invalid_grant", None, "interaction_required"),
        ("invalid_grant", Some("message_only"), "blocked"),
        ("invalid_grant", Some("additional_action"), "interaction_required"),
        ("invalid_grant", Some("protection_policy_required"), "blocked"),
        ("invalid_grant", Some("client_mismatch"), "configuration"),
        ("invalid_client", None, "configuration"),
    ] {
        rig.expire().await;
        rig.fake.script(Grant::RefreshToken, Fault::aadsts(error, suberror, 999_999));
        let refused = rig.refused(&never()).await;
        assert_eq!(refused.error.as_str(), code, "{refused:?}");
        let named = matches!(suberror, Some("protection_policy_required" | "client_mismatch"));
        assert!(named || refused.error_description.contains("AADSTS999999"), "{refused:?}");
        assert!(refused.hint.is_some(), "{refused:?}");
        rig.pass(s(600)).await;
        rig.token(&never()).await;
    }
}

/// Two callers share a sign-in; what the second wants is then refused. A device code can meet the one demand, not the other.
#[tokio::test(start_paused = true)]
async fn a_person_is_not_asked_again_for_what_a_device_code_cannot_satisfy() {
    for (suberror, number, prompts) in [(Some("basic_action"), 50_076, 2), (None, 53_000, 1)] {
        let rig = entra();
        rig.fake.always(Grant::RefreshToken, Fault::aadsts("invalid_grant", suberror, number));
        let (mut first, mut second) =
            (rig.call(&interactive()), rig.call(&TokenRequest { interaction: None, ..other_resource() }));
        let prompt = first.prompt().await;
        assert_eq!(second.prompt().await.id, prompt.id);
        rig.fake.approve(&prompt.user_code, "alice");
        first.token().await;
        if prompts == 2 {
            second.prompt().await;
        } else {
            let refused = second.failure().await;
            assert_eq!(refused.error.as_str(), "interaction_required");
            assert!(refused.hint.unwrap().contains("device code cannot"));
        }
        assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), prompts, "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_block_starts_no_prompt() {
    let rig = entra();
    rig.sign_in("alice").await;
    rig.expire().await;
    rig.fake.always(Grant::RefreshToken, Fault::aadsts("invalid_grant", Some("message_only"), 53_000));
    for _ in 0..3 {
        assert_eq!(rig.call(&interactive()).failure().await.error.as_str(), "blocked");
    }
    assert_eq!(rig.fake.count(Endpoint::DeviceAuthorization), 1);
}
