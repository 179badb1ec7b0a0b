//! When a cached token serves, and how a refresh is asked for (RFC 6749 §6).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::extra::ExtraParameters;
use crate::metadata::Endpoints;
use crate::registration::Registration;
use crate::scope::ScopeSet;
use crate::secret::RefreshToken;
use crate::token::{IssuedToken, LONGEST_LIFE, Target};
use crate::wire::ProviderRequest;

/// The validity every token served should have, unless the caller says otherwise.
pub const DEFAULT_MIN_VALIDITY: SignedDuration = SignedDuration::from_mins(5);
/// How far the wall clock may run backwards before a token's times are not believed.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// A token that claims to live longer than this from now was cached under a broken clock.
const IMPLAUSIBLE: SignedDuration = SignedDuration::from_hours((LONGEST_LIFE / 3600 + 24).cast_signed());

/// What a cached token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Serve it.
    Fresh,
    /// Serve it, and refresh behind it: the next caller should not have to wait.
    Stale,
    /// It still lives, but shorter than it should: refresh first, serve it only if the provider is away.
    Short,
    /// Dead, or its times are not to be believed.
    Expired,
}

/// Judges a token at `now`.
///
/// `min_validity` is the caller's own, and hard. Without one, five minutes are wanted softly: a token whose whole life
/// is under ten serves until its last tenth. One as long as tokens live, or as nearly as a twentieth, cannot be met
/// but by a refresh for each call, so a token younger than a fifth of its life passes then.
pub fn freshness(token: &IssuedToken, now: Timestamp, min_validity: Option<SignedDuration>) -> Freshness {
    let Some(now) = time_for(token, now, Duration::ZERO) else { return Freshness::Expired };
    let Some(expires_at) = token.expires_at else { return Freshness::Fresh };
    let left = expires_at.duration_since(now);
    if left <= SignedDuration::ZERO || left > IMPLAUSIBLE {
        return Freshness::Expired;
    }
    let life = expires_at.duration_since(token.issued_at);
    let young = left >= life - life / 5;
    if left < wanted(life, min_validity) && !(young && min_validity.is_some_and(|wanted| wanted > life - life / 20)) {
        return Freshness::Short;
    }
    let due = token.refresh_at.is_some_and(|at| at <= now) || left <= life / 5;
    if due { Freshness::Stale } else { Freshness::Fresh }
}

/// What time it is for a token that came `age` ago by a clock that is never set: as late as the wall clock or that one says. The
/// wall clock may be set back, and the other stops while a machine sleeps. `None` if the wall clock was set back by more
/// than is believed: what is told of the token's end would be wrong.
pub fn time_for(token: &IssuedToken, now: Timestamp, age: Duration) -> Option<Timestamp> {
    let least = token.issued_at.checked_add(age).unwrap_or(Timestamp::MAX);
    (now >= least - CLOCK_TOLERANCE).then(|| now.max(least))
}

/// When a token becomes [`Freshness::Stale`]: asked for after that, it is refreshed behind the answer. `None` where never.
pub fn stale_at(token: &IssuedToken) -> Option<Timestamp> {
    let expires_at = token.expires_at?;
    let fifth = expires_at.duration_since(token.issued_at) / 5;
    let last = expires_at.checked_sub(fifth).ok()?;
    Some(token.refresh_at.map_or(last, |at| at.min(last)))
}

fn wanted(life: SignedDuration, min_validity: Option<SignedDuration>) -> SignedDuration {
    match min_validity {
        Some(hard) => hard,
        None if life < DEFAULT_MIN_VALIDITY * 2 => life / 10,
        None => DEFAULT_MIN_VALIDITY,
    }
}

/// Whether a token past its end may serve at `now` all the same: the provider is away, and gave the token a longer life for
/// such a time. Nothing is believed of a clock that moved back, nor of an end that is implausibly far.
pub fn is_in_grace(token: &IssuedToken, now: Timestamp) -> bool {
    let (Some(expires_at), Some(end)) = (token.expires_at, token.extended_expires_at) else { return false };
    let left = end.duration_since(now);
    token.issued_at <= expires_at && expires_at <= now && left > SignedDuration::ZERO && left <= IMPLAUSIBLE
}

