//! Parameters the RFCs do not know, sent as the user wrote them: `prompt`, `domain_hint`, `acr_values` and the like.

use std::collections::BTreeMap;

/// What we set ourselves, or what would change who is asked and for what: never taken from outside.
const OURS: &[&str] = &[
    "access_token",
    "assertion",
    "audience",
    "authorization_details",
    "claims",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_info",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "device_code",
    "grant_type",
    "mkt",
    "password",
    "redirect_uri",
    "refresh_token",
    "request",
    "request_uri",
    "resource",
    "response_type",
    "scope",
    "token",
    "token_type_hint",
    "ui_locales",
    "username",
];

/// Most parameters, and the longest value.
const MOST: usize = 32;
const LONGEST: usize = 2048;

/// Extra parameters of a profile or a request, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExtraParameters(BTreeMap<String, String>);

/// Why extra parameters are refused. Values are not quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtraError {
    /// A name we set ourselves.
    #[error("{0:?} is a parameter that brokerd sets itself")]
    Ours(String),
    /// Not a name by RFC 6749 Appendix A.
    #[error("{0:?} is no name of a parameter: letters, digits, '-', '.' and '_' only")]
    Name(String),
    /// A value that is too long, or has control characters in it.
    #[error("the value of {0:?} is too long or has control characters")]
    Value(String),
    /// Too many.
    #[error("there are more than {MOST} extra parameters")]
    TooMany,
}

impl ExtraParameters {
    /// Checks the parameters.
    pub fn new(parameters: BTreeMap<String, String>) -> Result<Self, ExtraError> {
        if parameters.len() > MOST {
            return Err(ExtraError::TooMany);
        }
        for (name, value) in &parameters {
            let sane = (1..=64).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
            if !sane {
                return Err(ExtraError::Name(name.chars().take(64).collect()));
            }
            if OURS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(ExtraError::Ours(name.clone()));
            }
            if value.len() > LONGEST || value.chars().any(char::is_control) {
                return Err(ExtraError::Value(name.clone()));
            }
        }
        Ok(Self(parameters))
    }

    /// Both together; where both name one, `over` wins.
    #[must_use]
    pub fn with(&self, over: &Self) -> Self {
        let mut both = self.0.clone();
        both.extend(over.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        Self(both)
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Result<ExtraParameters, ExtraError> {
        ExtraParameters::new([(name.to_owned(), value.to_owned())].into())
    }

    #[test]
    fn what_we_set_ourselves_is_refused_in_any_case() {
        // Each by its name: one that is lost from the list is lost here as well if the list is asked.
        for name in [
            "access_token",
            "assertion",
            "audience",
            "authorization_details",
            "claims",
            "client_assertion",
            "client_assertion_type",
            "client_id",
            "client_info",
            "client_secret",
            "code",
            "code_challenge",
            "code_challenge_method",
            "code_verifier",
            "device_code",
            "grant_type",
            "mkt",
            "password",
            "redirect_uri",
            "refresh_token",
            "request",
            "request_uri",
            "resource",
            "response_type",
            "scope",
            "token",
            "token_type_hint",
            "ui_locales",
            "username",
            "Client_ID",
            "REQUEST_URI",
        ] {
            assert_eq!(one(name, "x"), Err(ExtraError::Ours(name.into())), "{name}");
        }
        assert!(OURS.is_sorted());
        assert_eq!(OURS.len(), 29, "name the new one above");
    }

    #[test]
    fn names_and_values_are_bounded_and_values_are_not_quoted() {
        for name in ["", "a b", "a=b", "a&b", "ä", &"a".repeat(65)] {
            assert!(matches!(one(name, "x"), Err(ExtraError::Name(_))), "{name:?}");
        }
        for value in ["a\nb", "\u{1b}[2J", &"a".repeat(2049)] {
            let error = one("prompt", value).unwrap_err();
            assert_eq!(error, ExtraError::Value("prompt".into()));
        }
        let many = (0..33).map(|number| (format!("p{number}"), String::new())).collect();
        assert_eq!(ExtraParameters::new(many), Err(ExtraError::TooMany));
        assert!(one("domain_hint", "contoso.com").is_ok());
    }

    #[test]
    fn a_requests_own_wins_over_the_profiles() {
        let both = one("prompt", "login").unwrap().with(&one("prompt", "select_account").unwrap());
        assert_eq!(both.iter().collect::<Vec<_>>(), [("prompt", "select_account")]);
        assert_eq!(both.with(&one("hd", "x").unwrap()).iter().count(), 2);
    }
}
