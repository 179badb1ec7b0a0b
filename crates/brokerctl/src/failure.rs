//! How a command fails: what happened, what to do, whom to ask; and with which exit code.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use broker_client::{ClientError, EndpointError, ErrorBody, ErrorCode, ProviderError};

use crate::{clean, prompt};

/// How a failure is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    /// As the last line of `--prompt json`.
    Event,
    /// As the error body, in one line of JSON.
    Json,
    /// In lines for people.
    Text,
}

/// Why there is no answer on stdout.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It has been said already; the exit code says it to programs.
    Told(u8),
    /// A command that was run has failed: its exit code is ours, and it has said why itself.
    Ended(i32),
    /// brokerd, or the way to it.
    Client(ClientError),
    /// stdout took no more.
    Output(io::Error),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<EndpointError> for Failure {
    fn from(error: EndpointError) -> Self {
        Self::Client(error.into())
    }
}

impl From<ErrorBody> for Failure {
    fn from(body: ErrorBody) -> Self {
        Self::Client(body.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    /// Returns what went wrong, where it has a code.
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Client(error) => Some(error.code()),
            Self::Told(_) | Self::Ended(_) | Self::Output(_) => None,
        }
    }

    /// Returns all there is to say; nothing where it has been said, or nobody is left to hear it.
    pub(crate) fn body(&self) -> Option<ErrorBody> {
        match self {
            Self::Told(_) | Self::Ended(_) => None,
            Self::Output(error) if error.kind() == ErrorKind::BrokenPipe => None,
            Self::Output(error) => {
                Some(ErrorBody::new(ErrorCode::Internal, format!("cannot read or write what is piped: {error}")))
            }
            Self::Client(error) => Some(error.to_body()),
        }
    }

    /// Says it on stderr in one line, as tools show what their helpers say, and returns the exit code.
    pub(crate) fn tell_line(&self) -> u8 {
        if let Self::Told(code) = self {
            return *code;
        }
        let Some(body) = self.body() else { return 0 };
        say(&one_line(&body));
        body.exit_code()
    }

    /// Says it on stderr, and returns the exit code.
    pub(crate) fn report(self, voice: Voice) -> ExitCode {
        let body = match self {
            Self::Told(code) => return ExitCode::from(code),
            Self::Ended(code) => return passed_on(code),
            // Whoever read has left: there is nobody to tell.
            Self::Output(error) if error.kind() == ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
            }
            Self::Output(error) => ErrorBody::new(ErrorCode::Internal, format!("cannot write the answer: {error}")),
            Self::Client(error) => error.to_body(),
        };
        let text = match voice {
            Voice::Event => prompt::failed(&body),
            Voice::Json => json(&body),
            Voice::Text => text(&body),
        };
        say(&text);
        ExitCode::from(body.exit_code())
    }
}

/// Ends as a command that was run has ended.
pub(crate) fn ended(code: i32) -> Result<(), Failure> {
    if code == 0 { Ok(()) } else { Err(Failure::Ended(code)) }
}

/// An exit code of another program's as ours.
fn passed_on(code: i32) -> ExitCode {
    match u8::try_from(code) {
        Ok(code) => code.into(),
        // Windows' have 32 bits, and `ExitCode` takes eight. All there was to clean up has been: this is the end of `main`.
        #[cfg(windows)]
        #[expect(clippy::exit, reason = "the only way to give it all of them")]
        Err(_) => std::process::exit(code),
        #[cfg(not(windows))]
        Err(_) => ExitCode::FAILURE,
    }
}

/// Writes to stderr; when that is gone there is nowhere else to say so.
///
/// A pipe that nobody reads is given a moment and then up on: what is said must not hold the answer up.
pub(crate) fn say(text: &str) {
    let mut stderr = io::stderr().lock();
    for piece in text.as_bytes().chunks(PIPE_BUF) {
        if !takes_more() || stderr.write_all(piece).is_err() {
            return;
        }
    }
}

/// What a pipe that takes anything takes at once (POSIX: at least 512).
const PIPE_BUF: usize = 512;

/// Returns whether stderr takes something, or may be about to.
#[cfg(unix)]
fn takes_more() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stderr = io::stderr();
    let limit = Timespec { tv_sec: 1, tv_nsec: 0 };
    // Anything but a pipe that stays full: a closed one says so when it is written to.
    poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&limit)) != Ok(0)
}

#[cfg(not(unix))]
fn takes_more() -> bool {
    true
}

