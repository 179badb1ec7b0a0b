//! A key under a passphrase: a random key, itself sealed by one that Argon2id (RFC 9106) makes of the passphrase, in a file
//! beside the sealed file.
//!
//! So a wrong passphrase is known before anything is written, and the cost can be raised later without touching a grant. The
//! layout and the cost: `docs/decisions/0004-sealed-file.md`.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::sealed::{KEY_LENGTH, Key};
use crate::replace;
use crate::store::StoreError;

/// RFC 9106 §4, the second recommended option, with one lane: this runs on one thread.
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
/// More than this in the file is not ours, and would be a way to stop brokerd.
const MOST: Cost = Cost { memory_kib: 1024 * 1024, passes: 64, lanes: 16 };

const VERSION: u8 = 1;
const KDF: &str = "argon2id";
const SALT_LENGTH: usize = 16;
const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// The file. What is not secret in it is authenticated with the key: see [`Locked::associated`].
#[derive(Serialize, Deserialize)]
struct Locked {
    version: u8,
    kdf: String,
    #[serde(flatten)]
    cost: Cost,
    salt: String,
    nonce: String,
    key: String,
}

/// Whether a passphrase has been chosen.
pub(super) fn is_chosen(path: &Path) -> bool {
    path.exists()
}

/// Chooses the passphrase: makes a key and keeps it at `path`, sealed.
pub(super) fn choose(directory: &Path, path: &Path, passphrase: &SecretString) -> Result<Key, StoreError> {
    if is_chosen(path) {
        return Err(StoreError::Passphrase("there is a passphrase already".to_owned()));
    }
    let mut key = Key::default();
    let (mut salt, mut nonce) = ([0; SALT_LENGTH], [0; NONCE_LENGTH]);
    for bytes in [&mut key[..], &mut salt, &mut nonce] {
        getrandom::fill(bytes)
            .map_err(|error| StoreError::unavailable_because("the system gives no random bytes", error))?;
    }
    let text = lock(&key, passphrase, &salt, &nonce, COST)?;
    replace::durably(directory, path, &text)
        .map_err(|error| StoreError::file(format!("{} cannot be written", path.display()), error))?;
    Ok(key)
}

