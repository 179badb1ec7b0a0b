//! Wall time, and how far away a moment is that the daemon names.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns the wall time: a person looks at that clock too, and the other one stops while a machine sleeps.
#[expect(clippy::disallowed_methods, reason = "this is brokerctl's clock")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns it in seconds since the epoch.
pub(crate) fn seconds() -> i64 {
    let since = now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Reads RFC 3339 in UTC, as brokerd writes it.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
    let mut date = date.splitn(3, '-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.split('.').next()?.splitn(3, ':').map(number);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let known = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !known || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Days since 1970-01-01 in the Gregorian calendar; years begin in March, so that the leap day is their last.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let in_year = (153 * month + 2) / 5 + day - 1;
    (year * 365 + year / 4 - year / 100 + year / 400 + in_year).checked_sub(719_468)
}

/// Returns how long it is from `now` until a moment that brokerd names; nothing left is zero.
pub(crate) fn until(text: &str, now: SystemTime) -> Option<Duration> {
    Some(parse(text)?.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_brokerd_writes_them() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00Z", Some(951_825_600)),
            ("2026-11-28T17:45:27.123Z", Some(1_795_887_927)),
            ("2100-03-01T00:00:00Z", Some(4_107_542_400)),
            ("2026-13-01T00:00:00Z", None),
            ("2026-01-01T00:00:00+01:00", None),
            ("2026-01-01", None),
            ("+026-01-01T00:00:00Z", None),
            ("", None),
            ("\u{1b}[2J", None),
        ] {
            let read = parse(text).map(|at| at.duration_since(UNIX_EPOCH).unwrap().as_secs());
            assert_eq!(read, seconds, "{text}");
        }
    }
}
