//! What a provider's support finds a sign-in by.

use broker_ipc::error::ErrorBody;
use broker_oauth::failure::Failure;

use crate::provider::Fault;

/// The id of one sign-in, or of one refresh: a random UUID, sent with each of its requests where the provider takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CorrelationId(String);

impl CorrelationId {
    /// A new one (RFC 9562, version 4).
    pub(crate) fn random() -> Self {
        let mut bytes = [0_u8; 16];
        // Without randomness there is no TLS either, and no request to find.
        getrandom::fill(&mut bytes).ok();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let number = u128::from_be_bytes(bytes);
        let part = |shift: u32, digits: u32| number >> shift & ((1 << (4 * digits)) - 1);
        Self(format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            part(96, 8),
            part(80, 4),
            part(64, 4),
            part(48, 4),
            part(0, 12)
        ))
    }
}

impl std::fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ids of a sign-in as they come in.
///
/// Entra repeats the id of the first request in every answer to a poll. So the first id heard is the sign-in's, whatever
/// the last answer says, and also where it says nothing: a proxy's page, or our own clock at the end of the code.
#[derive(Debug)]
pub(crate) struct Trail {
    sent: CorrelationId,
    /// What the sign-in is known by: the id we sent, until the provider names one.
    known_by: Option<String>,
    heard: bool,
    trace_id: Option<String>,
    timestamp: Option<String>,
}

impl Trail {
    /// The trail of a sign-in that begins.
    pub(crate) fn new() -> Self {
        Self { sent: CorrelationId::random(), known_by: None, heard: false, trace_id: None, timestamp: None }
    }

    /// The trail of a sign-in that a daemon before this one began.
    pub(crate) fn resumed(id: String) -> Self {
        let sent = CorrelationId(id.clone());
        Self { sent, known_by: Some(id), heard: true, trace_id: None, timestamp: None }
    }

    /// The id to send.
    pub(crate) fn sent(&self) -> &CorrelationId {
        &self.sent
    }

    /// Notes that requests go out under this id.
    pub(crate) fn begin(&mut self, takes_request_ids: bool) {
        self.known_by = takes_request_ids.then(|| self.sent.to_string());
    }

    /// Notes what an answer says.
    pub(crate) fn hear(&mut self, fault: &Fault) {
        let Fault::Refused(Failure::OAuth(response)) = fault else { return };
        if let (false, Some(id)) = (self.heard, &response.correlation_id) {
            self.known_by = Some(id.clone());
            self.heard = true;
        }
        for (kept, new) in [(&mut self.trace_id, &response.trace_id), (&mut self.timestamp, &response.timestamp)] {
            if new.is_some() {
                kept.clone_from(new);
            }
        }
    }

    /// The sign-in's id, once something has gone out under it.
    pub(crate) fn id(&self) -> Option<&str> {
        self.known_by.as_deref()
    }

    /// Puts the ids into the error that ends the sign-in.
    pub(crate) fn mark(&self, body: &mut ErrorBody) {
        let Some(id) = &self.known_by else { return };
        let provider = body.provider.get_or_insert_default();
        provider.correlation_id = Some(id.clone());
        provider.trace_id = provider.trace_id.take().or_else(|| self.trace_id.clone());
        provider.timestamp = provider.timestamp.take().or_else(|| self.timestamp.clone());
    }
}

#[cfg(test)]
mod tests {
    use broker_ipc::error::ErrorCode;
    use broker_oauth::failure::ErrorResponse;

    use super::*;

    fn answer(correlation_id: Option<&str>, trace_id: &str) -> Fault {
        let response = ErrorResponse {
            correlation_id: correlation_id.map(str::to_owned),
            trace_id: Some(trace_id.into()),
            ..ErrorResponse::default()
        };
        Fault::Refused(Failure::OAuth(Box::new(response)))
    }

    #[test]
    fn an_id_is_a_random_uuid() {
        let (one, other) = (CorrelationId::random().to_string(), CorrelationId::random().to_string());
        assert_ne!(one, other);
        let lengths: Vec<_> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{one}");
        assert!(one.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()), "{one}");
        assert_eq!(one.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&one.as_bytes()[19]), "{one}");
    }

    #[test]
    fn the_first_correlation_id_and_the_last_trace_id_are_told() {
        let mut trail = Trail::new();
        trail.begin(true);
        assert_eq!(trail.id(), Some(trail.sent().to_string().as_str()), "ours, before any answer");
        trail.hear(&answer(Some("first"), "t1"));
        trail.hear(&answer(Some("second"), "t2"));
        trail.hear(&Fault::Unreachable(crate::outbound::Unreachable::new("gone")));
        let mut body = ErrorBody::new(ErrorCode::ExpiredToken, "over");
        trail.mark(&mut body);
        let provider = body.provider.unwrap();
        assert_eq!((provider.correlation_id.as_deref(), provider.trace_id.as_deref()), (Some("first"), Some("t2")));
    }

    #[test]
    fn where_nothing_went_out_there_is_nothing_to_tell() {
        let mut body = ErrorBody::new(ErrorCode::KeyringLocked, "locked");
        Trail::new().mark(&mut body);
        assert_eq!(body.provider, None);
        let mut trail = Trail::new();
        trail.begin(false);
        assert_eq!(trail.id(), None, "a provider that takes none has not heard of ours");
    }
}
