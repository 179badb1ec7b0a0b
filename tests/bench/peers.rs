//! The other brokers, each set up to have a token at hand, from the same authorization server where it can use that.

mod msal;
mod oidc_agent;
mod pizauth;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command};

use tempfile::TempDir;
use tokio::runtime::Handle;

use super::report::Report;
use super::stage::Server;

/// Those that run, and why others do not.
pub(crate) struct Peers {
    pub(crate) started: Vec<Peer>,
    missing: Vec<(&'static str, String)>,
}

/// One of them.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// In every so many rounds it has a turn: slow ones in few.
    pub(crate) every: usize,
    /// Whether it is a process that keeps the sign-in for others, as brokerd is, and not a library.
    pub(crate) is_broker: bool,
    /// Program and arguments that print a token.
    fetch: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    /// How its socket is asked without its command.
    pub(crate) raw: Option<Raw>,
    /// Processes that run until the end.
    processes: Vec<Child>,
    _directory: TempDir,
}

/// A request on a socket, answered until the server closes.
pub(crate) struct Raw {
    pub(crate) socket: PathBuf,
    pub(crate) request: Vec<u8>,
    /// Whether the client closes its half first.
    pub(crate) half_close: bool,
}

impl Peer {
    /// The command that prints a token.
    pub(crate) fn fetch(&self) -> Command {
        self.command(&self.fetch[0], &self.fetch[1..])
    }

    /// A command in its environment.
    fn command(&self, program: &OsString, arguments: &[OsString]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The processes that answer: those that were started, and theirs. oidc-agent keeps its accounts in a second one.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self.processes.iter().map(Child::id).collect();
        let mut next = 0;
        while let Some(pid) = pids.get(next) {
            let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            pids.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            next += 1;
        }
        pids
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        for process in &mut self.processes {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

impl Peers {
    /// Says which are not there, and why.
    pub(crate) fn left_out(&self, report: &mut Report) {
        for (name, why) in &self.missing {
            report.say(&format!("Left out: {name}: {why}."));
        }
    }
}

/// Starts those that are there.
pub(crate) fn start(runtime: &Handle, server: &Server) -> Peers {
    let mut peers = Peers { started: Vec::new(), missing: Vec::new() };
    let all = [
        ("oidc-agent", runtime.block_on(oidc_agent::start(server))),
        ("pizauth", pizauth::start()),
        ("MSAL Python", runtime.block_on(msal::python(server))),
        ("MSAL Node", runtime.block_on(msal::node(server))),
    ];
    for (name, started) in all {
        match started {
            Ok(peer) => peers.started.push(peer),
            Err(error) => peers.missing.push((name, format!("{error:#}"))),
        }
    }
    peers
}
