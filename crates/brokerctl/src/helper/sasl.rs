//! What mail clients send to authenticate: Google's XOAUTH2, and OAUTHBEARER (RFC 7628 §3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use broker_client::{ErrorBody, ErrorCode};

use super::Asker;
use crate::cli::Mechanism;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(
    asker: &Asker<'_>,
    mechanism: Mechanism,
    user: Option<&str>,
    host: Option<&str>,
    port: Option<u16>,
) -> Result<(), Failure> {
    let credential = asker.for_profile()?;
    let user = user.unwrap_or(credential.account());
    // What separates the parts must not be in one (RFC 7628 §3.1).
    if [Some(user), host].into_iter().flatten().any(|part| part.chars().any(char::is_control)) {
        return Err(ErrorBody::new(ErrorCode::BadRequest, "the user or the host has a control character").into());
    }
    output::line(&match mechanism {
        Mechanism::Xoauth2 => xoauth2(user, credential.token()),
        Mechanism::Oauthbearer => oauthbearer(user, host, port, credential.token()),
    })
}

fn xoauth2(user: &str, token: &str) -> String {
    STANDARD.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"))
}

fn oauthbearer(user: &str, host: Option<&str>, port: Option<u16>, token: &str) -> String {
    // RFC 5801 §4: in the name, `=` and `,` are written otherwise.
    let user = user.replace('=', "=3D").replace(',', "=2C");
    let host = host.map(|host| format!("host={host}\x01")).unwrap_or_default();
    let port = port.map(|port| format!("port={port}\x01")).unwrap_or_default();
    STANDARD.encode(format!("n,a={user},\x01{host}{port}auth=Bearer {token}\x01\x01"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// curl's own: tests 842, 843, 887 and 888 of its suite.
    const TOKEN: &str = "mF_9.B5f-4.1JqM";

    #[test]
    fn xoauth2_is_as_curl_sends_it() {
        assert_eq!(xoauth2("user", TOKEN), "dXNlcj11c2VyAWF1dGg9QmVhcmVyIG1GXzkuQjVmLTQuMUpxTQEB");
    }

    #[test]
    fn oauthbearer_is_as_rfc_7628_has_it() {
        // RFC 7628 §4.1 with another token.
        let text =
            STANDARD.decode(oauthbearer("user@example.com", Some("server.example.com"), Some(143), TOKEN)).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer mF_9.B5f-4.1JqM\x01\x01"
        );
        assert_eq!(
            STANDARD.decode(oauthbearer("a,b=c", None, None, "t")).unwrap(),
            b"n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01"
        );
    }
}
