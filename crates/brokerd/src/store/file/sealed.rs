//! The bytes of the sealed file: how they are written, and how wrong key and damage are told apart.
//!
//! The format is laid out in `docs/decisions/0004-sealed-file.md`.

use std::collections::BTreeMap;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What the file holds.
pub(super) type Items = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// The key of the file.
pub(super) type Key = Zeroizing<[u8; KEY_LENGTH]>;

/// A key's length in bytes.
pub(super) const KEY_LENGTH: usize = 32;

const MAGIC: &[u8; 8] = b"BRKSEAL\n";
const VERSION: u8 = 1;
const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;
const PREFIX: usize = MAGIC.len() + 1;
const CHECK_TAG: usize = PREFIX + NONCE_LENGTH;
const BODY_NONCE: usize = CHECK_TAG + TAG_LENGTH;
const CHECKSUM: usize = BODY_NONCE + NONCE_LENGTH;
const HEADER: usize = CHECKSUM + 32;
const KEY_CHECK: &[u8] = b"key check";

/// Why the file does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsealed {
    /// Cut or changed.
    Damaged,
    /// A version this program does not know.
    Newer,
    /// Whole, but of another key.
    WrongKey,
}

/// Seals the items under two fresh nonces; `None` if the system gives no random bytes.
pub(super) fn seal(key: &Key, items: &Items) -> Option<Vec<u8>> {
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let mut file = Vec::with_capacity(HEADER);
    file.extend_from_slice(MAGIC);
    file.push(VERSION);

    let check_nonce = fresh_nonce()?;
    let tag = cipher.encrypt_inout_detached(&check_nonce, &key_check(&file), (&mut [][..]).into()).ok()?;
    file.extend_from_slice(&check_nonce);
    file.extend_from_slice(&tag);

    let body_nonce = fresh_nonce()?;
    file.extend_from_slice(&body_nonce);
    let checksum = Sha256::digest(&file);
    file.extend_from_slice(&checksum);

    let mut body = encode(items)?;
    let tag = cipher.encrypt_inout_detached(&body_nonce, &file, body.as_mut_slice().into()).ok()?;
    file.extend_from_slice(&body);
    file.extend_from_slice(&tag);
    Some(file)
}

/// Opens what [`seal`] made.
pub(super) fn unseal(key: &Key, file: &[u8]) -> Result<Items, Unsealed> {
    if file.len() < HEADER + TAG_LENGTH || !file.starts_with(MAGIC) {
        return Err(Unsealed::Damaged);
    }
    let (header, rest) = file.split_at(HEADER);
    if header[CHECKSUM..] != *Sha256::digest(&header[..CHECKSUM]) {
        return Err(Unsealed::Damaged);
    }
    // After the checksum: a flipped bit in the version is damage, not a newer program.
    if header[MAGIC.len()] != VERSION {
        return Err(Unsealed::Newer);
    }

    let cipher = XChaCha20Poly1305::new((&**key).into());
    let check_nonce = nonce(&header[PREFIX..CHECK_TAG])?;
    let check_tag = tag(&header[CHECK_TAG..BODY_NONCE])?;
    cipher
        .decrypt_inout_detached(&check_nonce, &key_check(&header[..PREFIX]), (&mut [][..]).into(), &check_tag)
        .map_err(|_| Unsealed::WrongKey)?;

    let body_nonce = nonce(&header[BODY_NONCE..CHECKSUM])?;
    let (sealed, end) = rest.split_at(rest.len() - TAG_LENGTH);
    let mut body = Zeroizing::new(sealed.to_vec());
    cipher
        .decrypt_inout_detached(&body_nonce, header, body.as_mut_slice().into(), &tag(end)?)
        .map_err(|_| Unsealed::Damaged)?;
    decode(&body).ok_or(Unsealed::Damaged)
}

fn key_check(prefix: &[u8]) -> Vec<u8> {
    [prefix, KEY_CHECK].concat()
}

fn fresh_nonce() -> Option<XNonce> {
    let mut nonce = [0; NONCE_LENGTH];
    getrandom::fill(&mut nonce).ok()?;
    Some(nonce.into())
}

fn nonce(bytes: &[u8]) -> Result<XNonce, Unsealed> {
    <[u8; NONCE_LENGTH]>::try_from(bytes).map(Into::into).map_err(|_| Unsealed::Damaged)
}

fn tag(bytes: &[u8]) -> Result<Tag, Unsealed> {
    <[u8; TAG_LENGTH]>::try_from(bytes).map(Into::into).map_err(|_| Unsealed::Damaged)
}

