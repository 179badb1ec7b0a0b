//! A refresh, from the store to the store (RFC 6749 §6).
//!
//! 1. Read the grant, if it has not been read; save it, if it is unsaved.
//! 2. Write an intent: after a crash it says what was under way, and it proves that the store takes writes. No refresh
//!    token is spent otherwise. Where the provider is known not to rotate, this is left out.
//! 3. Send the refresh token; once more where that can be no second refresh of the same grant (see `provider`).
//! 4. Write the successor, the spent token beside it until the successor has worked.
//! 5. Only then is the access token shown to anybody: [`fly`] returns it after the save.

use std::sync::Arc;

use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_oauth::failure::{Failure, Verdict};
use broker_oauth::refresh::{Freshness, RefreshParameters, freshness};
use broker_oauth::scope::ScopeSet;
use broker_oauth::secret::RefreshToken;
use broker_oauth::token::{IssuedToken, TokenResponse};

use super::Ask;
use super::hold::{Held, Hold, has_intent, load, save, save_again};
use super::underway::Underway;
use crate::broker::Broker;
use crate::explain::{self, Refusal, Subject};
use crate::grant::{AccountId, Credential, Grant, Refresh};
use crate::provider::{Clearance, Fault, Provider, Sending, Unrefreshed};

type Outcome = Result<Arc<IssuedToken>, Refusal>;

/// Brings a token for `ask`. Not cancelled once the refresh token is on its way, but by a sign-out or a sign-in that has waited long
/// enough while `underway` says that the provider has not answered: the account's task drives it to the end.
pub(super) async fn fly(
    broker: &Broker,
    provider: Option<&Provider>,
    id: &AccountId,
    hold: Hold,
    ask: &Ask,
    underway: &Underway,
) -> (Hold, Outcome) {
    let Some(provider) = provider else {
        let gone = ErrorBody::new(
            ErrorCode::UnknownProfile,
            "the profile of this account is not in the configuration any more",
        );
        return (hold, Err(gone.with_hint("add the profile again, or sign the account out").into()));
    };
    let (hold, ready) = match load(broker, id, hold).await {
        // A grant that is the token a resource refused may have been out of reach when that was said.
        (hold, Ok(())) => save_again(broker, ask.may_end().into_iter().fold(hold, Hold::without)).await,
        failed => failed,
    };
    if let Err(refusal) = ready {
        return (hold, Err(refusal));
    }
    underway.begins(&hold);
    match hold {
        Hold::Saved(kept) => {
            // A token that waited for the save just made may be what is asked for.
            let case = provider.profile.registration.provider.scope_case();
            let released = kept.released.clone().filter(|_| kept.grant.belongs_to(&provider.profile));
            let now = broker.clock.now();
            // It may have waited for longer than it lives.
            let lives = |token: &IssuedToken| {
                matches!(freshness(token, now, ask.min_validity), Freshness::Fresh | Freshness::Stale)
            };
            let serves = |token: &Arc<IssuedToken>| !ask.wants_new() && ask.is_served_by(token, case) && lives(token);
            if let Some(token) = released.clone().filter(serves) {
                return (Hold::Saved(kept), Ok(token));
            }
            let (hold, outcome) = fly_with(broker, provider, kept.grant, ask, underway).await;
            (hold.with_released(released), outcome)
        }
        hold => (hold, Err(Refusal::sign_in("this account is not signed in"))),
    }
}

/// Reads the grant at start, and finishes what a crash cut off: an intent found is acted on before anything else.
pub(super) async fn recover(
    broker: &Broker,
    provider: Option<&Provider>,
    id: &AccountId,
    hold: Hold,
    underway: &Underway,
) -> (Hold, Result<(), Refusal>) {
    let (hold, loaded) = load(broker, id, hold).await;
    if let Err(refusal) = loaded {
        return (hold, Err(refusal));
    }
    underway.begins(&hold);
    match (hold, provider) {
        (Hold::Saved(kept), Some(provider)) if has_intent(&kept.grant) => {
            let ask = unasked(provider, &kept.grant);
            match fly_with(broker, provider, kept.grant, &ask, underway).await {
                (hold, Ok(token)) => (hold.with_released(Some(token)), Ok(())),
                (hold, Err(refusal)) => (hold, Err(refusal)),
            }
        }
        (hold, _) => (hold, Ok(())),
    }
}

