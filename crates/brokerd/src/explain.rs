//! From what went wrong to what the caller is told: a code, one line of what happened, one of what to do.
//!
//! The one place where an OAuth error becomes an error of the LocalAPI.

use broker_ipc::error::{ErrorBody, ErrorCode, ProviderError};
use broker_oauth::failure::{ErrorResponse, Failure, Verdict};

use crate::config::Profile;
use crate::provider::Fault;
use crate::vault::VaultError;

/// Why a caller gets no token, and what could help.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// What the caller is told.
    pub body: ErrorBody,
    /// What could help.
    pub remedy: Remedy,
}

/// What could help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// A person signing in.
    SignIn,
    /// Time: a token that is still valid may be served meanwhile.
    Time,
    /// Neither.
    None,
}

impl Refusal {
    /// A person must sign in.
    pub(crate) fn sign_in(description: impl Into<String>) -> Self {
        let body = ErrorBody::new(ErrorCode::InteractionRequired, description).with_hint("run: brokerctl login");
        Self { body, remedy: Remedy::SignIn }
    }

    /// The same, with the command that helps where signing in does.
    pub(crate) fn under(mut self, profile: &str) -> Self {
        if self.remedy == Remedy::SignIn {
            self.body.hint = Some(format!("run: brokerctl login {profile}"));
        }
        self
    }

    /// The daemon is leaving.
    pub(crate) fn shutting_down() -> Self {
        let body =
            ErrorBody::new(ErrorCode::ShuttingDown, "brokerd is shutting down").with_hint("ask again in a moment");
        Self { body, remedy: Remedy::None }
    }

    /// A task of ours ended without an answer.
    pub(crate) fn internal() -> Self {
        let body = ErrorBody::new(ErrorCode::Internal, "brokerd failed; its log has the cause");
        Self { body: body.with_hint("ask again; if it stays so, restart brokerd"), remedy: Remedy::None }
    }
}

impl From<ErrorBody> for Refusal {
    fn from(body: ErrorBody) -> Self {
        Self { body, remedy: Remedy::None }
    }
}

/// A keyring that is locked or away opens again: a token at hand serves meanwhile.
impl From<VaultError> for Refusal {
    fn from(error: VaultError) -> Self {
        Self { body: error.body(), remedy: Remedy::Time }
    }
}

/// Explains a fault of an exchange with a profile's provider.
pub(crate) fn fault(fault: &Fault, profile: &Profile) -> Refusal {
    let name = &profile.name;
    match fault {
        Fault::Unreachable(why) => Refusal {
            body: ErrorBody::new(
                ErrorCode::ProviderUnreachable,
                format!("{} of profile {name} cannot be reached: {why}", profile.issuer()),
            )
            .with_hint("check the network, the proxy and the profile's addresses; brokerctl doctor tries them"),
            remedy: Remedy::Time,
        },
        Fault::Waiting { retry_after } => {
            Refusal { body: throttled(profile, Some(*retry_after)), remedy: Remedy::Time }
        }
        Fault::Misconfigured(why) => Refusal::from(
            ErrorBody::new(ErrorCode::Configuration, format!("profile {name}: {why}"))
                .with_hint("mend the profile in the configuration, then: brokerctl reload"),
        ),
        Fault::Refused(failure) => refused(failure, profile),
    }
}