/// `None` if a length does not fit 32 bits.
fn encode(items: &Items) -> Option<Zeroizing<Vec<u8>>> {
    let length = items.iter().map(|(key, value)| 8 + key.len() + value.len()).sum::<usize>() + 4;
    // The capacity is exact: growing would leave copies of the secrets behind.
    let mut body = Zeroizing::new(Vec::with_capacity(length));
    body.extend_from_slice(&u32::try_from(items.len()).ok()?.to_be_bytes());
    for (key, value) in items {
        for part in [key.as_bytes(), value] {
            body.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
            body.extend_from_slice(part);
        }
    }
    Some(body)
}

fn decode(mut body: &[u8]) -> Option<Items> {
    let count = take_length(&mut body)?;
    let mut items = Items::new();
    for _ in 0..count {
        let key = std::str::from_utf8(take_part(&mut body)?).ok()?.to_owned();
        items.insert(key, Zeroizing::new(take_part(&mut body)?.to_vec()));
    }
    body.is_empty().then_some(items)
}

fn take_part<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(body)?;
    let (part, rest) = body.split_at_checked(length)?;
    *body = rest;
    Some(part)
}

fn take_length(body: &mut &[u8]) -> Option<usize> {
    let (bytes, rest) = body.split_first_chunk::<4>()?;
    *body = rest;
    usize::try_from(u32::from_be_bytes(*bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Zeroizing::new([byte; KEY_LENGTH])
    }

    fn items() -> Items {
        [("a", "one"), ("b", ""), ("ü", "päylöad")]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Zeroizing::new(value.as_bytes().to_vec())))
            .collect()
    }

    #[test]
    fn items_survive_the_round_trip_and_no_two_files_are_alike() {
        let file = seal(&key(1), &items()).unwrap();
        assert_eq!(unseal(&key(1), &file), Ok(items()));
        assert_eq!(unseal(&key(1), &seal(&key(1), &Items::new()).unwrap()), Ok(Items::new()));
        assert!(!file.windows(3).any(|window| window == b"one"));
        let again = seal(&key(1), &items()).unwrap();
        assert_ne!(file[PREFIX..CHECK_TAG], again[PREFIX..CHECK_TAG]);
        assert_ne!(file[BODY_NONCE..CHECKSUM], again[BODY_NONCE..CHECKSUM]);
        assert_ne!(file[HEADER..], again[HEADER..]);
    }

    #[test]
    fn another_key_is_told_from_damage() {
        let file = seal(&key(1), &items()).unwrap();
        assert_eq!(unseal(&key(2), &file), Err(Unsealed::WrongKey));
        for index in 0..file.len() {
            assert_eq!(unseal(&key(1), &file[..index]), Err(Unsealed::Damaged), "cut at {index}");
            let mut wrong = file.clone();
            wrong[index] ^= 1;
            assert_eq!(unseal(&key(1), &wrong), Err(Unsealed::Damaged), "byte {index}");
        }
        assert_eq!(unseal(&key(1), &[file, vec![0]].concat()), Err(Unsealed::Damaged));
    }

    #[test]
    fn a_newer_version_says_so() {
        let mut file = seal(&key(1), &items()).unwrap();
        file[MAGIC.len()] = 2;
        let checksum = Sha256::digest(&file[..CHECKSUM]);
        file[CHECKSUM..HEADER].copy_from_slice(&checksum);
        assert_eq!(unseal(&key(1), &file), Err(Unsealed::Newer));
    }

    /// A file that was written once must open for ever.
    #[test]
    fn a_file_of_version_1_still_opens() {
        use base64::Engine;

        let file = concat!(
            "QlJLU0VBTAoB+oqdNVmIfiWvC3l28kZJiLPPpi6jSxpQ5Vx4mvCv5FwLRwmLMM46l7qSjZtkyP8qJ58m",
            "upv6nOP3pX29RakfLB8VpggqaVegmSAGRO5cqV1F+jkn8cJjywb0UNvsAw0hzuGW/L1nH5VzbBH7kYE2",
            "xhAYHr7TuLWjo7VkhStmb1A=",
        );
        let file = base64::engine::general_purpose::STANDARD.decode(file).unwrap();
        let items = unseal(&key(7), &file).unwrap();
        assert_eq!(items.into_iter().collect::<Vec<_>>(), [("a".to_owned(), Zeroizing::new(b"one".to_vec()))]);
    }
}
