//! One row in one stage: the answer is given, and what came of it is looked at from every side.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use broker_client::{ClientError, ErrorBody, TokenEvent, TokenRequest};
use serde::Serialize;
use serde_json::Value;
use support::fake_as::{Endpoint, Grant};
use support::hostile::{all_text, found_in};
use support::rig::{Call, Rig, exposed, interactive, never, s};
use tokio::time::Instant;

use crate::MEMORY;
use crate::case::{Case, Outcome, Stage};

/// No caller here asks for more than the minute that a request has by itself.
const LONGEST: Duration = s(61);
/// A code's life, and the time a prompt's caller waits beyond it.
const LONGEST_SIGN_IN: Duration = s(900 + 46);

/// What came of a row.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    /// What is not as it must be.
    pub(crate) wrong: Vec<String>,
    /// Bytes allocated at the peak, beyond those before.
    pub(crate) memory: usize,
    /// By the daemon's clock.
    pub(crate) took: Duration,
    /// What was told.
    told: Vec<Value>,
}

/// What a caller saw.
enum Seen {
    /// A token, a prompt, or a sign-in: the answer was used, or went by without harm.
    Good,
    /// A refusal.
    Refused(String),
}

pub(crate) fn run(case: &Case, stage: Stage) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let ran = catch_unwind(AssertUnwindSafe(|| runtime.block_on(walk(case, stage))));
    ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
        Ran { wrong: vec![format!("panicked: {text}")], ..Ran::default() }
    })
}

async fn walk(case: &Case, stage: Stage) -> Ran {
    let mut rig = Rig::start();
    rig.sign_in("alice").await;
    if stage == Stage::Revocation {
        sign_in_bob(&rig).await;
    }
    if stage == Stage::Discovery {
        rig.restart().await;
    }
    if stage == Stage::Userinfo {
        rig.fake.reconfigure(|options| drop(options.token_overrides.insert("id_token".into(), Value::Null)));
    }
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let start = Instant::now();
    let mut ran = Ran::default();
    let seen = provoke(&rig, case, stage, &mut ran).await;
    ran.took = start.elapsed();
    ran.memory = MEMORY.peak_usage().saturating_sub(before);
    judge(case, stage, &seen, &mut ran);
    look_around(&rig, &mut ran);
    if let Err(why) = kept(&rig).await {
        ran.wrong.push(why);
    }
    ran
}

/// Gives the answer, and sees what the caller is told.
async fn provoke(rig: &Rig, case: &Case, stage: Stage, ran: &mut Ran) -> Seen {
    let answer = case.answer.clone();
    match stage {
        Stage::Discovery => rig.fake.always(Endpoint::Discovery, answer),
        Stage::Device => rig.fake.always(Endpoint::DeviceAuthorization, answer),
        Stage::Refresh => rig.fake.always(Grant::RefreshToken, answer),
        Stage::Revocation => rig.fake.always(Endpoint::Revocation, answer),
        Stage::Userinfo => rig.fake.always(Endpoint::Userinfo, answer),
        Stage::Poll if case.outcome == Outcome::NoAnswer("expired_token") => {
            rig.fake.always(Grant::DeviceCode, answer);
        }
        Stage::Poll => rig.fake.script(Grant::DeviceCode, answer),
    }
    match stage {
        Stage::Discovery | Stage::Refresh => {
            let outcome = rig.client.access_token(&alice(), |prompt| panic!("a prompt: {prompt:?}")).await;
            match outcome {
                Ok(token) => good(&(token.scope, token.account), ran),
                Err(error) => refused(error, ran),
            }
        }
        Stage::Device => {
            let mut call = rig.login(&interactive());
            event(&mut call, ran).await
        }
        Stage::Poll | Stage::Userinfo => {
            let mut call = rig.login(&interactive());
            let TokenEvent::DevicePrompt(prompt) = call.next().await.unwrap().unwrap() else { panic!("no prompt") };
            if case.outcome != Outcome::NoAnswer("expired_token") {
                rig.fake.approve(&prompt.user_code, "bob");
            }
            event(&mut call, ran).await
        }
        Stage::Revocation => {
            let accounts = rig.client.accounts().await.unwrap().accounts;
            let bob = accounts.iter().find(|account| account.username.starts_with("bob")).unwrap();
            let told = rig.client.sign_out(&bob.id).await.unwrap();
            let told = serde_json::to_value(told).unwrap();
            let revoked = told["revocation"] == "revoked";
            ran.told.push(told);
            if revoked { Seen::Good } else { Seen::Refused("not revoked".into()) }
        }
    }
}

