//! `service`: brokerd under the platform's service manager.

use std::process::ExitStatus;

use broker_client::blocking::Client;
use broker_client::{ErrorBody, ErrorCode};

use crate::clean;
use crate::cli::{Service, ServiceCommand};
use crate::failure::{Failure, say};
use crate::output::{self, Table};
use crate::service::{self, Done, Plan, State};

/// What `status` ends with when it is not enabled.
const NOT_ENABLED: u8 = 1;

/// `brokerctl service`
pub(crate) fn run(client: &Client, options: &Service) -> Result<(), Failure> {
    match &options.command {
        ServiceCommand::Install(options) => {
            tell(&service::install(client, &Plan::new(options.force)?)?, options.plain.is_json())
        }
        ServiceCommand::Uninstall(options) => {
            tell(&service::uninstall(&Plan::new(options.force)?)?, options.plain.is_json())
        }
        ServiceCommand::Status(options) => {
            let state = service::state(&Plan::new(false)?)?;
            if options.plain.is_json() {
                output::json(&state)?;
            } else {
                describe(&state).print()?;
            }
            if state.enabled { Ok(()) } else { Err(Failure::Told(NOT_ENABLED)) }
        }
        ServiceCommand::Logs(options) => {
            let mut command = service::logs(options.follow, options.lines)?;
            let ended = command.status();
            ended.map_err(|error| unseen(&error.to_string())).and_then(passed_on)
        }
    }
}

/// Its own exit code is the answer; what it had to say stands on the terminal.
fn passed_on(status: ExitStatus) -> Result<(), Failure> {
    match status.code().map(u8::try_from) {
        Some(Ok(0)) | None => Ok(()),
        Some(code) => Err(Failure::Told(code.unwrap_or(1))),
    }
}

fn unseen(why: &str) -> Failure {
    ErrorBody::new(ErrorCode::NotFound, format!("the log cannot be shown: {why}")).into()
}

fn tell(done: &Done, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(done);
    }
    for step in &done.steps {
        say(&format!("brokerctl: {}\n", clean::line(step)));
    }
    for step in &done.unchanged {
        say(&format!("brokerctl: unchanged: {}\n", clean::line(step)));
    }
    Ok(())
}

fn describe(state: &State) -> Table {
    let mut table = Table::default();
    let yes = |yes| if yes { "yes" } else { "no" };
    table.row(["manager", state.manager]);
    table.row(["installed", yes(state.installed)]);
    table.row(["enabled", yes(state.enabled)]);
    let running = match state.pid {
        Some(pid) => format!("yes, as process {pid}"),
        None if state.enabled && state.manager == "systemd" => "no; the first client starts it".into(),
        None => yes(state.running).into(),
    };
    table.row(["running", &running]);
    for file in &state.files {
        let odd = match file.state {
            "edited" => " (edited)",
            "other" => " (not written by this command)",
            _ => "",
        };
        table.row(["file", &format!("{}{odd}", file.path)]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_waits_for_its_first_client_is_well() {
        let state = State { manager: "systemd", installed: true, enabled: true, ..State::default() };
        assert_eq!(
            describe(&state).render(),
            "manager    systemd\ninstalled  yes\nenabled    yes\nrunning    no; the first client starts it"
        );
    }
}
