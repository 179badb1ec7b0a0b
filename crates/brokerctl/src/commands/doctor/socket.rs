//! The socket and its directory: where they are, whose they are, and who may use them.

use broker_client::{Endpoint, Finding};

use super::finding;

#[cfg(unix)]
pub(super) fn look(endpoint: &Endpoint) -> Vec<Finding> {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    use std::path::Path;

    let text = endpoint.to_string();
    let path = Path::new(&text);
    let Ok(socket) = path.symlink_metadata() else {
        return vec![finding("socket", false, &format!("there is nothing at {text}"), Some(ELSEWHERE))];
    };
    let me = rustix::process::geteuid().as_raw();
    let mut findings = vec![if !socket.file_type().is_socket() {
        finding("socket", false, &format!("{text} is no socket"), Some(ELSEWHERE))
    } else if socket.uid() != me {
        let whose = format!("{text} is of user {}, and this is {me}", socket.uid());
        finding(
            "socket",
            false,
            &whose,
            Some("ask as the user whose brokerd it is, without sudo; or set BROKERD_SOCKET"),
        )
    } else if socket.mode() & 0o077 != 0 {
        let open = format!("others may use {text} (mode {:03o})", socket.mode() & 0o777);
        finding("socket", false, &open, Some("restart brokerd: it makes its socket for this user only"))
    } else {
        finding("socket", true, &format!("{text}, of this user only"), None)
    }];
    let directory = path.parent().and_then(|parent| Some((parent, parent.symlink_metadata().ok()?)));
    if let Some((parent, metadata)) = directory
        && (metadata.uid() != me && metadata.uid() != 0
            || metadata.mode() & 0o022 != 0 && metadata.mode() & 0o1000 == 0)
    {
        let what = format!("others may change what is in {} (mode {:03o})", parent.display(), metadata.mode() & 0o777);
        findings.push(finding("directory", false, &what, Some("chmod it to 700, or put the socket elsewhere")));
    }
    findings
}

#[cfg(unix)]
const ELSEWHERE: &str = "start brokerd, or say where it listens: --socket or BROKERD_SOCKET";

/// A pipe's owner is looked at when it is connected to.
#[cfg(not(unix))]
pub(super) fn look(endpoint: &Endpoint) -> Vec<Finding> {
    vec![finding("pipe", true, &endpoint.to_string(), None)]
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_socket_is_named() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("s");
        let look = || look(&Endpoint::from_path(&path));
        assert!(look()[0].detail.starts_with("there is nothing"), "{:?}", look());
        fs::write(&path, "").unwrap();
        assert!(look()[0].detail.ends_with("is no socket"), "{:?}", look());
        // It may be anything, so nobody is told to remove it.
        assert!(look()[0].hint.as_ref().is_some_and(|hint| !hint.contains("remove")), "{:?}", look());
        fs::remove_file(&path).unwrap();
        let _listener = UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        assert!(look()[0].detail.contains("mode 666") && !look()[0].ok, "{:?}", look());
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(look().iter().all(|finding| finding.ok), "{:?}", look());
        fs::set_permissions(root.path(), Permissions::from_mode(0o777)).unwrap();
        assert_eq!(look().iter().filter(|finding| !finding.ok).count(), 1, "{:?}", look());
    }
}
