//! What a caller wants of an account, and which token serves it.

use broker_oauth::extra::ExtraParameters;
use broker_oauth::scope::{ScopeCase, ScopeSet};
use broker_oauth::token::{IssuedToken, Target};
use jiff::SignedDuration;

use crate::config::Profile;
use crate::restricted;

/// A request for a token, after profile and account are settled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    /// The scopes wanted.
    pub scopes: ScopeSet,
    /// Beyond the scopes.
    pub target: Target,
    /// The caller's own minimum validity; a promise.
    pub min_validity: Option<SignedDuration>,
    /// Refresh even if a cached token would do.
    pub force: bool,
    /// Lower-case hex SHA-256 of a token a resource refused.
    pub reject: Option<String>,
    /// Whether what it rejects is kept from this caller alone, unless a refresh can replace it: whoever is on a restricted
    /// socket must not end the sign-in of everybody.
    pub keeps_others: bool,
    /// A claims challenge, as JSON: what is cached did not satisfy it.
    pub claims: Option<String>,
    /// Extra parameters, the profile's own among them. What is cached serves whatever they are.
    pub extra: ExtraParameters,
    /// The scopes that the caller may be given at most; empty: any. Nobody's flight depends on it.
    pub most: ScopeSet,
}

/// What a refresh is for; callers with equal keys share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    scopes: ScopeSet,
    target: Target,
    claims: Option<String>,
    extra: ExtraParameters,
}

impl Ask {
    /// What a profile asks for, from the provider: a refresh that no caller wants.
    pub(super) fn anew(profile: &Profile) -> Self {
        Self {
            scopes: profile.registration.scopes.clone(),
            target: profile.target.clone(),
            min_validity: None,
            force: true,
            reject: None,
            keeps_others: false,
            claims: None,
            extra: profile.registration.extra.clone(),
            most: ScopeSet::default(),
        }
    }

    pub(crate) fn key(&self) -> Key {
        Key {
            scopes: self.scopes.clone(),
            target: self.target.clone(),
            claims: self.claims.clone(),
            extra: self.extra.clone(),
        }
    }

    /// The token whose rejection may end a sign-in.
    pub(super) fn may_end(&self) -> Option<&str> {
        self.reject.as_deref().filter(|_| !self.keeps_others)
    }

    /// Whether a token is one that others may go on with, and this caller rejects.
    pub(crate) fn rejects_alone(&self, token: &IssuedToken) -> bool {
        let is_it = |sha256: &String| *sha256 == token.access_token.sha256_hex();
        self.keeps_others && self.reject.as_ref().is_some_and(is_it)
    }

    /// Whether no cached token will do.
    pub(crate) fn wants_new(&self) -> bool {
        self.force || self.claims.is_some()
    }

    /// Whether a token still alive is good enough while the provider is away: unless the caller said otherwise.
    pub(crate) fn is_soft(&self) -> bool {
        !self.wants_new() && self.min_validity.is_none()
    }

    /// Whether a token, its age aside, is what is asked for: its grant covers the scopes, or it is what exactly these
    /// scopes were granted as (`resource/.default`, a server that grants less than asked). Who asks for no access at all is
    /// covered by every token, of whatever resource: that is served by one asked for in the same way only.
    pub(crate) fn is_served_by(&self, token: &IssuedToken, case: ScopeCase) -> bool {
        let asked_as = || token.asked.covers(&self.scopes, case) && self.scopes.covers(&token.asked, case);
        let covered = || self.scopes.access().next().is_some() && token.scope.covers(&self.scopes, case);
        let within = || restricted::is_within(&self.most, &token.scope, &token.asked, case);
        token.target == self.target && (asked_as() || covered()) && within() && !self.rejects_alone(token)
    }

    /// Whether a token is what the provider gave for exactly this, and more than the caller may have.
    pub(super) fn was_given_more(&self, token: &IssuedToken, case: ScopeCase) -> bool {
        let is_this = token.target == self.target && token.asked == self.scopes;
        is_this && !restricted::is_within(&self.most, &token.scope, &token.asked, case)
    }
}
