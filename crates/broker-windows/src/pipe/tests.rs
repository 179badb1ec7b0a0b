//! On real pipes, as many as this machine's Windows, or Wine, keeps its promises about.

use std::ffi::OsString;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::sddl::{Access, WRITE};
use crate::{security, user};

const SHORT: Option<Duration> = Some(Duration::from_millis(30));
const PATIENCE: Option<Duration> = Some(Duration::from_secs(10));

/// A name that no other test has.
fn name(test: &str) -> OsString {
    format!(r"\\.\pipe\broker-windows-{test}-{}", std::process::id()).into()
}

fn for_me() -> Maker {
    let user = user::current().unwrap();
    Maker::new(&format!("O:{user}D:P(A;;GA;;;{user})")).unwrap()
}

/// Runs a client without a runtime on a thread of its own. The runtime must go on meanwhile: it closes what was dropped.
fn aside<T: Send + 'static>(client: impl FnOnce() -> T + Send + 'static) -> tokio::sync::oneshot::Receiver<T> {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || drop(tell.send(client())));
    told
}

#[tokio::test]
async fn a_pipe_has_the_owner_and_the_list_it_was_made_with() {
    let name = name("list");
    let server = for_me().make(&name, true).unwrap();
    let client = Blocking::open(&name).unwrap();
    let me = user::current().unwrap();
    for security in [security::of_pipe(&server).unwrap(), security::of_pipe(&client).unwrap()] {
        assert_eq!(security.owner, me);
        let access = Access::parse(&security.access).unwrap();
        assert_eq!(access.who_may(WRITE).collect::<Vec<_>>(), [me.as_str()], "{security:?}");
    }
}

#[tokio::test]
async fn both_ends_know_the_other_process() {
    let name = name("processes");
    let server = for_me().make(&name, true).unwrap();
    let client = Blocking::open(&name).unwrap();
    server.connect().await.unwrap();
    assert_eq!(client_process(&server).unwrap(), std::process::id());
    assert_eq!(server_process(&client).unwrap(), std::process::id());
    let path = crate::process::executable(std::process::id()).unwrap();
    assert_eq!(path.file_name(), std::env::current_exe().unwrap().file_name());
}

#[tokio::test]
async fn what_is_written_arrives_in_both_directions_and_the_end_is_seen() {
    let name = name("data");
    let mut server = for_me().make(&name, true).unwrap();
    let mut client = Blocking::open(&name).unwrap();
    server.connect().await.unwrap();
    let client = aside(move || {
        assert_eq!(client.write(b"ask", PATIENCE).unwrap(), 3);
        let mut answer = Vec::new();
        let mut buffer = [0; 16];
        loop {
            match client.read(&mut buffer, PATIENCE).unwrap() {
                0 => break,
                count => answer.extend_from_slice(&buffer[..count]),
            }
        }
        client.write(b"more", PATIENCE).unwrap_err();
        answer
    });
    let mut asked = [0; 3];
    server.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"ask");
    server.write_all(b"answer").await.unwrap();
    // What was written before the end is read before the end.
    drop(server);
    assert_eq!(client.await.unwrap(), b"answer");
}

#[tokio::test]
async fn a_read_and_a_write_end_when_their_time_is_up() {
    let name = name("limits");
    let mut server = for_me().make(&name, true).unwrap();
    let mut client = Blocking::open(&name).unwrap();
    server.connect().await.unwrap();
    let mut buffer = [0; 16];
    assert_eq!(client.read(&mut buffer, SHORT).unwrap_err().kind(), io::ErrorKind::TimedOut);
    // A pipe takes what its buffer holds and no more until somebody reads.
    let much = vec![7; 64 * 1024];
    let full = (0..1000).find_map(|_| client.write(&much, SHORT).err()).unwrap();
    assert_eq!(full.kind(), io::ErrorKind::TimedOut);
    // A limit that passed has used nothing up: the pipe goes on.
    server.write_all(b"still").await.unwrap();
    assert_eq!(client.read(&mut buffer, PATIENCE).unwrap(), 5);
    assert_eq!(&buffer[..5], b"still");
}

#[tokio::test]
async fn a_pipe_without_a_free_instance_is_busy_and_none_is_not_found() {
    let name = name("busy");
    assert_eq!(Blocking::open(&name).unwrap_err().kind(), io::ErrorKind::NotFound);
    let maker = for_me();
    let _server = maker.make(&name, true).unwrap();
    let _client = Blocking::open(&name).unwrap();
    let busy = Blocking::open(&name).unwrap_err();
    assert!(is_busy(&busy), "{busy}");
    let _another = maker.make(&name, false).unwrap();
    Blocking::open(&name).unwrap();
    let busy = open(&name).unwrap_err();
    assert!(is_busy(&busy), "{busy}");
}
