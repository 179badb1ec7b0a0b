//! How far this machine's clock is from its providers', by the `Date` of their answers (RFC 9110 §6.6.1).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use http::header::{AGE, DATE};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

/// More servers than a configuration names.
const MOST: usize = 256;

/// The last difference seen of each server. One mutex, never held over an await.
#[derive(Debug, Default)]
pub(super) struct Clocks(Mutex<HashMap<String, SignedDuration>>);

impl Clocks {
    /// Notes what an answer says. One from a cache is as old as it says.
    pub(super) fn note(&self, host: Option<&str>, headers: &HeaderMap, now: Timestamp) {
        let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let date = text(DATE).and_then(|date| DateTimeParser::new().parse_timestamp(date.trim()).ok());
        let (Some(host), Some(date)) = (host, date) else { return };
        let age = text(AGE).and_then(|age| age.trim().parse::<u32>().ok()).unwrap_or_default();
        let ahead = now.duration_since(date) - SignedDuration::from_secs(age.into());
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if clocks.len() < MOST || clocks.contains_key(host) {
            clocks.insert(host.to_owned(), ahead);
        }
    }

    /// By how much this machine's clock is ahead of a server's; negative if it is behind.
    pub(super) fn ahead_of(&self, host: &str) -> Option<SignedDuration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_held_against_the_date_of_an_answer() {
        let now = Timestamp::from_second(784_111_777).unwrap(); // Sun, 06 Nov 1994 08:49:37 GMT
        for (date, age, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", None, Some(0)),
            ("Sun, 06 Nov 1994 08:39:37 GMT", None, Some(600)),
            ("Sun, 06 Nov 1994 08:39:37 GMT", Some("600"), Some(0)),
            ("Sun, 06 Nov 1994 09:49:37 GMT", Some("x"), Some(-3600)),
            ("yesterday", None, None),
            ("", None, None),
        ] {
            let clocks = Clocks::default();
            let mut headers = HeaderMap::new();
            headers.insert(DATE, date.parse().unwrap());
            headers.extend(age.map(|age| (AGE, age.parse().unwrap())));
            clocks.note(Some("as.example"), &headers, now);
            let ahead = clocks.ahead_of("as.example").map(|ahead| ahead.as_secs());
            assert_eq!(ahead, seconds, "{date} {age:?}");
        }
    }
}