async fn fly_with(
    broker: &Broker,
    provider: &Provider,
    grant: Grant,
    ask: &Ask,
    underway: &Underway,
) -> (Hold, Outcome) {
    if let Err(refusal) = usable(provider, &grant, ask) {
        return (Hold::Saved(Held::new(grant)), Err(refusal));
    }
    match &grant.credential {
        Credential::Refresh(refresh) => {
            let refresh = refresh.clone();
            fly_refresh(broker, provider, grant, refresh, ask, underway).await
        }
        Credential::LongLived(_) if ask.target != grant.target => {
            let refusal = Refusal::sign_in("the sign-in is for another resource, audience or tenant");
            (Hold::Saved(Held::new(grant)), Err(refusal))
        }
        Credential::LongLived(token) => {
            let token = Arc::new(long_lived(&grant, token.clone(), ask, broker.clock.now()));
            (Hold::Saved(Held::new(grant)), Ok(token))
        }
        Credential::Transient => {
            let refusal = Refusal::sign_in("the provider gave no refresh token, and the access token has expired");
            (Hold::Saved(Held::new(grant)), Err(refusal))
        }
        Credential::Dead => (Hold::Saved(Held::new(grant)), Err(Refusal::ended())),
    }
}

/// A refresh that no caller wants: for what the profile asks for or, where the sign-in is not for that, for what it is for. Its
/// refresh token is to be used, whatever comes of it.
pub(super) fn unasked(provider: &Provider, grant: &Grant) -> Ask {
    let ask = Ask::anew(&provider.profile);
    match usable(provider, grant, &ask) {
        Ok(()) => ask,
        Err(_) => Ask { scopes: grant.asked.clone(), target: grant.target.clone(), ..ask },
    }
}

/// Whether this grant can serve the request at all.
fn usable(provider: &Provider, grant: &Grant, ask: &Ask) -> Result<(), Refusal> {
    let profile = &provider.profile;
    if !grant.belongs_to(profile) {
        return Err(Refusal::sign_in("the profile's client or issuer has changed since this account signed in"));
    }
    let case = profile.registration.provider.scope_case();
    let covered = grant.scope.covers(&ask.scopes, case) || grant.asked.covers(&ask.scopes, case);
    if !covered && !profile.registration.provider.refresh_token_serves_any_scope() {
        return Err(Refusal::sign_in(format!("the sign-in does not cover the scopes asked for: {}", ask.scopes)));
    }
    match &ask.target.resource {
        Some(resource) if !reaches(provider, grant, resource) => {
            Err(Refusal::sign_in(format!("the sign-in is not for the resource {resource}")))
        }
        _ if ask.target.audience != grant.target.audience
            && !profile.registration.provider.dialect().refresh_takes_audience =>
        {
            Err(Refusal::sign_in("the sign-in is for another audience"))
        }
        _ => Ok(()),
    }
}

/// Whether the grant may be asked for a token for this resource. RFC 8707 §2.2 binds a refresh token to the resources of its
/// sign-in; a server that spends the token before it says so (node-oidc-provider) would end the sign-in for everybody,
/// because one caller named another. Where a use does not spend it, the server may be asked.
fn reaches(provider: &Provider, grant: &Grant, resource: &str) -> bool {
    let stays = matches!(&grant.credential, Credential::Refresh(refresh) if refresh.rotates == Some(false));
    stays
        || grant.target.resource.as_deref() == Some(resource)
        || provider.profile.registration.provider.refresh_token_serves_any_scope()
}

