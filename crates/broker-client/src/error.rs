//! What can go wrong between a program and the daemon.

use std::io;

use broker_ipc::connect::ConnectError;
use broker_ipc::endpoint::{Endpoint, EndpointError};
use broker_ipc::error::{ErrorBody, ErrorCode};

use crate::start;

/// Why there is no answer, or what the answer was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nothing listens at the endpoint.
    #[error("brokerd is not running: nothing listens at {endpoint}")]
    NotRunning {
        /// Where it was looked for.
        endpoint: Endpoint,
    },
    /// The daemon went away while it was waited for, and did not come back in half a minute.
    #[error("brokerd went away while this waited, and has not come back")]
    Gone,
    /// Somebody else's daemon, or one that does not let this user in.
    #[error("{endpoint} is not this user's brokerd: {why}")]
    Forbidden {
        /// Where.
        endpoint: Endpoint,
        /// What is wrong with it.
        why: String,
    },
    /// The daemon answered, and this is why not.
    #[error(transparent)]
    Api(Box<ErrorBody>),
    /// The answer is not one of LocalAPI v1.
    #[error("brokerd's answer makes no sense: {0}")]
    Protocol(String),
    /// No answer in time.
    #[error("no answer from brokerd in time")]
    Timeout,
    /// The endpoint's name is impossible.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The connection failed.
    #[error("the connection to brokerd failed")]
    Io(#[source] io::Error),
}

impl ClientError {
    /// Returns the error as a code of the closed list. [`ErrorCode::Unknown`] is one of a newer daemon: [`ErrorBody::newer`] has
    /// its name and its HTTP status, to go by.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotRunning { .. } | Self::Gone => ErrorCode::NotRunning,
            Self::Forbidden { .. } => ErrorCode::Forbidden,
            Self::Api(body) => body.error,
            Self::Timeout => ErrorCode::Timeout,
            Self::Endpoint(_) => ErrorCode::Configuration,
            Self::Protocol(_) | Self::Io(_) => ErrorCode::Internal,
        }
    }

    /// Returns the exit code a command ends with; of a code that this version does not know, by its HTTP status.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Api(body) => body.exit_code(),
            error => error.code().exit_code(),
        }
    }

    /// Returns one line of what to do about it, where there is something.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Api(body) if body.error == ErrorCode::UnsupportedField => {
                Some("restart brokerd: it is older than this client")
            }
            Self::Api(body) => body.hint.as_deref(),
            Self::Endpoint(error) => error.hint(),
            Self::Timeout => Some("it is very busy, or hangs: see its log, and restart it if that does not help"),
            Self::NotRunning { endpoint } => Some(start::hint(endpoint)),
            Self::Gone => Some("start brokerd and ask again; a prompt whose code still lives goes on if that is soon"),
            _ => None,
        }
    }

    /// Returns the body a daemon would have sent for it, for programs that want one shape for every failure.
    pub fn to_body(&self) -> ErrorBody {
        let mut body = match self {
            Self::Api(body) => (**body).clone(),
            Self::Io(source) => ErrorBody::new(self.code(), format!("{self}: {source}")),
            _ => ErrorBody::new(self.code(), self.to_string()),
        };
        body.hint = self.hint().map(str::to_owned);
        body
    }

    /// Returns whether the connection or the daemon went away, so that asking a new one may help.
    pub(crate) fn is_loss(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
        match self {
            Self::Io(error) => {
                matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
            }
            Self::Api(body) => body.error == ErrorCode::ShuttingDown,
            _ => false,
        }
    }

    /// Returns whether such a loss came before the request was out, or the daemon said that it did nothing.
    pub(crate) fn is_unheard(&self) -> bool {
        match self {
            // Reading ends with other errors.
            Self::Io(error) => matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected),
            Self::Api(_) => true,
            _ => false,
        }
    }

    /// The connection ended before the answer did.
    pub(crate) fn lost() -> Self {
        Self::Io(io::ErrorKind::UnexpectedEof.into())
    }
}

impl From<ErrorBody> for ClientError {
    fn from(body: ErrorBody) -> Self {
        Self::Api(Box::new(body))
    }
}

impl From<ConnectError> for ClientError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::NotRunning { endpoint } => Self::NotRunning { endpoint },
            ConnectError::Forbidden { endpoint, why } => Self::Forbidden { endpoint, why },
            ConnectError::Timeout => Self::Timeout,
            ConnectError::Endpoint(error) => Self::Endpoint(error),
            ConnectError::Io(error) => Self::Io(error),
            error => Self::Io(io::Error::other(error)),
        }
    }
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // What a socket's timeout is called differs by platform.
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Timeout,
            _ => Self::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_a_code_and_an_exit_code() {
        let endpoint = Endpoint::from_path("/run/x");
        let why = "user 7 listens there".to_owned();
        let table = [
            (ClientError::NotRunning { endpoint: endpoint.clone() }, "not_running", 7),
            (ClientError::Forbidden { endpoint, why }, "forbidden", 7),
            (ErrorBody::new(ErrorCode::AccessDenied, "no").into(), "access_denied", 4),
            (ClientError::Timeout, "timeout", 5),
            (ClientError::Gone, "not_running", 7),
            (ClientError::Protocol("x".into()), "internal", 1),
            (ClientError::lost(), "internal", 1),
            (io::Error::from(io::ErrorKind::WouldBlock).into(), "timeout", 5),
        ];
        for (error, code, exit) in table {
            assert_eq!((error.code().as_str(), error.exit_code()), (code, exit), "{error}");
            assert_eq!(error.to_body().error.as_str(), code);
        }
    }

    #[test]
    fn where_nothing_listens_there_is_something_to_do() {
        let body = ClientError::NotRunning { endpoint: Endpoint::from_path("/run/x") }.to_body();
        assert!(body.hint.is_some_and(|hint| hint.starts_with("check that address")));
    }

    #[test]
    fn a_path_with_no_room_in_a_socket_says_what_to_set() {
        let error = EndpointError::TooLong { path: "/x".into(), limit: 107 };
        let body = ClientError::from(error).to_body();
        assert_eq!(body.error, ErrorCode::Configuration);
        assert!(body.hint.is_some_and(|hint| hint.contains("BROKERD_SOCKET")));
    }

    #[test]
    fn an_older_daemon_is_told_to_be_restarted() {
        let body = ErrorBody::new(ErrorCode::UnsupportedField, "unknown field `x`").with_hint("y");
        let error = ClientError::from(body);
        assert_eq!(error.hint(), Some("restart brokerd: it is older than this client"));
        assert_eq!(error.to_body().hint.as_deref(), error.hint());
    }
}
