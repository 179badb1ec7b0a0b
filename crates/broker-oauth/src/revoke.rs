//! Giving a grant back (RFC 7009).

use crate::extra::ExtraParameters;
use crate::failure::Failure;
use crate::metadata::Endpoints;
use crate::registration::Registration;
use crate::wire::{ProviderRequest, ProviderResponse, is_refusal};

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

/// Reads the answer: any 2xx is success, also for a token the server did not know (RFC 7009 §2.2). It has no body, as a rule;
/// one with an error in it is a refusal, and a page is not the provider's.
pub fn revocation_response(response: &ProviderResponse) -> Result<(), Failure> {
    let object = response.object();
    if let Some(object) = object.as_ref().filter(|object| is_refusal(object)) {
        return Err(Failure::oauth(response, object));
    }
    let is_page = response.body.trim_ascii_start().starts_with(b"<");
    if (200..300).contains(&response.status) && !is_page { Ok(()) } else { Err(Failure::not_oauth(response)) }
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
    use crate::dialect::Provider;
    use crate::scope::ScopeSet;

    #[test]
    fn a_revocation_says_what_it_gives_back_where_the_provider_takes_it() {
        let at = |path: &str| url::Url::parse(&format!("https://a.example/{path}")).unwrap();
        let registration = Registration::public(Provider::Oidc, "cli", ScopeSet::default());
        let mut endpoints =
            Endpoints { token: at("t"), device_authorization: None, revocation: Some(at("r")), userinfo: None };
        for (hint, word) in
            [(TokenTypeHint::AccessToken, "access_token"), (TokenTypeHint::RefreshToken, "refresh_token")]
        {
            let request = revocation_request(&registration, &endpoints, "secret", hint).unwrap();
            assert_eq!(request.url, at("r"));
            let form = request.form.unwrap();
            assert!(form.as_str().contains(&format!("token=secret&token_type_hint={word}")), "{}", form.as_str());
        }
        endpoints.revocation = None;
        assert!(revocation_request(&registration, &endpoints, "secret", TokenTypeHint::RefreshToken).is_none());
    }

    #[test]
    fn only_2xx_is_success() {
        let answer = |status, body: &str| {
            let body = Zeroizing::new(body.as_bytes().to_vec());
            revocation_response(&ProviderResponse { status, retry_after: None, is_form: false, body })
        };
        assert!(answer(200, "").is_ok());
        assert!(answer(204, "").is_ok());
        assert!(answer(200, "{}").is_ok());
        assert!(matches!(answer(200, r#"{"error":"invalid_client"}"#), Err(Failure::OAuth(_))));
        assert!(matches!(answer(200, "\n<!DOCTYPE html>"), Err(Failure::NotOAuth { .. })));
        assert!(matches!(answer(400, r#"{"error":"unsupported_token_type"}"#), Err(Failure::OAuth(_))));
        assert!(matches!(answer(302, ""), Err(Failure::NotOAuth { .. })));
    }
}
