//! Every state of the prompt, as it looks: `tests/snapshots/prompt.txt`. `BROKERD_BLESS=1` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use super::super::example;
use super::*;

const EVERYTHING: Can = Can { open: true };
const OVER_SSH: Can = Can { open: false };

fn entra() -> DevicePrompt {
    example(json!({
        "user_code": "F4KQ2X7PM", "verification_uri": "https://microsoft.com/devicelogin",
        "account": "ada@contoso.com", "scopes": ["User.Read", "offline_access", "openid", "profile"],
        "requested_by": {"pid": 4711, "command": "terraform"}
    }))
}

fn complete() -> DevicePrompt {
    let uri = "https://sso.example.com/realms/main/device";
    example(json!({
        "user_code": "WDJB-MJHT", "verification_uri": uri,
        "verification_uri_complete": format!("{uri}?user_code=WDJB-MJHT"), "scopes": ["openid"],
        "requested_by": {"command": "git"}
    }))
}

fn hostile() -> DevicePrompt {
    let bad = "x\u{1b}[2J\u{1b}]0;t\u{7}\n\u{202e}y\u{9b}31m";
    let scopes: Vec<_> = (0..200).map(|n| format!("scope{n}{bad}")).collect();
    example(json!({
        "user_code": "A".repeat(65536), "verification_uri": "javascript:alert(1)",
        "verification_uri_complete": format!("https://x.test/{bad}"), "profile": bad, "account": bad, "other_accounts": [bad, bad, bad, bad],
        "scopes": scopes, "requested_by": {"pid": 1, "command": bad}
    }))
}

/// Writes lines as the terminal gets them, escapes made visible.
fn shown(lines: &[Line], look: &Look) -> String {
    let lines = lines.iter().map(|line| line.render(look).replace('\u{1b}', "\\e") + "\n");
    lines.collect::<String>()
}

fn page() -> String {
    let look = |columns, rows, unicode| Look { unicode, ..Look::test(columns, rows) };
    let mut page = String::new();
    let mut put = |name: &str, look: &Look, lines: &[Line]| {
        let Look { columns, rows, unicode } = look;
        let coding = if *unicode { "UTF-8" } else { "ASCII" };
        let _ = write!(page, "=== {name}, {columns} x {rows}, {coding}\n{}", shown(lines, look));
    };
    for (columns, rows, unicode) in [(100, 30, true), (80, 24, true), (80, 24, false), (60, 50, true), (20, 24, true)] {
        let look = look(columns, rows, unicode);
        put("Entra", &look, &card(&entra(), &look));
    }
    for look in [look(100, 40, true), look(37, 24, true)] {
        put("a page with the code in it", &look, &card(&complete(), &look));
    }
    let wide = look(80, 24, true);
    let mistyped = json!({"account": "adda@contoso.com", "other_accounts": ["ada@contoso.com", "bob@contoso.com"]});
    for look in [wide, look(20, 40, false)] {
        put("a name that may be mistyped", &look, &card(&example(mistyped.clone()), &look));
    }
    put("next to nothing known", &wide, &card(&example(json!({})), &wide));
    for look in [wide, look(20, 24, false)] {
        put("a hostile server", &look, &card(&hostile(), &look));
    }
    let left = Duration::from_secs(872);
    for state in [State::Waiting, State::Opened, State::NotOpened, State::Copied, State::Away] {
        put(&format!("{state:?}"), &wide, &live(&state, left, EVERYTHING, &wide));
    }
    put("no browser here", &wide, &live(&State::Waiting, Duration::from_secs(59), OVER_SSH, &wide));
    let narrow = look(20, 24, false);
    put("waiting", &narrow, &live(&State::Waiting, left, EVERYTHING, &narrow));
    for look in [wide, narrow] {
        put("the code has run out", &look, &live(&State::Waiting, Duration::ZERO, EVERYTHING, &look));
        put("ended", &look, &ended("signed in as ada@contoso.com (work)", &look));
    }
    page
}

#[test]
fn every_state_looks_as_it_was_decided() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/prompt.txt");
    let page = page();
    if std::env::var_os("BROKERD_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&file, &page).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    let differing = there.lines().zip(page.lines()).find(|(there, now)| there != now);
    assert!(there == page, "{}: BROKERD_BLESS=1 writes it anew: {differing:#?}", file.display());
}

/// On any terminal, whatever a server sends: nothing steers it, and no drawn line is wider than it is.
#[test]
fn nothing_a_server_sends_gets_out_of_its_place() {
    for columns in [1, 2, 7, 20, 37, 38, 80, 300] {
        for unicode in [true, false] {
            let look = Look { unicode, ..Look::test(columns, 24) };
            for prompt in [entra(), complete(), hostile()] {
                for line in card(&prompt, &look) {
                    let text = line.render(&look);
                    let bare = ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[0m", "\u{1b}[30;107m"]
                        .iter()
                        .fold(text, |text, known| text.replace(known, ""));
                    assert!(!bare.chars().any(crate::clean::is_unsafe), "{bare:?}");
                    assert!(unicode || bare.is_ascii(), "{bare:?}");
                }
            }
        }
    }
}

/// On a light background as on a dark one: what is to be read is in the terminal's own colours, bold or dim. Colours are for
/// marks, and the picture brings its own background.
#[test]
fn nothing_that_is_to_be_read_needs_a_background() {
    let page = page();
    let mut seen = std::collections::BTreeSet::new();
    for piece in page.split("\\e[").skip(1) {
        let (sgr, text) = piece.split_once('m').unwrap();
        seen.insert(sgr);
        match sgr {
            "0" | "1" | "2" => {}
            "32" | "1;31" => assert!(["✓", "ok:", "✗", "!"].contains(&text), "{text:?} is in colour {sgr}"),
            "30;107" => assert!(!text.chars().any(char::is_alphanumeric), "{text:?} is in the picture's colours"),
            other => panic!("{other} may vanish: {text:?}"),
        }
    }
    assert_eq!(Vec::from_iter(seen), ["0", "1", "1;31", "2", "30;107", "32"], "every style is in the page");
}

/// A camera must find it: as many light rows and columns around as modules were asked for, all rows of one width.
#[test]
fn the_picture_is_square_and_has_a_margin() {
    let lines = qr::draw("https://microsoft.com/devicelogin").unwrap();
    assert!(lines.iter().all(|line| line.width() == lines[0].width()));
    assert_eq!(lines.len(), lines[0].width().div_ceil(2));
    assert!(qr::draw(&"x".repeat(301)).is_none());
}
