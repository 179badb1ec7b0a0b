//! The proxies that the daemon's environment and the system name, and which requests go through them.
//!
//! The variables mean what they mean to curl: `HTTPS_PROXY`, else `ALL_PROXY`, unless `NO_PROXY` has the host. `HTTP_PROXY`
//! is for plain http, which brokerd speaks to this machine only, and this machine is never behind a proxy.

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use crate::config::HttpProxy;

/// The variables that decide how a provider is reached; the doctor tells which of them there are.
const VARIABLES: &[&str] = &[
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
/// Those that name a proxy, the first that is set counts.
const PROXIES: &[&str] = &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTIONS: &[&str] = &["NO_PROXY", "no_proxy"];

/// What there was when the daemon started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// The variable, and the proxy in it or what is wrong with that.
    proxy: Option<(&'static str, Result<HttpProxy, &'static str>)>,
    exceptions: String,
    names: Vec<&'static str>,
    asks_system: bool,
}

/// Where a proxy was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// In the profile.
    Configuration,
    /// In a variable.
    Environment,
    /// In the system's settings.
    #[cfg_attr(
        not(any(target_os = "macos", windows)),
        expect(dead_code, reason = "other systems have no such settings")
    )]
    System,
    /// Nowhere.
    None,
}

impl Source {
    /// As `status` says it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Environment => "environment",
            Self::System => "system",
            Self::None => "none",
        }
    }
}

impl Surroundings {
    /// Those of this process.
    pub(super) fn of_this_process() -> Self {
        Self { asks_system: true, ..Self::read(|name| std::env::var(name).ok()) }
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        // Set to nothing is not set, as for curl.
        let value = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let found = PROXIES.iter().find_map(|name| Some((*name, value(name)?)));
        // On Windows both spellings are one variable.
        let one_spelling = |name: &str| !cfg!(windows) || name.bytes().all(|byte| !byte.is_ascii_lowercase());
        Self {
            proxy: found.map(|(name, raw)| (name, HttpProxy::parse(raw.trim()))),
            exceptions: EXCEPTIONS.iter().find_map(|name| value(name)).unwrap_or_default(),
            names: VARIABLES.iter().copied().filter(|name| one_spelling(name) && value(name).is_some()).collect(),
            asks_system: false,
        }
    }

    /// Which of the variables are set. Values stay here: they may have a password in them.
    pub(crate) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The proxy for a URL. The error names a variable that is of no use.
    pub(super) fn proxy(&self, url: &Url) -> Result<Option<(HttpProxy, Source)>, String> {
        if self.is_exception(url) {
            return Ok(None);
        }
        match &self.proxy {
            Some((_, Ok(proxy))) => Ok(Some((proxy.clone(), Source::Environment))),
            Some((name, Err(why))) => Err(format!("{name} in brokerd's environment {why}")),
            None if self.asks_system => system(url),
            None => Ok(None),
        }
    }

    /// Whether `NO_PROXY` has the host: a name means its subdomains as well, `*` everything, addresses may be networks, and
    /// an entry with a port means that port.
    fn is_exception(&self, url: &Url) -> bool {
        let Ok(destination) = url.as_str().parse::<Uri>() else { return false };
        let port = url.port_or_known_default();
        let entries = self.exceptions.split([',', ' ']).filter_map(|entry| exception(entry.trim(), port));
        let entries = entries.collect::<Vec<_>>();
        // To hyper-util it means every name, and no address.
        if entries.contains(&"*") {
            return true;
        }
        let list = entries.join(",");
        // hyper-util reads the list; that there is a proxy at all is not the question here.
        Matcher::builder().all("http://proxy.invalid").no(list).build().intercept(&destination).is_none()
    }
}

/// An entry as hyper-util reads it, which knows neither ports nor `*.`; `None` if it is for another port.
fn exception(entry: &str, port: Option<u16>) -> Option<&str> {
    let entry = entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(entry);
    let (host, wanted) = match entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        // More than one colon is an IPv6 address.
        None => match entry.split_once(':') {
            Some((host, wanted)) if !wanted.contains(':') => (host, Some(wanted)),
            _ => (entry, None),
        },
    };
    wanted.is_none_or(|wanted| wanted.parse().ok() == port).then_some(host)
}

#[cfg(any(target_os = "macos", windows))]
fn system(url: &Url) -> Result<Option<(HttpProxy, Source)>, String> {
    let Ok(destination) = url.as_str().parse::<Uri>() else { return Ok(None) };
    match Matcher::from_system().intercept(&destination).map(|found| HttpProxy::from_matched(&found)) {
        Some(Ok(proxy)) => Ok(Some((proxy, Source::System))),
        Some(Err(why)) => Err(format!("the system's proxy {why}")),
        None => Ok(None),
    }
}

