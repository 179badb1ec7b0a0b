//! One device flow, step by step.
//!
//! 1. The store must take writes, or the user would sign in for nothing.
//! 2. Device authorization request and response (RFC 8628 §3.1, §3.2); the prompt goes to everybody who waits.
//! 3. Wait and poll (§3.4, §3.5) until the user is done, the code runs out, the prompt is cancelled, or nobody waits.
//! 4. The user has consented: from here to the save, nobody's leaving matters.

use std::sync::Arc;
use std::time::Duration;

use broker_ipc::api::DevicePrompt;
use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_oauth::device::{AuthorizationParameters, DeviceAuthorization, DeviceFlow, Polled, Step};
use broker_oauth::failure::PollVerdict;
use broker_oauth::token::TokenResponse;
use jiff::SignedDuration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Bound, Wish, show};
use crate::account::revoke;
use crate::broker::Broker;
use crate::clock::rfc3339;
use crate::explain::{self, Refusal};
use crate::flight::{Landing, Progress, Prompt};
use crate::grant::Grant;
use crate::provider::Fault;

/// Runs a sign-in to its end and tells everybody who waits.
pub(super) async fn fly(
    broker: Arc<Broker>,
    id: String,
    wish: Wish,
    progress: watch::Sender<Progress>,
    cancel: CancellationToken,
) {
    let flow = Flow { broker: &broker, id: &id, wish: &wish, progress: &progress, cancel: &cancel };
    // Whatever becomes of this task, nobody joins a sign-in that nobody flies.
    let _pending = Pending { broker: &broker, id: &id };
    let Some(landing) = flow.run().await else {
        tracing::info!(profile = wish.provider.profile.name, prompt = id, "sign-in abandoned: nobody waits for it");
        broker.events.prompt_ended(&id, "abandoned");
        return;
    };
    broker.sign_ins.remove(&id);
    let outcome = landing.as_ref().err().map_or("signed_in", |refusal| refusal.body.error.as_str());
    tracing::info!(profile = wish.provider.profile.name, prompt = id, outcome, "sign-in ended");
    broker.events.prompt_ended(&id, outcome);
    progress.send_replace(Progress::Landed(landing));
}

/// The sign-in's place among those that can be joined.
struct Pending<'f> {
    broker: &'f Broker,
    id: &'f str,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.broker.sign_ins.remove(self.id);
    }
}

struct Flow<'f> {
    broker: &'f Arc<Broker>,
    id: &'f str,
    wish: &'f Wish,
    progress: &'f watch::Sender<Progress>,
    cancel: &'f CancellationToken,
}

/// Why a wait between two polls ended.
enum Woken {
    Time,
    Abandoned,
    Cancelled,
    Stopping,
}

