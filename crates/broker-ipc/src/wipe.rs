//! Overwriting what was secret.

use zeroize::optimization_barrier;

/// Overwrites bytes that may hold a secret, as they are about to be given back or used again.
///
/// zeroize itself goes byte by byte, and for a token that takes longer than to send it. This is as fast as `memset`; zeroize's
/// barrier keeps the compiler from leaving it out.
pub fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    optimization_barrier(bytes);
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_is_left() {
        let mut bytes = *b"a secret";
        super::wipe(&mut bytes[2..]);
        assert_eq!(bytes, *b"a \0\0\0\0\0\0");
    }
}
