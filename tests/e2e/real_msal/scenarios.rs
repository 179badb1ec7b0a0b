//! What both sides go through. Each scenario is written once, and neither knows which side it plays.
//!
//! Where the number of requests would depend on how fast the machine is, a gate holds the poll until the person has
//! decided.

mod sign_in;
mod silent;

use std::time::Duration;

use anyhow::Result;
use futures_util::future::LocalBoxFuture;
use serde_json::json;
use support::fake_as::Fault;

use super::side::{Ask, Setup, Side, Who};

/// A scenario.
pub(super) struct Scenario {
    /// The heading of its rows.
    pub(super) name: &'static str,
    /// Changes the setup.
    pub(super) setup: fn(&mut Setup),
    /// Plays it.
    pub(super) play: for<'a> fn(&'a mut Side) -> Play<'a>,
}

pub(super) type Play<'a> = LocalBoxFuture<'a, Result<()>>;

const USER_READ: &[&str] = &["User.Read"];
const MAIL_READ: &[&str] = &["Mail.Read"];
const VAULT: &[&str] = &["https://vault.azure.net/.default"];
const STORAGE: &[&str] = &["https://storage.azure.com/.default"];
const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";

/// Continuous access evaluation: what a resource sends with a 401 when a session was revoked.
const CHALLENGE: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}"#;
/// Conditional access: what comes with a refusal, to be sent with the next sign-in.
const POLICY: &str =
    r#"{"access_token":{"capolids":{"essential":true,"values":["c0ffee00-0000-4000-8000-0000000000ca"]}}}"#;

fn ask(scopes: &'static [&'static str]) -> Ask {
    Ask { scopes, ..Ask::default() }
}

fn as_is(_: &mut Setup) {}

/// All of them, in the order of the table.
pub(super) const ALL: &[Scenario] = &[
    Scenario { name: "Device flow", setup: as_is, play: sign_in::device_flow },
    Scenario { name: "The person takes a while", setup: as_is, play: sign_in::pending },
    Scenario { name: "The server says `slow_down`", setup: as_is, play: sign_in::slow_down },
    Scenario { name: "The person declines", setup: as_is, play: sign_in::declined },
    Scenario { name: "The code runs out", setup: short_code, play: sign_in::runs_out },
    Scenario { name: "The server says that the code ran out", setup: as_is, play: sign_in::expired_code },
    Scenario { name: "Wrong client id", setup: wrong_client, play: sign_in::refused_at_once },
    Scenario { name: "Unknown tenant", setup: wrong_tenant, play: sign_in::refused_at_once },
    Scenario { name: "Not a public client", setup: confidential, play: sign_in::not_public },
    Scenario { name: "Silent", setup: as_is, play: silent::silent },
    Scenario { name: "Two accounts", setup: as_is, play: silent::two_accounts },
    Scenario { name: "The access token ran out", setup: |setup| token_life(setup, 1), play: silent::expired },
    Scenario {
        name: "An access token of four minutes",
        setup: |setup| token_life(setup, 240),
        play: silent::short_token,
    },
    Scenario { name: "Past `refresh_in`", setup: refresh_in, play: silent::stale },
    Scenario { name: "Past `refresh_in`, provider down", setup: refresh_in, play: silent::stale_in_an_outage },
    Scenario { name: "Claims challenge", setup: as_is, play: silent::claims },
    Scenario { name: "Refresh refused: `basic_action`", setup: as_is, play: silent::basic_action },
    Scenario { name: "Refresh refused: `consent_required`", setup: as_is, play: silent::consent_required },
    Scenario { name: "Refresh refused: `message_only`", setup: as_is, play: silent::message_only },
    Scenario { name: "Refresh refused: `bad_token`", setup: as_is, play: silent::bad_token },
    Scenario { name: "Outage", setup: |setup| token_life(setup, 240), play: silent::outage },
    Scenario { name: "429 with `Retry-After: 60`", setup: as_is, play: silent::throttled },
    Scenario { name: "A page of HTML with status 200", setup: as_is, play: silent::html },
    Scenario { name: "Sign-out", setup: as_is, play: silent::sign_out },
];

fn short_code(setup: &mut Setup) {
    setup.options.device_code_lifetime = Duration::from_secs(2);
    setup.options.interval = Some(Duration::from_secs(3));
}

fn wrong_client(setup: &mut Setup) {
    setup.client_id = "99999999-0000-0000-0000-000000000000";
}

fn wrong_tenant(setup: &mut Setup) {
    setup.tenant = "nowhere.example";
}

fn confidential(setup: &mut Setup) {
    setup.client_id = "confidential";
}

fn token_life(setup: &mut Setup, seconds: u64) {
    setup.options.access_token_lifetime = Duration::from_secs(seconds);
}

/// MSAL takes a token for expired in its last five minutes, and brokerd believes no `refresh_in` that is under a minute
/// and under half of the token's life: no token becomes stale within seconds for both.
fn refresh_in(setup: &mut Setup) {
    let (life, refresh_in) = match setup.who {
        Who::Brokerd => (12, 6),
        Who::Msal => (3 * 3600, 1),
    };
    token_life(setup, life);
    setup.options.token_overrides.insert("refresh_in".into(), json!(refresh_in));
}

/// Begins a sign-in that must get as far as a code.
async fn code(side: &mut Side, ask: Ask) -> Result<String> {
    side.begin(ask).await?.map_err(|outcome| anyhow::anyhow!("no code: {outcome}"))
}

/// An error of the token endpoint as Microsoft Entra words it, with claims.
fn refusal(suberror: &str, number: u32, claims: Option<&str>) -> Fault {
    let Fault::Oauth { error, description, mut extra } = Fault::aadsts("invalid_grant", Some(suberror), number) else {
        unreachable!("it is an OAuth error");
    };
    extra.extend(claims.map(|claims| ("claims".to_owned(), json!(claims))));
    Fault::Oauth { error, description, extra }
}

fn json_status(code: u16, body: &str, headers: &[(&str, &str)]) -> Fault {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Fault::Status { code, body: body.into(), content_type: "application/json; charset=utf-8".into(), headers }
}