impl Flow<'_> {
    /// `None`: abandoned.
    async fn run(&self) -> Option<Landing> {
        // Nobody has seen a code yet: an answer that is not waited for is lost to nobody.
        let authorized = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(cancelled()),
            () = self.broker.stop.cancelled() => Err(Refusal::shutting_down()),
            authorized = self.authorize() => authorized,
        };
        let authorization = match authorized {
            Ok(authorization) => authorization,
            Err(refusal) => return Some(Err(refusal)),
        };
        let started = Instant::now();
        self.show(&authorization);
        let mut flow = DeviceFlow::new(&authorization);
        loop {
            match flow.step(started.elapsed()) {
                Step::Expired => return Some(Err(expired())),
                Step::WaitUntil(until) => match self.wait(started + until).await {
                    Woken::Time => {}
                    Woken::Abandoned => return None,
                    Woken::Cancelled => return Some(Err(cancelled())),
                    Woken::Stopping => return Some(Err(Refusal::shutting_down())),
                },
                Step::Poll => match self.poll(&authorization).await {
                    Ok(response) => return Some(self.consented(response).await),
                    Err(fault) => match self.verdict(&fault) {
                        Ok(polled) => flow.polled(polled, started.elapsed()),
                        Err(refusal) => return Some(Err(refusal)),
                    },
                },
            }
        }
    }

    async fn authorize(&self) -> Result<DeviceAuthorization, Refusal> {
        self.broker.vault.check().await.map_err(|error| error.body())?;
        let wish = self.wish;
        let scopes = wish.provider.profile.registration.sign_in_scopes(&wish.scopes);
        let parameters = AuthorizationParameters {
            scopes: &scopes,
            target: &wish.target,
            claims: wish.claims.as_deref(),
            locale: wish.locale.as_deref(),
        };
        let authorized = wish.provider.authorize_device(parameters).await;
        authorized.map_err(|fault| explain::fault(&fault, &wish.provider.profile))
    }

    fn show(&self, authorization: &DeviceAuthorization) {
        let expires_in = SignedDuration::try_from(authorization.expires_in).unwrap_or_default();
        let expires_at = self.broker.clock.now() + expires_in;
        let prompt = DevicePrompt {
            id: self.id.to_owned(),
            user_code: authorization.user_code.clone(),
            verification_uri: authorization.verification_uri.clone(),
            verification_uri_complete: authorization.verification_uri_complete.clone(),
            expires_at: rfc3339(expires_at),
            expires_in: authorization.expires_in.as_secs(),
            interval: authorization.interval.as_secs(),
            profile: self.wish.provider.profile.name.clone(),
            account: self.wish.account_name.clone(),
            scopes: self.wish.scopes.iter().map(str::to_owned).collect(),
            requested_by: self.wish.requested_by.clone(),
        };
        tracing::info!(
            profile = prompt.profile,
            prompt = prompt.id,
            pid = prompt.requested_by.pid,
            command = prompt.requested_by.command,
            expires_in = prompt.expires_in,
            "a person must sign in"
        );
        self.broker.events.prompt_started(prompt.clone());
        show(self.progress, Prompt::new(prompt, expires_at));
    }

    async fn wait(&self, until: Instant) -> Woken {
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Woken::Cancelled,
                () = self.broker.stop.cancelled() => return Woken::Stopping,
                // Somebody may have joined since the last one left: only the registry's lock can tell.
                () = self.progress.closed() => if self.broker.sign_ins.abandon(self.id) { return Woken::Abandoned },
                () = tokio::time::sleep_until(until) => return Woken::Time,
            }
        }
    }

    async fn poll(&self, authorization: &DeviceAuthorization) -> Result<TokenResponse, Fault> {
        let asked = self.wish.provider.profile.registration.sign_in_scopes(&self.wish.scopes);
        let (target, claims) = (&self.wish.target, self.wish.claims.as_deref());
        self.wish.provider.poll(&authorization.device_code, &asked, target, claims).await
    }

    fn verdict(&self, fault: &Fault) -> Result<Polled, Refusal> {
        let explained = || explain::fault(fault, &self.wish.provider.profile);
        let seconds = |seconds: Option<u64>| seconds.map(Duration::from_secs);
        match fault {
            Fault::Unreachable(_) => Ok(Polled::Failed { retry_after: None }),
            Fault::Waiting { retry_after } => Ok(Polled::Failed { retry_after: seconds(Some(*retry_after)) }),
            Fault::Misconfigured(_) => Err(explained()),
            Fault::Refused(failure) => match failure.poll_verdict() {
                PollVerdict::Pending => Ok(Polled::Pending),
                PollVerdict::SlowDown { interval } => Ok(Polled::SlowDown(seconds(interval))),
                PollVerdict::KeepTrying => Ok(Polled::Failed { retry_after: seconds(failure.retry_after()) }),
                PollVerdict::Declined => Err(with_provider(declined(), explained())),
                PollVerdict::Expired => Err(with_provider(expired(), explained())),
                PollVerdict::Ended(_) => Err(explained()),
            },
        }
    }

    /// The user has consented.
    async fn consented(&self, response: TokenResponse) -> Landing {
        let (profile, target) = (&self.wish.provider.profile, self.wish.target.clone());
        let (grant, token) = Grant::issued(profile, target, response, self.broker.clock.now());
        let expected = match &self.wish.bound {
            Bound::Anybody => true,
            Bound::Account(expected) => *expected == grant.id,
            Bound::Name(name) => grant.identity.answers_to(name),
        };
        if !expected {
            return Err(self.mismatch(&grant).await);
        }
        self.broker.adopt(grant, Arc::new(token)).await
    }

    /// Somebody else signed in: nothing is stored, and the grant is given back.
    async fn mismatch(&self, grant: &Grant) -> Refusal {
        let (revocation, _) = revoke(Some(&self.wish.provider), Some(grant)).await;
        tracing::info!(profile = grant.profile, ?revocation, "somebody else signed in than was asked for");
        let expected = self.wish.account_name.as_deref().unwrap_or("the account asked for");
        let description = format!("{} signed in, and {expected} was asked for; nothing was stored", grant.username());
        ErrorBody::new(ErrorCode::AccountMismatch, description)
            .with_hint("sign in as that user (a private window helps), or ask for the other account")
            .into()
    }
}

fn expired() -> Refusal {
    ErrorBody::new(ErrorCode::ExpiredToken, "the code ran out before the sign-in was finished")
        .with_hint(
            "ask again for a new code; if the page showed a refusal, a policy of the provider may forbid device codes",
        )
        .into()
}

fn declined() -> Refusal {
    ErrorBody::new(ErrorCode::AccessDenied, "the sign-in was declined in the browser")
        .with_hint("ask again to get a new code")
        .into()
}

fn cancelled() -> Refusal {
    ErrorBody::new(ErrorCode::Cancelled, "the sign-in was cancelled").with_hint("ask again to get a new code").into()
}

/// Our own words, with the provider's beside them.
fn with_provider(mut refusal: Refusal, explained: Refusal) -> Refusal {
    refusal.body.provider = explained.body.provider;
    refusal
}