fn json(body: &ErrorBody) -> String {
    let text = serde_json::to_string(body).unwrap_or_else(|_| r#"{"error":"internal"}"#.to_owned());
    clean::json(text) + "\n"
}

/// What happened and what to do, in one line.
fn one_line(body: &ErrorBody) -> String {
    let line = |text: &str| clean::line(text).trim_end_matches('.').to_owned();
    let hint = body.hint.as_deref().map(|hint| format!("; {}", line(hint))).unwrap_or_default();
    format!("brokerctl: {}{hint}\n", line(&body.error_description))
}

/// One line of what happened, one of what to do, one for support, and where there is more to read.
fn text(body: &ErrorBody) -> String {
    let line = |text: &str| clean::line(text).trim_end_matches('.').to_owned();
    let mut lines = vec![format!("brokerctl: {}", line(&body.error_description))];
    for account in &body.accounts {
        lines.push(format!("  {}  ({})", line(&account.username), line(&account.id)));
    }
    if let Some(hint) = &body.hint {
        lines.push(format!("hint: {}", line(hint)));
    }
    if let Some(seconds) = body.retry_after {
        lines.push(format!("hint: ask again in {}", crate::duration::rough(seconds)));
    }
    if let Some(support) = body.provider.as_deref().and_then(support) {
        lines.push(format!("for support: {support}"));
    }
    if body.error != ErrorCode::Unknown {
        lines.push(format!("see: docs/ERRORS.md#{}", body.error));
    }
    lines.join("\n") + "\n"
}

/// The provider's own code and the ids its support asks for.
fn support(provider: &ProviderError) -> Option<String> {
    let numbers: Vec<_> = provider.error_codes.iter().map(ToString::to_string).collect();
    let numbers = Some(numbers.join(" ")).filter(|numbers| !numbers.is_empty());
    let parts = [
        ("error", &provider.error),
        ("suberror", &provider.suberror),
        ("codes", &numbers),
        ("correlation id", &provider.correlation_id),
        ("trace id", &provider.trace_id),
        ("time", &provider.timestamp),
    ];
    let known = parts
        .into_iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {}", clean::line(value))));
    let all = known.collect::<Vec<_>>().join(", ");
    (!all.is_empty()).then_some(all)
}

/// A failure in every voice.
#[cfg(all(test, unix))]
pub(crate) fn voices(body: &ErrorBody) -> [String; 4] {
    [text(body), one_line(body), json(body), prompt::failed(body)]
}

#[cfg(test)]
mod tests {
    use broker_client::AccountRef;

    use super::*;

    #[test]
    fn a_failure_says_what_happened_what_to_do_and_whom_to_ask() {
        let mut body = ErrorBody::new(ErrorCode::Blocked, "policy forbids this sign-in.\u{1b}[2J")
            .with_hint("ask your administrator.");
        body.accounts = vec![AccountRef { id: "a1".into(), username: "ada".into() }];
        body.retry_after = Some(30);
        body.provider = Some(Box::new(ProviderError {
            error: Some("invalid_grant".into()),
            error_codes: vec![53003],
            correlation_id: Some("c-1".into()),
            trace_id: Some("t-\u{202e}1".into()),
            ..ProviderError::default()
        }));
        assert_eq!(
            text(&body),
            "brokerctl: policy forbids this sign-in.[2J\n  ada  (a1)\nhint: ask your administrator\n\
             hint: ask again in 30 s\n\
             for support: error invalid_grant, codes 53003, correlation id c-1, trace id t-1\n\
             see: docs/ERRORS.md#blocked\n"
        );
        let line = json(&body);
        assert_eq!(line.lines().count(), 1);
        assert_eq!(serde_json::from_str::<ErrorBody>(&line).unwrap(), body);
    }

    /// Whatever a daemon lets through, the line for support is one line, and nothing in it steers the terminal.
    #[test]
    fn the_ids_for_support_are_one_line() {
        let mut body = ErrorBody::new(ErrorCode::ExpiredToken, "the code ran out");
        body.provider = Some(Box::new(ProviderError {
            correlation_id: Some("c-1\nbrokerctl: forged".into()),
            trace_id: Some("t\u{2028}-\u{1b}[2J1".into()),
            timestamp: Some("2025-02-19 03:40:30Z\r".into()),
            classification: Some("none".into()),
            ..ProviderError::default()
        }));
        assert_eq!(
            text(&body),
            "brokerctl: the code ran out\n\
             for support: correlation id c-1 brokerctl: forged, trace id t-[2J1, time 2025-02-19 03:40:30Z \n\
             see: docs/ERRORS.md#expired_token\n"
        );
        body.provider = Some(Box::default());
        let nothing = "brokerctl: the code ran out\nsee: docs/ERRORS.md#expired_token\n";
        assert_eq!(text(&body), nothing, "nothing to say is not said");
    }
}
