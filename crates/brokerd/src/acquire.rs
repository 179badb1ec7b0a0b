//! A caller's way to a token: from the request to the answer, over a cached token, a refresh, or a person.
//!
//! Each caller walks by itself; what they share are the flights. Dropping an [`Acquisition`] leaves its flight and harms
//! nobody.

use std::sync::Arc;
use std::time::Duration;

use broker_ipc::api::{AccountRef, AccountState, DevicePrompt, Interaction, Requester, TokenRequest};
use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_ipc::peer::Peer;
use broker_oauth::extra::ExtraParameters;
use broker_oauth::scope::ScopeSet;
use broker_oauth::token::IssuedToken;
use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::account::{Answer, Ask, Command, Served};
use crate::accounts::Card;
use crate::broker::Broker;
use crate::config::Authority;
use crate::explain::{Refusal, Remedy};
use crate::family::Whom;
use crate::flight::{self, Landed, Prompt};
use crate::grant::AccountId;
use crate::provider::Provider;
use crate::sign_in::{Bound, Wish};

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
}

impl Acquisition {
    /// Begins. Nothing happens until [`Acquisition::next`] is awaited.
    pub(crate) fn new(broker: &Arc<Broker>, request: TokenRequest, goal: Goal, peer: Peer) -> Self {
        let (show, prompts) = mpsc::channel(4);
        let timeout = request.timeout.map(|seconds| Duration::from_secs(seconds).min(MAX_TIMEOUT));
        let deadline = Instant::now() + timeout.unwrap_or(DEFAULT_TIMEOUT);
        let caller = Caller { broker: Arc::clone(broker), request, goal, peer, show };
        let work = Box::pin(caller.acquire());
        Self { broker: Arc::clone(broker), work, prompts, deadline, fixed: timeout.is_some() }
    }

    /// The next thing to tell the caller. Cancel-safe: a dropped call loses nothing.
    pub(crate) async fn next(&mut self) -> Told {
        tokio::select! {
            biased;
            Some(prompt) = self.prompts.recv() => {
                let prompt = prompt.at(self.broker.clock.now());
                if !self.fixed {
                    self.deadline = Instant::now() + Duration::from_secs(prompt.expires_in) + AFTER_EXPIRY;
                }
                Told::Prompt(Box::new(prompt))
            }
            outcome = &mut self.work => Told::Done(Box::new(outcome.map_err(|refusal| refusal.body))),
            () = tokio::time::sleep_until(self.deadline) => {
                let body = ErrorBody::new(ErrorCode::Timeout, "the time this request gave itself is over");
                Told::Done(Box::new(Err(body.with_hint("ask again, with a longer timeout if a person or the network needs it"))))
            }
        }
    }
}

struct Caller {
    broker: Arc<Broker>,
    request: TokenRequest,
    goal: Goal,
    peer: Peer,
    show: mpsc::Sender<Arc<Prompt>>,
}

impl Caller {
    async fn acquire(self) -> Result<Acquired, Refusal> {
        let provider = self.broker.provider(self.request.profile.as_deref())?;
        let mut ask = self.ask(&provider)?;
        if self.request.interaction != Some(Interaction::Never) {
            self.broker.sign_ins.recovered().await;
        }
        let mut who = self.resolve(&provider).await?;
        let mut must_sign_in = self.goal == Goal::SignIn;
        let mut signed_in = false;
        for _ in 0..MAX_SIGN_INS {
            let refusal = match &who {
                Some(card) if !must_sign_in => match self.silent(card, &ask).await {
                    Ok(served) => return Ok(acquired(&provider, card, served)),
                    Err(refusal) => refusal,
                },
                Some(_) => Refusal::sign_in("a sign-in was asked for"),
                None => match self.name(&provider) {
                    Some(name) => Refusal::sign_in(format!(
                        "nobody is signed in as {name} under profile {}",
                        provider.profile.name
                    )),
                    None => Refusal::sign_in(format!("nobody is signed in under profile {}", provider.profile.name)),
                },
            };
            let helps = match refusal.remedy {
                Remedy::SignIn => true,
                // Where a device code is not expected to do, one person asked in vain is enough.
                Remedy::SignInOnce => !signed_in,
                Remedy::Time | Remedy::None => false,
            };
            if !helps {
                return Err(refusal.under(&provider.profile.name));
            }
            let landed = match self.borrow(&provider, &ask, who.as_ref()).await {
                Ok(landed) => landed,
                Err(away) if self.request.interaction == Some(Interaction::Never) => {
                    return Err(away.unwrap_or(refusal).under(&provider.profile.name));
                }
                Err(_) => {
                    signed_in = true;
                    self.sign_in(&provider, &ask, who.as_ref(), &refusal).await?
                }
            };
            let card = self.broker.accounts.card(&landed.account).ok_or_else(Refusal::internal)?;
            let case = provider.profile.registration.provider.scope_case();
            if ask.is_served_by(&landed.token, case) {
                return Ok(acquired(&provider, &card, in_time(landed.token)));
            }
            // What others asked for came first; our own comes by a refresh. The claims have been passed on.
            who = Some(card);
            must_sign_in = false;
            ask.force = false;
        }
        Err(Refusal::sign_in("the provider keeps asking for another sign-in").under(&provider.profile.name))
    }

