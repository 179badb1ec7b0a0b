//! What listening promises, on real sockets.

use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::directory::PrivateDir;
use super::{Access, ListenError, Listener};
use crate::connect::{self, ConnectError};
use crate::deadline::Deadline;
use crate::endpoint::{Endpoint, EndpointError};

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::from_path(self.socket())
    }

    fn socket(&self) -> PathBuf {
        self.root.path().join("run/brokerd.sock")
    }

    fn directory(&self, mode: u32) -> PathBuf {
        let path = self.root.path().join("run");
        std::fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test]
async fn what_it_makes_is_closed_to_others_and_goes_with_it() {
    let place = Place::new();
    let listener = Listener::bind(&place.endpoint()).unwrap();
    assert_eq!(mode(place.socket().parent().unwrap()), 0o700);
    assert_eq!(mode(&place.socket()), 0o600);
    assert_eq!(mode(&place.root.path().join("run/brokerd.sock.lock")), 0o600);
    drop(listener);
    assert!(!place.socket().exists());
    Listener::bind(&place.endpoint()).unwrap();
}

/// What was there before stays as it is: the user may have closed it.
#[tokio::test]
async fn what_it_makes_for_others_can_be_reached_by_them() {
    let place = Place::new();
    let endpoint = Endpoint::from_path(place.root.path().join("above/run/brokerd.sock"));
    let listener = Listener::bind_for(&endpoint, Access::Shared).unwrap();
    let directory = endpoint.path().parent().unwrap();
    assert_eq!((mode(directory), mode(directory.parent().unwrap())), (0o711, 0o711));
    assert_eq!(mode(endpoint.path()), 0o666);
    drop(listener);

    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700)).unwrap();
    let _listener = Listener::bind_for(&endpoint, Access::Shared).unwrap();
    assert_eq!(mode(directory), 0o700);
}

#[tokio::test]
async fn the_ends_meet_and_know_each_other() {
    let place = Place::new();
    let endpoint = place.endpoint();
    let listener = Listener::bind(&endpoint).unwrap();
    let (client, accepted) = tokio::join!(connect::connect(&endpoint, soon()), listener.accept());
    let mut client = client.unwrap();
    let (mut server, peer) = accepted.unwrap();
    assert!(peer.same_user);
    client.write_all(b"ping").await.unwrap();
    client.shutdown().await.unwrap();
    let mut got = Vec::new();
    server.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"ping");
}

#[tokio::test]
async fn a_second_daemon_is_told_who_is_first() {
    let place = Place::new();
    let _first = Listener::bind(&place.endpoint()).unwrap();
    let error = Listener::bind(&place.endpoint()).unwrap_err();
    let own = std::process::id();
    assert!(matches!(error, ListenError::AlreadyRunning { pid: Some(pid), .. } if pid == own));
    let at = place.socket().display().to_string();
    assert_eq!(
        error.to_string(),
        format!("another brokerd is running (process {own}) at {at}: use it, or stop it first")
    );
    assert!(place.socket().exists());
}

