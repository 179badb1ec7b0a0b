//! Who signed in, as far as the provider says.
//!
//! The ID token came straight from the token endpoint over TLS (OpenID Connect Core §3.1.3.7, item 6), and it decides
//! nothing but names: its signature is not checked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::dialect::Userinfo;
use crate::secret::IdToken;
use crate::text::clean;
use crate::wire::text;

/// A user, in the provider's words. Every field may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `sub`: the user under this client and issuer.
    pub subject: Option<String>,
    /// `iss`.
    pub issuer: Option<String>,
    /// Entra: `uid.utid` of `client_info`, the same in every tenant. Elsewhere the subject.
    pub home_id: Option<String>,
    /// Entra: `oid`, the user within a tenant. Elsewhere the subject.
    pub local_id: Option<String>,
    /// Entra: `tid`.
    pub tenant: Option<String>,
    /// What to call the user: `preferred_username`, `upn`, `email`, else the subject.
    pub username: Option<String>,
}

impl Identity {
    /// Whether a name given by a person means this user: its username, home id or local id, in any case.
    pub fn answers_to(&self, name: &str) -> bool {
        [&self.username, &self.home_id, &self.local_id, &self.subject]
            .into_iter()
            .flatten()
            .any(|known| known.to_lowercase() == name.to_lowercase())
    }

    /// Whether what a refresh says of the user is of somebody else (OpenID Connect Core §12.2: the same `iss`, the same
    /// `sub`). What either does not say contradicts nothing.
    pub fn is_contradicted_by(&self, refreshed: &Self) -> bool {
        let differ = |own: Option<&str>, new: Option<&str>| own.zip(new).is_some_and(|(own, new)| own != new);
        // Entra's issuer and subject are of a tenant; the home account is the user's in all of them.
        let homes = self.home_account().zip(refreshed.home_account());
        if homes.is_some_and(|(own, new)| !own.eq_ignore_ascii_case(new)) {
            return true;
        }
        if differ(self.tenant.as_deref(), refreshed.tenant.as_deref()) {
            return false;
        }
        // Google names itself with and without the scheme.
        let plain = |issuer: &'_ str| issuer.strip_prefix("https://").unwrap_or(issuer).to_owned();
        let issuers = || (self.issuer.as_deref().map(plain), refreshed.issuer.as_deref().map(plain));
        differ(self.subject.as_deref(), refreshed.subject.as_deref())
            || homes.is_none() && {
                let (own, new) = issuers();
                differ(own.as_deref(), new.as_deref())
            }
    }

    /// The home account, where the provider named one: without `client_info`, the subject stands in its place.
    fn home_account(&self) -> Option<&str> {
        self.home_id.as_deref().filter(|_| self.home_id != self.subject)
    }
}

/// Reads who signed in from a token response's ID token and its `client_info`; `None` if neither says anything.
pub fn identity(id_token: Option<&IdToken>, response: &Map<String, Value>) -> Option<Identity> {
    let claims = id_token.and_then(|token| payload(token.expose()));
    let client_info = text(response, "client_info").and_then(|info| object(&info));
    if claims.is_none() && client_info.is_none() {
        return None;
    }
    let claim = |name| {
        let value = claims.as_ref().and_then(|claims| text(claims, name)).map(|value| clean(&value));
        value.filter(|value| !value.is_empty())
    };
    let home = client_info.and_then(|info| Some(format!("{}.{}", text(&info, "uid")?, text(&info, "utid")?)));
    let subject = claim("sub");
    Some(Identity {
        issuer: claim("iss"),
        home_id: home.map(|home| clean(&home)).or_else(|| subject.clone()),
        local_id: claim("oid").or_else(|| subject.clone()),
        tenant: claim("tid"),
        username: ["preferred_username", "upn", "email"].into_iter().find_map(claim).or_else(|| subject.clone()),
        subject,
    })
}

/// Reads who a userinfo answer names, by the fields of the provider's dialect; `None` without the id.
pub fn from_userinfo(answer: &Map<String, Value>, fields: &Userinfo) -> Option<Identity> {
    let field = |name: &str| text(answer, name).map(|value| clean(&value)).filter(|value| !value.is_empty());
    let id = field(fields.id)?;
    Some(Identity {
        subject: Some(id.clone()),
        issuer: None,
        home_id: Some(id.clone()),
        local_id: Some(id.clone()),
        tenant: None,
        username: fields.names.iter().find_map(|name| field(name)).or(Some(id)),
    })
}

fn payload(token: &str) -> Option<Map<String, Value>> {
    object(token.split('.').nth(1)?)
}