async fn fly_refresh(
    broker: &Broker,
    provider: &Provider,
    mut grant: Grant,
    mut refresh: Refresh,
    ask: &Ask,
    underway: &Underway,
) -> (Hold, Outcome) {
    // Before the intent: what will not be sent need not be written.
    let home_id = grant.identity.home_id.clone();
    let once = refresh.rotates != Some(false);
    let in_doubt = refresh.intent.is_some();
    if let Some(left) = underway.still_at(&refresh) {
        return fail(broker, provider, grant, ask, &Fault::still_at_work(left)).await;
    }
    let clearance = match provider.clear(&ask.target, home_id.as_deref(), once).await {
        Ok(clearance) => clearance,
        Err(fault) => return fail(broker, provider, grant, ask, &fault).await,
    };
    if once {
        refresh.intent = Some(broker.clock.now());
        grant.credential = Credential::Refresh(refresh.clone());
        underway.writes(&grant);
        if let Err(error) = broker.vault.put(grant.id.as_str(), grant.to_record()).await {
            // Nothing was spent. What the store has is this grant, with or without the intent.
            forget_intent(&mut grant, in_doubt);
            return (Hold::Saved(Held::new(grant)), Err(error.into()));
        }
    }
    let answer = exchange(provider, &grant, (&refresh.token, once), ask, clearance, underway).await;
    let mut may_be_spent = answer.as_ref().is_err_and(|failed| failed.in_doubt);
    let mut answer = answer.map_err(|failed| failed.fault);
    if let (Err(Fault::Refused(failure)), Some(previous)) = (&answer, &refresh.previous)
        && failure.verdict() == Verdict::GrantDead
    {
        // The newest has never worked, and the provider says it never will: the one before it may be all it knows.
        let second = match provider.clear(&ask.target, home_id.as_deref(), false).await {
            Ok(clearance) => exchange(provider, &grant, (previous, once), ask, clearance, underway).await,
            Err(fault) => Err(fault.into()),
        };
        may_be_spent |= second.as_ref().is_err_and(|failed| failed.in_doubt);
        let second = second.map_err(|failed| failed.fault);
        match &second {
            Ok(_) => {
                refresh.token = previous.clone();
                answer = second;
            }
            Err(Fault::Refused(failure)) if failure.verdict() == Verdict::GrantDead => {}
            // Not known yet: both are kept, and tried again.
            Err(_) => answer = second,
        }
    }
    // An answer of OAuth's ends the one in the store as well, below.
    if answer.as_ref().is_err_and(|fault| !matches!(fault, Fault::Refused(Failure::OAuth(_)))) {
        forget_intent(&mut grant, in_doubt || may_be_spent);
    }
    // What comes now is the store's: cut off, it would lose what the provider has rotated to.
    underway.answered();
    match answer {
        // Neither its token nor its refresh token is this account's; the one that was sent is kept.
        Ok(response) if is_somebody_elses(&grant, &response) => {
            tracing::warn!(account = %grant.id, "a refresh was answered with the token of somebody else; it is not used");
            let refusal = explain::somebody_else(&provider.profile);
            (Hold::Saved(Held::new(grant)), Err(refusal))
        }
        Ok(response) => succeed(broker, provider, grant, refresh, response).await,
        Err(fault) => fail(broker, provider, grant, ask, &fault).await,
    }
}

/// Forgets that a refresh began, if nothing can have come of it. In the store the intent does no harm.
fn forget_intent(grant: &mut Grant, in_doubt: bool) {
    if let Credential::Refresh(refresh) = &mut grant.credential
        && !in_doubt
    {
        refresh.intent = None;
    }
}

fn is_somebody_elses(grant: &Grant, response: &TokenResponse) -> bool {
    response.identity.as_ref().is_some_and(|identity| grant.identity.is_contradicted_by(identity))
}

async fn exchange(
    provider: &Provider,
    grant: &Grant,
    (token, once): (&RefreshToken, bool),
    ask: &Ask,
    clearance: Clearance,
    underway: &Underway,
) -> Result<TokenResponse, Unrefreshed> {
    let scopes = provider.profile.registration.refresh_scopes(&ask.scopes, &grant.scope, &grant.asked);
    let (claims, extra) = (ask.claims.as_deref(), &ask.extra);
    let parameters = RefreshParameters { scopes: &scopes, target: &ask.target, claims, extra };
    let meant = if scopes.is_empty() { &grant.scope } else { &scopes };
    let sending = Sending { token, once, tell: &|| underway.sends(token) };
    provider.refresh(clearance, sending, (&ask.scopes, meant), parameters).await
}

