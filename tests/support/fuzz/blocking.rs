//! The blocking client's own HTTP, which `brokerctl` has, on a real socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

use broker_client::blocking::Client;
use broker_client::{ClientError, Endpoint};
use tempfile::TempDir;

/// No answer takes as long: whoever gives it has gone by then, and a socket says so.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes in answer to a client's request; the first chooses which. Whatever comes, the call ends with the bytes and not by its
/// time.
pub(super) fn answer(bytes: &[u8]) {
    let Some((choice, answer)) = bytes.split_first() else { return };
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).expect("a socket");
    let client = Client::new(Endpoint::from_path(&path)).with_call_timeout(PATIENCE);
    let outcome = thread::scope(|scope| {
        scope.spawn(move || {
            let (mut connection, _) = listener.accept().expect("a connection");
            // The request fits; a client that has had enough leaves.
            drop(connection.read(&mut [0; 16 * 1024]));
            drop(connection.write_all(answer));
        });
        match choice % 3 {
            0 => client.status().map(drop),
            1 => client.accounts().map(drop),
            _ => client.events().and_then(|mut events| events.try_for_each(|event| event.map(drop))),
        }
    });
    if let Err(error) = outcome {
        assert!(!matches!(error, ClientError::Timeout), "the call does not end");
        assert!(!error.to_string().is_empty());
    }
}
