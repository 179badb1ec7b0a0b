//! What a client may have through the socket it came by.
//!
//! On the daemon's own endpoint that is everything: whoever connects is the user. A restricted socket (`[[sockets]]`) serves
//! tokens of some profiles, no broader than some scopes, and nothing else.

mod allowance;

use broker_ipc::api::{DevicePrompt, Interaction, Requester, TokenRequest};
use broker_ipc::error::{ErrorBody, ErrorCode};
use broker_ipc::peer::Peer;
use broker_oauth::scope::{ScopeCase, ScopeSet};
use broker_oauth::text::clean;

pub(crate) use self::allowance::Allowance;
use crate::audit::Client;
use crate::broker::Broker;
use crate::config::{Relay, Socket};

/// Whether a socket is for who comes. A number that `may_be_anybody` is nobody's: it was meant for one user, and would let in
/// whomever this process's user namespace does not map.
pub(crate) fn is_for(socket: &Socket, peer: &Peer, may_be_anybody: impl Fn(u32) -> bool) -> bool {
    let allowed = |uid: u32| socket.allow_uids.contains(&uid) && !may_be_anybody(uid);
    peer.same_user || peer.uid.is_some_and(allowed)
}

impl Client {
    /// Returns what a prompt says of it. A program has the name that its author gave it, which is not to steer what shows it.
    pub(crate) fn requester(&self) -> Requester {
        Requester {
            pid: self.peer.pid,
            command: self.command().map(clean),
            via: self.socket.as_ref().map(|socket| socket.path.display().to_string()),
        }
    }

    /// Whether it may be told whom the user has signed in as.
    pub(crate) fn sees_accounts(&self) -> bool {
        self.socket.is_none()
    }

    /// Returns a prompt as it may see it: the user's other waiters are told more.
    pub(crate) fn may_see(&self, mut prompt: DevicePrompt) -> DevicePrompt {
        if !self.sees_accounts() {
            prompt.other_accounts.clear();
        }
        prompt
    }

    /// Returns the scopes that a token for it may have at most; empty: any.
    pub(crate) fn most(&self) -> ScopeSet {
        self.socket.as_ref().map(|socket| socket.scopes.clone()).unwrap_or_default()
    }

    /// Refuses what a restricted socket is not for.
    pub(crate) fn check_path(&self, path: &str) -> Result<(), ErrorBody> {
        if self.socket.is_none() || path == "/v1/token" {
            return Ok(());
        }
        Err(ErrorBody::new(ErrorCode::Forbidden, format!("this is a restricted socket, and {path} is not for it"))
            .with_hint("only POST /v1/token is; for the rest ask on the host"))
    }

    /// Holds a request against the socket's limits, and fills in what it leaves open.
    pub(crate) fn limit(&self, broker: &Broker, request: &mut TokenRequest) -> Result<(), ErrorBody> {
        let Some(socket) = &self.socket else { return Ok(()) };
        let refused = |what: String| {
            Err(ErrorBody::new(ErrorCode::Forbidden, format!("this is a restricted socket: {what}"))
                .with_hint("the [[sockets]] table of brokerd's configuration says what it serves"))
        };
        let profile = match request.profile.take() {
            Some(named) if socket.profiles.contains(&named) => named,
            Some(named) => return refused(format!("it does not serve profile {named:?}")),
            None => match (&broker.profiles().default, socket.profiles.as_slice()) {
                (Some(default), served) if served.contains(default) => default.clone(),
                (_, [only]) => only.clone(),
                _ => return refused(format!("name one of its profiles: {}", socket.profiles.join(", "))),
            },
        };
        let case = broker.provider(Some(&profile))?.profile.registration.provider.scope_case();
        request.profile = Some(profile);
        check_fields(request, socket).or_else(refused)?;
        let asked: ScopeSet = request.scopes.iter().map(String::as_str).collect();
        if !socket.scopes.is_empty() && !socket.scopes.covers(&asked, case) {
            return refused(format!("of the scopes {asked} it serves only {}", socket.scopes));
        }
        if request.scopes.is_empty() {
            request.scopes = socket.scopes.iter().map(str::to_owned).collect();
        }
        // Elsewhere is this machine, and who asks may be on another.
        if socket.interaction == Relay::Never || request.interaction == Some(Interaction::Elsewhere) {
            request.interaction = Some(Interaction::Never);
        }
        Ok(())
    }
}

/// What goes beyond a profile and its scopes is not for a restricted socket.
fn check_fields(request: &TokenRequest, socket: &Socket) -> Result<(), String> {
    let narrowed = !socket.scopes.is_empty();
    let table = [
        ("include", !request.include.is_empty()),
        ("extra_parameters", !request.extra_parameters.is_empty()),
        ("tenant", narrowed && request.tenant.is_some()),
        ("resource", narrowed && request.resource.is_some()),
        ("audience", narrowed && request.audience.is_some()),
    ];
    match table.iter().find(|(_, is_set)| *is_set) {
        Some((field, _)) => Err(format!("{field} is not for it")),
        None => Ok(()),
    }
}

/// Whether a token grants no more than `most`: its scope is part of it, or it is what exactly one of these was granted as
/// (`resource/.default`).
pub(crate) fn is_within(most: &ScopeSet, scope: &ScopeSet, asked: &ScopeSet, case: ScopeCase) -> bool {
    let all_of_a_resource =
        || asked.access().next().is_some() && asked.access().all(|scope| scope.ends_with("/.default"));
    most.is_empty() || most.covers(scope, case) || (all_of_a_resource() && most.covers(asked, case))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program is called whatever its author likes, and a terminal or a notification shows it.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_name_of_a_program_steers_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("ba\u{1b}[2J\u{202e}ck\n");
        std::fs::copy("/bin/sleep", &program).unwrap();
        // One program that is many goes by the name it is called by.
        let mut command = std::process::Command::new(&program);
        std::os::unix::process::CommandExt::arg0(&mut command, "sleep");
        let mut child = command.arg("60").spawn().unwrap();
        let peer = broker_ipc::peer::Peer { pid: Some(child.id().into()), ..Default::default() };
        let requester = Client::new(peer).requester();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(requester.command.as_deref(), Some("ba [2Jck"));
    }

    #[test]
    fn the_number_that_may_be_anybody_lets_nobody_in() {
        let socket = Socket {
            path: "/s".into(),
            profiles: vec!["work".into()],
            scopes: ScopeSet::default(),
            interaction: Relay::Never,
            allow_uids: vec![7, 65_534],
        };
        let is_for = |uid: u32, same_user: bool, overflow: bool| {
            let peer = Peer { uid: Some(uid), pid: None, same_user };
            is_for(&socket, &peer, |uid| overflow && uid == 65_534)
        };
        assert!(is_for(7, false, true) && !is_for(8, false, true) && is_for(8, true, true));
        assert!(is_for(65_534, false, false), "where everybody has a number of his own, it is one user's");
        assert!(!is_for(65_534, false, true));
    }

    #[test]
    fn a_token_is_within_what_its_socket_allows() {
        let set = ScopeSet::parse;
        let table = [
            ("", "read write", "read", true),
            ("read", "read", "read", true),
            ("read", "openid read offline_access", "read", true),
            ("read", "read write", "read", false),
            ("a/.default", "read write", "a/.default", true),
            ("a/.default", "read write", "read", false),
            ("a/.default", "read write", "b/.default", false),
        ];
        for (most, scope, asked, expected) in table {
            let got = is_within(&set(most), &set(scope), &set(asked), ScopeCase::Exact);
            assert_eq!(got, expected, "{most} {scope} {asked}");
        }
    }
}
