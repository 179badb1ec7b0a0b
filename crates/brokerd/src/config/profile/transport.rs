//! How a profile's provider is reached.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

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

impl HttpProxy {
    /// Reads `http://[user:password@]host:port`. The error does not quote it.
    pub(crate) fn parse(raw: &str) -> Result<Self, &'static str> {
        let anywhere = Uri::from_static("https://provider.invalid");
        match Matcher::builder().all(raw).build().intercept(&anywhere) {
            Some(found) => Self::from_matched(&found),
            None => Err("is no URL of a proxy"),
        }
    }

    /// Takes over what hyper-util read from a variable or from the system.
    pub(crate) fn from_matched(found: &Intercept) -> Result<Self, &'static str> {
        let uri = found.uri().clone();
        match uri.scheme_str() {
            _ if uri.host().is_none_or(str::is_empty) => Err("names no host"),
            Some("http") => Ok(Self { uri, authorization: found.basic_auth().cloned() }),
            Some("https") => {
                Err("is an https:// proxy, which brokerd does not speak to; the tunnel is TLS all the same")
            }
            _ => Err("is a SOCKS proxy, which brokerd does not speak to"),
        }
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
            ("u:hunter2@p:80", "http://"),
        ] {
            let error = proxy(Some(raw)).err().unwrap_or_else(|| panic!("{raw} is good"));
            assert!(error.message.contains(named) && !error.message.contains("hunter2"), "{raw}: {}", error.message);
        }
        assert_eq!(proxy(Some("none")).ok(), Some(Proxy::None));
        assert_eq!(proxy(None).ok(), Some(Proxy::Surroundings));
    }
}
