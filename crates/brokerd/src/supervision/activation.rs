//! The socket that a service manager listens on and hands over: `sd_listen_fds(3)`.

use std::os::fd::OwnedFd;

use listenfd::ListenFd;

use super::Inherited;

/// The name that `brokerd.socket` gives the descriptor, and the one that systemd gives where the unit says nothing.
const NAMES: [&str; 2] = ["brokerd", "brokerd.socket"];

/// Why what was handed over is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// More than one socket, or others than ours.
    #[error("the service manager hands over {count} sockets named {names:?}; one named \"brokerd\" is wanted")]
    Unexpected {
        /// How many.
        count: usize,
        /// Their names, as they came.
        names: String,
    },
    /// Not a Unix stream socket, or no descriptor at all.
    #[error("the service manager's socket cannot be used")]
    Unusable(#[source] std::io::Error),
}

/// Takes the socket that was handed over to this process; `None` if none was.
///
/// Must be called before the process has a second thread: the variables are taken out of the environment, so that no child
/// thinks they are about it.
///
/// # Errors
/// When something else than one socket of ours was handed over: a unit that is wrong.
pub fn inherited() -> Result<Option<Inherited>, ActivationError> {
    let variable = |name: &str| std::env::var(name).ok();
    // listenfd takes a missing process id for a match; sd_listen_fds does not.
    let meant_for_us = variable("LISTEN_PID").is_some_and(|pid| pid == std::process::id().to_string());
    let names = variable("LISTEN_FDNAMES");
    let mut handed_over = ListenFd::from_env();
    if !meant_for_us || handed_over.len() == 0 {
        return Ok(None);
    }
    if !is_ours(handed_over.len(), names.as_deref()) {
        return Err(ActivationError::Unexpected { count: handed_over.len(), names: names.unwrap_or_default() });
    }
    let listener = handed_over.take_unix_listener(0).map_err(ActivationError::Unusable)?;
    Ok(listener.map(OwnedFd::from))
}

fn is_ours(count: usize, names: Option<&str>) -> bool {
    let known = |name: &str| NAMES.contains(&name) || (name.starts_with("brokerd@") && name.ends_with(".socket"));
    count == 1 && names.is_none_or(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_socket_of_ours_is_taken_and_nothing_else() {
        let table = [
            (1, Some("brokerd"), true),
            (1, Some("brokerd.socket"), true),
            (1, Some("brokerd@ada.socket"), true),
            (1, None, true),
            (1, Some("web"), false),
            (1, Some(""), false),
            (2, Some("brokerd:brokerd"), false),
            (2, None, false),
        ];
        for (count, names, ours) in table {
            assert_eq!(is_ours(count, names), ours, "{count} {names:?}");
        }
    }
}
