//! A caller's way to a token: from the request to the answer, over a cached token, a refresh, or a person.
//!
//! Each caller walks by itself; what they share are the flights. Dropping an [`Acquisition`] leaves its flight and harms
//! nobody.

mod ask;
mod at_once;
mod silent;
mod who;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use broker_ipc::api::{AccountRef, DevicePrompt, Interaction, TokenRequest};
use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_oauth::scope::ScopeSet;
use broker_oauth::text::clean;
use broker_oauth::token::IssuedToken;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::Instant;

pub(crate) use self::at_once::at_once;
use self::silent::in_time;
use crate::account::{Ask, Served};
use crate::accounts::Card;
use crate::audit::{Client, Inquiry, Source};
use crate::broker::Broker;
use crate::explain::{Refusal, Subject};
use crate::flight::{self, Landed, Prompt};
use crate::provider::Provider;
use crate::restricted;
use crate::sign_in::{Bound, Joined, Wish};

/// How long a caller waits who says nothing about it.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest wait a caller may ask for.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// A prompt's caller waits a little beyond the code's life, to be told how it ended.
const AFTER_EXPIRY: Duration = Duration::from_secs(45);
/// Sign-ins one caller may be led through: the one it joined, and the step-up for its own scopes.
const MAX_SIGN_INS: usize = 3;

/// What a caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// A token.
    Token,
    /// A sign-in, even if a token is at hand.
    SignIn,
}

/// A token and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Acquired {
    /// The profile.
    pub profile: String,
    /// The account.
    pub account: AccountRef,
    /// The token.
    pub token: Arc<IssuedToken>,
    /// Whether it is past its end, and serves by the longer life it was issued with.
    pub extended: bool,
    /// Where the token came from.
    pub source: Source,
}

/// The next thing a caller is told.
#[derive(Debug)]
pub(crate) enum Told {
    /// A person must act; more follows.
    Prompt(Box<DevicePrompt>),
    /// The end.
    Done(Box<Result<Acquired, ErrorBody>>),
}

/// A caller's wait.
pub(crate) struct Acquisition {
    broker: Arc<Broker>,
    work: BoxFuture<'static, Result<Acquired, Refusal>>,
    prompts: mpsc::Receiver<Arc<Prompt>>,
    deadline: Instant,
    fixed: bool,
    client: Arc<Client>,
    /// The audit line that its end is due; a login hands out no token and has none.
    inquiry: Inquiry,
}

impl Acquisition {
    /// Begins. Nothing happens until [`Acquisition::next`] is awaited.
    pub(crate) fn new(broker: &Arc<Broker>, request: TokenRequest, goal: Goal, client: &Arc<Client>) -> Self {
        let (show, prompts) = mpsc::channel(4);
        let timeout = request.timeout.map(|seconds| Duration::from_secs(seconds).min(MAX_TIMEOUT));
        let deadline = Instant::now() + timeout.unwrap_or(DEFAULT_TIMEOUT);
        let inquiry = if goal == Goal::Token { Inquiry::new(client, &request) } else { Inquiry::default() };
        let caller = Caller { show: Some(show), ..Caller::new(broker, request, goal, client) };
        let (work, fixed, client) = (Box::pin(caller.acquire()), timeout.is_some(), Arc::clone(client));
        Self { broker: Arc::clone(broker), work, prompts, deadline, fixed, client, inquiry }
    }

    /// The same for nobody: the wait that a prompt lives by whose caller has left.
    pub(crate) fn unheard(broker: &Arc<Broker>, request: TokenRequest, client: &Arc<Client>) -> Self {
        Self { inquiry: Inquiry::default(), ..Self::new(broker, request, Goal::Token, client) }
    }

