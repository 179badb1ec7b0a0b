//! Does either client of `broker-client` send anything before it knows whose the other end is?
//!
//! Only root can become somebody else: without it this is skipped by name.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use broker_client::{ClientError, Endpoint};
use support::processes::Home;
use tokio::time;

use crate::stage::PATIENCE;
use crate::strangers::{NOBODY, can_become_another};

/// A socket on which nobody's thread began to listen, but in this process: what was sent to it can be looked at.
fn strangers_socket(path: &Path) -> UnixListener {
    let listening = || {
        let nobody = rustix::process::Uid::from_raw(NOBODY);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("root may");
        UnixListener::bind(path).expect("a socket")
    };
    thread::scope(|scope| scope.spawn(listening).join().expect("a thread"))
}

#[tokio::test]
async fn no_client_sends_a_byte_to_another_users_socket() {
    if !can_become_another("silent_clients::no_client_sends_a_byte_to_another_users_socket") {
        return;
    }
    let home = Home::new();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).expect("a mode");
    let path = home.path().join("s");
    let socket = strangers_socket(&path);
    let endpoint = Endpoint::from_path(&path);
    for kind in ["async", "blocking"] {
        let asked = if kind == "async" {
            time::timeout(PATIENCE, broker_client::Client::new(endpoint.clone()).status()).await
        } else {
            let client = broker_client::blocking::Client::new(endpoint.clone()).with_call_timeout(PATIENCE);
            Ok(client.status())
        };
        let error = asked.expect("it waits for no answer").expect_err("another user's");
        assert!(matches!(error, ClientError::Forbidden { .. }), "{kind}: {error:?}");
        assert!(error.to_string().ends_with("user 65534 listens there"), "{kind}: {error}");
        let mut told = Vec::new();
        socket.accept().expect("the client's connection").0.read_to_end(&mut told).expect("its end");
        assert_eq!(String::from_utf8_lossy(&told), "", "{kind}");
    }
}
