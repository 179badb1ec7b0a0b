//! How long a caller waits for a token, and what each event means to it: the rules of both faces, without I/O or clock.
//!
//! 1. The wait lasts the request's timeout, else a minute. The daemon ends it first; the client only allows it a little
//!    longer, so that the daemon's reason is what the caller gets.
//! 2. With a prompt, and unless the request has a timeout, it lasts as long as the code.
//! 3. When the connection ends meanwhile, the daemon is given half a minute to come back, and the request is sent again.
//!    That is how long the daemon itself waits for its clients after a restart.
//! 4. A prompt is told once, however often it arrives.

use std::time::Duration;

use broker_ipc::api::{DevicePrompt, TokenEvent, TokenRequest};

use crate::call::Call;
use crate::error::ClientError;

/// What a request without a timeout waits for, as the daemon does.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// By how much the client waits longer than the daemon: a tenth, within these.
const SLACK: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
/// The longest that makes sense.
pub(crate) const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// How long a daemon that went away may take to come back.
pub(crate) const COMEBACK: Duration = Duration::from_secs(30);
/// How long any other call may take: the daemon asks a provider for at most half of it.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Login,
    Token,
}

/// One caller's wait.
#[derive(Debug)]
pub(crate) struct Wait {
    kind: Kind,
    request: TokenRequest,
    told: Vec<String>,
    losses: u32,
}

/// What an event means.
#[derive(Debug)]
pub(crate) enum Meaning {
    /// Nothing to this caller.
    Nothing,
    /// To be told; with how long to wait from now, if that changes.
    Tell(TokenEvent, Option<Duration>),
    /// The end.
    End(Result<TokenEvent, ClientError>),
}

impl Wait {
    pub(crate) fn new(kind: Kind, request: &TokenRequest) -> Self {
        Self { kind, request: request.clone(), told: Vec::new(), losses: 0 }
    }

    /// Returns how long to wait from the start.
    pub(crate) fn patience(&self) -> Duration {
        self.asked().unwrap_or(DEFAULT_TIMEOUT).saturating_add(self.slack())
    }

    /// Returns the request to send, with `left` of the patience; a timeout that was asked for shrinks with it.
    pub(crate) fn call(&self, left: Duration) -> Result<Call, ClientError> {
        let path = match self.kind {
            Kind::Login => "/v1/login",
            Kind::Token => "/v1/token",
        };
        if self.losses == 0 || self.request.timeout.is_none() {
            return Call::token(path, &self.request);
        }
        let timeout = left.saturating_sub(self.slack()).as_secs().max(1);
        Call::token(path, &TokenRequest { timeout: Some(timeout), ..self.request.clone() })
    }

    /// Says what an event means.
    pub(crate) fn meaning(&mut self, event: TokenEvent) -> Meaning {
        self.losses = self.losses.min(1);
        match event {
            TokenEvent::DevicePrompt(prompt) => self.prompt(prompt),
            TokenEvent::Error(body) => Meaning::End(Err(body.into())),
            TokenEvent::Token(_) if self.kind == Kind::Token => Meaning::End(Ok(event)),
            TokenEvent::SignedIn { .. } if self.kind == Kind::Login => Meaning::End(Ok(event)),
            _ => Meaning::Nothing,
        }
    }

    /// Returns how long to pause before asking again after a lost connection: at once, then ever longer up to a second.
    pub(crate) fn pause(&mut self) -> Duration {
        self.losses = self.losses.saturating_add(1);
        match self.losses {
            1 => Duration::ZERO,
            losses => Duration::from_millis(25 << losses.min(6)).min(Duration::from_secs(1)),
        }
    }

    /// The daemon waits for a day at most; a clock has no room for everything a number can say.
    fn asked(&self) -> Option<Duration> {
        self.request.timeout.map(|seconds| Duration::from_secs(seconds).min(LONGEST))
    }

