//! How a profile's provider is reached.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderValue, Uri};
#[cfg(any(target_os = "macos", windows, test))]
use hyper_util::client::proxy::matcher::Intercept;
use url::Url;
use zeroize::Zeroizing;

use super::{Wrong, wrong};

/// How a provider is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// CA certificates trusted beside the platform's (PEM).
    pub ca_file: Option<PathBuf>,
    /// Which proxy.
    pub proxy: Proxy,
}

/// Which proxy a profile's requests go through. Those to this machine go through none, whatever is said here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// The one of the daemon's environment, else of the system, if there is any.
    #[default]
    Surroundings,
    /// None, whatever the environment says.
    None,
    /// This one.
    Http(HttpProxy),
}

/// An HTTP proxy. Its password is shown by nothing but [`HttpProxy::authorization`].
#[derive(Clone, PartialEq, Eq)]
pub struct HttpProxy {
    uri: Uri,
    authorization: Option<HeaderValue>,
}

/// What is no HTTP proxy's address at all.
const NO_URL: &str = "is no URL of a proxy";

impl HttpProxy {
    /// Reads `http://[user:password@]host[:port]`, as a variable also without `http://`. No error quotes it: whatever a
    /// lenient parser would drop or take for the host may be a part of the password.
    pub(crate) fn parse(raw: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = raw.split_once("://").unwrap_or(("http", raw));
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => {
                return Err("is an https:// proxy, which brokerd does not speak to; the tunnel is TLS all the same");
            }
            "socks4" | "socks4a" | "socks5" | "socks5h" => {
                return Err("is a SOCKS proxy, which brokerd does not speak to");
            }
            _ => return Err(NO_URL),
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, place) = match authority.split_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, authority),
        };
        if place.contains('@') {
            return Err("has more than one @; write one in the user or the password as %40");
        }
        // The URL parser takes a backslash for a slash, and passes over white space.
        if authority.contains(|c: char| matches!(c, '/' | '?' | '#' | '\\') || c.is_whitespace() || c.is_control()) {
            return Err("has more than a host and a port; write /, ? and # in the password as %2F, %3F and %23");
        }
        let url = Url::parse(&format!("http://{place}")).map_err(|_| NO_URL)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(NO_URL)?;
        let port = url.port_or_known_default().filter(|port| *port != 0 && !place.ends_with(':')).ok_or(NO_URL)?;
        let uri = format!("http://{host}:{port}").parse().map_err(|_| NO_URL)?;
        Ok(Self { uri, authorization: credentials.map(basic).transpose()? })
    }

    /// Takes over what hyper-util read from the system's settings.
    #[cfg(any(target_os = "macos", windows, test))]
    pub(crate) fn from_matched(found: &Intercept) -> Result<Self, &'static str> {
        let uri = found.uri().to_string();
        // hyper-util ends the user and the password at the first @: what is left may be half of a password.
        if uri.contains('@') {
            return Err("has more than one @; write one in the user or the password as %40");
        }
        Ok(Self { authorization: found.basic_auth().cloned(), ..Self::parse(&uri)? })
    }

    /// Where it is: `http://host:port`, for people too.
    pub fn address(&self) -> String {
        self.uri.to_string().trim_end_matches('/').to_owned()
    }

    /// Where to connect to.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// `Proxy-Authorization`, marked as sensitive.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }
}

/// `Proxy-Authorization` by RFC 7617, from the percent-encoded user and password.
fn basic(credentials: &str) -> Result<HeaderValue, &'static str> {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let mut plain = Zeroizing::new(Vec::with_capacity(credentials.len() + 1));
    for (part, end) in [(user, &b":"[..]), (password, b"")] {
        decode(part, &mut plain)?;
        plain.extend_from_slice(end);
    }
    let encoded = Zeroizing::new(format!("Basic {}", BASE64.encode(&*plain)));
    let mut value = HeaderValue::from_str(&encoded).map_err(|_| NO_URL)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Undoes percent-encoding (RFC 3986 §2.1).
fn decode(part: &str, into: &mut Vec<u8>) -> Result<(), &'static str> {
    const WRONG: &str = "has a user or a password that is not percent-encoded; write % as %25";
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or(WRONG);
        let byte = if byte == b'%' { u8::try_from(digit()? * 16 + digit()?).map_err(|_| WRONG)? } else { byte };
        if byte.is_ascii_control() {
            return Err("has control characters in its user or password");
        }
        into.push(byte);
    }
    Ok(())
}

impl fmt::Debug for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpProxy({})", self.address())
    }
}

impl Hash for HttpProxy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uri.hash(state);
    }
}

impl Transport {
    /// Whether the file it stands in holds a secret.
    pub(crate) fn has_secret(&self) -> bool {
        matches!(&self.proxy, Proxy::Http(proxy) if proxy.authorization.is_some())
    }
}

