//! What comes back: the status, when to come again, and a body of bounded size.

use broker_oauth::backoff::LONGEST_RETRY_AFTER;
use broker_oauth::wire::{MAX_BODY, ProviderResponse};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::OutboundError;
use super::cause::unreachable;

/// Reads an answer to its end.
pub(super) async fn read(
    response: http::Response<hyper::body::Incoming>,
    now: Timestamp,
) -> Result<ProviderResponse, OutboundError> {
    let status = response.status().as_u16();
    // A date is of the clock that set it, which says in the same answer what time it is there.
    let theirs = response.headers().get(http::header::DATE).and_then(date).unwrap_or(now);
    let retry_after = response.headers().get(http::header::RETRY_AFTER).and_then(|value| retry_after(value, theirs));
    let kind = response.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    let is_form = kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let mut body = Zeroizing::new(Vec::with_capacity(8 * 1024));
    let mut incoming = response.into_body();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| unreachable(&error))?;
        if let Some(data) = frame.data_ref() {
            if body.len() + data.len() > MAX_BODY {
                return Err(OutboundError::TooLarge);
            }
            body.extend_from_slice(data);
        }
    }
    Ok(ProviderResponse { status, retry_after, is_form, body })
}

/// RFC 9110 §5.6.7, in the form that is still to be sent.
fn date(value: &http::HeaderValue) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value.to_str().ok()?.trim()).ok()
}

/// RFC 9110 §10.2.3: seconds, or a date. At most an hour is believed.
fn retry_after(value: &http::HeaderValue, now: Timestamp) -> Option<u64> {
    let text = value.to_str().ok()?.trim();
    let seconds = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time too.
        text.parse().unwrap_or(u64::MAX)
    } else {
        let at = date(value)?;
        u64::try_from(at.as_second() - now.as_second()).unwrap_or(0)
    };
    Some(seconds.min(LONGEST_RETRY_AFTER.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_at_most_an_hour() {
        let now = Timestamp::from_second(784_111_777).unwrap();
        for (value, want) in [
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("999999", Some(3600)),
            ("18446744073709551615", Some(3600)),
            ("99999999999999999999999", Some(3600)),
            ("Mon, 30 Dec 2999 23:59:59 GMT", Some(3600)),
            ("0", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(&http::HeaderValue::from_static(value), now), want, "{value}");
        }
    }
}