/// Other systems have no one place for it.
#[cfg(not(any(target_os = "macos", windows)))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is something to ask")]
fn system(_url: &Url) -> Result<Option<(HttpProxy, Source)>, String> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(variables: &[(&str, &str)]) -> Surroundings {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Surroundings::read(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    fn proxy(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let found = surroundings(variables).proxy(&Url::parse(url).unwrap()).unwrap();
        found.map(|(proxy, source)| {
            assert_eq!(source, Source::Environment);
            proxy.address()
        })
    }

    #[test]
    fn the_first_variable_that_is_set_counts() {
        let all = [
            ("HTTPS_PROXY", "http://upper:1"),
            ("https_proxy", "http://lower:2"),
            ("ALL_PROXY", "http://all:3"),
            ("HTTP_PROXY", "http://plain:4"),
        ];
        let from = |skip: usize| proxy(&all[skip..], "https://as.example/token");
        assert_eq!(from(0).as_deref(), Some("http://upper:1"));
        assert_eq!(from(1).as_deref(), Some("http://lower:2"));
        assert_eq!(from(2).as_deref(), Some("http://all:3"));
        assert_eq!(from(3), None, "HTTP_PROXY is not for https");
        assert_eq!(
            proxy(&[("HTTPS_PROXY", ""), ("ALL_PROXY", "all:3")], "https://a.example").as_deref(),
            Some("http://all:3")
        );
        assert_eq!(proxy(&[], "https://a.example"), None);
    }

    /// Each row: `NO_PROXY`, a URL, and whether it goes through the proxy.
    #[test]
    fn exceptions_are_hosts_suffixes_networks_and_ports() {
        for (list, url, through) in [
            ("", "https://as.example", true),
            ("*", "https://as.example", false),
            ("*", "https://10.1.2.3", false),
            ("a.test, *", "https://[fd00::1]", false),
            ("*:8443", "https://10.1.2.3", true),
            ("as.example", "https://as.example", false),
            ("as.example", "https://sub.as.example", false),
            ("as.example", "https://has.example", true),
            (".example", "https://as.example", false),
            ("*.example", "https://as.example", false),
            ("AS.Example", "https://as.example", false),
            ("a.test, as.example", "https://as.example", false),
            ("a.test as.example", "https://as.example", false),
            ("as.example:443", "https://as.example", false),
            ("as.example:8443", "https://as.example", true),
            ("as.example:8443", "https://as.example:8443", false),
            ("10.0.0.0/8", "https://10.1.2.3", false),
            ("10.0.0.0/8", "https://11.1.2.3", true),
            ("10.1.2.3:443", "https://10.1.2.3", false),
            ("fd00::/8", "https://[fd00::1]", false),
            ("[fd00::1]:8443", "https://[fd00::1]", true),
            ("[fd00::1]:443", "https://[fd00::1]", false),
        ] {
            let found = proxy(&[("https_proxy", "http://p:1"), ("no_proxy", list)], url);
            assert_eq!(found.is_some(), through, "{list:?} {url}");
        }
    }

    #[test]
    fn a_variable_of_no_use_is_named_and_not_passed_over() {
        for raw in [
            "socks5h://u:hunter2@p:1080",
            "https://u:hunter2@p",
            "ftp://u:hunter2@p",
            "http://u:hunter2@",
            "http://u:hunter2/x@p:1080",
            "u:hunter2#x@p:1080",
            "http://u:hun@hunter2@p:1080",
            "u:x@hunter2@p",
        ] {
            let surroundings = surroundings(&[("ALL_PROXY", raw)]);
            let error = surroundings.proxy(&Url::parse("https://as.example").unwrap()).unwrap_err();
            assert!(error.starts_with("ALL_PROXY") && !error.contains("hunter2"), "{error}");
            assert!(!format!("{surroundings:?}").contains("hunter2"));
        }
    }

    #[test]
    fn names_are_told_and_values_are_not() {
        let surroundings =
            surroundings(&[("HTTPS_PROXY", "http://ada:hunter2@p:1"), ("SSL_CERT_FILE", "/x"), ("LANG", "C")]);
        assert_eq!(surroundings.names(), ["HTTPS_PROXY", "SSL_CERT_FILE"]);
        assert!(!format!("{surroundings:?}").contains("hunter2"));
    }
}