    /// The next thing to tell the caller. Cancel-safe: a dropped call loses nothing.
    pub(crate) async fn next(&mut self) -> Told {
        tokio::select! {
            biased;
            Some(prompt) = self.prompts.recv() => {
                let prompt = self.client.may_see(prompt.at(self.broker.clock.now()));
                if !self.fixed {
                    self.deadline = Instant::now() + Duration::from_secs(prompt.expires_in) + AFTER_EXPIRY;
                }
                Told::Prompt(Box::new(prompt))
            }
            outcome = &mut self.work => self.done(outcome.map_err(|refusal| refusal.body)),
            () = tokio::time::sleep_until(self.deadline) => {
                let body = ErrorBody::new(ErrorCode::Timeout, "the time this request gave itself is over");
                self.done(Err(body.with_hint("ask again, with a longer timeout if a person or the network needs it")))
            }
        }
    }

    fn done(&self, outcome: Result<Acquired, ErrorBody>) -> Told {
        self.inquiry.decided(&self.broker.audit, &outcome);
        Told::Done(Box::new(outcome))
    }
}

/// What a flight brought that others may have begun.
struct Arrival {
    landed: Landed,
    /// Whether the provider was told this caller's claims challenge.
    challenged: bool,
}

struct Caller {
    broker: Arc<Broker>,
    request: TokenRequest,
    goal: Goal,
    client: Arc<Client>,
    /// Where prompts go. `None`: there can be none.
    show: Option<mpsc::Sender<Arc<Prompt>>>,
    /// Whether its socket's allowance has been asked for a new token.
    counted: AtomicBool,
}

impl Caller {
    fn new(broker: &Arc<Broker>, request: TokenRequest, goal: Goal, client: &Arc<Client>) -> Self {
        Self {
            broker: Arc::clone(broker),
            request,
            goal,
            client: Arc::clone(client),
            show: None,
            counted: AtomicBool::new(false),
        }
    }

    async fn acquire(self) -> Result<Acquired, Refusal> {
        let provider = self.broker.provider(self.request.profile.as_deref())?;
        let mut ask = self.ask(&provider)?;
        if self.request.interaction != Some(Interaction::Never) {
            self.broker.sign_ins.recovered().await;
        }
        let mut who = self.resolve(&provider).await?;
        let mut must_sign_in = self.goal == Goal::SignIn;
        let mut prompted = false;
        for _ in 0..MAX_SIGN_INS {
            let refusal = match &who {
                Some(card) if !must_sign_in => match self.silent(card, &ask).await {
                    Ok(served) => return self.acquired(&provider, card, served),
                    Err(refusal) => refusal,
                },
                _ => self.nobody(&provider, who.as_deref()),
            };
            if !refusal.remedy.is_sign_in(prompted) {
                return Err(refusal.under(&self.subject(&provider, &ask, who.as_deref())));
            }
            let landed = match self.borrow(&provider, &ask, who.as_deref()).await {
                Ok(arrival) => Some((arrival, Source::Family)),
                Err(away) if self.request.interaction == Some(Interaction::Never) => {
                    return Err(away.unwrap_or(refusal).under(&self.subject(&provider, &ask, who.as_deref())));
                }
                Err(_) => {
                    prompted = true;
                    self.sign_in(&provider, &ask, who.as_deref(), &refusal)
                        .await?
                        .map(|arrival| (arrival, Source::SignIn))
                }
            };
            let Some((Arrival { landed, challenged }, source)) = landed else {
                who = self.resolve(&provider).await?;
                continue;
            };
            let card = self.broker.accounts.card(&landed.account).ok_or_else(Refusal::internal)?;
            let challenged = challenged || ask.claims.is_none();
            if challenged && ask.is_served_by(&landed.token, provider.profile.registration.provider.scope_case()) {
                return self.acquired(&provider, &card, in_time(landed.token, source));
            }
            // What others asked for came first; our own comes by a refresh, with the claims that nobody has passed on yet.
            who = Some(card);
            must_sign_in = false;
            ask.force = false;
        }
        let refusal = Refusal::sign_in("the provider keeps asking for another sign-in");
        Err(refusal.under(&self.subject(&provider, &ask, who.as_deref())))
    }

