//! What listening promises, on real pipes. Wine does not enforce access lists: they are read back instead.

use std::io::{Read as _, Write as _};

use broker_windows::security;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::*;

fn endpoint(test: &str) -> Endpoint {
    Endpoint::from_path(format!(r"\\.\pipe\brokerd-{test}-{}", std::process::id()))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn patience() -> Deadline {
    Deadline::after(Duration::from_secs(10))
}

/// Runs a client without a runtime on a thread of its own. The runtime must go on meanwhile: it closes what was dropped.
fn aside<T: Send + 'static>(client: impl FnOnce() -> T + Send + 'static) -> tokio::sync::oneshot::Receiver<T> {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || drop(tell.send(client())));
    told
}

#[tokio::test]
async fn only_the_user_is_in_the_list_and_owns_the_pipe() {
    let endpoint = endpoint("list");
    let listener = Listener::bind(&endpoint).unwrap();
    let me = user::current().unwrap();
    let security = security::of_pipe(&*listener.next.lock().await).unwrap();
    assert_eq!(security.owner, me);
    let access = broker_windows::sddl::Access::parse(&security.access).unwrap();
    assert_eq!(access.who_may(u32::MAX).collect::<Vec<_>>(), [me.as_str()], "{security:?}");
    assert!(security.access.starts_with("D:P("), "nothing inherited: {security:?}");
}

/// Windows lets nobody but an administrator make what another user owns. Wine does, and so shows what clients make of it.
#[tokio::test]
async fn a_pipe_of_another_owner_is_left_before_the_first_byte() {
    const ERROR_INVALID_OWNER: i32 = 1307;
    let endpoint = endpoint("foreign");
    let maker = Maker::new("O:SYD:P(A;;GA;;;WD)").unwrap();
    let mut server = match maker.make(os_name(&endpoint), true) {
        Err(error) if error.raw_os_error() == Some(ERROR_INVALID_OWNER) => return,
        server => server.unwrap(),
    };
    let forbidden = |error: ConnectError| {
        let told = error.to_string();
        assert!(matches!(error, ConnectError::Forbidden { .. }) && told.contains("S-1-5-18"), "{told}");
    };
    forbidden(connect::connect(&endpoint, soon()).await.unwrap_err());
    server.connect().await.ok();
    assert_eq!(server.read(&mut [0]).await.unwrap_or_default(), 0, "something was said to it");
    let _next = maker.make(os_name(&endpoint), false).unwrap();
    forbidden(connect::blocking::connect(&endpoint, patience()).unwrap_err());
}

#[tokio::test]
async fn clients_of_both_kinds_are_served_one_after_the_other() {
    let endpoint = endpoint("serve");
    let listener = Listener::bind(&endpoint).unwrap();
    for round in 0..3 {
        let (client, accepted) = tokio::join!(connect::connect(&endpoint, soon()), listener.accept());
        let (mut client, (mut server, peer)) = (client.unwrap(), accepted.unwrap());
        assert!(peer.same_user);
        assert_eq!(peer.pid, Some(i64::from(std::process::id())));
        let own = std::env::current_exe().unwrap();
        assert_eq!(peer.command().as_deref(), own.file_name().unwrap().to_str());
        client.write_all(b"ask").await.unwrap();
        let mut asked = [0; 3];
        server.read_exact(&mut asked).await.unwrap();
        server.write_all(b"answer").await.unwrap();
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer", "round {round}");

        let place = endpoint.clone();
        let client = aside(move || {
            let mut client = connect::blocking::connect(&place, patience()).unwrap();
            client.write_all(b"ask").unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            answer
        });
        let (mut server, _) = listener.accept().await.unwrap();
        server.read_exact(&mut asked).await.unwrap();
        server.write_all(b"answer").await.unwrap();
        drop(server);
        assert_eq!(client.await.unwrap(), "answer", "round {round}");
    }
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_told_who_is_there() {
    let endpoint = endpoint("second");
    let listener = Listener::bind(&endpoint).unwrap();
    let error = Listener::bind(&endpoint).unwrap_err();
    let own = std::process::id();
    assert!(matches!(error, ListenError::AlreadyRunning { pid: Some(pid), .. } if pid == own), "{error}");
    drop(listener);
    Listener::bind(&endpoint).unwrap();
}

#[tokio::test]
async fn nobody_there_and_nobody_free_are_told_apart() {
    let endpoint = endpoint("absent");
    let error = connect::connect(&endpoint, soon()).await.unwrap_err();
    assert!(matches!(error, ConnectError::NotRunning { .. }), "{error}");
    let error = connect::blocking::connect(&endpoint, patience()).unwrap_err();
    assert!(matches!(error, ConnectError::NotRunning { .. }), "{error}");

    // One instance, which the first client takes; nobody accepts.
    let _listener = Listener::bind(&endpoint).unwrap();
    let _first = connect::connect(&endpoint, soon()).await.unwrap();
    let short = Duration::from_millis(50);
    let error = connect::connect(&endpoint, Instant::now() + short).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout), "{error}");
    let error = connect::blocking::connect(&endpoint, Deadline::after(short)).unwrap_err();
    assert!(matches!(error, ConnectError::Timeout), "{error}");
}

#[tokio::test]
async fn a_client_that_waits_for_room_is_served_when_there_is_some() {
    let endpoint = endpoint("room");
    let listener = Listener::bind(&endpoint).unwrap();
    let _first = connect::connect(&endpoint, soon()).await.unwrap();
    let waiting = async {
        let (first, second) = (listener.accept().await.unwrap(), listener.accept().await.unwrap());
        drop((first, second));
    };
    let (second, ()) = tokio::join!(connect::connect(&endpoint, soon()), waiting);
    second.unwrap();
}

#[tokio::test]
async fn a_client_that_left_before_it_was_served_is_passed_over() {
    let endpoint = endpoint("left");
    let listener = Listener::bind(&endpoint).unwrap();
    drop(connect::connect(&endpoint, soon()).await.unwrap());
    let (next, accepted) = tokio::join!(connect_again(&endpoint), async {
        loop {
            let (mut server, _) = listener.accept().await.unwrap();
            // The first has ended before it said anything.
            if server.write_all(b"hello").await.is_ok() {
                let mut answer = [0; 2];
                if server.read_exact(&mut answer).await.is_ok() {
                    return answer;
                }
            }
        }
    });
    assert_eq!((next, &accepted), ((), b"ok"));
}

async fn connect_again(endpoint: &Endpoint) {
    let mut client = connect::connect(endpoint, soon()).await.unwrap();
    let mut hello = [0; 5];
    client.read_exact(&mut hello).await.unwrap();
    client.write_all(b"ok").await.unwrap();
}

#[tokio::test]
async fn what_is_no_pipe_is_refused() {
    let endpoint = Endpoint::from_path(r"C:\brokerd.sock");
    let error = Listener::bind(&endpoint).unwrap_err();
    assert!(matches!(error, ListenError::Io { .. }), "{error}");
    let error = connect::connect(&endpoint, soon()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Endpoint(EndpointError::NotAPipe { .. })), "{error}");
}
