//! From what went wrong to what the caller is told: a code, one line of what happened, one of what to do.
//!
//! The one place where an OAuth error becomes an error of the LocalAPI. The provider's own text goes into `provider` and
//! nowhere else: what a caller reads first is ours. Which words, is in [`words`].

mod words;

use std::sync::Arc;
use std::time::Duration;

use broker_ipc::error::{ErrorBody, ErrorCode, ProviderError};
use broker_oauth::aadsts::{self, About};
use broker_oauth::backoff::Trouble;
use broker_oauth::classification::Classification;
use broker_oauth::failure::{ErrorResponse, Failure, Verdict};
use broker_oauth::scope::ScopeSet;
use broker_oauth::token::Target;

use crate::config::Profile;
use crate::provider::Fault;
use crate::vault::VaultError;

const SIGN_IN: &str = "run: brokerctl login";

/// Why a caller gets no token, and what could help.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// What the caller is told.
    pub body: ErrorBody,
    /// What could help.
    pub remedy: Remedy,
    /// The provider did not refuse, but what it gave cannot be used, or it said what nobody understands: the next request would cost it
    /// as much.
    pub unusable: bool,
}

/// What could help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// A person signing in.
    SignIn,
    /// The same, though the provider says that a device code will not do: tried once for a request, never in a loop.
    SignInOnce,
    /// Time: a token that is still valid may be served meanwhile.
    Time,
    /// Neither.
    None,
}

impl Remedy {
    /// Whether a person is to be asked, who may have been `prompted` for this request already.
    pub(crate) fn is_sign_in(self, prompted: bool) -> bool {
        self == Self::SignIn || self == Self::SignInOnce && !prompted
    }
}

impl Refusal {
    /// A person must sign in.
    pub(crate) fn sign_in(description: impl Into<String>) -> Self {
        let body = ErrorBody::new(ErrorCode::InteractionRequired, description).with_hint(SIGN_IN);
        Self { body, remedy: Remedy::SignIn, unusable: false }
    }

    /// The grant is dead.
    pub(crate) fn ended() -> Self {
        Self::sign_in("the sign-in has ended: the provider does not accept it any more")
    }

    /// The token that a caller rejects is all there is of the sign-in.
    pub(crate) fn rejected_here() -> Self {
        Self::sign_in("the sign-in has no other token than the one that was rejected")
    }

    /// With the command that helps where signing in does and nothing more is said.
    pub(crate) fn under(mut self, subject: &Subject<'_>) -> Self {
        if self.body.hint.as_deref() == Some(SIGN_IN) {
            self.body.hint = Some(format!("run: {}", words::login(subject, Verdict::InteractionRequired)));
        }
        self
    }

    /// Whether the provider refused the scopes that were asked for.
    pub(crate) fn is_of_scopes(&self) -> bool {
        self.body.provider.as_ref().is_some_and(|said| said.error.as_deref() == Some("invalid_scope"))
    }

    /// The daemon is leaving.
    pub(crate) fn shutting_down() -> Self {
        let body =
            ErrorBody::new(ErrorCode::ShuttingDown, "brokerd is shutting down").with_hint("ask again in a moment");
        Self { body, remedy: Remedy::None, unusable: false }
    }

    /// No more sign-ins for now.
    pub(crate) fn too_many_sign_ins() -> Self {
        let body = ErrorBody::new(ErrorCode::Throttled, "too many sign-ins wait for somebody already");
        body.with_hint("finish one or cancel it, see: brokerctl prompts").into()
    }

    /// A task of ours ended without an answer.
    pub(crate) fn internal() -> Self {
        let body = ErrorBody::new(ErrorCode::Internal, "brokerd failed; its log has the cause");
        Self {
            body: body.with_hint("ask again; if it stays so, restart brokerd"),
            remedy: Remedy::None,
            unusable: false,
        }
    }
}

impl From<ErrorBody> for Refusal {
    fn from(body: ErrorBody) -> Self {
        Self { body, remedy: Remedy::None, unusable: false }
    }
}

/// A keyring that is locked or away opens again: a token at hand serves meanwhile.
impl From<VaultError> for Refusal {
    fn from(error: VaultError) -> Self {
        Self { body: error.body(), remedy: Remedy::Time, unusable: false }
    }
}

/// Whom and what a refusal is about, to name it.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'s> {
    /// The profile.
    pub profile: &'s Profile,
    /// The account's name, where there is one.
    pub account: Option<&'s str>,
    /// What was asked for beyond the scopes.
    pub target: Option<&'s Target>,
    /// The scopes asked for.
    pub scopes: Option<&'s ScopeSet>,
}

