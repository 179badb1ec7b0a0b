//! Durations as people write them: `90s`, `5m`, `2h`, or plain seconds; and as they read them.

use std::time::Duration;

/// Reads a duration.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 60 * 60),
        _ => (text, 1),
    };
    // `parse` would take a sign.
    let number = Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    number
        .and_then(|number| number.parse::<u64>().ok())
        .and_then(|number| number.checked_mul(unit))
        .map(Duration::from_secs)
        .ok_or_else(|| "expected a number of seconds, or one with s, m or h".to_owned())
}

/// Reads how long to wait: brokerd lets nobody wait longer than a day.
pub(crate) fn wait(text: &str) -> Result<Duration, String> {
    let wait = parse(text)?;
    let [least, most] = [Duration::from_secs(1), Duration::from_secs(24 * 60 * 60)];
    if wait < least || wait > most {
        return Err("expected 1s to 24h".to_owned());
    }
    Ok(wait)
}

/// Writes a number of seconds, roughly.
pub(crate) fn rough(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_nothing_else_is() {
        for (text, seconds) in [("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("2h", 7200)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        let huge = format!("{}h", u64::MAX);
        for text in ["", "s", "-1", "+1", "1.5h", "5 m", "5min", "1d", "m5", "é", &huge] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nobody_waits_for_no_time_or_for_years() {
        for (text, good) in [("1", true), ("24h", true), ("0", false), ("86401", false), ("99999h", false)] {
            assert_eq!(wait(text).is_ok(), good, "{text}");
        }
        assert!(wait("soon").unwrap_err().contains("expected a number of seconds"));
    }

    #[test]
    fn durations_are_written_roughly() {
        let table = [(0, "0 s"), (119, "119 s"), (899, "14 min"), (7200, "2 h"), (200_000, "2 days")];
        for (seconds, text) in table {
            assert_eq!(rough(seconds), text);
        }
    }
}
