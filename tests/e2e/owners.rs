//! Is what belongs to another user taken for ours? Modes alone do not tell: what is closed to others may be closed to us.
//!
//! Only root can give a file away: without it these tests are skipped by name.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use broker_client::Endpoint;
use broker_ipc::listen::{ListenError, Listener};
use brokerd::config::Config;
use brokerd::store::StoreConfig;
use brokerd::store::file::FileStore;
use support::processes::Home;

use crate::strangers::{NOBODY, can_become_another};

fn give_away(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
}

/// A directory for a socket, and the socket's name in it.
fn place(home: &Home) -> (PathBuf, PathBuf) {
    let directory = home.path().join("place");
    fs::DirBuilder::new().mode(0o700).create(&directory).expect("a directory");
    let socket = directory.join("s");
    (directory, socket)
}

/// A socket that only its owner may use.
fn private_socket(path: &Path) -> UnixListener {
    let socket = UnixListener::bind(path).expect("a socket");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode");
    socket
}

#[track_caller]
fn assert_insecure(listener: Result<Listener, ListenError>, why: &str) {
    let error = listener.expect_err("another user's");
    assert!(matches!(error, ListenError::Insecure { .. }) && error.to_string().ends_with(why), "{error}");
}

#[tokio::test]
async fn nothing_listens_in_another_users_directory() {
    if !can_become_another("owners::nothing_listens_in_another_users_directory") {
        return;
    }
    let home = Home::new();
    let (directory, socket) = place(&home);
    give_away(&directory);
    assert_insecure(Listener::bind(&Endpoint::from_path(&socket)), "belongs to user 65534");
    assert_eq!(fs::read_dir(&directory).expect("it").count(), 0, "nothing is left there");

    // Nor on a socket in there, though it was handed over.
    let handed_over = private_socket(&socket);
    assert_insecure(Listener::from_inherited(handed_over.into()), "belongs to user 65534");
}

#[tokio::test]
async fn another_users_socket_is_neither_replaced_nor_used() {
    if !can_become_another("owners::another_users_socket_is_neither_replaced_nor_used") {
        return;
    }
    let home = Home::new();
    let (_, socket) = place(&home);
    let handed_over = private_socket(&socket);
    give_away(&socket);
    let why = "is not the socket that the service manager made for this user";
    assert_insecure(Listener::from_inherited(handed_over.into()), why);
    // Nobody answers at it any more.
    assert_insecure(Listener::bind(&Endpoint::from_path(&socket)), "is a socket of user 65534");
    assert!(socket.exists());
}

#[test]
fn another_users_configuration_is_refused() {
    if !can_become_another("owners::another_users_configuration_is_refused") {
        return;
    }
    let home = Home::new();
    let path =
        home.write("config.toml", b"[profiles.work]\nissuer = \"https://as.test\"\nclient_id = \"c\"\n").expect("it");
    Config::load(&path).expect("it is ours");
    give_away(&path);
    let error = Config::load(&path).expect_err("another user's").to_string();
    assert!(error.contains("belongs to another user (uid 65534)"), "{error}");
}

#[test]
fn another_users_key_is_refused() {
    if !can_become_another("owners::another_users_key_is_refused") {
        return;
    }
    let home = Home::new();
    let key = home.write("key", &[b'7'; 64]).expect("a key");
    let config =
        StoreConfig { path: Some(home.path().join("sealed")), key_file: Some(key.clone()), ..Default::default() };
    FileStore::open(&config).map(drop).expect("it is ours");
    give_away(&key);
    let error = FileStore::open(&config).map(drop).expect_err("another user's").to_string();
    assert!(error.contains("belongs to user 65534, not to you"), "{error}");
}