    /// A daemon that hangs must not hold a caller much longer than that wants to wait.
    fn slack(&self) -> Duration {
        let [least, most] = SLACK;
        (self.asked().unwrap_or(DEFAULT_TIMEOUT) / 10).clamp(least, most)
    }

    fn prompt(&mut self, prompt: Box<DevicePrompt>) -> Meaning {
        if self.told.contains(&prompt.id) {
            return Meaning::Nothing;
        }
        self.told.push(prompt.id.clone());
        let life = Duration::from_secs(prompt.expires_in).min(LONGEST).saturating_add(SLACK[1]);
        let patience = self.asked().is_none().then_some(life);
        Meaning::Tell(TokenEvent::DevicePrompt(prompt), patience)
    }
}

#[cfg(test)]
mod tests {
    use broker_ipc::error::{ErrorBody, ErrorCode};

    use super::*;

    fn prompt(id: &str) -> TokenEvent {
        serde_json::from_value(serde_json::json!({
            "event": "device_prompt", "id": id, "user_code": "AB-CD", "verification_uri": "https://x.test",
            "expires_at": "2026-01-01T00:00:00Z", "expires_in": 900, "interval": 5, "profile": "work",
            "scopes": [], "requested_by": {}
        }))
        .unwrap()
    }

    #[test]
    fn a_prompt_is_told_once_and_lengthens_the_wait() {
        let mut wait = Wait::new(Kind::Token, &TokenRequest::default());
        assert_eq!(wait.patience(), Duration::from_secs(65));
        let told = wait.meaning(prompt("p1"));
        assert!(matches!(told, Meaning::Tell(_, Some(life)) if life == Duration::from_secs(905)));
        assert!(matches!(wait.meaning(prompt("p1")), Meaning::Nothing));
        assert!(matches!(wait.meaning(prompt("p2")), Meaning::Tell(..)));
    }

    #[test]
    fn a_timeout_that_was_asked_for_stands() {
        let request = TokenRequest { timeout: Some(30), ..TokenRequest::default() };
        let mut wait = Wait::new(Kind::Token, &request);
        assert_eq!(wait.patience(), Duration::from_secs(33));
        assert!(matches!(wait.meaning(prompt("p1")), Meaning::Tell(_, None)));
        let body =
            |wait: &Wait, left| String::from_utf8(wait.call(Duration::from_secs(left)).unwrap().body.unwrap()).unwrap();
        assert_eq!(body(&wait, 35), r#"{"timeout":30}"#);
        wait.pause();
        assert_eq!(body(&wait, 20), r#"{"timeout":17}"#);
        assert_eq!(body(&wait, 2), r#"{"timeout":1}"#);
    }

    #[test]
    fn a_short_timeout_is_not_made_long_by_a_daemon_that_hangs() {
        for (timeout, patience) in [(1, 2), (3, 4), (20, 22), (600, 605)] {
            let request = TokenRequest { timeout: Some(timeout), ..TokenRequest::default() };
            assert_eq!(Wait::new(Kind::Token, &request).patience(), Duration::from_secs(patience));
        }
    }

    #[test]
    fn the_end_is_an_error_or_what_was_asked_for() {
        let mut wait = Wait::new(Kind::Login, &TokenRequest::default());
        assert!(matches!(wait.meaning(TokenEvent::Unknown), Meaning::Nothing));
        let body = ErrorBody::new(ErrorCode::ExpiredToken, "x");
        let end = wait.meaning(TokenEvent::Error(body));
        assert!(matches!(end, Meaning::End(Err(error)) if error.exit_code() == 5));
        let signed_in = TokenEvent::SignedIn { account: crate::AccountRef::default(), profile: "work".into() };
        assert!(matches!(wait.meaning(signed_in), Meaning::End(Ok(_))));
    }

    #[test]
    fn pauses_grow_to_a_second() {
        let mut wait = Wait::new(Kind::Token, &TokenRequest::default());
        let pauses: Vec<_> = (0..8).map(|_| wait.pause().as_millis()).collect();
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1000, 1000, 1000]);
    }
}