impl<'s> Subject<'s> {
    /// The tenant asked for, where it is not the profile's.
    fn tenant(&self) -> Option<&'s str> {
        self.target?.tenant.as_deref()
    }

    /// The resource asked for, where it is not the profile's.
    fn resource(&self) -> Option<&'s str> {
        let asked = &self.target?.resource;
        asked.as_deref().filter(|_| *asked != self.profile.target.resource)
    }
}

impl<'s> From<&'s Profile> for Subject<'s> {
    fn from(profile: &'s Profile) -> Self {
        Self { profile, account: None, target: None, scopes: None }
    }
}

impl<'s> From<&'s Arc<Profile>> for Subject<'s> {
    fn from(profile: &'s Arc<Profile>) -> Self {
        Self::from(&**profile)
    }
}

/// Explains a fault of an exchange with a profile's provider.
pub(crate) fn fault<'s>(fault: &Fault, subject: impl Into<Subject<'s>>) -> Refusal {
    let subject = subject.into();
    let profile = subject.profile;
    let name = &profile.name;
    match fault {
        Fault::Unreachable(why) => Refusal {
            body: ErrorBody::new(
                ErrorCode::ProviderUnreachable,
                format!("{} of profile {name} cannot be reached: {why}", profile.issuer()),
            )
            .with_hint(why.hint()),
            remedy: Remedy::Time,
            unusable: false,
        },
        Fault::Away { cause, trouble, retry_after } => away(cause, *trouble, *retry_after, subject),
        Fault::Misconfigured(why) => Refusal::from(
            ErrorBody::new(ErrorCode::Configuration, format!("profile {name}: {why}"))
                .with_hint("mend the profile in the configuration, then: brokerctl reload"),
        ),
        Fault::NoClientSecret => Refusal::from(
            ErrorBody::new(ErrorCode::Configuration, format!("profile {name}: {fault}"))
                .with_hint(format!("run: brokerctl client-secret set {name}")),
        ),
        Fault::Keyring(body) => Refusal { body: ErrorBody::clone(body), remedy: Remedy::Time, unusable: false },
        Fault::Refused(failure) => refused(failure, &subject),
    }
}

/// The code of what showed that it is away; only the wait changes from one caller to the next.
fn away(cause: &Fault, trouble: Trouble, retry_after: u64, subject: Subject<'_>) -> Refusal {
    let Refusal { mut body, .. } = fault(cause, subject);
    if trouble == Trouble::Throttling {
        body = ErrorBody { provider: body.provider, ..throttled(subject.profile, Some(retry_after)) };
    }
    body.retry_after = Some(retry_after);
    Refusal { body, remedy: Remedy::Time, unusable: false }
}

fn refused(failure: &Failure, subject: &Subject<'_>) -> Refusal {
    let profile = subject.profile;
    let verdict = failure.verdict();
    let explained = match failure {
        Failure::OAuth(response) => words::of(response, verdict, subject),
        _ => None,
    };
    let mut body = match (verdict, explained) {
        (Verdict::Throttled, _) => throttled(profile, failure.retry_after()),
        (_, Some((what, hint))) => {
            ErrorBody::new(code(verdict), format!("profile {}: {what}", profile.name)).with_hint(hint)
        }
        (Verdict::Unknown, None) => unknown(failure, subject),
        (_, None) => not_oauth(failure, profile),
    };
    if matches!(verdict, Verdict::Transient | Verdict::NotOAuth | Verdict::Unknown) {
        body.retry_after = failure.retry_after();
    }
    let mut remedy = remedy(verdict);
    if let Failure::OAuth(response) = failure {
        body.provider = Some(Box::new(provider_error(response)));
        if remedy == Remedy::SignIn && aadsts::explaining(response).is_some_and(|row| row.about == About::OtherFlow) {
            remedy = Remedy::SignInOnce;
        }
    }
    Refusal { body, remedy, unusable: verdict == Verdict::Unknown }
}

fn code(verdict: Verdict) -> ErrorCode {
    match verdict {
        Verdict::Transient | Verdict::NotOAuth | Verdict::Unknown => ErrorCode::ProviderError,
        Verdict::Throttled => ErrorCode::Throttled,
        Verdict::GrantDead | Verdict::InteractionRequired => ErrorCode::InteractionRequired,
        Verdict::Blocked => ErrorCode::Blocked,
        Verdict::Declined => ErrorCode::AccessDenied,
        Verdict::Misconfigured => ErrorCode::Configuration,
    }
}