/// It cannot be reached, but has what the second would need.
#[tokio::test]
async fn a_daemon_whose_socket_was_removed_is_still_the_first() {
    let place = Place::new();
    let _first = Listener::bind(&place.endpoint()).unwrap();
    std::fs::remove_file(place.socket()).unwrap();
    let error = Listener::bind(&place.endpoint()).unwrap_err().to_string();
    let first = format!("(process {})", std::process::id());
    assert!(error.contains(&first) && error.ends_with(", which was removed: use it, or stop it first"), "{error}");
    assert!(!place.socket().exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let place = Place::new();
    place.directory(0o700);
    let before = std::os::unix::net::UnixListener::bind(place.socket()).unwrap();
    let error = Listener::bind(&place.endpoint()).unwrap_err();
    assert!(matches!(error, ListenError::Taken { .. }), "{error}");
    drop(before);
    assert!(place.socket().exists());
    let _listener = Listener::bind(&place.endpoint()).unwrap();
    assert_eq!(mode(&place.socket()), 0o600);
}

#[tokio::test]
async fn a_place_that_others_could_change_is_refused() {
    for mode in [0o755, 0o770, 0o701] {
        let place = Place::new();
        place.directory(mode);
        let error = Listener::bind(&place.endpoint()).unwrap_err();
        assert!(matches!(error, ListenError::Insecure { .. }), "{mode:o}: {error}");
    }
    let place = Place::new();
    let elsewhere = place.root.path().join("elsewhere");
    std::fs::DirBuilder::new().mode(0o700).create(&elsewhere).unwrap();
    symlink(&elsewhere, place.root.path().join("run")).unwrap();
    let error = Listener::bind(&place.endpoint()).unwrap_err();
    assert!(matches!(error, ListenError::Insecure { .. }), "{error}");
    assert_eq!(std::fs::read_dir(elsewhere).unwrap().count(), 0);
}

#[tokio::test]
async fn a_place_that_is_exchanged_after_the_look_at_it_is_not_listened_in() {
    for leads_there in [true, false] {
        let place = Place::new();
        let path = place.directory(0o700);
        let checked = PrivateDir::open(&path, Access::Own).unwrap();
        std::fs::rename(&path, place.root.path().join("checked")).unwrap();
        let elsewhere = place.root.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        if leads_there {
            symlink(&elsewhere, &path).unwrap();
        } else {
            std::fs::rename(&elsewhere, &path).unwrap();
        }
        let error = Listener::bind_in(checked, "brokerd.sock", &place.endpoint(), Access::Own).unwrap_err();
        assert!(error.to_string().contains("was moved away while it was made"), "{error}");
        UnixStream::connect(place.socket()).expect_err("nobody listens there");
    }
}

#[tokio::test]
async fn what_is_no_socket_of_ours_is_left_alone() {
    for make in
        [|path: &Path| std::fs::write(path, "precious").unwrap(), |path: &Path| symlink("/nowhere", path).unwrap()]
    {
        let place = Place::new();
        place.directory(0o700);
        make(&place.socket());
        let error = Listener::bind(&place.endpoint()).unwrap_err();
        assert!(matches!(error, ListenError::Insecure { .. }), "{error}");
        assert!(!std::fs::symlink_metadata(place.socket()).unwrap().file_type().is_socket());
    }
}

#[tokio::test]
async fn a_link_in_the_place_of_the_lock_is_not_followed() {
    let place = Place::new();
    let target = place.root.path().join("target");
    symlink(&target, place.directory(0o700).join("brokerd.sock.lock")).unwrap();
    Listener::bind(&place.endpoint()).unwrap_err();
    assert!(!target.exists());
}

#[tokio::test]
async fn a_socket_that_replaced_ours_is_not_removed() {
    let place = Place::new();
    let listener = Listener::bind(&place.endpoint()).unwrap();
    std::fs::remove_file(place.socket()).unwrap();
    let _other = std::os::unix::net::UnixListener::bind(place.socket()).unwrap();
    drop(listener);
    assert!(place.socket().exists());
}

#[tokio::test]
async fn an_inherited_socket_serves_and_stays() {
    let place = Place::new();
    place.directory(0o700);
    let listener = Listener::from_inherited(handed_over(&place, 0o600)).unwrap();
    assert_eq!(listener.inherited_path(), Some(place.socket().as_path()));
    let endpoint = place.endpoint();
    let (client, accepted) = tokio::join!(connect::connect(&endpoint, soon()), listener.accept());
    client.unwrap();
    assert!(accepted.unwrap().1.same_user);
    drop(listener);
    assert!(place.socket().exists());
    let (pair, _other) = UnixStream::pair().unwrap();
    Listener::from_inherited(pair.into()).unwrap_err();
}

/// What a service manager would hand over.
fn handed_over(place: &Place, mode: u32) -> std::os::fd::OwnedFd {
    let socket = std::os::unix::net::UnixListener::bind(place.socket()).unwrap();
    std::fs::set_permissions(place.socket(), std::fs::Permissions::from_mode(mode)).unwrap();
    socket.into()
}

#[tokio::test]
async fn an_inherited_socket_that_others_could_use_is_refused() {
    let refused =
        |place: &Place, socket| Listener::from_inherited(socket).map(|_| place.socket()).unwrap_err().to_string();
    let place = Place::new();
    place.directory(0o700);
    assert!(refused(&place, handed_over(&place, 0o660)).contains("SocketMode=0600"));

    let place = Place::new();
    place.directory(0o755);
    assert!(refused(&place, handed_over(&place, 0o600)).contains("is open to others"));

    let place = Place::new();
    let elsewhere = place.root.path().join("elsewhere");
    std::fs::DirBuilder::new().mode(0o700).create(&elsewhere).unwrap();
    symlink(&elsewhere, place.socket().parent().unwrap()).unwrap();
    assert!(refused(&place, handed_over(&place, 0o600)).contains("symbolic link"));

    // It is gone, or its name leads elsewhere by now.
    let place = Place::new();
    place.directory(0o700);
    let socket = handed_over(&place, 0o600);
    std::fs::remove_file(place.socket()).unwrap();
    assert!(refused(&place, socket.try_clone().unwrap()).contains("restart the socket unit"));
    std::fs::write(place.socket(), "").unwrap();
    assert!(refused(&place, socket).contains("is not the socket"));
}

#[tokio::test]
async fn a_daemon_started_by_hand_is_told_of_the_one_that_was_activated() {
    let place = Place::new();
    place.directory(0o700);
    let _activated = Listener::from_inherited(handed_over(&place, 0o600)).unwrap();
    let own = std::process::id();
    let error = Listener::bind(&place.endpoint()).unwrap_err();
    assert!(matches!(error, ListenError::AlreadyRunning { pid: Some(pid), .. } if pid == own), "{error}");
}

#[tokio::test]
async fn a_name_that_does_not_fit_is_said_to_be_too_long() {
    let endpoint = Endpoint::from_path(format!("/{}", "x".repeat(200)));
    assert!(matches!(Listener::bind(&endpoint), Err(ListenError::TooLong { .. })));
    let error = connect::connect(&endpoint, soon()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Endpoint(EndpointError::TooLong { .. })));
}

