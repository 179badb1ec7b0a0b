//! What a stored record looks like: `brokerd:1:<SHA-256 of the payload, in hex>:<payload>`.
//!
//! A Secret Service session has no message authentication, and one keyring did return wrong bytes without an error. The frame finds
//! that out. It is text, because not every keyring keeps other bytes; it hides nothing, the store does that.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const MAGIC: &str = "brokerd:";
const VERSION: &str = "1";
const CHECKSUM_LENGTH: usize = 64;

/// Why a record is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Cut, changed, or not ours.
    #[error("the record is damaged")]
    Damaged,
    /// Whole, but of a version that this program does not know.
    #[error("the record was written by a newer brokerd")]
    Newer,
}

/// Puts the frame around a payload.
pub fn encode(payload: &str) -> Zeroizing<String> {
    // The capacity is exact: growing would leave copies of the secret behind.
    let length = MAGIC.len() + VERSION.len() + 1 + CHECKSUM_LENGTH + 1 + payload.len();
    let mut record = Zeroizing::new(String::with_capacity(length));
    record.push_str(MAGIC);
    record.push_str(VERSION);
    record.push(':');
    record.push_str(&checksum(payload));
    record.push(':');
    record.push_str(payload);
    record
}

/// Takes the frame off a record.
pub fn decode(record: &[u8]) -> Result<Zeroizing<String>, FrameError> {
    let record = std::str::from_utf8(record).map_err(|_| FrameError::Damaged)?;
    let rest = record.strip_prefix(MAGIC).ok_or(FrameError::Damaged)?;
    let (version, rest) = rest.split_once(':').ok_or(FrameError::Damaged)?;
    if version != VERSION {
        let newer = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
        return Err(if newer { FrameError::Newer } else { FrameError::Damaged });
    }
    let (sum, payload) = rest.split_once(':').ok_or(FrameError::Damaged)?;
    if sum != checksum(payload) {
        return Err(FrameError::Damaged);
    }
    Ok(Zeroizing::new(payload.to_owned()))
}

fn checksum(payload: &str) -> String {
    let mut hex = String::with_capacity(CHECKSUM_LENGTH);
    for byte in Sha256::digest(payload.as_bytes()) {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_the_round_trip() {
        for payload in ["", "x", "päylöad: with colons:", &"long".repeat(5000)] {
            assert_eq!(*decode(encode(payload).as_bytes()).unwrap(), payload);
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let record = encode("{\"refresh_token\":\"abc\"}");
        for index in 0..record.len() {
            assert!(decode(&record.as_bytes()[..index]).is_err(), "cut at {index}");
            for bit in 0..8 {
                let mut wrong = record.as_bytes().to_vec();
                wrong[index] ^= 1 << bit;
                assert!(decode(&wrong).is_err(), "byte {index}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_newer_version_is_not_called_damaged() {
        assert_eq!(decode(b"brokerd:2:whatever"), Err(FrameError::Newer));
        assert_eq!(decode(b"brokerd:x:whatever"), Err(FrameError::Damaged));
        assert_eq!(decode(b"\xff\xfe"), Err(FrameError::Damaged));
    }
}