/// What a refresh asks for.
#[derive(Clone, Copy, Debug)]
pub struct RefreshParameters<'a> {
    /// The scopes to put on the wire; see [`Registration::refresh_scopes`].
    pub scopes: &'a ScopeSet,
    /// Beyond the scopes.
    pub target: &'a Target,
    /// A claims challenge, as JSON.
    pub claims: Option<&'a str>,
    /// Extra parameters, the profile's own among them.
    pub extra: &'a ExtraParameters,
}

/// Builds a refresh (RFC 6749 §6).
pub fn refresh_request(
    registration: &Registration,
    endpoints: &Endpoints,
    refresh_token: &RefreshToken,
    parameters: RefreshParameters<'_>,
) -> ProviderRequest {
    let scope = parameters.scopes.to_string();
    let fields = [
        ("grant_type", Some("refresh_token")),
        ("refresh_token", Some(refresh_token.expose())),
        ("scope", Some(scope.as_str()).filter(|scope| !scope.is_empty())),
        ("resource", parameters.target.resource.as_deref()),
        ("audience", parameters.target.audience.as_deref()),
        ("claims", parameters.claims),
    ];
    registration.request(endpoints.token.clone(), fields, parameters.extra)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::AccessToken;

    /// A token issued at 1,000,000 s that lives for `life` seconds.
    fn token(life: i64, refresh_in: Option<i64>) -> IssuedToken {
        IssuedToken {
            access_token: AccessToken::new("t"),
            token_type: "Bearer".into(),
            scope: ScopeSet::default(),
            asked: ScopeSet::default(),
            target: Target::default(),
            issued_at: at(0),
            expires_at: Some(at(life)),
            extended_expires_at: None,
            refresh_at: refresh_in.map(at),
            id_token: None,
        }
    }

    fn at(offset: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + offset).unwrap()
    }

    fn judge(life: i64, now: i64, min_validity: Option<i64>) -> Freshness {
        freshness(&token(life, None), at(now), min_validity.map(SignedDuration::from_secs))
    }

    #[test]
    fn the_longest_life_is_believed_and_a_day_more_for_clocks() {
        let (longest, day) = (LONGEST_LIFE.cast_signed(), 24 * 3600);
        for (life, want) in
            [(longest, Freshness::Fresh), (longest + day, Freshness::Fresh), (longest + day + 3601, Freshness::Expired)]
        {
            assert_eq!(judge(life, 0, None), want, "{life} s");
        }
    }

    #[test]
    fn an_hours_token_over_its_life() {
        use Freshness::{Expired, Fresh, Short, Stale};
        for (now, want) in
            [(0, Fresh), (2879, Fresh), (2880, Stale), (3300, Stale), (3301, Short), (3599, Short), (3600, Expired)]
        {
            assert_eq!(judge(3600, now, None), want, "at {now}");
        }
    }

    #[test]
    fn a_short_token_serves_until_its_last_tenth() {
        use Freshness::{Expired, Fresh, Short, Stale};
        for (now, want) in [(0, Fresh), (47, Fresh), (48, Stale), (54, Stale), (55, Short), (60, Expired)] {
            assert_eq!(judge(60, now, None), want, "at {now}");
        }
    }

    #[test]
    fn a_callers_own_validity_is_a_promise() {
        assert_eq!(judge(3600, 0, Some(3000)), Freshness::Fresh);
        assert_eq!(judge(3600, 700, Some(3000)), Freshness::Short);
        assert_eq!(judge(60, 31, Some(30)), Freshness::Short);
        assert_eq!(judge(3600, 3590, Some(0)), Freshness::Stale);
    }

    #[test]
    fn a_promise_longer_than_tokens_live_does_not_refresh_for_every_caller() {
        assert_eq!(judge(3600, 0, Some(7200)), Freshness::Fresh);
        assert_eq!(judge(3600, 720, Some(7200)), Freshness::Fresh);
        assert_eq!(judge(3600, 721, Some(7200)), Freshness::Short);
        // The last twentieth begins behind 3,420 s.
        assert_eq!(judge(3600, 200, Some(3420)), Freshness::Short);
        assert_eq!(judge(3600, 200, Some(3421)), Freshness::Fresh);
    }

    #[test]
    fn a_life_of_ten_minutes_is_no_short_one() {
        assert_eq!(judge(600, 301, None), Freshness::Short);
        assert_eq!(judge(599, 301, None), Freshness::Fresh);
        assert_eq!(judge(300, 0, None), Freshness::Fresh);
    }

    #[test]
    fn a_refresh_names_its_scopes_or_leaves_them_out() {
        let token = url::Url::parse("https://a.example/t").unwrap();
        let endpoints = Endpoints { token, device_authorization: None, revocation: None, userinfo: None };
        let registration = Registration::public(crate::dialect::Provider::Oidc, "cli", ScopeSet::default());
        let form = |scopes: &str| {
            let (scopes, target, extra) = (ScopeSet::parse(scopes), Target::default(), ExtraParameters::default());
            let parameters = RefreshParameters { scopes: &scopes, target: &target, claims: None, extra: &extra };
            let request = refresh_request(&registration, &endpoints, &RefreshToken::new("rt"), parameters);
            request.form.unwrap().as_str().to_owned()
        };
        assert!(form("a b").contains("grant_type=refresh_token&refresh_token=rt&scope=a+b"), "{}", form("a b"));
        assert!(!form("").contains("scope"), "{}", form(""));
    }

    #[test]
    fn a_token_is_stale_from_the_moment_that_is_told() {
        for token in [token(3600, None), token(3600, Some(600)), token(3600, Some(3599)), token(60, None)] {
            let at = stale_at(&token).unwrap();
            let just_before = at - SignedDuration::from_secs(1);
            assert_eq!(freshness(&token, just_before, Some(SignedDuration::ZERO)), Freshness::Fresh);
            assert_eq!(freshness(&token, at, Some(SignedDuration::ZERO)), Freshness::Stale);
        }
    }

    #[test]
    fn the_providers_own_suggestion_makes_it_stale() {
        assert_eq!(freshness(&token(86_400, Some(43_200)), at(43_199), None), Freshness::Fresh);
        assert_eq!(freshness(&token(86_400, Some(43_200)), at(43_200), None), Freshness::Stale);
    }

    #[test]
    fn time_is_what_the_later_of_two_clocks_says_unless_one_was_set_back_too_far() {
        let time = |now: i64, age: u64| time_for(&token(3600, None), at(now), Duration::from_secs(age));
        // The wall clock is right; it ran ahead, as it does while a machine sleeps; it was set back, a little and more.
        for (now, age, want) in [
            (60, 60, Some(60)),
            (7200, 60, Some(7200)),
            (3500, 3600, Some(3600)),
            (3300, 3600, Some(3600)),
            (3299, 3600, None),
            (-300, 0, Some(0)),
            (-301, 0, None),
        ] {
            assert_eq!(time(now, age), want.map(at), "{now}, {age}");
        }
        assert_eq!(time(0, u64::MAX), None);
    }

    #[test]
    fn grace_begins_at_the_end_and_has_one() {
        let in_grace = |end: Option<i64>, now: i64| {
            let token = IssuedToken { extended_expires_at: end.map(at), ..token(3600, None) };
            is_in_grace(&token, at(now))
        };
        for (now, want) in [(-400, false), (0, false), (3599, false), (3600, true), (7199, true), (7200, false)] {
            assert_eq!(in_grace(Some(7200), now), want, "at {now}");
        }
        assert!(!in_grace(None, 3600));
        let implausible = IMPLAUSIBLE.as_secs() + 3601;
        assert!(!in_grace(Some(implausible), 3600));
    }

    #[test]
    fn an_implausible_life_is_not_believed() {
        let longest = IMPLAUSIBLE.as_secs();
        assert_eq!(judge(longest, 0, None), Freshness::Fresh);
        assert_eq!(judge(longest + 1, 0, None), Freshness::Expired);
        assert_eq!(judge(longest + 1, 1, None), Freshness::Fresh, "by then it is plausible");
    }

    #[test]
    fn a_clock_that_moved_back_is_not_believed() {
        assert_eq!(judge(3600, -299, None), Freshness::Fresh);
        assert_eq!(judge(3600, -301, None), Freshness::Expired);
    }
}
