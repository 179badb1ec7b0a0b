//! The audit line: to whom each access token was handed out or refused, one structured line at `info` in the target
//! [`TARGET`]. `docs/OPERATING.md` has its fields.
//!
//! A line names a token by a keyed fingerprint. The key is made at each start and told to nobody, so that whoever has only
//! the log can tell one token from another, and cannot find out whether a token is one of them.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use broker_ipc::api::TokenRequest;
use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_ipc::peer::Peer;
use broker_oauth::secret::AccessToken;
use broker_oauth::token::IssuedToken;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tracing::Level;
use zeroize::Zeroizing;

use crate::acquire::Acquired;
use crate::config::Socket;
use crate::restricted::Allowance;

/// The target of these lines, for `BROKERD_LOG`.
pub const TARGET: &str = "brokerd::audit";
/// Most characters of a line that come from a request.
const LONGEST: usize = 200;

/// The key of this start's fingerprints.
pub(crate) struct Audit {
    key: Option<Zeroizing<[u8; 32]>>,
    /// The last token that had one, and it: most requests are for the same token as the one before.
    latest: Mutex<Option<(Weak<IssuedToken>, Arc<str>)>>,
}

impl Audit {
    /// With a new key. Without randomness there is none, and lines have no fingerprint.
    pub(crate) fn new() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        Self { key: getrandom::fill(&mut *key).is_ok().then_some(key), latest: Mutex::default() }
    }

    /// A token goes out to a client.
    pub(crate) fn granted(&self, client: &Client, acquired: &Acquired) {
        if !tracing::enabled!(target: TARGET, Level::INFO) {
            return;
        }
        let (peer, process) = (&client.peer, client.process());
        tracing::info!(
            target: TARGET,
            outcome = "granted",
            uid = peer.uid,
            pid = peer.pid,
            executable = process.executable.as_deref(),
            unit = process.unit.as_deref(),
            socket = client.socket(),
            profile = acquired.profile.as_str(),
            account = acquired.account.id.as_str(),
            scope = acquired.token.scope.joined(),
            source = acquired.source.as_str(),
            extended = acquired.extended.then_some(true),
            token = self.fingerprint_of(&acquired.token).as_deref(),
        );
    }

    /// A token's fingerprint, from the last time if that was the same token.
    fn fingerprint_of(&self, token: &Arc<IssuedToken>) -> Option<Arc<str>> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, fingerprint)) = &*latest
            && std::ptr::eq(known.as_ptr(), Arc::as_ptr(token))
        {
            return Some(Arc::clone(fingerprint));
        }
        let fingerprint: Arc<str> = self.fingerprint(&token.access_token)?.into();
        // A weak reference keeps the place from being another token's, and the token from nothing.
        *latest = Some((Arc::downgrade(token), Arc::clone(&fingerprint)));
        Some(fingerprint)
    }

    /// HMAC-SHA256, its first 64 bits in hex.
    fn fingerprint(&self, token: &AccessToken) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key.as_ref()?[..]).ok()?;
        mac.update(token.expose().as_bytes());
        let tag = mac.finalize().into_bytes();
        let first: [u8; 8] = tag[..8].try_into().ok()?;
        Some(format!("{:016x}", u64::from_be_bytes(first)))
    }
}

/// How a token came to the caller who has it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// It was at hand.
    Memory,
    /// By this account's refresh token, for this caller or for one who wanted the same.
    Refresh,
    /// By the refresh token of another client of the family.
    Family,
    /// By a person.
    SignIn,
}

impl Source {
    fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Refresh => "refresh",
            Self::Family => "family",
            Self::SignIn => "sign_in",
        }
    }
}

/// The process at the other end of a connection, and how it came. What `/proc` says of it is read once, when a line first needs it.
pub struct Client {
    /// Its credentials.
    pub peer: Peer,
    /// The restricted socket it came by; `None`: the daemon's own endpoint.
    pub socket: Option<Arc<Socket>>,
    /// What it shares with everybody else who came by that.
    pub(crate) allowance: Option<Arc<Allowance>>,
    process: OnceLock<Process>,
}

struct Process {
    command: Option<String>,
    executable: Option<String>,
    unit: Option<String>,
}

