//! What a daemon finds when it starts: a grant, the index of accounts, the marks of pending prompts, the sealed file.

use std::fs;
use std::path::{Path, PathBuf};

use broker_client::TokenEvent;
use brokerd::store::{SecretStore as _, StoreConfig, StoreError, StoreKind, file::FileStore, frame};
use tempfile::TempDir;

use super::pipes::{DAY, paused};
use crate::rig::{Rig, interactive, never, s};

/// What of it is replaced, by the first byte of an input.
pub(super) const GRANT: u8 = 0;
pub(super) const INDEX: u8 = 1;

/// A grant's JSON in its frame, or the index: the daemon starts, says who is signed in, and a caller has an end. Whoever must sign in
/// again can.
pub(super) fn stored(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    paused(async {
        let mut rig = Rig::start();
        rig.sign_in("alice").await;
        rig.stop().await;
        if choice % 2 == INDEX {
            fs::write(rig.index_file(), bytes).expect("a file");
        } else {
            let key = rig.store.raw_keys().remove(0);
            rig.store.set_raw(&key, frame::encode(&String::from_utf8_lossy(bytes)).as_bytes());
        }
        rig.run();
        rig.client.accounts().await.expect("the accounts");
        rig.client.status().await.expect("the status");
        if let Err(error) = rig.client.access_token(&never(), |_| {}).await {
            assert!(!error.to_string().chars().any(char::is_control), "{error}");
            // Whatever it is, it is not in a new sign-in's way; which of two accounts is meant has to be said.
            let accounts = rig.client.accounts().await.expect("the accounts").accounts;
            if accounts.len() <= 1 {
                rig.sign_in("alice").await;
            }
        }
    });
}

/// The marks of pending prompts, one of which somebody waits for: the daemon starts, whoever is signed in stays so, and another
/// can sign in, by the code that was shown or by a new one.
pub(super) fn prompts(bytes: &[u8]) {
    paused(async {
        let mut rig = with_a_prompt().await;
        rig.crash().await;
        fs::write(prompts_file(&rig), bytes).expect("a file");
        rig.run();
        rig.client.status().await.expect("the status");
        rig.client.prompts().await.expect("the prompts");
        rig.token(&never()).await;
        let signed_in = tokio::time::timeout(DAY, async { sign_in_bob(&rig).await || sign_in_bob(&rig).await }).await;
        assert_eq!(signed_in, Ok(true));
    });
}

/// Whether he is signed in; else his code ran out, as that of a prompt does which is polled too seldom.
async fn sign_in_bob(rig: &Rig) -> bool {
    let mut call = rig.login(&interactive());
    rig.fake.approve(&call.prompt().await.user_code, "bob");
    loop {
        match call.next().await.expect("an end") {
            Ok(TokenEvent::DevicePrompt(prompt)) => rig.fake.approve(&prompt.user_code, "bob"),
            Ok(event) => return matches!(event, TokenEvent::SignedIn { .. }),
            Err(_) => return false,
        }
    }
}

/// A daemon at which alice has signed in, and another sign-in has been polled for.
async fn with_a_prompt() -> Rig {
    let rig = Rig::start();
    rig.sign_in("alice").await;
    let mut call = rig.login(&interactive());
    call.prompt().await;
    rig.pass(s(12)).await;
    rig
}

fn prompts_file(rig: &Rig) -> PathBuf {
    rig.index_file().with_file_name("prompts.json")
}

/// The marks of a daemon that dies with a prompt pending.
pub(super) fn marks() -> Vec<u8> {
    let mut found = Vec::new();
    paused(async {
        let mut rig = with_a_prompt().await;
        rig.crash().await;
        found = fs::read(prompts_file(&rig)).expect("the marks");
    });
    found
}

/// A sealed file: whole, or refused and left as it is.
pub(super) fn sealed(bytes: &[u8]) {
    let place = Place::new();
    fs::write(&place.file, bytes).expect("a file");
    match FileStore::open(&place.config) {
        Ok(mut store) => {
            let keys = store.list().expect("it was read").expect("it can list");
            store.put("another", b"secret").expect("it can be written");
            drop(store);
            let mut again = FileStore::open(&place.config).expect("it was just written");
            assert!(keys.iter().all(|key| again.get(key).is_ok_and(|item| item.is_some())), "{keys:?}");
        }
        Err(StoreError::DamagedFile(_) | StoreError::NotSupported(_) | StoreError::WrongKey { .. }) => {
            assert_eq!(
                fs::read(&place.file).expect("a file"),
                bytes,
                "a file that cannot be read is somebody's sign-ins"
            );
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// A file with two items, sealed with the key of these tests.
pub(super) fn seal() -> Vec<u8> {
    let place = Place::new();
    let mut store = FileStore::open(&place.config).expect("a new one");
    store.put("0123456789abcdef0123", b"brokerd:1").expect("room");
    store.put("b", b"").expect("room");
    fs::read(&place.file).expect("a file")
}

/// What a daemon that somebody signed in at has: the grant's JSON, and the index.
pub(super) fn of_a_daemon() -> [Vec<u8>; 2] {
    let mut found = [Vec::new(), Vec::new()];
    paused(async {
        let mut rig = Rig::start();
        rig.sign_in("alice").await;
        rig.stop().await;
        let payload = frame::decode(rig.record().as_bytes()).expect("a whole record");
        found = [payload.as_bytes().to_vec(), fs::read(rig.index_file()).expect("an index")];
    });
    found
}

struct Place {
    config: StoreConfig,
    file: std::path::PathBuf,
    _directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let (file, key) = (directory.path().join("grants.sealed"), directory.path().join("key"));
        write_private(&key, &[7; 32]);
        let config = StoreConfig {
            kind: StoreKind::File,
            path: Some(file.clone()),
            key_file: Some(key),
            ..StoreConfig::default()
        };
        Self { config, file, _directory: directory }
    }
}

fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("a file");
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("its mode");
}