    /// What the command that signs in must name.
    fn subject<'s>(&'s self, provider: &'s Provider, ask: &'s Ask, who: Option<&'s Card>) -> Subject<'s> {
        Subject {
            account: self.name(provider).or_else(|| Some(who?.username.as_str())),
            target: Some(&ask.target),
            scopes: Some(&ask.scopes),
            ..Subject::from(&provider.profile)
        }
    }

    /// By a person. `None`: somebody has signed in since the look for an account. From the look in here to the joining there
    /// is no await, so no sign-in can land unseen in between.
    async fn sign_in(
        &self,
        provider: &Arc<Provider>,
        ask: &Ask,
        who: Option<&Card>,
        why: &Refusal,
    ) -> Result<Option<Arrival>, Refusal> {
        self.broker.sign_ins.look_again().await;
        if self.broker.stop.is_cancelled() {
            return Err(Refusal::shutting_down());
        }
        // While this waited, the profile may have become another.
        if !Arc::ptr_eq(provider, &self.broker.provider(Some(&provider.profile.name))?) {
            let what = format!("profile {} has changed while this request waited", provider.profile.name);
            return Err(ErrorBody::new(ErrorCode::Configuration, what).with_hint("ask again").into());
        }
        let name = self.name(provider);
        if self.goal == Goal::Token && who.is_none() && !self.broker.accounts.find(&provider.profile, name).is_empty() {
            return Ok(None);
        }
        let asked = who.map(|card| ScopeSet::parse(&card.asked)).unwrap_or_default();
        // A step-up asks for no less than the sign-in it replaces. Entra takes one resource at a time.
        let widen = !provider.profile.registration.provider.refresh_token_serves_any_scope();
        let claims = ask.claims.clone().or_else(|| Some(why.body.provider.as_ref()?.claims.as_ref()?.to_string()));
        let (bound, account_name) = match (who, name) {
            (Some(card), _) => (Bound::Account(card.id.clone()), Some(card.username.clone())),
            (None, Some(name)) => (Bound::Name(name.into()), Some(clean(name)).filter(|name| !name.is_empty())),
            (None, None) => (Bound::Anybody, None),
        };
        let mut wish = Wish {
            provider: Arc::clone(provider),
            bound,
            scopes: if widen { ask.scopes.union(&asked) } else { ask.scopes.clone() },
            target: ask.target.clone(),
            claims,
            extra: ask.extra.clone(),
            locale: self.request.locale.clone(),
            requested_by: self.client.requester(),
            account_name,
        };
        let widened = wish.scopes != ask.scopes;
        match self.fly(wish.clone()).await {
            // A scope that the account once asked for is no more: that must not stand in the way of those that are.
            Err(refusal) if widened && refusal.is_of_scopes() => {
                wish.scopes = ask.scopes.clone();
                self.fly(wish).await.map(Some)
            }
            arrived => arrived.map(Some),
        }
    }

    async fn fly(&self, wish: Wish) -> Result<Arrival, Refusal> {
        let Joined { waiter, challenged } = self.broker.sign_ins.join_or_start(&self.broker, wish)?;
        let landed = flight::wait(waiter, self.show.as_ref()).await?;
        Ok(Arrival { landed, challenged })
    }

    /// The end of the way. Who joined another's flight must not get more by it than by one of its own.
    fn acquired(&self, provider: &Provider, card: &Card, served: Served) -> Result<Acquired, Refusal> {
        let Served { token, extended, source } = served;
        let case = provider.profile.registration.provider.scope_case();
        let most = self.client.most();
        if !restricted::is_within(&most, &token.scope, &token.asked, case) {
            let what = format!("the provider gives more than this socket is for: {} instead of {most}", token.scope);
            let hint = "it does not narrow tokens as asked: use a client registration with less access";
            return Err(ErrorBody::new(ErrorCode::Blocked, what).with_hint(hint).into());
        }
        Ok(Acquired { profile: provider.profile.name.clone(), account: card.reference(), token, extended, source })
    }
}