fn refused(failure: &Failure, profile: &Profile) -> Refusal {
    let name = &profile.name;
    let verdict = failure.verdict();
    let mut body = match verdict {
        Verdict::Transient | Verdict::NotOAuth => not_oauth(failure, profile),
        Verdict::Throttled => throttled(profile, failure.retry_after()),
        Verdict::GrantDead => ErrorBody::new(
            ErrorCode::InteractionRequired,
            format!(
                "the sign-in under profile {name} has ended: the provider does not accept its refresh token any more"
            ),
        )
        .with_hint("run: brokerctl login"),
        Verdict::InteractionRequired => ErrorBody::new(
            ErrorCode::InteractionRequired,
            format!("the provider wants a person to sign in again under profile {name}"),
        )
        .with_hint("run: brokerctl login"),
        Verdict::Blocked => {
            ErrorBody::new(ErrorCode::Blocked, format!("a policy of the provider blocks this under profile {name}"))
                .with_hint("asking again cannot help: give the ids below to your administrator")
        }
        Verdict::Declined => ErrorBody::new(ErrorCode::AccessDenied, "the sign-in was declined"),
        Verdict::Misconfigured => misconfigured(failure, profile),
    };
    if let Failure::OAuth(response) = failure {
        body.provider = Some(Box::new(provider_error(response)));
    }
    let remedy = match verdict {
        Verdict::Transient | Verdict::Throttled | Verdict::NotOAuth => Remedy::Time,
        Verdict::GrantDead | Verdict::InteractionRequired => Remedy::SignIn,
        Verdict::Blocked | Verdict::Declined | Verdict::Misconfigured => Remedy::None,
    };
    Refusal { body, remedy }
}

fn not_oauth(failure: &Failure, profile: &Profile) -> ErrorBody {
    let mut body = ErrorBody::new(ErrorCode::ProviderError, format!("profile {}: {failure}", profile.name))
        .with_hint("a captive portal, a proxy or an outage; the sign-in is kept, try again later");
    body.retry_after = failure.retry_after();
    body
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

/// What is wrong, by the one thing in the configuration that must change.
fn misconfigured(failure: &Failure, profile: &Profile) -> ErrorBody {
    let name = &profile.name;
    let client = &profile.registration.client_id;
    let Failure::OAuth(response) = failure else {
        return ErrorBody::new(ErrorCode::Configuration, format!("profile {name}: {failure}"));
    };
    let code = |code: i64| response.error_codes.contains(&code);
    let (what, hint) = match response.error.as_str() {
        _ if code(90_002) => {
            (format!("the tenant does not exist: {}", profile.issuer()), "check tenant in the profile")
        }
        _ if code(700_016) => {
            (format!("client_id {client} is not known in this tenant"), "check client_id and tenant in the profile")
        }
        _ if code(7_000_218) => (
            format!("client_id {client} is not registered as a public client"),
            "in the app registration, under Authentication, allow public client flows",
        ),
        _ if code(50_059) => {
            ("the tenant cannot be told from the request".into(), "set tenant to the id or domain of yours")
        }
        "invalid_client" | "unauthorized_client" | "incorrect_client_credentials" => (
            format!("the provider does not accept client_id {client}"),
            "check client_id (and client_secret_file) in the profile",
        ),
        "device_flow_disabled" | "unsupported_grant_type" => (
            format!("the provider does not let client_id {client} use the device flow"),
            "enable it in the client's registration",
        ),
        "invalid_scope" => ("the provider does not accept the scopes".into(), "check the scopes asked for"),
        "invalid_target" | "invalid_resource" => {
            ("the provider does not know the resource".into(), "check resource and scopes")
        }
        "invalid_tenant" => (format!("the tenant is wrong: {}", profile.issuer()), "check tenant in the profile"),
        _ => {
            ("the provider does not accept the request".into(), "check client_id, scopes and endpoints in the profile")
        }
    };
    ErrorBody::new(ErrorCode::Configuration, format!("profile {name}: {what}")).with_hint(hint)
}

fn provider_error(response: &ErrorResponse) -> ProviderError {
    ProviderError {
        error: Some(response.error.clone()),
        error_description: response.description.clone(),
        suberror: response.suberror.clone(),
        error_codes: response.error_codes.clone(),
        correlation_id: response.correlation_id.clone(),
        trace_id: response.trace_id.clone(),
        timestamp: response.timestamp.clone(),
        claims: response.claims.clone(),
    }
}