pub(super) fn proxy(raw: Option<&str>) -> Result<Proxy, Wrong> {
    match raw {
        None => Ok(Proxy::Surroundings),
        Some("none") => Ok(Proxy::None),
        Some(raw) if !raw.contains("://") => {
            wrong("proxy is no http:// URL", "write it as http://host:port, or \"none\" for no proxy at all")
        }
        Some(raw) => match HttpProxy::parse(raw) {
            Ok(proxy) => Ok(Proxy::Http(proxy)),
            Err(why) => {
                wrong(format!("proxy {why}"), "write it as http://host:port, or http://user:password@host:port")
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_sent_and_never_shown() {
        let proxy = HttpProxy::parse("http://ada:hunter2%40home@proxy.example:3128").unwrap();
        assert_eq!(proxy.address(), "http://proxy.example:3128");
        // ada:hunter2@home
        assert_eq!(proxy.authorization().unwrap(), "Basic YWRhOmh1bnRlcjJAaG9tZQ==");
        let transport = Transport { ca_file: None, proxy: Proxy::Http(proxy.clone()) };
        for shown in [format!("{transport:?}"), format!("{:?}", proxy.authorization())] {
            assert!(!shown.contains("hunter2") && !shown.contains("YWRh") && !shown.contains("ada"), "{shown}");
        }
        assert!(transport.has_secret());
        assert_ne!(proxy, HttpProxy::parse("http://ada:other@proxy.example:3128").unwrap(), "a reload must see it");
    }

    #[test]
    fn what_is_no_http_proxy_is_said_without_quoting_it() {
        for (raw, named) in [
            ("socks5://u:hunter2@p:1080", "SOCKS"),
            ("https://u:hunter2@p:443", "https://"),
            ("ftp://u:hunter2@p", "no URL"),
            ("http://u:hunter2@", "no URL"),
            ("http://", "no URL"),
            ("http:///", "no URL"),
            ("http://p:99999", "no URL"),
            ("http://p:", "no URL"),
            ("http://p:0", "no URL"),
            ("http://u:hunter2@p:", "no URL"),
            ("http://u:hunter2@p:99999", "no URL"),
            ("http://[::1", "no URL"),
            ("http://u:hunter2@:80", "no URL"),
            ("http://ada:hunter2/x@proxy.example:3128", "%2F"),
            ("http://ada:hunter2?x@proxy.example:3128", "%3F"),
            ("http://ada:hunter2#x@proxy.example:3128", "%23"),
            ("http://ada:hunter2\\x@proxy.example:3128", "more than a host"),
            ("http://ada:hun\tter2@proxy.example:3128", "more than a host"),
            ("http://proxy.example/hunter2", "more than a host"),
            ("http://proxy.example?hunter2", "more than a host"),
            ("http://proxy.example//", "more than a host"),
            ("http://ada:hun@hunter2@proxy.example", "%40"),
            ("http://ada:hunter2%@proxy.example", "%25"),
            ("http://ada:hunter2%zz@proxy.example", "%25"),
            ("http://ada:hunter2%+1@proxy.example", "%25"),
            ("http://ada:hunter2%0d%0a@proxy.example", "control characters"),
            ("u:hunter2@p:80", "http://"),
        ] {
            let error = proxy(Some(raw)).err().unwrap_or_else(|| panic!("{raw} is good"));
            let told = format!("{}; {}", error.message, error.hint);
            assert!(
                error.message.contains(named) && !told.contains("hunter2") && !told.contains("hun@"),
                "{raw}: {told}"
            );
        }
        assert_eq!(proxy(Some("none")).ok(), Some(Proxy::None));
        assert_eq!(proxy(None).ok(), Some(Proxy::Surroundings));
    }

    /// Each row: what is written, where that is, and the user and the password.
    #[test]
    fn an_address_is_host_and_port_and_nothing_else() {
        for (raw, address, credentials) in [
            ("http://proxy.example", "http://proxy.example:80", None),
            ("HTTP://Proxy.Example:3128/", "http://proxy.example:3128", None),
            ("proxy.example:3128", "http://proxy.example:3128", None),
            ("http://[::1]:3128", "http://[::1]:3128", None),
            ("http://ada@p:1", "http://p:1", Some("ada:")),
            ("http://ada:@p:1/", "http://p:1", Some("ada:")),
            ("ada:hunter2@p:1", "http://p:1", Some("ada:hunter2")),
            ("http://ada:hun:ter2@p:1", "http://p:1", Some("ada:hun:ter2")),
            ("http://a%2fb:%40%3A%2F%3f%23%25+@p:1", "http://p:1", Some("a/b:@:/?#%+")),
        ] {
            let proxy = HttpProxy::parse(raw).unwrap_or_else(|why| panic!("{raw} {why}"));
            assert_eq!(proxy.address(), address, "{raw}");
            let sent = credentials.map(|plain| format!("Basic {}", BASE64.encode(plain)));
            assert_eq!(proxy.authorization().map(|value| value.to_str().unwrap()), sent.as_deref(), "{raw}");
            assert!(proxy.authorization().is_none_or(HeaderValue::is_sensitive), "{raw}");
        }
    }

    #[test]
    fn half_a_password_that_hyper_util_leaves_in_the_address_is_refused() {
        use hyper_util::client::proxy::matcher::Matcher;

        let system = |raw: &str| {
            let found = Matcher::builder().all(raw).build().intercept(&Uri::from_static("https://a.example"));
            HttpProxy::from_matched(&found.unwrap())
        };
        let good = system("http://ada:hunter2@proxy.example:3128").unwrap();
        assert_eq!(good.address(), "http://proxy.example:3128");
        assert_eq!(good.authorization().unwrap(), "Basic YWRhOmh1bnRlcjI=");
        for raw in ["http://ada:hunter2/x@proxy.example:3128", "http://ada:hun@ter2@proxy.example"] {
            let why = system(raw).err().unwrap_or_else(|| panic!("{raw} is good"));
            assert!(!why.contains("ter2"), "{raw}: {why}");
        }
    }
}