impl Client {
    /// A client that the kernel names so, at the daemon's own endpoint.
    pub fn new(peer: Peer) -> Self {
        Self { peer, socket: None, allowance: None, process: OnceLock::new() }
    }

    /// The same at a restricted socket.
    pub(crate) fn at(socket: &Arc<Socket>, allowance: &Arc<Allowance>, peer: Peer) -> Self {
        Self { socket: Some(Arc::clone(socket)), allowance: Some(Arc::clone(allowance)), ..Self::new(peer) }
    }

    fn socket(&self) -> Option<String> {
        self.socket.as_ref().map(|socket| socket.path.display().to_string())
    }

    /// Returns the base name of its executable, as it was when somebody first wanted to know: a caller that is not waited for
    /// may be gone when a prompt names it.
    pub(crate) fn command(&self) -> Option<&str> {
        self.process().command.as_deref()
    }

    fn process(&self) -> &Process {
        self.process.get_or_init(|| {
            let executable = self.peer.executable();
            // Where the path is known, so is the name: it is somebody's token that waits.
            let command = match &executable {
                Some(path) => Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()),
                None => self.peer.command(),
            };
            Process { command, executable, unit: self.peer.unit() }
        })
    }
}

/// A request for a token, for the line it ends in. Dropped without one when the caller leaves before the answer.
#[derive(Default)]
pub(crate) struct Inquiry(Option<Asked>);

struct Asked {
    client: Arc<Client>,
    profile: Option<String>,
    account: Option<String>,
    scope: String,
}

impl Inquiry {
    /// What a client asks for. Costs nothing where the lines are switched off.
    pub(crate) fn new(client: &Arc<Client>, request: &TokenRequest) -> Self {
        let asked = || Asked {
            client: Arc::clone(client),
            profile: request.profile.as_deref().map(bounded),
            account: request.account.as_deref().map(bounded),
            scope: bounded(&request.scopes.join(" ")),
        };
        Self(tracing::enabled!(target: TARGET, Level::INFO).then(asked))
    }

    /// No token; profile, account and scope are what was asked for.
    pub(crate) fn refused(&self, error: ErrorCode) {
        let Some(asked) = &self.0 else { return };
        let (peer, process) = (&asked.client.peer, asked.client.process());
        tracing::info!(
            target: TARGET,
            outcome = "refused",
            uid = peer.uid,
            pid = peer.pid,
            executable = process.executable.as_deref(),
            unit = process.unit.as_deref(),
            socket = asked.client.socket(),
            profile = asked.profile.as_deref(),
            account = asked.account.as_deref(),
            scope = Some(asked.scope.as_str()).filter(|scope| !scope.is_empty()),
            error = error.as_str(),
        );
    }

    /// The one or the other.
    pub(crate) fn decided(&self, audit: &Audit, outcome: &Result<Acquired, ErrorBody>) {
        match outcome {
            Ok(acquired) => {
                if let Some(asked) = &self.0 {
                    audit.granted(&asked.client, acquired);
                }
            }
            Err(body) => self.refused(body.error),
        }
    }
}

/// A request's word, no longer than a line bears. The log quotes it, with what is not plain escaped.
fn bounded(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_tokens_apart_and_says_nothing_to_another_key() {
        let (audit, another) = (Audit::new(), Audit::new());
        let (one, two) = (AccessToken::new("at-one"), AccessToken::new("at-two"));
        let fingerprint = audit.fingerprint(&one).unwrap();
        assert_eq!(fingerprint.len(), 16);
        assert_eq!(audit.fingerprint(&one).unwrap(), fingerprint);
        assert_ne!(audit.fingerprint(&two).unwrap(), fingerprint);
        assert_ne!(another.fingerprint(&one).unwrap(), fingerprint);
    }

    /// RFC 4231 §4.3, test case 2, by a key that is padded with zeros to ours.
    #[test]
    fn it_is_hmac_sha256() {
        let mut key = Zeroizing::new([0; 32]);
        key[..4].copy_from_slice(b"Jefe");
        let audit = Audit { key: Some(key), latest: Mutex::default() };
        let fingerprint = audit.fingerprint(&AccessToken::new("what do ya want for nothing?"));
        assert_eq!(fingerprint.as_deref(), Some("5bdcc146bf60754e"));
    }
}