fn judge(case: &Case, stage: Stage, seen: &Seen, ran: &mut Ran) {
    let fits = match (case.outcome, stage, seen) {
        // A poll that is no answer is a poll that is tried again; and nobody's name is no refusal.
        (Outcome::NoAnswer(code), Stage::Poll, _) if code != "expired_token" => matches!(seen, Seen::Good),
        (Outcome::NoAnswer(_), Stage::Userinfo, _) => {
            matches!(seen, Seen::Good) && ran.told.iter().any(|told| told["username"] == "unknown")
        }
        (Outcome::NoAnswer(_), Stage::Revocation, Seen::Refused(_)) | (Outcome::Used, _, Seen::Good) => true,
        (Outcome::NoAnswer(code) | Outcome::Ends(code), _, Seen::Refused(told)) => told == code,
        _ => false,
    };
    let told = match seen {
        Seen::Good => "all was well",
        Seen::Refused(told) => told,
    };
    if !fits {
        ran.wrong.push(format!("{:?} was due, and {told}: {:?}", case.outcome, ran.told));
    }
    let longest = if stage == Stage::Poll { LONGEST_SIGN_IN } else { LONGEST };
    if ran.took > longest {
        ran.wrong.push(format!("it took {:?}", ran.took));
    }
}

/// Nothing was followed, nothing unsanitised was told or logged.
fn look_around(rig: &Rig, ran: &mut Ran) {
    if rig.other.connections() > 0 {
        ran.wrong.push("another server was spoken to".into());
    }
    for (place, text) in [("told", ran.told.iter().map(all_text).collect::<String>()), ("logged", rig.log())] {
        if let Some(c) = found_in(&text) {
            ran.wrong.push(format!("{c:?} was {place}"));
        }
    }
    let cookie = |(name, _): &(String, String)| name == "cookie";
    if rig.fake.log().iter().any(|request| request.headers.iter().any(cookie)) {
        ran.wrong.push("a cookie was sent".into());
    }
}

/// The sign-in that was there before is good: the next refresh works, and no person is asked.
async fn kept(rig: &Rig) -> Result<(), String> {
    rig.fake.clear();
    rig.fake.reconfigure(|options| options.token_overrides.clear());
    rig.expire().await;
    let prompts = rig.fake.count(Endpoint::DeviceAuthorization);
    let token = rig.client.access_token(&alice(), |prompt| panic!("a prompt: {prompt:?}")).await;
    let token = token.map_err(|error| format!("the sign-in is lost: {error:?}"))?;
    let live = rig.fake.access_token(exposed(&token)).is_some_and(|token| token.user == "alice");
    let unasked = rig.fake.count(Endpoint::DeviceAuthorization) == prompts;
    if live && unasked { Ok(()) } else { Err("the token after it is not alice's".into()) }
}

fn alice() -> TokenRequest {
    TokenRequest { account: Some("alice@example.com".into()), force_refresh: true, ..never() }
}

async fn sign_in_bob(rig: &Rig) {
    let mut call = rig.login(&interactive());
    rig.fake.approve(&call.prompt().await.user_code, "bob");
    call.next().await.unwrap().unwrap();
}

/// The next event of a login.
async fn event(call: &mut Call, ran: &mut Ran) -> Seen {
    match call.next().await.unwrap() {
        Ok(TokenEvent::DevicePrompt(prompt)) => good(&prompt, ran),
        Ok(TokenEvent::SignedIn { account, .. }) => good(&account, ran),
        Ok(other) => panic!("{other:?}"),
        Err(error) => refused(error, ran),
    }
}

fn good(told: &impl Serialize, ran: &mut Ran) -> Seen {
    ran.told.push(serde_json::to_value(told).unwrap());
    Seen::Good
}

fn refused(error: ClientError, ran: &mut Ran) -> Seen {
    let ClientError::Api(body) = error else { panic!("{error:?}") };
    let body: ErrorBody = *body;
    if body.hint.is_none() {
        ran.wrong.push(format!("there is no hint: {body:?}"));
    }
    ran.told.push(serde_json::to_value(&body).unwrap());
    Seen::Refused(body.error.as_str().into())
}
