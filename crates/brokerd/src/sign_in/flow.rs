//! One device flow, step by step.
//!
//! 1. The store must take writes, or the user would sign in for nothing.
//! 2. Device authorization request and response (RFC 8628 §3.1, §3.2); the prompt goes to everybody who waits.
//!    Before anybody sees it, it is kept in the vault, for a daemon that comes after this one.
//! 3. Wait and poll (§3.4, §3.5) until the user is done, the code runs out, the prompt is cancelled, or nobody waits.
//! 4. The user has consented: from here to the save, nobody's leaving matters.

use std::sync::Arc;
use std::time::Duration;

use broker_ipc::api::DevicePrompt;
use broker_ipc::error::ErrorCode;
use broker_oauth::device::{AuthorizationParameters, DeviceAuthorization, DeviceFlow, Polled, Step};
use broker_oauth::failure::PollVerdict;
use broker_oauth::token::TokenResponse;
use jiff::SignedDuration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ending::{cancelled, used_up, with_provider};
use super::resume::{COMEBACK, forget};
use super::{Bound, Kept, Wish, kept, show};
use crate::broker::Broker;
use crate::clock::rfc3339;
use crate::correlation::{CorrelationId, Trail};
use crate::explain::{self, Refusal, Subject};
use crate::flight::{Landing, Progress, Prompt};
use crate::provider::Fault;

/// Runs a sign-in to its end and tells everybody who waits.
pub(super) async fn fly(broker: Arc<Broker>, id: String, wish: Wish, kept: Option<Kept>, reins: Reins) {
    let patient_until = kept.as_ref().map(|_| Instant::now() + COMEBACK);
    let flow = Flow { broker: &broker, id: &id, wish: &wish, reins: &reins, patient_until };
    // Whatever becomes of this task, nobody joins a sign-in that nobody flies.
    let _pending = Pending { broker: &broker, id: &id };
    let mut trail = kept.as_ref().map_or_else(Trail::new, Kept::trail);
    let Some(mut landing) = flow.run(kept, &mut trail).await else {
        let (profile, correlation_id) = (&wish.provider.profile.name, trail.id());
        tracing::info!(profile, prompt = id, correlation_id, "sign-in abandoned: nobody waits for it");
        broker.events.prompt_ended(&id, "abandoned");
        return forget(&broker, &id).await;
    };
    broker.sign_ins.remove(&id);
    let leaving = matches!(&landing, Err(refusal) if refusal.body.error == ErrorCode::ShuttingDown);
    if let Err(refusal) = &mut landing {
        trail.mark(&mut refusal.body);
    }
    let outcome = landing.as_ref().err().map_or("signed_in", |refusal| refusal.body.error.as_str());
    let (profile, correlation_id) = (&wish.provider.profile.name, trail.id());
    tracing::info!(profile, prompt = id, outcome, correlation_id, "sign-in ended");
    broker.events.prompt_ended(&id, outcome);
    reins.progress.send_replace(Progress::Landed(landing));
    // The daemon after this one goes on with it.
    if !leaving {
        forget(&broker, &id).await;
    }
}

/// What others do to a sign-in while it flies.
pub(super) struct Reins {
    /// Its waiters.
    pub(super) progress: watch::Sender<Progress>,
    /// Cancelled by a person.
    pub(super) cancel: CancellationToken,
    /// Somebody joined.
    pub(super) joined: Arc<Notify>,
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

pub(super) struct Flow<'f> {
    pub(super) broker: &'f Arc<Broker>,
    pub(super) id: &'f str,
    pub(super) wish: &'f Wish,
    reins: &'f Reins,
    /// Until when it waits for the clients of the daemon before this one.
    patient_until: Option<Instant>,
}

/// How a wait ended that was not to its end.
enum Cut {
    Abandoned,
    Cancelled,
    Stopping,
}

impl Cut {
    /// `None`: abandoned.
    fn landing(&self) -> Option<Landing> {
        match self {
            Self::Abandoned => None,
            Self::Cancelled => Some(Err(cancelled())),
            Self::Stopping => Some(Err(Refusal::shutting_down())),
        }
    }
}

