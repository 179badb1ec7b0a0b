//! From an error of the connection to one line of what happened, and one of what to do.

use std::error::Error;
use std::io;

use broker_oauth::text::clean;
use rustls::CertificateError;

use super::tunnel::TunnelError;
use super::{Hint, OutboundError, Unreachable};

const TRUST: Hint =
    "if the provider has a private authority, or a proxy here opens TLS, name its CA certificates as ca_file";
const CLOCK: Hint =
    "check this machine's clock; else the provider must renew it (ca_file is for another authority only)";
const NAME: Hint = "check the host in the profile; ca_file cannot help, another server answers under this name";
const NOT_TLS: Hint =
    "check the port and the scheme in the profile; a proxy or a captive portal may answer in its place";
const OLD: Hint = "brokerd speaks TLS 1.2 and 1.3; an older server, or a proxy that opens TLS, must learn one of them";
const CUT: Hint = "try again; if it stays, a firewall or a proxy on the way does not let this host through";

/// What the caller is told of an error below HTTP or of HTTP itself.
pub(super) fn unreachable(error: &(dyn Error + 'static)) -> OutboundError {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(tunnel) = cause.downcast_ref::<TunnelError>() {
            return Unreachable { why: clean(&tunnel.to_string()), hint: Some(tunnel.hint()) }.into();
        }
        if let Some((what, hint)) = cause.downcast_ref().and_then(handshake) {
            return Unreachable { why: clean(&what), hint: Some(hint) }.into();
        }
        if cause.to_string() == CUT_OFF {
            return Unreachable { why: "it ended the connection in the TLS handshake".into(), hint: Some(CUT) }.into();
        }
        next = inner(cause);
    }
    Unreachable::new(innermost(error)).into()
}

/// Whether it was TLS that went wrong, not the connection below it.
pub(super) fn is_of_tls(error: &(dyn Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| inner(*error));
    causes.into_iter().any(<dyn Error>::is::<rustls::Error>)
}

/// The innermost cause is the one that helps: "Connection refused".
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = inner(cause) {
        cause = inner;
    }
    clean(&cause.to_string())
}

/// `io::Error` passes over what it was made of when asked for its source.
fn inner<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// What went wrong before the first request, where more can be said than TLS itself says.
fn handshake(wrong: &rustls::Error) -> Option<(String, Hint)> {
    match wrong {
        rustls::Error::InvalidCertificate(wrong) => Some(certificate(wrong)),
        rustls::Error::InvalidMessage(_) => Some(("what answers there does not speak TLS".into(), NOT_TLS)),
        rustls::Error::AlertReceived(alert) => Some((format!("it refused the TLS handshake: {alert:?}"), OLD)),
        _ => None,
    }
}

/// What is wrong with a certificate.
fn certificate(wrong: &CertificateError) -> (String, Hint) {
    match wrong {
        CertificateError::UnknownIssuer => {
            ("the provider's certificate is from an unknown issuer: no authority trusted here".into(), TRUST)
        }
        CertificateError::BadSignature => (
            "the provider's certificate is signed by another authority than the one trusted here under its name".into(),
            TRUST,
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("the provider's certificate has expired".into(), CLOCK)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("the provider's certificate is not valid yet".into(), CLOCK)
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            (format!("the provider's certificate is for another name: {wrong}"), NAME)
        }
        other => (format!("the provider's certificate is not good: {other}"), TRUST),
    }
}

/// As tokio-rustls says it, without a type of its own.
const CUT_OFF: &str = "tls handshake eof";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_found_below_everything() {
        for (wrong, named) in [
            (CertificateError::UnknownIssuer, "unknown issuer"),
            (CertificateError::Expired, "has expired"),
            (CertificateError::NotValidYet, "not valid yet"),
            (CertificateError::NotValidForName, "another name"),
            (CertificateError::BadSignature, "another authority"),
            (CertificateError::Revoked, "not good"),
        ] {
            // As hyper-rustls hands it on.
            let tls = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(wrong));
            let OutboundError::Unreachable(told) = unreachable(&io::Error::other(tls)) else { panic!("{named}") };
            assert!(told.why.contains("certificate") && told.why.contains(named), "{told}");
            assert!(told.hint().contains("ca_file"), "{}", told.hint());
        }
    }

    #[test]
    fn anything_else_is_told_by_its_innermost_cause() {
        let refused = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
        let OutboundError::Unreachable(told) = unreachable(&refused) else { panic!("not unreachable") };
        assert_eq!(told.why, "connection refused");
        assert!(told.hint().contains("doctor"));
    }
}
