//! `[[hosts]]`: which profile is for whom, so that a tool that knows only an address gets the right token.

use serde::Deserialize;

/// As the file has it; `keys::HOST` names the same fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawHost {
    #[serde(rename = "match")]
    pattern: String,
    profile: String,
    #[serde(default)]
    scopes: Vec<String>,
    account: Option<String>,
    tenant: Option<String>,
    username: Option<String>,
}

/// What a token for a host is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pattern: Pattern,
    /// The profile.
    pub profile: String,
    /// Scopes, in place of the profile's own; none: those.
    pub scopes: Vec<String>,
    /// The account, where the profile has several.
    pub account: Option<String>,
    /// Another tenant of that account (Entra).
    pub tenant: Option<String>,
    /// The user name beside the token, for tools that know passwords only.
    pub username: Option<String>,
}

/// `[*.]host[:port][/path]`, in lower case up to the path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// With its port, if it has one. Of `*.example.com`: `.example.com`.
    authority: String,
    any_below: bool,
    path: Vec<String>,
}

impl Host {
    pub(super) fn build(raw: RawHost) -> Result<Self, String> {
        let pattern = Pattern::parse(&raw.pattern)
            .ok_or_else(|| format!("match {:?} is no host, [*.]host[:port][/path]", raw.pattern))?;
        if let Some(scope) = raw.scopes.iter().find(|scope| !broker_oauth::scope::is_scope_token(scope)) {
            return Err(format!("match {:?}: {scope:?} is no scope", raw.pattern));
        }
        if let Some(tenant) = raw.tenant.as_ref().filter(|tenant| !broker_oauth::entra::is_tenant(tenant)) {
            return Err(format!("match {:?}: tenant {tenant:?} is neither an id nor a domain", raw.pattern));
        }
        // It stands in lines of the git protocol and before a colon in HTTP Basic (RFC 7617 §2).
        if raw
            .username
            .as_ref()
            .is_some_and(|name| name.is_empty() || name.contains(|c: char| c == ':' || c.is_control()))
        {
            return Err(format!("match {:?}: username is empty, or has a colon or a control character", raw.pattern));
        }
        Ok(Self {
            pattern,
            profile: raw.profile,
            scopes: raw.scopes,
            account: raw.account.filter(|name| !name.is_empty()),
            tenant: raw.tenant,
            username: raw.username,
        })
    }

    /// Whether this is for `host[:port][/path]`. A port must be named in both or in neither; a path is matched by whole
    /// segments from its beginning.
    pub(crate) fn is_for(&self, target: &str) -> bool {
        let (authority, path) = split(target);
        let Pattern { authority: own, any_below, path: own_path } = &self.pattern;
        let here = if *any_below {
            authority.len() > own.len() && authority.ends_with(own.as_str())
        } else {
            authority == *own
        };
        here && path.len() >= own_path.len() && own_path.iter().zip(&path).all(|(own, there)| own == there)
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let (authority, path) = split(text);
        let (name, any_below) = match authority.strip_prefix("*.") {
            Some(rest) => (rest.to_owned(), true),
            None => (authority, false),
        };
        let (host, port) = match name.rsplit_once(':') {
            Some((host, port)) if !host.starts_with('[') || host.ends_with(']') => (host, Some(port)),
            _ => (name.as_str(), None),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let good_host = match is_address {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok() && !any_below,
            None => !host.is_empty() && !host.starts_with('.') && host.bytes().all(plain),
        };
        // `*.com` would be the whole of it.
        let good_wildcard = !any_below || host.contains('.');
        let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number > 0));
        let authority = if any_below { format!(".{name}") } else { name.clone() };
        (good_host && good_wildcard && good_port).then_some(Self { authority, any_below, path })
    }
}

/// Host and port in lower case, and the segments of the path. A query is no part of it.
fn split(text: &str) -> (String, Vec<String>) {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = text.split_once('/').unwrap_or((text, ""));
    let authority = authority.to_ascii_lowercase();
    (authority, path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(pattern: &str) -> Result<Host, String> {
        Host::build(RawHost {
            pattern: pattern.into(),
            profile: "p".into(),
            scopes: Vec::new(),
            account: None,
            tenant: None,
            username: None,
        })
    }

    #[test]
    fn a_pattern_is_for_its_host_and_nobody_else() {
        let table = [
            ("dev.azure.com", "dev.azure.com", true),
            ("Dev.Azure.com", "DEV.azure.com/contoso/_git/x", true),
            ("dev.azure.com", "dev.azure.com.evil.test", false),
            ("dev.azure.com", "evil.test/dev.azure.com", false),
            ("dev.azure.com", "xdev.azure.com", false),
            ("dev.azure.com", "dev.azure.com:8443", false),
            ("dev.azure.com:8443", "dev.azure.com:8443/a", true),
            ("dev.azure.com:8443", "dev.azure.com", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "evilexample.com", false),
            ("dev.azure.com/contoso", "dev.azure.com/contoso/_git/x", true),
            ("dev.azure.com/contoso", "dev.azure.com//contoso", true),
            ("dev.azure.com/contoso", "dev.azure.com/contoso-evil", false),
            ("dev.azure.com/contoso", "dev.azure.com", false),
            ("dev.azure.com/contoso", "dev.azure.com/?contoso", false),
            ("[::1]:8080", "[::1]:8080/x", true),
            ("localhost:1", "localhost:1", true),
        ];
        for (pattern, target, expected) in table {
            assert_eq!(host(pattern).unwrap().is_for(target), expected, "{pattern} for {target}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in [
            "",
            "*",
            "*.com",
            "*.",
            "a b",
            "https://x.test",
            "x.test:0",
            "x.test:http",
            "u@x.test",
            ".x",
            "[::1",
            "*.[::1]",
        ] {
            assert!(host(bad).is_err(), "{bad:?}");
        }
    }
}