/// Opens what [`choose`] made.
pub(super) fn open(path: &Path, passphrase: &SecretString) -> Result<Key, StoreError> {
    let text = fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => StoreError::NeedsPassphrase { new: true },
        _ => StoreError::file(format!("{} cannot be read", path.display()), error),
    })?;
    unlock(&text, passphrase).map_err(|refused| match refused {
        Refused::Damaged => StoreError::DamagedFile(format!("{} is damaged", path.display())),
        Refused::Newer => StoreError::NotSupported(format!("{} was written by a newer brokerd", path.display())),
        Refused::Passphrase => StoreError::Passphrase("that is not the passphrase".to_owned()),
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Damaged,
    Newer,
    Passphrase,
}

fn lock(
    key: &Key,
    passphrase: &SecretString,
    salt: &[u8; SALT_LENGTH],
    nonce: &[u8; NONCE_LENGTH],
    cost: Cost,
) -> Result<Vec<u8>, StoreError> {
    let failed = || StoreError::unavailable("no key can be made of the passphrase");
    let mut locked = Locked {
        version: VERSION,
        kdf: KDF.to_owned(),
        cost,
        salt: BASE64.encode(salt),
        nonce: BASE64.encode(nonce),
        key: String::new(),
    };
    let cipher = derive(passphrase, salt, cost).ok_or_else(failed)?;
    let mut sealed = Zeroizing::new(key.to_vec());
    let tag = cipher
        .encrypt_inout_detached(&XNonce::from(*nonce), &locked.associated(), sealed.as_mut_slice().into())
        .map_err(|_| failed())?;
    locked.key = BASE64.encode([&sealed[..], &tag[..]].concat());
    serde_json::to_vec_pretty(&locked).map_err(|error| StoreError::unavailable_because("no key can be written", error))
}

fn unlock(text: &[u8], passphrase: &SecretString) -> Result<Key, Refused> {
    let locked: Locked = serde_json::from_slice(text).map_err(|_| Refused::Damaged)?;
    if locked.version != VERSION || locked.kdf != KDF {
        return Err(Refused::Newer);
    }
    let Cost { memory_kib, passes, lanes } = locked.cost;
    if memory_kib > MOST.memory_kib || passes > MOST.passes || lanes > MOST.lanes {
        return Err(Refused::Damaged);
    }
    let bytes = |text: &str| BASE64.decode(text).map_err(|_| Refused::Damaged);
    let nonce: [u8; NONCE_LENGTH] = bytes(&locked.nonce)?.try_into().map_err(|_| Refused::Damaged)?;
    let sealed = bytes(&locked.key)?;
    if sealed.len() != KEY_LENGTH + TAG_LENGTH {
        return Err(Refused::Damaged);
    }
    let (sealed, tag) = sealed.split_at(KEY_LENGTH);
    let tag = Tag::try_from(tag).map_err(|_| Refused::Damaged)?;
    let cipher = derive(passphrase, &bytes(&locked.salt)?, locked.cost).ok_or(Refused::Damaged)?;
    let mut key = Key::default();
    key.copy_from_slice(sealed);
    // A changed file and a wrong passphrase look the same; the passphrase is the likelier one.
    cipher
        .decrypt_inout_detached(&XNonce::from(nonce), &locked.associated(), key.as_mut_slice().into(), &tag)
        .map_err(|_| Refused::Passphrase)?;
    Ok(key)
}

impl Locked {
    fn associated(&self) -> Vec<u8> {
        let Cost { memory_kib, passes, lanes } = self.cost;
        format!("brokerd key {} {} {memory_kib} {passes} {lanes} {}", self.version, self.kdf, self.salt).into_bytes()
    }
}

fn derive(passphrase: &SecretString, salt: &[u8], cost: Cost) -> Option<XChaCha20Poly1305> {
    let parameters = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(KEY_LENGTH)).ok()?;
    let mut key = Key::default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
        .hash_password_into(passphrase.expose_secret().as_bytes(), salt, key.as_mut_slice())
        .ok()?;
    Some(XChaCha20Poly1305::new((&*key).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

    fn passphrase(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn locked() -> (Key, Vec<u8>) {
        let key = Key::from([7; KEY_LENGTH]);
        let text = lock(&key, &passphrase("correct horse"), &[1; SALT_LENGTH], &[2; NONCE_LENGTH], CHEAP).unwrap();
        (key, text)
    }

    #[test]
    fn the_passphrase_opens_it_and_nothing_else_does() {
        let (key, text) = locked();
        assert_eq!(unlock(&text, &passphrase("correct horse")).unwrap(), key);
        for wrong in ["", "correct horse ", "Correct horse"] {
            assert_eq!(unlock(&text, &passphrase(wrong)).unwrap_err(), Refused::Passphrase, "{wrong:?}");
        }
    }

    #[test]
    fn what_was_changed_does_not_open_and_cannot_be_made_to_cost_more() {
        let (_, text) = locked();
        let text = String::from_utf8(text).unwrap();
        let right = passphrase("correct horse");
        for (from, to, refused) in [
            ("\"memory_kib\": 8", "\"memory_kib\": 16", Refused::Passphrase),
            ("\"passes\": 1", "\"passes\": 2", Refused::Passphrase),
            ("\"memory_kib\": 8", "\"memory_kib\": 4000000000", Refused::Damaged),
            ("\"passes\": 1", "\"passes\": 4000000000", Refused::Damaged),
            ("\"version\": 1", "\"version\": 2", Refused::Newer),
            ("argon2id", "scrypt", Refused::Newer),
            ("\"salt\"", "\"salz\"", Refused::Damaged),
            ("AQEBAQ", "AQEBAg", Refused::Passphrase),
        ] {
            assert!(text.contains(from), "{from} in {text}");
            let changed = text.replacen(from, to, 1);
            assert_eq!(unlock(changed.as_bytes(), &right).unwrap_err(), refused, "{to}");
        }
        assert_eq!(unlock(&text.as_bytes()[..text.len() / 2], &right).unwrap_err(), Refused::Damaged);
    }

    #[test]
    fn a_passphrase_is_chosen_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let open_it = |text: &str| open(&path, &passphrase(text));
        assert!(matches!(open_it("a"), Err(StoreError::NeedsPassphrase { new: true })));
        let key = choose(directory.path(), &path, &passphrase("a")).unwrap();
        assert!(matches!(choose(directory.path(), &path, &passphrase("b")), Err(StoreError::Passphrase(_))));
        assert_eq!(open_it("a").unwrap(), key);
        assert!(matches!(open_it("b"), Err(StoreError::Passphrase(_))));
    }
}
