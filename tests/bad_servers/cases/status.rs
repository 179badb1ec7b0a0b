//! Statuses, redirects and headers that are not the answer asked for.

use support::fake_as::Fault;

use crate::case::Outcome::{Ends, NoAnswer, Used};
use crate::case::Stage::{Device, Discovery, Poll, Refresh};
use crate::case::{ALL, Case, OBJECTS, Stage, TOKEN, case, status};

/// Where a throttled caller is told so.
const THROTTLED: &[Stage] = &[Discovery, Device, Refresh];

pub(super) fn rows() -> Vec<Case> {
    let mut rows = Vec::new();
    for code in [301, 302, 303, 307, 308] {
        let redirect = status(code, TOKEN, &[("location", "http://127.0.0.1:7002/token")]);
        rows.push(case(ALL, format!("{code} to another server"), redirect, NoAnswer("provider_error")));
    }
    for (name, location) in [
        ("a file", "file:///etc/passwd"),
        ("the metadata of a cloud machine", "http://169.254.169.254/latest/meta-data/"),
        ("itself", "/token"),
        ("a script", "javascript:alert(1)"),
        ("nowhere", ""),
    ] {
        let redirect = status(302, "", &[("location", location)]);
        rows.push(case(OBJECTS, format!("302 to {name}"), redirect, NoAnswer("provider_error")));
    }
    for code in
        [201, 205, 206, 300, 304, 402, 405, 407, 408, 410, 418, 421, 431, 451, 500, 501, 505, 507, 511, 599, 999]
    {
        let page = status(code, "<html>Please stand by</html>", &[]);
        rows.push(case(&[Device, Poll, Refresh], format!("{code} with a page"), page, NoAnswer("provider_error")));
    }
    for retry_after in ["-1", "99999999999999999999", "1e9", "NaN", "Fri, 31 Dec 9999 23:59:59 GMT", "tomorrow", ""] {
        let wait = status(429, "", &[("retry-after", retry_after)]);
        rows.push(case(
            THROTTLED,
            format!("429 with Retry-After {retry_after:?}"),
            wait.clone(),
            NoAnswer("throttled"),
        ));
        // An hour at most is believed, of everybody behind the endpoint; no code lives so long.
        let outcome = if retry_after.starts_with("99") { Ends("expired_token") } else { NoAnswer("throttled") };
        rows.push(case(&[Poll], format!("a poll answered 429 with Retry-After {retry_after:?}"), wait, outcome));
        let wait = status(503, "", &[("retry-after", retry_after)]);
        rows.push(case(&[Refresh], format!("503 with Retry-After {retry_after:?}"), wait, NoAnswer("provider_error")));
    }
    for (name, value) in [
        ("set-cookie", "session=1; Domain=.example; Path=/"),
        ("refresh", "0; url=http://127.0.0.1:7002/"),
        ("location", "http://127.0.0.1:7002/"),
        ("alt-svc", "h2=\"127.0.0.1:7002\"; ma=86400"),
        ("link", "<http://127.0.0.1:7002/>; rel=preload"),
        ("www-authenticate", "Basic realm=\"give me a password\""),
        ("content-type", "text/html"),
        ("date", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] {
        let headers = [(name, value)];
        let answer = match status(200, TOKEN, &headers[usize::from(name == "content-type")..]) {
            Fault::Status { code, body, headers, .. } if name == "content-type" => {
                Fault::Status { code, body, content_type: value.into(), headers }
            }
            answer => answer,
        };
        rows.push(case(&[Refresh], format!("a success with {name}: {value}"), answer, Used));
    }
    rows
}
