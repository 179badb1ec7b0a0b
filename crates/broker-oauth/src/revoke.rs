//! Giving a grant back (RFC 7009).

use crate::extra::ExtraParameters;
use crate::failure::Failure;
use crate::metadata::Endpoints;
use crate::registration::Registration;
use crate::wire::{ProviderRequest, ProviderResponse};

/// Builds a revocation (RFC 7009 §2.1) of a refresh token, or of a long-lived access token; `None` if the provider cannot.
pub fn revocation_request(
    registration: &Registration,
    endpoints: &Endpoints,
    token: &str,
    hint: TokenTypeHint,
) -> Option<ProviderRequest> {
    let fields = [("token", Some(token)), ("token_type_hint", Some(hint.as_str()))];
    let url = endpoints.revocation.clone()?;
    let none = ExtraParameters::default();
    Some(registration.request(url, fields, &none))
}

/// Reads the answer: any 2xx is success, also for a token the server did not know (RFC 7009 §2.2).
pub fn revocation_response(response: &ProviderResponse) -> Result<(), Failure> {
    if (200..300).contains(&response.status) {
        return Ok(());
    }
    Err(match response.object() {
        Some(object) if object.contains_key("error") => Failure::oauth(response, &object),
        _ => Failure::not_oauth(response),
    })
}

/// RFC 7009 §2.1, `token_type_hint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenTypeHint {
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
}

impl TokenTypeHint {
    fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
        }
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn only_2xx_is_success() {
        let answer = |status, body: &str| {
            let body = Zeroizing::new(body.as_bytes().to_vec());
            revocation_response(&ProviderResponse { status, retry_after: None, body })
        };
        assert!(answer(200, "").is_ok());
        assert!(answer(204, "").is_ok());
        assert!(matches!(answer(400, r#"{"error":"unsupported_token_type"}"#), Err(Failure::OAuth(_))));
        assert!(matches!(answer(302, ""), Err(Failure::NotOAuth { .. })));
    }
}