#[tokio::test]
async fn nobody_there_is_told_apart() {
    let place = Place::new();
    let endpoint = place.endpoint();
    let error = connect::connect(&endpoint, soon()).await.unwrap_err();
    assert!(matches!(error, ConnectError::NotRunning { .. }), "{error}");
    place.directory(0o700);
    drop(std::os::unix::net::UnixListener::bind(place.socket()).unwrap());
    let error = connect::connect(&endpoint, soon()).await.unwrap_err();
    assert!(matches!(error, ConnectError::NotRunning { .. }), "{error}");
    let error = connect::blocking::connect(&endpoint, Deadline::never()).unwrap_err();
    assert!(matches!(error, ConnectError::NotRunning { .. }), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_backlog_is_waited_for_until_the_deadline() {
    let place = Place::new();
    place.directory(0o700);
    let server = std::os::unix::net::UnixListener::bind(place.socket()).unwrap();
    rustix::net::listen(&server, 0).unwrap();
    let endpoint = place.endpoint();
    let short = Duration::from_millis(20);
    let _first = connect::connect(&endpoint, soon()).await.unwrap();
    let error = connect::connect(&endpoint, Instant::now() + short).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout), "{error}");
    let error = connect::blocking::connect(&endpoint, Deadline::after(short)).unwrap_err();
    assert!(matches!(error, ConnectError::Timeout), "{error}");
    let room = std::thread::spawn(move || server.accept().map(|_| server.accept()));
    connect::connect(&endpoint, soon()).await.unwrap();
    room.join().unwrap().unwrap().unwrap();
}

#[test]
fn of_many_that_start_at_once_exactly_one_listens() {
    const DAEMONS: usize = 8;
    for _ in 0..20 {
        let place = Place::new();
        let started = std::sync::Barrier::new(DAEMONS);
        let tried = std::sync::Barrier::new(DAEMONS);
        let daemon = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.unwrap();
            let _inside = runtime.enter();
            started.wait();
            let bound = Listener::bind(&place.endpoint());
            tried.wait();
            match bound {
                Ok(_) => true,
                Err(ListenError::AlreadyRunning { .. }) => false,
                Err(error) => panic!("{error}: {error:?}"),
            }
        };
        let listening = std::thread::scope(|scope| {
            let daemons: Vec<_> = (0..DAEMONS).map(|_| scope.spawn(daemon)).collect();
            daemons.into_iter().map(|daemon| daemon.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(listening.iter().filter(|listens| **listens).count(), 1);
    }
}
