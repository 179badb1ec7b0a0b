//! Whom a tool speaks to, as brokerd's `[[hosts]]` know it: `host[:port][/path]`.

use broker_client::{ErrorBody, ErrorCode};

use crate::clean;
use crate::failure::Failure;

/// `host[:port][/path]`, without a port that is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target(String);

impl Target {
    /// Reads a URL, or a bare host of a tool that goes there by `https`.
    ///
    /// # Errors
    /// A token is not for a connection that everybody can read along: plain `http` is for loopback only. Nor is it for a URL that the tool may
    /// read in another way than this does.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.strip_prefix("sparse+").unwrap_or(text);
        if text.contains("://") {
            return Self::url(text);
        }
        // `http:u@x.test` is a URL to a browser and to curl.
        let is_scheme = |name: &str| name.eq_ignore_ascii_case("http") || name.eq_ignore_ascii_case("https");
        if text.contains(['@', '\\']) || text.split_once(':').is_some_and(|(name, _)| is_scheme(name)) {
            return Err(refusal("neither a URL nor a host was named"));
        }
        let (authority, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        Self::of("https", authority, path)
    }

    /// Reads a URL.
    pub(crate) fn url(text: &str) -> Result<Self, Failure> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| refusal("no URL with a scheme was named"))?;
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // To a browser's rules (WHATWG URL), which Cargo and npm go by, `\` begins the path and a line's end is nothing: in what comes
        // before the host, they would find another one.
        if authority.chars().any(|char| char == '\\' || char.is_whitespace() || char.is_control()) {
            return Err(refusal("the URL's host can be read in two ways"));
        }
        // A user, and a password before all, is nobody's business.
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        Self::of(scheme, authority, path)
    }

    /// The same from its parts.
    pub(crate) fn of(scheme: &str, authority: &str, path: &str) -> Result<Self, Failure> {
        // Not repeated: of a password with a `/` or an `@` in it, a part stands where the host should.
        if !is_authority(authority) {
            return Err(refusal("what was named is no host"));
        }
        let shown = clean::line(authority).into_owned();
        if is_ambiguous(path) {
            return Err(refusal(format!("the path at {shown} can be read in two ways")));
        }
        let own_port = match scheme.to_ascii_lowercase().as_str() {
            "https" | "ssh+https" => ":443",
            "http" if is_loopback(authority) => ":80",
            "http" => return Err(refusal(format!("{shown} is asked by plain http, which gets no token"))),
            _ => return Err(refusal(format!("{shown} is asked by neither https nor http"))),
        };
        let authority = authority.strip_suffix(own_port).unwrap_or(authority).to_ascii_lowercase();
        let path = path.trim_matches('/');
        Ok(Self(if path.is_empty() { authority } else { format!("{authority}/{path}") }))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn refusal(what: impl Into<String>) -> Failure {
    ErrorBody::new(ErrorCode::BadRequest, what.into()).into()
}

/// Whether it is a host, or an IPv6 address in brackets, and at most a port.
fn is_authority(authority: &str) -> bool {
    let cannot = |char: char| r"/\@?#".contains(char) || char.is_whitespace() || clean::is_unsafe(char);
    let (host, rest) = match authority.find(']') {
        Some(end) if authority.starts_with('[') => authority.split_at(end + 1),
        _ => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = rest.strip_prefix(':');
    let is_port = port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    !host.is_empty() && !host.chars().any(cannot) && (rest.is_empty() || is_port)
}

/// Whether a tool may take another path than is written: `a/../b` is `b` on its way to the server.
fn is_ambiguous(path: &str) -> bool {
    let dots = |part: &str| matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    path.contains('\\') || path.chars().any(char::is_control) || path.split('/').any(dots)
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// Of what a tool names, nothing but a host and a path is passed on, and nothing of a user and a password is said.
        #[test]
        fn whatever_a_tool_names_is_a_host_and_a_path_or_nothing(
            text in prop_oneof![
                any::<String>(),
                r"(sparse\+)?(https?|HTTP|ssh\+https|ftp)?(://|:|)([a-z/]{0,3}(:s3cret)?[/?#@\\\\\t]){0,2}(x\.test|localhost|127\.0\.0\.1|\[::1\])?(:443|:80|:x)?[/?#@\\\\a-z:]{0,6}",
            ],
        ) {
            match Target::parse(&text) {
                Ok(target) => {
                    let (authority, _) = target.as_str().split_once('/').unwrap_or((target.as_str(), ""));
                    prop_assert!(!authority.is_empty());
                    prop_assert!(!authority.contains(['@', '\\', '?', '#']), "{text:?} is {authority:?}");
                    prop_assert!(!authority.chars().any(|char| char.is_whitespace() || clean::is_unsafe(char)));
                    let plain = text.to_ascii_lowercase().trim_start_matches("sparse+").starts_with("http:");
                    prop_assert!(!plain || is_loopback(authority), "{text:?} is plain");
                    prop_assert!(!authority.contains("s3cret"), "{text:?} is {authority:?}");
                }
                Err(failure) => {
                    let told = format!("{failure:?}");
                    prop_assert!(!told.contains("s3cret"), "{text:?}: {told}");
                }
            }
        }
    }

    #[test]
    fn a_url_becomes_what_hosts_are_matched_by() {
        let table = [
            ("https://Dev.Azure.com/contoso/_git/x?a=b", "dev.azure.com/contoso/_git/x"),
            ("https://user:secret@x.test/", "x.test"),
            ("https://x.test:443/a", "x.test/a"),
            ("https://x.test:8443", "x.test:8443"),
            ("registry.x.test", "registry.x.test"),
            ("registry.x.test:5000/v2/", "registry.x.test:5000/v2"),
            ("sparse+https://x.test/index/", "x.test/index"),
            ("http://127.0.0.1:8080/r.git", "127.0.0.1:8080/r.git"),
            ("http://[::1]:8080/", "[::1]:8080"),
            ("http://localhost:80/", "localhost"),
        ];
        for (url, target) in table {
            assert_eq!(Target::parse(url).unwrap().as_str(), target, "{url}");
        }
        for bad in [
            "http://x.test/",
            "http://127.0.0.1.evil.test/",
            "http://localhost@x.test/",
            "ftp://x.test",
            r"https://evil.test\@x.test/",
            r"https:\\evil.test@x.test/",
            ":443/a",
            "http:u@x.test/",
            "https:/u:s3cret@x.test/",
            "https:x.test",
            "https://u:s3cret/2@x.test/",
            "x.test:",
            "https://x.test:a/",
            "https://x.test/contoso/../evil/",
            "https://x.test/contoso/%2E%2e/evil/",
            r"https://x.test/contoso\..\evil/",
            "https://x.test/a\tb",
            "https://evil\n.test@x.test/",
            "https:///a",
            "",
            "a b",
            "x\u{1b}.test",
        ] {
            assert!(Target::parse(bad).is_err(), "{bad:?}");
        }
    }
}