fn remedy(verdict: Verdict) -> Remedy {
    match verdict {
        Verdict::Transient | Verdict::Throttled | Verdict::NotOAuth | Verdict::Unknown => Remedy::Time,
        Verdict::GrantDead | Verdict::InteractionRequired => Remedy::SignIn,
        Verdict::Blocked | Verdict::Declined | Verdict::Misconfigured => Remedy::None,
    }
}

/// It may pass, and a token that lives is served meanwhile. What the provider says more is beside it, in `provider`.
fn unknown(failure: &Failure, subject: &Subject<'_>) -> ErrorBody {
    let what = format!("profile {}: {failure}, which no specification knows", subject.profile.name);
    let login = words::login(subject, Verdict::InteractionRequired);
    ErrorBody::new(ErrorCode::ProviderError, what).with_hint(format!("try again later; if it stays so, run: {login}"))
}

/// A refusal that another sign-in may get past: what happened stays as it was told, what to do is that.
pub(crate) fn sign_in_again(refusal: Refusal) -> Refusal {
    let mut body = ErrorBody::new(ErrorCode::InteractionRequired, refusal.body.error_description).with_hint(SIGN_IN);
    body.provider = refusal.body.provider;
    Refusal { body, remedy: Remedy::SignIn, unusable: false }
}

fn not_oauth(failure: &Failure, profile: &Profile) -> ErrorBody {
    ErrorBody::new(ErrorCode::ProviderError, format!("profile {}: {failure}", profile.name))
        .with_hint("a captive portal, a proxy or an outage; the sign-in is kept, try again later")
}

fn throttled(profile: &Profile, retry_after: Option<u64>) -> ErrorBody {
    let wait = retry_after.map_or_else(|| "a while".into(), |seconds| format!("{seconds} s"));
    let mut body = ErrorBody::new(
        ErrorCode::Throttled,
        format!("the provider of profile {} asks to be left alone for {wait}", profile.name),
    )
    .with_hint("ask again after that");
    body.retry_after = retry_after;
    body
}

/// The device code ran out: by our clock, or by what the provider said to a poll.
pub(crate) fn expired<'s>(subject: impl Into<Subject<'s>>, said: Option<&Failure>) -> Refusal {
    let subject = subject.into();
    // The page shows its refusal to the person alone; who polls is told "pending" until the end.
    let unseen = subject.profile.registration.provider.dialect().unseen;
    let mut body = ErrorBody::new(ErrorCode::ExpiredToken, "the code ran out before the sign-in was finished")
        .with_hint(format!("ask again for a new code; {unseen}"));
    if let Some(Failure::OAuth(response)) = said {
        if let Some((what, hint)) = words::of_code(response, &subject) {
            body = ErrorBody::new(ErrorCode::ExpiredToken, what).with_hint(hint);
        }
        body.provider = Some(Box::new(provider_error(response)));
    }
    body.into()
}

/// The user said no in the browser.
pub(crate) fn declined(subject: &Subject<'_>, said: &Failure) -> Refusal {
    let mut body = ErrorBody::new(ErrorCode::AccessDenied, "the sign-in was declined in the browser")
        .with_hint("ask again to get a new code");
    if let Failure::OAuth(response) = said {
        if let Some((what, hint)) = words::of_code(response, subject) {
            body = ErrorBody::new(ErrorCode::AccessDenied, what).with_hint(hint);
        }
        body.provider = Some(Box::new(provider_error(response)));
    }
    body.into()
}

/// A provider that has given out another user's token is not asked for so long.
const SOMEBODY_ELSE: Duration = Duration::from_secs(30);

/// A refresh was answered with the token of another user.
pub(crate) fn somebody_else(profile: &Profile) -> Refusal {
    let what = format!("profile {}: the provider answered a refresh with the token of another user", profile.name);
    let mut body = ErrorBody::new(ErrorCode::ProviderError, what).with_hint(
        "nothing of it was used, and the sign-in is kept; if it stays so, sign out and in again, and tell the provider",
    );
    body.retry_after = Some(SOMEBODY_ELSE.as_secs());
    Refusal { body, remedy: Remedy::Time, unusable: true }
}

fn provider_error(response: &ErrorResponse) -> ProviderError {
    ProviderError {
        error: Some(response.error.clone()),
        error_description: response.description.clone(),
        suberror: response.suberror.clone(),
        classification: Classification::of(response).map(|class| class.as_str().to_owned()),
        error_codes: response.error_codes.clone(),
        correlation_id: response.correlation_id.clone(),
        trace_id: response.trace_id.clone(),
        timestamp: response.timestamp.clone(),
        claims: response.claims.clone(),
    }
}