impl Flow<'_> {
    /// `None`: abandoned.
    async fn run(&self, kept: Option<Kept>, trail: &mut Trail) -> Option<Landing> {
        let begun = kept.as_ref().map(|_| Instant::now());
        let (authorization, polled) = match kept {
            Some(kept) => {
                self.show(&kept.authorization);
                if let Err(cut) = self.comeback().await {
                    return cut.landing();
                }
                (kept.authorization, kept.polled)
            }
            // Nobody has seen a code yet: an answer that is not waited for is lost to nobody.
            None => match self.interruptible(self.authorize(trail)).await {
                Ok(Ok(authorization)) => {
                    self.keep(&authorization, trail).await;
                    self.show(&authorization);
                    (authorization, false)
                }
                Ok(Err(refusal)) | Err(refusal) => return Some(Err(refusal)),
            },
        };
        // The codes of one that goes on have lived since it was taken up.
        let started = begun.unwrap_or_else(Instant::now);
        let mut flow = DeviceFlow::new(&authorization);
        // What the last poll of the daemon before this one was answered is not known.
        let mut lost = polled;
        // Why the last poll brought no answer, where it did not.
        let mut unheard = None;
        loop {
            match flow.step(started.elapsed()) {
                Step::Expired => return Some(Err(self.ran_out(unheard.as_ref()))),
                Step::WaitUntil(until) => {
                    if let Err(cut) = self.wait(started + until).await {
                        return cut.landing();
                    }
                }
                Step::Poll => match self.poll(&authorization, flow.interval(), trail.sent()).await {
                    Ok(response) => return Some(self.consented(response).await),
                    Err(fault) => {
                        trail.hear(&fault);
                        match self.verdict(&fault, lost) {
                            Ok(polled) => {
                                let failed = matches!(polled, Polled::Failed { .. });
                                lost &= failed;
                                unheard = failed.then_some(fault);
                                flow.polled(polled, started.elapsed());
                            }
                            Err(refusal) => return Some(Err(refusal)),
                        }
                    }
                },
            }
        }
    }

    async fn interruptible<T>(&self, work: impl Future<Output = T>) -> Result<T, Refusal> {
        tokio::select! {
            biased;
            () = self.reins.cancel.cancelled() => Err(cancelled()),
            () = self.broker.stop.cancelled() => Err(Refusal::shutting_down()),
            done = work => Ok(done),
        }
    }

    async fn authorize(&self, trail: &mut Trail) -> Result<DeviceAuthorization, Refusal> {
        self.broker.vault.check().await.map_err(|error| error.body())?;
        let wish = self.wish;
        trail.begin(wish.provider.profile.registration.provider.takes_request_ids());
        let scopes = wish.provider.profile.registration.sign_in_scopes(&wish.scopes);
        let parameters = AuthorizationParameters {
            scopes: &scopes,
            target: &wish.target,
            claims: wish.claims.as_deref(),
            extra: &wish.extra,
            locale: wish.locale.as_deref(),
        };
        let authorized = wish.provider.authorize_device(parameters, trail.sent()).await;
        authorized.map_err(|fault| {
            trail.hear(&fault);
            explain::fault(&fault, self.subject())
        })
    }

    /// Keeps the prompt for a daemon that comes after this one. A store that does not take it costs only that.
    async fn keep(&self, authorization: &DeviceAuthorization, trail: &Trail) {
        let expires_in = SignedDuration::try_from(authorization.expires_in).unwrap_or_default();
        let expires_at = self.broker.clock.now() + expires_in;
        let record = kept::to_record(self.wish, authorization, expires_at, trail.id());
        // The mark first: a record without one would be swept away.
        self.broker.sign_ins.marks.add(self.id, authorization.interval, expires_at);
        if let Err(error) = self.broker.vault.put(&kept::key(self.id), record).await {
            tracing::warn!(prompt = self.id, %error, "the prompt would not outlive a restart");
        }
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
            other_accounts: self.other_accounts(),
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
        show(&self.reins.progress, Prompt::new(prompt, expires_at));
    }

    /// Who is signed in, where the name that was asked for is nobody's yet.
    fn other_accounts(&self) -> Vec<String> {
        let Bound::Name(_) = self.wish.bound else { return Vec::new() };
        let cards = self.broker.accounts.find(&self.wish.provider.profile, None);
        cards.into_iter().map(|card| card.username.clone()).collect()
    }

    async fn wait(&self, until: Instant) -> Result<(), Cut> {
        loop {
            // One who came back and left again does not end it for those who are still to come.
            let patient = self.patient_until.filter(|end| Instant::now() < *end);
            tokio::select! {
                biased;
                () = self.reins.cancel.cancelled() => return Err(Cut::Cancelled),
                () = self.broker.stop.cancelled() => return Err(Cut::Stopping),
                // Somebody may have joined since the last one left: only the registry's lock can tell.
                () = self.reins.progress.closed(), if patient.is_none() => if self.broker.sign_ins.abandon(self.id) {
                    return Err(Cut::Abandoned);
                },
                () = tokio::time::sleep_until(patient.unwrap_or(until)), if patient.is_some() => {}
                () = tokio::time::sleep_until(until) => return Ok(()),
            }
        }
    }

    /// Waits for a client of the daemon before this one.
    async fn comeback(&self) -> Result<(), Cut> {
        tokio::select! {
            biased;
            () = self.reins.cancel.cancelled() => Err(Cut::Cancelled),
            () = self.broker.stop.cancelled() => Err(Cut::Stopping),
            () = self.reins.joined.notified() => Ok(()),
            () = tokio::time::sleep(COMEBACK) => {
                // Somebody may have joined just now: only the registry's lock can tell.
                if self.broker.sign_ins.abandon(self.id) { Err(Cut::Abandoned) } else { Ok(()) }
            }
        }
    }

    async fn poll(
        &self,
        authorization: &DeviceAuthorization,
        interval: Duration,
        id: &CorrelationId,
    ) -> Result<TokenResponse, Fault> {
        self.broker.sign_ins.marks.polling(self.id, interval);
        let asked = self.wish.provider.profile.registration.sign_in_scopes(&self.wish.scopes);
        let (target, claims) = (&self.wish.target, self.wish.claims.as_deref());
        self.wish.provider.poll(authorization, &asked, target, claims, &self.wish.extra, id).await
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            account: self.wish.account_name.as_deref(),
            target: Some(&self.wish.target),
            scopes: Some(&self.wish.scopes),
            ..Subject::from(&self.wish.provider.profile)
        }
    }

    /// The code's time is over. A person may have approved it all the same: `unheard` is why that would not be known.
    fn ran_out(&self, unheard: Option<&Fault>) -> Refusal {
        let mut refusal = explain::expired(&self.wish.provider.profile, None);
        if let Some(fault) = unheard {
            let why = explain::fault(fault, self.subject()).body;
            let said = &refusal.body.error_description;
            refusal.body.error_description = format!("{said}; the last poll failed: {}", why.error_description);
            // What is wrong here, the user can mend; of the rest, a new code is what helps.
            if matches!(fault, Fault::Misconfigured(_)) {
                refusal.body.hint = why.hint.or(refusal.body.hint);
            }
        }
        refusal
    }

    fn verdict(&self, fault: &Fault, lost: bool) -> Result<Polled, Refusal> {
        let explained = || explain::fault(fault, self.subject());
        let seconds = |seconds: Option<u64>| seconds.map(Duration::from_secs);
        match fault {
            Fault::Unreachable(_) | Fault::Keyring(_) => Ok(Polled::Failed { retry_after: None }),
            Fault::Away { retry_after, .. } => Ok(Polled::Failed { retry_after: seconds(Some(*retry_after)) }),
            // A `ca_file` that is being written at this moment, as a rule; and a person may have approved already.
            Fault::Misconfigured(why) => {
                let profile = &self.wish.provider.profile.name;
                tracing::warn!(profile, prompt = self.id, why, "the provider could not be polled");
                Ok(Polled::Failed { retry_after: None })
            }
            Fault::NoClientSecret => Err(explained()),
            Fault::Refused(failure) => match failure.poll_verdict() {
                PollVerdict::Pending => Ok(Polled::Pending),
                PollVerdict::SlowDown { interval } => Ok(Polled::SlowDown(seconds(interval))),
                PollVerdict::KeepTrying => Ok(Polled::Failed { retry_after: seconds(failure.retry_after()) }),
                PollVerdict::Declined => Err(explain::declined(&self.subject(), failure)),
                PollVerdict::Expired if lost => Err(with_provider(used_up(), explained())),
                PollVerdict::Expired => Err(explain::expired(self.subject(), Some(failure))),
                PollVerdict::Ended(_) => Err(explained()),
            },
        }
    }
}
