//! All the server knows, behind the one mutex of [`FakeAs`](super::FakeAs), which is never held over an `.await`.

use std::collections::HashMap;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::device::Device;
use super::failure::Failure;
use super::fault::Script;
use super::journal::{AccessToken, Family, Issued, Request, Revoked, lookup};
use super::options::{Options, Tenant, User};

pub(super) struct State {
    pub(super) options: Options,
    /// By device code.
    pub(super) devices: HashMap<String, Device>,
    /// A sign-in's number is its index.
    pub(super) families: Vec<Family>,
    /// By value.
    pub(super) refresh_tokens: HashMap<String, RefreshToken>,
    /// By value, with the family.
    pub(super) access_tokens: HashMap<String, (usize, AccessToken)>,
    pub(super) reuse_detected: usize,
    pub(super) issued: Vec<Issued>,
    pub(super) log: Vec<Request>,
    pub(super) script: Script,
    pub(super) connections: Connections,
    /// The wall clock's reading at an instant of tokio's, which a test may pause.
    pub(super) epoch: (u64, Instant),
}

/// Who may connect.
#[derive(Default)]
pub(super) struct Connections {
    pub(super) refused: bool,
    pub(super) count: usize,
    /// Ends those that are open.
    pub(super) drop: CancellationToken,
    /// How TLS begins, if not as it should.
    pub(super) handshake: Option<super::Handshake>,
}

pub(super) struct RefreshToken {
    pub(super) family: usize,
    pub(super) last_used: Instant,
    pub(super) spent: Option<Instant>,
}

/// Whose words an endpoint speaks.
#[derive(Clone, Debug)]
pub(super) enum Dialect {
    Entra(Tenant),
    OAuth,
}

/// An authenticated request to an endpoint that answers in JSON.
pub(super) struct Call<'a> {
    pub(super) now: Instant,
    pub(super) dialect: &'a Dialect,
    pub(super) client_id: &'a str,
    pub(super) form: &'a [(String, String)],
    pub(super) scope: &'a str,
    pub(super) correlation_id: &'a str,
}

impl Call<'_> {
    pub(super) fn required(&self, name: &str) -> Result<&str, Failure> {
        lookup(self.form, name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Failure::InvalidRequest(format!("missing parameter {name}")))
    }

    /// Returns the scopes asked for, each once, in the order asked.
    pub(super) fn scopes(&self) -> Vec<String> {
        let mut scopes: Vec<String> = Vec::new();
        for scope in self.scope.split_ascii_whitespace() {
            if !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        scopes
    }

    /// Returns every `resource` (RFC 8707) and `audience`.
    pub(super) fn audience(&self) -> Vec<String> {
        let named = self.form.iter().filter(|(name, _)| name == "resource" || name == "audience");
        named.map(|(_, value)| value.clone()).collect()
    }
}

impl State {
    pub(super) fn new(options: Options, wall: u64) -> Self {
        let secret =
            |client: &super::Client| client.secret.clone().map(|value| Issued { kind: "client_secret", value });
        Self {
            issued: options.clients.iter().filter_map(secret).collect(),
            options,
            devices: HashMap::new(),
            families: Vec::new(),
            refresh_tokens: HashMap::new(),
            access_tokens: HashMap::new(),
            reuse_detected: 0,
            log: Vec::new(),
            script: Script::default(),
            connections: Connections::default(),
            epoch: (wall, Instant::now()),
        }
    }

    /// Returns scheme, host and port of the issuer.
    pub(super) fn origin(&self) -> String {
        let issuer = Url::parse(&self.options.issuer).expect("the issuer is a URL");
        issuer.origin().ascii_serialization()
    }

    /// Returns the issuer's path, without a slash at its end.
    pub(super) fn issuer_path(&self) -> String {
        let issuer = Url::parse(&self.options.issuer).expect("the issuer is a URL");
        issuer.path().trim_end_matches('/').to_owned()
    }

    /// Returns the wall clock's seconds at an instant.
    pub(super) fn wall(&self, at: Instant) -> u64 {
        self.epoch.0 + at.duration_since(self.epoch.1).as_secs()
    }

    pub(super) fn user(&self, name: &str) -> Option<&User> {
        self.options.users.iter().find(|user| user.name == name)
    }

    /// Finds the tenant a path names: by id, by domain, or by one of the words for "wherever the user is at home".
    pub(super) fn tenant(&self, name: &str) -> Result<Tenant, Failure> {
        let home = self.options.tenants.first().filter(|_| ["common", "organizations"].contains(&name));
        let named = || self.options.tenants.iter().find(|known| known.id == name || known.domain == name);
        home.or_else(named).cloned().ok_or_else(|| Failure::UnknownTenant(name.into()))
    }

    /// Remembers a secret, for [`FakeAs::secrets`](super::FakeAs::secrets), and hands it on.
    pub(super) fn remember(&mut self, kind: &'static str, value: String) -> String {
        self.issued.push(Issued { kind, value: value.clone() });
        value
    }

    /// Ends a sign-in; one that has ended keeps its reason.
    pub(super) fn revoke(&mut self, family: usize, reason: Revoked) {
        self.families[family].revoked.get_or_insert(reason);
    }
}