    fn ask(&self, provider: &Provider) -> Result<Ask, ErrorBody> {
        let request = &self.request;
        let bad = |what: String| Err(ErrorBody::new(ErrorCode::BadRequest, what));
        if let Some(scope) = request.scopes.iter().find(|scope| !broker_oauth::scope::is_scope_token(scope)) {
            return bad(format!("{scope:?} is no scope"));
        }
        // As from a script's variable that is not set: nobody answers to it, whoever signs in.
        if request.account.as_deref() == Some("") {
            return bad("account is empty".into());
        }
        if request.reject_token_sha256.as_deref().is_some_and(|hash| !is_lower_hex_sha256(hash)) {
            return bad("reject_token_sha256 is not 64 lower-case hex digits".into());
        }
        if let Some(tenant) = &request.tenant
            && !matches!(provider.profile.authority, Authority::Entra { .. })
        {
            let (name, kind) = (&provider.profile.name, provider.profile.registration.provider.as_str());
            let what = format!("tenant {tenant:?}: profile {name} is of provider {kind}, and only entra has tenants");
            return bad(what).map_err(|body| body.with_hint("leave the tenant out"));
        }
        let extra = match ExtraParameters::new(request.extra_parameters.clone()) {
            Ok(extra) => provider.profile.registration.extra.with(&extra),
            Err(error) => return bad(format!("extra_parameters: {error}")),
        };
        let own = &provider.profile.target;
        let mut target = own.clone();
        target.tenant.clone_from(&request.tenant);
        target.resource = request.resource.clone().or(target.resource);
        target.audience = request.audience.clone().or(target.audience);
        let scopes: ScopeSet = request.scopes.iter().map(String::as_str).collect();
        Ok(Ask {
            scopes: if scopes.is_empty() { provider.profile.registration.scopes.clone() } else { scopes },
            target,
            min_validity: request
                .min_validity
                .map(|seconds| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))),
            force: request.force_refresh,
            reject: request.reject_token_sha256.clone(),
            claims: request.claims.clone().map(|claims| serde_json::Value::Object(claims).to_string()),
            extra,
        })
    }

    /// The name the account is meant by, if one is given.
    fn name<'n>(&'n self, provider: &'n Provider) -> Option<&'n str> {
        let default = provider.profile.default_account.as_deref().filter(|_| self.goal == Goal::Token);
        self.request.account.as_deref().or(default)
    }

    /// The account meant; `None` if nobody has signed in as it.
    async fn resolve(&self, provider: &Provider) -> Result<Option<Card>, ErrorBody> {
        let profile = &provider.profile;
        let name = self.name(provider);
        // A sign-in that names nobody is for anybody, whoever is signed in already.
        if self.goal == Goal::SignIn && name.is_none() {
            return Ok(None);
        }
        let mut found = self.broker.accounts.find(profile, name);
        if found.is_empty() {
            self.broker.reconciled().await?;
            found = self.broker.accounts.find(profile, name);
        }
        match found.len() {
            0 if name.is_some_and(|name| AccountId::parse(name).is_some()) => {
                // Ids are made here: nobody can sign in as one.
                Err(ErrorBody::new(
                    ErrorCode::UnknownAccount,
                    format!("there is no account {}", name.unwrap_or_default()),
                )
                .with_hint("see: brokerctl accounts"))
            }
            0 => Ok(None),
            1 => Ok(found.pop()),
            _ => {
                let names: Vec<_> = found.iter().map(|card| card.username.as_str()).collect();
                let what = format!("which account of profile {}? there are: {}", profile.name, names.join(", "));
                let mut body = ErrorBody::new(ErrorCode::AccountRequired, what)
                    .with_hint("name one with --account, or set default_account in the profile");
                body.accounts = found.iter().map(Card::reference).collect();
                Err(body)
            }
        }
    }

    /// Without a person: from memory, or by a refresh.
    async fn silent(&self, card: &Card, ask: &Ask) -> Result<Served, Refusal> {
        let (reply, answer) = oneshot::channel();
        if !self.broker.tell(&card.id, Command::Token { ask: ask.clone(), reply }).await {
            return Err(self.gone());
        }
        let waiter = match answer.await {
            Ok(Answer::Now(token)) => return Ok(in_time(token)),
            Ok(Answer::Wait(waiter)) => waiter,
            Err(_) => return Err(self.gone()),
        };
        match flight::wait(waiter, None).await {
            Ok(landed) => Ok(in_time(landed.token)),
            Err(refusal) if refusal.remedy == Remedy::Time && ask.is_soft() => {
                self.standby(card, ask, &refusal).await.ok_or(refusal)
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// The provider or the store is away: a token that is still valid will do. A locked keyring is no outage that could
    /// lengthen a token's life: it opens when its user wants.
    async fn standby(&self, card: &Card, ask: &Ask, why: &Refusal) -> Option<Served> {
        use ErrorCode::{ProviderError, ProviderUnreachable, Throttled};

        let grace = matches!(why.body.error, ProviderError | ProviderUnreachable | Throttled);
        let (reply, answer) = oneshot::channel();
        self.broker.tell(&card.id, Command::Standby { ask: ask.clone(), grace, reply }).await;
        answer.await.ok().flatten()
    }

    /// Without a person, by another profile's refresh token of the same family. `Err` tells why that does not help, where
    /// that is worth telling.
    async fn borrow(&self, provider: &Arc<Provider>, ask: &Ask, who: Option<&Card>) -> Result<Landed, Option<Refusal>> {
        if self.goal == Goal::SignIn || !provider.profile.silent.share_family || self.broker.stop.is_cancelled() {
            return Err(None);
        }
        let whom = match (who, self.name(provider)) {
            // A grant that lives was refused for what was asked: another client's would be too.
            (Some(card), _) if !self.has_ended(card).await => return Err(None),
            (Some(card), _) => Whom::User(card.home_id.clone().ok_or(None)?),
            (None, Some(name)) => Whom::Named(name.into()),
            (None, None) => Whom::Anybody,
        };
        let waiter = self.broker.families.join_or_start(&self.broker, provider, &whom, ask).ok_or(None)?;
        match flight::wait(waiter, None).await {
            Ok(landed) => Ok(landed),
            Err(refusal) => Err(Some(refusal).filter(|refusal| refusal.remedy == Remedy::Time)),
        }
    }

    async fn has_ended(&self, card: &Card) -> bool {
        let (reply, description) = oneshot::channel();
        self.broker.tell(&card.id, Command::Describe { reply }).await;
        description.await.is_ok_and(|described| described.account.state == AccountState::SignInRequired)
    }

    fn gone(&self) -> Refusal {
        if self.broker.stop.is_cancelled() {
            Refusal::shutting_down()
        } else {
            Refusal::sign_in("the account was signed out meanwhile")
        }
    }

    async fn sign_in(
        &self,
        provider: &Arc<Provider>,
        ask: &Ask,
        who: Option<&Card>,
        why: &Refusal,
    ) -> Result<Landed, Refusal> {
        if self.broker.stop.is_cancelled() {
            return Err(Refusal::shutting_down());
        }
        let asked = who.map(|card| ScopeSet::parse(&card.asked)).unwrap_or_default();
        // A step-up asks for no less than the sign-in it replaces. Entra takes one resource at a time.
        let widen = !provider.profile.registration.provider.refresh_token_serves_any_scope();
        let claims = ask.claims.clone().or_else(|| Some(why.body.provider.as_ref()?.claims.as_ref()?.to_string()));
        let (bound, account_name) = match (who, self.name(provider)) {
            (Some(card), _) => (Bound::Account(card.id.clone()), Some(card.username.clone())),
            (None, Some(name)) => (Bound::Name(name.into()), Some(name.to_owned())),
            (None, None) => (Bound::Anybody, None),
        };
        let wish = Wish {
            provider: Arc::clone(provider),
            bound,
            scopes: if widen { ask.scopes.union(&asked) } else { ask.scopes.clone() },
            target: ask.target.clone(),
            claims,
            extra: ask.extra.clone(),
            locale: self.request.locale.clone(),
            requested_by: Requester { pid: self.peer.pid, command: self.peer.command() },
            account_name,
        };
        let waiter = self.broker.sign_ins.join_or_start(&self.broker, wish);
        flight::wait(waiter, Some(&self.show)).await
    }
}

fn acquired(provider: &Provider, card: &Card, served: Served) -> Acquired {
    let Served { token, extended } = served;
    Acquired { profile: provider.profile.name.clone(), account: card.reference(), token, extended }
}

/// A token that serves within its own life.
fn in_time(token: Arc<IssuedToken>) -> Served {
    Served { token, extended: false }
}

fn is_lower_hex_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
