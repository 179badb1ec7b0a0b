//! The table of `docs/MSAL.md`: made here, and the same as what stands there, or the test fails.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::side::Row;

/// A scenario as both went through it.
pub(super) struct Compared {
    pub(super) name: &'static str,
    pub(super) msal: Vec<Row>,
    pub(super) brokerd: Vec<Row>,
}

/// Why brokerd does otherwise, by scenario and step. No other row may differ, and each of these must.
const WHY: &[(&str, &str, &str)] = &[
    ("Device flow", "the program starts", NO_METADATA),
    (
        "The code runs out",
        "sign-in",
        "MSAL polls at once and hands its last poll back. brokerd polls after the interval first, and says that the time is up.",
    ),
    ("Wrong client id", "start and sign-in", NO_METADATA),
    ("Unknown tenant", "start and sign-in", NO_METADATA),
    ("Silent", "in other letters", "Scopes of Entra have no case."),
    (
        "Two accounts",
        "nobody in particular",
        "brokerd does not guess. With MSAL the program picks; this one takes the first, as the samples do.",
    ),
    ("An access token of four minutes", "silent", FIVE_MINUTES),
    ("An access token of four minutes", "silent again", FIVE_MINUTES),
    ("Past `refresh_in`", "silent", "brokerd answers at once and refreshes behind the answer."),
    ("Refresh refused: `bad_token`", "for another resource", "A dead refresh token is not sent again."),
    ("Outage", "silent, four minutes of the token left", FIVE_MINUTES),
    (
        "Outage",
        "forced",
        "MSAL counts the failure before for this request too, and does not ask. brokerd asks, and tries a second time after a second.",
    ),
    ("Outage", "for another resource", LEFT_ALONE),
    ("A page of HTML with status 200", "again, with the page gone", LEFT_ALONE),
    ("429 with `Retry-After: 60`", "for another resource", "The provider asked to be left alone, whatever the scopes."),
];

const LEFT_ALONE: &str = "MSAL counts each request by itself. brokerd leaves a provider that does not serve alone for everybody: a second first, then longer.";
const FIVE_MINUTES: &str = "To MSAL the last five minutes of a token do not count. brokerd serves a token of less than ten minutes until its last tenth.";
const NO_METADATA: &str = "brokerd reads no metadata: the endpoints follow from authority and tenant.";

const BEGIN: &str = "<!-- generated: BROKERD_BLESS=1 cargo test -p broker-tests --test e2e real_msal -->";
const END: &str = "<!-- end of what is generated -->";

/// Holds what was seen against the document; `BROKERD_BLESS=1` writes it there.
pub(super) fn check(seen: &[Compared]) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("docs").join("MSAL.md");
    let document = fs::read_to_string(&path).context("docs/MSAL.md")?;
    let (before, rest) = document.split_once(BEGIN).context("docs/MSAL.md has no table")?;
    let (there, after) = rest.split_once(END).context("the table of docs/MSAL.md does not end")?;
    let now = format!("\n\n{}\n", table(seen)?);
    if std::env::var_os("BROKERD_BLESS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{now}{END}{after}"))?;
        return Ok(());
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (there, now) = (lines(there), lines(&now));
    let missing = now.iter().filter(|line| !there.contains(line)).cloned().collect::<Vec<_>>();
    let gone = there.iter().filter(|line| !now.contains(line)).cloned().collect::<Vec<_>>();
    ensure!(
        there == now,
        "docs/MSAL.md shows something else than what was seen.\nSeen:\n{}\nThere:\n{}\n\
         If that is meant: BROKERD_BLESS=1 cargo test -p broker-tests --test e2e real_msal",
        missing.join("\n"),
        gone.join("\n"),
    );
    Ok(())
}

fn table(seen: &[Compared]) -> Result<String> {
    let mut text = String::from(
        "| | MSAL Python | its requests | brokerd | its requests | why they differ |\n|---|---|---|---|---|---|\n",
    );
    let mut reasons = WHY.to_vec();
    let mut wrong = Vec::new();
    for Compared { name, msal, brokerd } in seen {
        ensure!(msal.len() == brokerd.len(), "{name}: {msal:?} {brokerd:?}");
        writeln!(text, "| **{name}** | | | | | |")?;
        for (ours, theirs) in brokerd.iter().zip(msal) {
            ensure!(ours.step == theirs.step, "{name}: {msal:?} {brokerd:?}");
            let reason = reasons.iter().position(|(scenario, step, _)| scenario == name && *step == ours.step);
            let why = reason.map(|index| reasons.remove(index).2);
            let alike = ours.outcome.is_like(&theirs.outcome) && ours.requests == theirs.requests;
            if alike != why.is_none() {
                wrong.push(format!("{name}: MSAL {theirs:?}, brokerd {ours:?}, the reason: {why:?}"));
            }
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                ours.step,
                theirs.outcome,
                theirs.requests,
                ours.outcome,
                ours.requests,
                why.unwrap_or_default()
            )?;
        }
    }
    wrong.extend(reasons.iter().map(|reason| format!("a reason for what is not in the table: {reason:?}")));
    ensure!(wrong.is_empty(), "rows that differ without a reason, or have one and do not:\n{}", wrong.join("\n"));
    Ok(text)
}
