//! A page that may be opened in a browser.

use broker_client::DevicePrompt;

/// The longest that is opened; the daemon lets none through that is longer.
const LONGEST: usize = 2048;

/// An absolute URL, `https` or `http` to this machine, of printable ASCII, with a host and nobody's name before it.
///
/// The daemon has seen to that already (RFC 8628 §3.2 leaves it to the client). Here it is an argument of a program that is
/// about to be started, so it is looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link(String);

impl Link {
    /// The page of a prompt, with the code in it where the provider has such a page.
    pub(crate) fn of(prompt: &DevicePrompt) -> Option<Self> {
        let complete = prompt.verification_uri_complete.as_deref().and_then(Self::parse);
        complete.or_else(|| Self::parse(&prompt.verification_uri))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        // What a shell or a Windows command line gives a meaning to has its escape in URLs (RFC 3986 §2).
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'`<>\\^{|}".contains(&byte);
        if text.len() > LONGEST || !text.bytes().all(plain) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        if authority.contains('@') {
            return None;
        }
        let host = match authority.strip_prefix('[') {
            Some(address) => address.split_once(']')?.0,
            None => authority.split(':').next()?,
        };
        let is_local = host.eq_ignore_ascii_case("localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let good = match scheme.to_ascii_lowercase().as_str() {
            "https" => !host.is_empty(),
            "http" => is_local,
            _ => false,
        };
        good.then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_opened_and_nothing_else_is() {
        for good in [
            "https://microsoft.com/devicelogin",
            "HTTPS://x.test",
            "https://x.test:8443/d?code=AB-CD&x=%20#f",
            "http://localhost:8080/d",
            "http://127.0.0.1/d",
            "http://[::1]:80/d",
        ] {
            assert_eq!(Link::parse(good).map(|link| link.0).as_deref(), Some(good));
        }
        let long = format!("https://x.test/{}", "a".repeat(LONGEST));
        for bad in [
            "javascript:alert(1)",
            "javascript://x.test/%0aalert(1)",
            "file:///etc/passwd",
            "http://x.test/d",
            "http://localhost.evil.test/d",
            "http://127.0.0.1.evil.test/d",
            "https://user@x.test/",
            "https:///d",
            "https://",
            "https://x.test/a b",
            "https://x.test/\u{1b}[2J",
            "https://x.test/\u{202e}",
            "https://x.test/$(id)`id`",
            "https://x.test/\"&calc&\"",
            "--help",
            "",
            &long,
        ] {
            assert_eq!(Link::parse(bad), None, "{bad}");
        }
    }
}
