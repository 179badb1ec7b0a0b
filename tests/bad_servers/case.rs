//! What a row is made of.

use support::fake_as::{Fault, Piece, Raw};

/// Where the answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The issuer's metadata (RFC 8414).
    Discovery,
    /// The device authorization request (RFC 8628 §3.1).
    Device,
    /// The first poll (RFC 8628 §3.4).
    Poll,
    /// A refresh (RFC 6749 §6).
    Refresh,
    /// A sign-out (RFC 7009).
    Revocation,
    /// The question whose a token is.
    Userinfo,
}

/// Everywhere.
pub(crate) const ALL: &[Stage] =
    &[Stage::Discovery, Stage::Device, Stage::Poll, Stage::Refresh, Stage::Revocation, Stage::Userinfo];
/// Where the answer must be an OAuth object to be of any use.
pub(crate) const OBJECTS: &[Stage] = &[Stage::Discovery, Stage::Device, Stage::Poll, Stage::Refresh];

/// What must come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is no answer. Asking fails with this code; a poll goes on to the end of the sign-in, a sign-out says that it was
    /// not revoked, and who signed in stays unknown.
    NoAnswer(&'static str),
    /// It ends the flow it was for with this code.
    Ends(&'static str),
    /// It does, and what it says is used.
    Used,
}

/// A row.
pub(crate) struct Case {
    pub(crate) stages: &'static [Stage],
    pub(crate) name: String,
    pub(crate) answer: Fault,
    pub(crate) outcome: Outcome,
}

/// Makes a row.
pub(crate) fn case(stages: &'static [Stage], name: impl Into<String>, answer: Fault, outcome: Outcome) -> Case {
    Case { stages, name: name.into(), answer, outcome }
}

/// These bytes and the end of the connection.
pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Fault {
    Fault::Raw(Raw::text(bytes))
}

/// These bytes, then another piece.
pub(crate) fn raw_then(bytes: impl AsRef<[u8]>, piece: Piece) -> Fault {
    Fault::Raw(Raw::text(bytes).then(piece))
}

/// A success with this body, said to be JSON.
pub(crate) fn body(body: impl AsRef<[u8]>) -> Fault {
    let body = body.as_ref();
    let mut answer = format!("HTTP/1.1 200 OK\r\n{JSON}content-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    raw(answer)
}

/// An answer of that status with these headers.
pub(crate) fn status(code: u16, body: &str, headers: &[(&str, &str)]) -> Fault {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Fault::Status { code, body: body.into(), content_type: "application/json".into(), headers }
}

/// A header line.
pub(crate) const JSON: &str = "content-type: application/json\r\n";
/// An answer of the token endpoint that would do.
pub(crate) const TOKEN: &str = r#"{"access_token":"made-up-token","token_type":"Bearer","expires_in":3600}"#;
