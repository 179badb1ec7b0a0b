//! What of a server's text may reach a terminal or a log.

use url::Url;

/// Most characters of a server's prose that are kept.
const MAX_PROSE: usize = 600;

/// Cleans a server's prose: control, bidi, zero-width and tag characters go, white space runs become one space, the length
/// is bounded.
pub fn clean(prose: &str) -> String {
    let mut out = String::new();
    let mut kept = 0;
    for word in prose.split(|c: char| c.is_whitespace() || c.is_control()) {
        let word: String = word.chars().filter(|c| is_visible(*c)).take(MAX_PROSE - kept).collect();
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        kept += word.chars().count();
        out.push_str(&word);
        if kept >= MAX_PROSE {
            break;
        }
    }
    out
}

/// Whether a resource indicator is one: an absolute URI without a fragment (RFC 8707 §2).
pub fn is_resource_indicator(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.fragment().is_none())
}

/// Whether a character shows as itself and moves nothing around it.
pub fn is_visible(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{13430}'..='\u{13440}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

/// Checks a verification URI (RFC 8628 §3.2) before a person is sent there: `https`, or loopback; nothing invisible; no
/// user name in front of the host. Returns it in its ASCII form, so that what is shown is where the browser goes.
pub fn verification_uri(raw: &str) -> Option<String> {
    if raw.len() > 2048 || !raw.chars().all(|c| is_visible(c) && !c.is_whitespace()) {
        return None;
    }
    let url = Url::parse(raw).ok()?;
    let safe = is_https_or_loopback(&url) && url.username().is_empty() && url.password().is_none();
    // The parser adds a slash to a bare host; keep what was sent when it is plain ASCII.
    safe.then(|| if raw.is_ascii() { raw.to_owned() } else { url.to_string() })
}

/// Whether a URL is `https`, or `http` to this machine.
pub fn is_https_or_loopback(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        },
        _ => false,
    }
}

/// Checks a user code: short, printable ASCII, and more than the spaces around it, which nobody would type.
pub fn user_code(raw: &str) -> Option<&str> {
    let raw = raw.trim_matches(' ');
    let ok = (1..=64).contains(&raw.len()) && raw.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    ok.then_some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_loses_what_could_move_a_cursor() {
        assert_eq!(clean("a\u{1b}[31mb\r\nc\u{202e}d\u{200b}"), "a [31mb cd");
        assert_eq!(clean("a\u{1bca0}b\u{13430}c\u{1d173}d"), "abcd");
        assert_eq!(clean(&"x".repeat(10_000)).len(), MAX_PROSE);
        assert_eq!(clean(&"é ".repeat(10_000)).chars().filter(|c| *c == 'é').count(), MAX_PROSE);
    }

    #[test]
    fn the_bound_is_for_all_words_together() {
        let clean = clean(&format!("{} {} end", "x".repeat(400), "y".repeat(400)));
        assert_eq!((clean.matches('x').count(), clean.matches('y').count()), (400, MAX_PROSE - 400));
        assert!(!clean.contains("end"));
    }

    #[test]
    fn a_resource_indicator_is_absolute_and_has_no_fragment() {
        for (text, is) in
            [("urn:files", true), ("https://a.example/x?y", true), ("https://a.example/#f", false), ("files", false)]
        {
            assert_eq!(is_resource_indicator(text), is, "{text}");
        }
    }

    #[test]
    fn a_verification_uri_has_a_longest() {
        let of = |length: usize| format!("https://a.example/{}", "x".repeat(length - "https://a.example/".len()));
        for (length, passes) in [(2048, true), (2049, false), (5000, false)] {
            assert_eq!(verification_uri(&of(length)).is_some(), passes, "{length}");
        }
    }

    #[test]
    fn only_safe_verification_uris_pass() {
        for good in [
            "https://microsoft.com/devicelogin",
            "http://127.0.0.1:9400/device",
            "http://localhost/d",
            "http://[::1]/d",
        ] {
            assert_eq!(verification_uri(good).as_deref(), Some(good));
        }
        for bad in [
            "http://example.com/device",
            "http://localhost.example.com/",
            "javascript:alert(1)",
            "https://good.example@evil.example/",
            "https://example.com/\u{202e}gnp",
            "https://example.com/a b",
            "https://example.com/\u{1b}[2J",
            "file:///etc/passwd",
            "",
        ] {
            assert_eq!(verification_uri(bad), None, "{bad:?}");
        }
        assert_eq!(verification_uri("https://exämple.com/d").as_deref(), Some("https://xn--exmple-cua.com/d"));
    }

    #[test]
    fn user_codes_are_short_printable_ascii() {
        assert_eq!(user_code("WDJB-MJHT"), Some("WDJB-MJHT"));
        assert_eq!(user_code(" WDJB MJHT "), Some("WDJB MJHT"));
        for bad in ["", "   ", "a\nb", "\u{1b}[2J", "ＷＤＪＢ", &"A".repeat(65)] {
            assert_eq!(user_code(bad), None, "{bad:?}");
        }
    }
}
