//! What kind of sign-in would help, in MSAL's words, for programs that know them.

use crate::failure::ErrorResponse;

/// MSAL's `UiRequiredExceptionClassification`, as far as an answer tells it. It comes from `suberror`, and is a hint to the
/// person: what the broker does is decided by [`crate::failure::Verdict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Classification {
    /// There is a `suberror`, and MSAL makes nothing of it.
    None,
    /// Nothing helps now: show the message.
    MessageOnly,
    /// A sign-in helps.
    BasicAction,
    /// A sign-in helps after something outside it, like enrolling for multi-factor authentication.
    AdditionalAction,
    /// Consent is missing.
    ConsentRequired,
    /// The password has expired.
    UserPasswordExpired,
}

impl Classification {
    /// Every one, in MSAL's order.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::MessageOnly,
        Self::BasicAction,
        Self::AdditionalAction,
        Self::ConsentRequired,
        Self::UserPasswordExpired,
    ];

    /// As MSAL Python writes it, except that it writes nothing for [`Classification::None`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::MessageOnly => "message_only",
            Self::BasicAction => "basic_action",
            Self::AdditionalAction => "additional_action",
            Self::ConsentRequired => "consent_required",
            Self::UserPasswordExpired => "user_password_expired",
        }
    }

    /// Classifies an answer; nothing where neither `suberror` nor `error` says anything about it.
    ///
    /// `bad_token`, `token_expired`, `protection_policy_required`, `client_mismatch` and `device_authentication_failed` are
    /// [`Classification::None`], as in MSAL, and so is a suberror that is new.
    pub fn of(response: &ErrorResponse) -> Option<Self> {
        let named = |word: &str| Self::ALL.into_iter().find(|class| class.as_str() == word);
        match response.suberror.as_deref() {
            Some(suberror) => Some(named(suberror).unwrap_or(Self::None)),
            None if response.error == Self::ConsentRequired.as_str() => Some(Self::ConsentRequired),
            None => None,
        }
    }
}
