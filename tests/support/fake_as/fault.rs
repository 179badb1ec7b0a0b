//! What a test can make go wrong, and gates that hold a request without a clock.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time;

use super::raw::Raw;

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// RFC 8628 §3.1, in either dialect.
    DeviceAuthorization,
    /// The page a person opens.
    DevicePage,
    /// A metadata document.
    Discovery,
    /// RFC 7009.
    Revocation,
    /// RFC 6749 §3.2, in either dialect.
    Token,
    /// OpenID Connect Core §5.3, or what a provider has in its place.
    Userinfo,
    /// Nothing that exists.
    Unknown,
}

/// What a token request asks by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grant {
    /// RFC 8628 §3.4: a poll.
    DeviceCode,
    /// RFC 6749 §6: a refresh.
    RefreshToken,
}

impl Grant {
    pub(super) fn from_grant_type(grant_type: &str) -> Option<Self> {
        match grant_type {
            // The short form is what MSAL sends to Microsoft Entra.
            "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => Some(Self::DeviceCode),
            "refresh_token" => Some(Self::RefreshToken),
            _ => None,
        }
    }
}

/// Which requests are meant: those to an endpoint, or only the polls or refreshes among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Select {
    /// All requests to it.
    Endpoint(Endpoint),
    /// Token requests of that grant.
    Grant(Grant),
}

impl From<Endpoint> for Select {
    fn from(endpoint: Endpoint) -> Self {
        Self::Endpoint(endpoint)
    }
}

impl From<Grant> for Select {
    fn from(grant: Grant) -> Self {
        Self::Grant(grant)
    }
}

/// Something that happens to a request in place of, or around, its answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection ends without an answer, and nothing was done.
    CloseConnection,
    /// The answer comes, and is decided, this much later.
    Delay(Duration),
    /// No answer, ever.
    Hang,
    /// The request is served at once; its answer waits for the gate.
    HoldAnswer(Gate),
    /// A page for people, with status 200: a captive portal, or a proxy's apology.
    Html,
    /// The request is served, tokens rotate, and the answer is lost with the connection.
    LoseAnswer,
    /// The request is received and logged, and served when the gate opens.
    NotBefore(Gate),
    /// An error of RFC 6749 §5.2: status 401 for `invalid_client`, else 400.
    Oauth {
        /// `error`.
        error: String,
        /// `error_description`.
        description: String,
        /// More members.
        extra: Map<String, Value>,
    },
    /// The request is served not at all; these bytes go out in the place of an answer, and the connection ends.
    Raw(Raw),
    /// `slow_down`; the interval grows by five seconds and is enforced.
    SlowDown,
    /// Any answer.
    Status {
        /// The HTTP status.
        code: u16,
        /// The body.
        body: String,
        /// `Content-Type`.
        content_type: String,
        /// More headers.
        headers: Vec<(String, String)>,
    },
}

impl Fault {
    /// An OAuth error without more than its code.
    pub fn oauth(error: &str) -> Self {
        Self::Oauth { error: error.into(), description: format!("scripted {error}"), extra: Map::new() }
    }

    /// An error as Microsoft Entra words it.
    pub fn aadsts(error: &str, suberror: Option<&str>, number: u32) -> Self {
        let mut extra = Map::new();
        extra.insert("error_codes".into(), json!([number]));
        extra.insert("correlation_id".into(), super::random::uuid().into());
        extra.insert("trace_id".into(), super::random::uuid().into());
        extra.insert("timestamp".into(), super::failure::TIMESTAMP.into());
        if let Some(suberror) = suberror {
            extra.insert("suberror".into(), suberror.into());
        }
        Self::Oauth { error: error.into(), description: format!("AADSTS{number}: scripted."), extra }
    }

    /// A bare status, as a load balancer sends it.
    pub fn status(code: u16) -> Self {
        Self::Status {
            code,
            body: format!("{code} from the load balancer\n"),
            content_type: "text/plain".into(),
            headers: Vec::new(),
        }
    }

    /// Any answer, without more headers.
    pub fn answer(code: u16, content_type: &str, body: &str) -> Self {
        Self::Status { code, body: body.into(), content_type: content_type.into(), headers: Vec::new() }
    }

    /// 429 with `Retry-After`.
    pub fn throttled(retry_after: u64) -> Self {
        Self::come_back(429, "", retry_after)
    }

    /// Any answer with `Retry-After`.
    pub fn come_back(code: u16, body: &str, retry_after: u64) -> Self {
        Self::Status {
            code,
            body: body.into(),
            content_type: if body.starts_with('{') { "application/json" } else { "text/plain" }.into(),
            headers: vec![("retry-after".into(), retry_after.to_string())],
        }
    }
}

/// Holds requests until the test opens it, and tells the test when one has arrived.
#[derive(Clone, Debug)]
pub struct Gate {
    arrived: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self { arrived: watch::Sender::new(0), open: watch::Sender::new(false) }
    }

    /// Waits until a request stands at the gate, or passed it.
    pub async fn arrived(&self) {
        self.arrived_times(1).await;
    }

    /// Waits until that many requests have come to the gate.
    pub async fn arrived_times(&self, times: usize) {
        let mut arrived = self.arrived.subscribe();
        let reached = time::timeout(PATIENCE, arrived.wait_for(|count| *count >= times)).await;
        reached.expect("nobody came to the gate").expect("this gate keeps the sender");
    }

    /// Lets everybody through, those to come included.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    pub(super) async fn pass(&self) {
        self.arrived.send_modify(|count| *count += 1);
        let mut open = self.open.subscribe();
        let opened = open.wait_for(|open| *open).await;
        opened.expect("this gate keeps the sender");
    }
}

/// A day, which a paused clock passes at once: a test whose request never comes fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// The faults still to come.
#[derive(Default)]
pub(super) struct Script {
    queued: HashMap<Select, VecDeque<Fault>>,
    always: HashMap<Select, Fault>,
}

impl Script {
    pub(super) fn push(&mut self, select: Select, fault: Fault) {
        self.queued.entry(select).or_default().push_back(fault);
    }

    pub(super) fn always(&mut self, select: Select, fault: Fault) {
        self.always.insert(select, fault);
    }

    pub(super) fn clear(&mut self) {
        self.queued.clear();
        self.always.clear();
    }

    /// Whether nothing is to go wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.always.is_empty() && self.queued.values().all(VecDeque::is_empty)
    }

    /// Takes the fault for a request: queued before lasting, the grant's before the endpoint's.
    pub(super) fn next(&mut self, endpoint: Endpoint, grant: Option<Grant>) -> Option<Fault> {
        let selects = [grant.map(Select::Grant), Some(Select::Endpoint(endpoint))];
        let selects = selects.iter().flatten();
        selects
            .clone()
            .find_map(|select| self.queued.get_mut(select)?.pop_front())
            .or_else(|| selects.clone().find_map(|select| self.always.get(select).cloned()))
    }
}
