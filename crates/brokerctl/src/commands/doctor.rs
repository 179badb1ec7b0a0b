//! `doctor`: is all well? The daemon looks outward; this looks at itself and at the socket.

mod socket;

use broker_client::blocking::Client;
use broker_client::{ClientError, Finding, Findings};

use super::status::PATIENCE;
use crate::cli::Plain;
use crate::failure::Failure;
use crate::output::{self, Table};

/// What it ends with when something is not well.
const UNWELL: u8 = 1;

/// `brokerctl doctor`
pub(crate) fn run(client: &Client, options: &Plain) -> Result<(), Failure> {
    let mut findings = socket::look(client.endpoint());
    let quick = Client::new(client.endpoint().clone()).with_call_timeout(PATIENCE);
    let mut code = UNWELL;
    match quick.status() {
        Ok(status) => {
            findings.push(version(&status.version));
            let asked = client.doctor().map(|found| found.findings);
            findings.extend(asked.unwrap_or_else(|error| vec![unwell(&error)]));
        }
        Err(error) => {
            code = error.exit_code();
            findings.push(unwell(&error));
        }
    }
    let findings = Findings { ok: findings.iter().all(|finding| finding.ok), findings };
    if options.is_json() {
        output::json(&findings)?;
    } else {
        list(&findings).print()?;
    }
    if findings.ok { Ok(()) } else { Err(Failure::Told(code)) }
}

/// A daemon that does not answer as it should.
fn unwell(error: &ClientError) -> Finding {
    let body = error.to_body();
    finding("daemon", false, &body.error_description, body.hint.as_deref())
}

/// A daemon that was started before an update does not know what its successor does.
fn version(daemons: &str) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    if daemons == own {
        return finding("version", true, &format!("brokerd and brokerctl are {own}"), None);
    }
    let both = format!("brokerd is {daemons}, brokerctl is {own}");
    finding("version", false, &both, Some("restart brokerd after an update; see which brokerctl the PATH has first"))
}

fn finding(check: &str, ok: bool, detail: &str, hint: Option<&str>) -> Finding {
    let (check, detail, hint) = (check.into(), detail.into(), hint.map(str::to_owned));
    Finding { check, subject: String::new(), ok, error: None, detail, hint }
}

/// Writes findings for people.
pub(crate) fn list(findings: &Findings) -> Table {
    let mut table = Table::default();
    for finding in &findings.findings {
        let mark = if finding.ok { "ok" } else { "NOT OK" };
        let check = format!("{} {}", finding.check, finding.subject);
        table.row([mark, check.trim_end(), &finding.detail]);
        if let Some(hint) = &finding.hint {
            table.row(["", "", &format!("hint: {hint}")]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_of_one_of_the_two_is_told_with_both_versions() {
        let found = version("0.0.9");
        let both = format!("brokerd is 0.0.9, brokerctl is {}", env!("CARGO_PKG_VERSION"));
        assert_eq!((found.ok, found.detail), (false, both));
        assert!(found.hint.is_some_and(|hint| hint.contains("restart brokerd")));
        assert!(version(env!("CARGO_PKG_VERSION")).ok);
    }

    #[test]
    fn findings_line_up_with_their_hints() {
        let findings = serde_json::from_value(serde_json::json!({"ok": false, "findings": [
            {"check": "store", "ok": true, "detail": "fine"},
            {"check": "discovery", "subject": "work", "ok": false, "detail": "no answer", "hint": "proxy?"}
        ]}))
        .unwrap();
        assert_eq!(
            list(&findings).render(),
            "ok      store           fine\nNOT OK  discovery work  no answer\n\
             \x20                       hint: proxy?"
        );
    }
}