async fn succeed(
    broker: &Broker,
    provider: &Provider,
    mut grant: Grant,
    mut refresh: Refresh,
    response: TokenResponse,
) -> (Hold, Outcome) {
    let had_intent = refresh.intent.take().is_some();
    let rotated = response.refresh_token.filter(|new| *new != refresh.token);
    // Of a new refresh token is known what its answer says, and no more.
    let family = response.family.or_else(|| grant.family.clone().filter(|_| rotated.is_none()));
    let life = response.refresh_life.or(refresh.life.filter(|_| rotated.is_none()));
    // Where the token is kept alive, the next daemon must know until when.
    let moved = family != grant.family || (provider.profile.silent.keep_alive && life != refresh.life);
    let changed = rotated.is_some() || had_intent || refresh.rotates.is_none() || moved;
    (grant.family, refresh.life) = (family, life);
    // Once seen to rotate, a provider is taken to do so for good: some rotate only now and then.
    refresh.rotates = Some(rotated.is_some() || refresh.rotates == Some(true));
    refresh.previous = None;
    if let Some(new) = rotated {
        refresh.previous = Some(std::mem::replace(&mut refresh.token, new));
    }
    grant.credential = Credential::Refresh(refresh);
    let token = Arc::new(response.token);
    if !changed {
        return (Hold::Saved(Held::new(grant)), Ok(token));
    }
    let account = grant.id.clone();
    let (hold, saved) = save(broker, grant, Some(Arc::clone(&token))).await;
    if saved.is_ok() {
        // From the provider's answer, a line before, to here, a crash would lose a token that is good once.
        tracing::debug!(%account, "what the refresh brought is saved");
    }
    (hold, saved.map(|()| token))
}

async fn fail(broker: &Broker, provider: &Provider, mut grant: Grant, ask: &Ask, fault: &Fault) -> (Hold, Outcome) {
    let subject = Subject {
        account: grant.identity.username.as_deref(),
        target: Some(&ask.target),
        scopes: Some(&ask.scopes),
        ..Subject::from(&provider.profile)
    };
    let mut refusal = explain::fault(fault, subject);
    if refuses_its_own(provider, &grant, ask, fault) {
        refusal = explain::sign_in_again(refusal);
    }
    if let Fault::Refused(failure) = fault
        && failure.verdict() == Verdict::GrantDead
    {
        grant.credential = Credential::Dead;
        let (hold, saved) = save(broker, grant, None).await;
        // Unsaved, the tombstone is tried again like any other grant; this daemon sends the token no more either way.
        drop(saved);
        return (hold, Err(refusal));
    }
    // An answer is an end: the next start has nothing to finish.
    if let (Fault::Refused(Failure::OAuth(_)), Credential::Refresh(refresh)) = (fault, &mut grant.credential)
        && refresh.intent.take().is_some()
    {
        drop(broker.vault.put(grant.id.as_str(), grant.to_record()).await);
    }
    (Hold::Saved(Held::new(grant)), Err(refusal))
}

/// Whether the provider refuses scopes that the sign-in was for: some servers narrow a grant to what its last refresh asked
/// for, or refuse any part of it. Then nothing is wrong with the configuration, and another sign-in helps.
fn refuses_its_own(provider: &Provider, grant: &Grant, ask: &Ask, fault: &Fault) -> bool {
    let Fault::Refused(Failure::OAuth(response)) = fault else { return false };
    let provider = provider.profile.registration.provider;
    let covered = |scopes: &ScopeSet| scopes.covers(&ask.scopes, provider.scope_case());
    response.error == "invalid_scope"
        && !provider.refresh_token_serves_any_scope()
        && (covered(&grant.scope) || covered(&grant.asked))
}

fn long_lived(
    grant: &Grant,
    access_token: broker_oauth::secret::AccessToken,
    ask: &Ask,
    now: jiff::Timestamp,
) -> IssuedToken {
    IssuedToken {
        access_token,
        token_type: "Bearer".into(),
        scope: grant.scope.clone(),
        asked: ask.scopes.clone(),
        target: grant.target.clone(),
        issued_at: now,
        expires_at: None,
        extended_expires_at: None,
        refresh_at: None,
        id_token: None,
    }
}
