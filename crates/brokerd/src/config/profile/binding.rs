//! What a profile's secrets are bound to: a grant, a prompt and a client secret are for one server, whatever the profile of
//! that name says later.

use std::collections::BTreeSet;

use broker_oauth::dialect::EndpointSource;
use url::Url;

use super::{Authority, Profile};

impl Profile {
    /// What its secrets are bound to: none is ever sent anywhere else.
    ///
    /// Nothing ties an issuer's name to endpoints that stand in the file: where they are elsewhere, that counts too. A path
    /// does not, which moves with an update of the same server.
    pub fn bound_to(&self) -> String {
        let name = self.authority.server();
        let Authority::Explicit { endpoints, .. } = &self.authority else { return name };
        // A preset's own endpoints are the provider's by its name.
        let preset = match self.registration.provider.dialect().endpoints {
            EndpointSource::Fixed { token, device_authorization, revocation, .. } => {
                [token, device_authorization, revocation]
            }
            _ => [""; 3],
        };
        let home = Url::parse(&name).ok().map(|name| name.origin());
        let confided = [Some(&endpoints.token), endpoints.device_authorization.as_ref(), endpoints.revocation.as_ref()];
        let abroad = |url: &&Url| home.as_ref() != Some(&url.origin()) && !preset.contains(&url.as_str());
        let places: BTreeSet<_> =
            confided.into_iter().flatten().filter(abroad).map(|url| url.origin().ascii_serialization()).collect();
        if places.is_empty() { name } else { format!("{name} ({})", Vec::from_iter(places).join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    fn bound_to(lines: &str) -> String {
        let text = format!("[profiles.p]\nclient_id = \"c\"\n{lines}");
        Config::parse(Path::new("/etc/config.toml"), &text).unwrap().profiles["p"].bound_to()
    }

    /// Each row: the lines of a profile, and what its secrets are bound to.
    #[test]
    fn explicit_endpoints_are_bound_to_where_the_token_endpoint_is() {
        for (lines, want) in [
            ("issuer = \"https://a.example/x\"", "https://a.example/x"),
            ("issuer = \"https://a.example\"\ntoken_endpoint = \"https://a.example/token\"", "https://a.example"),
            (
                "issuer = \"https://a.example\"\ntoken_endpoint = \"https://b.example/token\"",
                "https://a.example (https://b.example)",
            ),
            (
                "issuer = \"https://a.example\"\ntoken_endpoint = \"https://a.example:8443/token\"",
                "https://a.example (https://a.example:8443)",
            ),
            (
                "issuer = \"https://localhost\"\ntoken_endpoint = \"http://localhost/token\"",
                "https://localhost (http://localhost)",
            ),
            ("token_endpoint = \"https://b.example/token\"", "https://b.example/token"),
            (
                "token_endpoint = \"https://b.example/token\"\nrevocation_endpoint = \"https://c.example/r\"\n\
                 device_authorization_endpoint = \"https://b.example/device\"",
                "https://b.example/token (https://c.example)",
            ),
            ("provider = \"google\"\nclient_secret = \"keyring\"", "https://accounts.google.com"),
            (
                "provider = \"google\"\nclient_secret = \"keyring\"\ntoken_endpoint = \"https://gw.example/token\"\n\
                 device_authorization_endpoint = \"https://gw.example/device\"",
                "https://accounts.google.com (https://gw.example)",
            ),
            ("provider = \"github\"", "https://github.com"),
            ("provider = \"adfs\"\nauthority = \"https://fs.example/adfs\"", "https://fs.example/adfs"),
            ("provider = \"entra\"\ntenant = \"t.example\"", "https://login.microsoftonline.com"),
        ] {
            assert_eq!(bound_to(lines), want, "{lines}");
        }
    }
}
