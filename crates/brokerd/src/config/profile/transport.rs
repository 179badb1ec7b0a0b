//! How a profile's provider is reached.

use std::path::PathBuf;

use url::Url;

use super::{Wrong, wrong};

/// How a provider is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Transport {
    /// CA certificates trusted beside the platform's (PEM).
    pub ca_file: Option<PathBuf>,
    /// An HTTP proxy.
    pub proxy: Option<String>,
}

pub(super) fn proxy(raw: Option<String>) -> Result<Option<String>, Wrong> {
    match raw {
        Some(proxy) if !Url::parse(&proxy).is_ok_and(|url| url.scheme() == "http" && url.has_host()) => {
            wrong("proxy is no http:// URL", "write it as http://host:port")
        }
        proxy => Ok(proxy),
    }
}