fn object(base64: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(base64.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::Provider;

    fn encode(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    fn read(claims: &Value, client_info: Option<&Value>) -> Option<Identity> {
        let token = IdToken::new(format!("e30.{}.sig", encode(claims)));
        let response: Map<_, _> =
            client_info.map(|info| ("client_info".into(), encode(info).into())).into_iter().collect();
        identity(Some(&token), &response)
    }

    #[test]
    fn entras_home_account_comes_from_client_info() {
        let claims = json!({"sub": "s", "oid": "O-1", "tid": "T-1", "preferred_username": "Ann@Contoso.com"});
        let who = read(&claims, Some(&json!({"uid": "u", "utid": "t"}))).unwrap();
        assert_eq!(who.home_id.as_deref(), Some("u.t"));
        assert_eq!(who.local_id.as_deref(), Some("O-1"));
        for name in ["ann@contoso.com", "U.T", "o-1"] {
            assert!(who.answers_to(name), "{name}");
        }
        assert!(!who.answers_to("bob@contoso.com"));
    }

    #[test]
    fn a_bare_subject_is_all_there_is_then() {
        let who = read(&json!({"sub": "alice"}), None).unwrap();
        assert_eq!((who.home_id.as_deref(), who.username.as_deref()), (Some("alice"), Some("alice")));
    }

    #[test]
    fn somebody_else_is_told_from_the_same_user_elsewhere() {
        let claims = |iss: &str, sub: &str, tid: Option<&str>| json!({"iss": iss, "sub": sub, "oid": sub, "tid": tid, "preferred_username": "a"});
        let home = json!({"uid": "u", "utid": "t"});
        let other = json!({"uid": "v", "utid": "t"});
        let plain = |iss, sub| read(&claims(iss, sub, None), None).unwrap();
        let entra = |sub, tid, home: Option<&Value>| read(&claims(tid, sub, Some(tid)), home).unwrap();
        let nobody = Identity::default();
        for (own, new, contradicted, what) in [
            (plain("https://i", "a"), plain("https://i", "a"), false, "the same"),
            (plain("https://i", "a"), plain("https://i", "b"), true, "another subject"),
            (plain("https://i", "a"), plain("https://j", "a"), true, "another issuer's"),
            (plain("https://accounts.google.com", "a"), plain("accounts.google.com", "a"), false, "two spellings"),
            (plain("https://i", "a"), nobody.clone(), false, "says nothing"),
            (nobody, plain("https://i", "a"), false, "said nothing"),
            (entra("a", "t1", Some(&home)), entra("b", "t2", Some(&home)), false, "a guest elsewhere"),
            (entra("a", "t1", Some(&home)), entra("b", "t2", Some(&other)), true, "another home account"),
            (entra("a", "t1", Some(&home)), entra("b", "t1", Some(&home)), true, "another subject of one tenant"),
            (entra("a", "t1", Some(&home)), entra("a", "t1", None), false, "no client_info"),
            (entra("a", "t1", Some(&home)), entra("b", "t1", None), true, "no client_info, another subject"),
            (entra("a", "t1", Some(&home)), entra("b", "t2", None), false, "no client_info, another tenant"),
        ] {
            assert_eq!(own.is_contradicted_by(&new), contradicted, "{what}");
        }
    }

    #[test]
    fn rubbish_says_nothing() {
        for token in ["", "a", "a.b.c", "a.e30", "..."] {
            let who = identity(Some(&IdToken::new(token)), &Map::new());
            assert_eq!(who.and_then(|who| who.subject), None, "{token:?}");
        }
        assert_eq!(identity(None, &Map::new()), None);
    }

    #[test]
    fn a_userinfo_answer_names_the_user_by_the_providers_fields() {
        let read = |body: &Value, provider: Provider| {
            from_userinfo(body.as_object().unwrap(), &provider.dialect().userinfo.unwrap())
        };
        let github = read(&json!({"id": 583_231, "login": "octocat\u{1b}", "sub": "x"}), Provider::Github).unwrap();
        assert_eq!((github.home_id.as_deref(), github.username.as_deref()), (Some("583231"), Some("octocat")));
        let openid = json!({"sub": "s-1", "email": "ann@example.com"});
        let openid = read(&openid, Provider::Oidc).unwrap();
        assert_eq!((openid.subject.as_deref(), openid.username.as_deref()), (Some("s-1"), Some("ann@example.com")));
        assert_eq!(read(&json!({"login": "octocat"}), Provider::Github), None);
        assert_eq!(read(&json!({"sub": ""}), Provider::Oidc), None);
    }

    #[test]
    fn names_are_cleaned() {
        let who = read(&json!({"sub": "s", "preferred_username": "a\u{1b}[2J\u{202e}b"}), None).unwrap();
        assert_eq!(who.username.as_deref(), Some("a [2Jb"));
    }
}
