//! Secrets as types: no `Display`, `Debug` prints `[redacted]`, memory is zeroed on drop, `expose` is easy to grep.

use secrecy::{ExposeSecret, SecretString};

macro_rules! secrets {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Takes the secret over.
            pub fn new(secret: impl Into<String>) -> Self {
                Self(SecretString::from(secret.into()))
            }

            /// Shows the secret, to put it on the wire or into the store.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "[redacted]"))
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.expose() == other.expose()
            }
        }

        impl Eq for $name {}
    )*};
}

secrets! {
    /// An access token (RFC 6749 §1.4); opaque by contract.
    AccessToken;
    /// A refresh token (RFC 6749 §1.5). Never leaves the daemon but to its own token endpoint.
    RefreshToken;
    /// The device code a client polls with (RFC 8628 §3.2).
    DeviceCode;
    /// What proves that the poll comes from whoever asked for the device code (RFC 7636 §4.1).
    CodeVerifier;
    /// An ID token (OpenID Connect Core §2), used for display only.
    IdToken;
    /// A confidential client's secret (RFC 6749 §2.3.1).
    ClientSecret;
}

impl AccessToken {
    /// Returns the lower-case hex SHA-256 of the token, by which a caller names one that was rejected.
    pub fn sha256_hex(&self) -> String {
        use std::fmt::Write as _;

        use sha2::Digest as _;

        sha2::Sha256::digest(self.expose().as_bytes()).iter().fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot fail.
            write!(hex, "{byte:02x}").ok();
            hex
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_secret() {
        assert_eq!(format!("{:?}", RefreshToken::new("hunter2")), "RefreshToken[redacted]");
        assert_eq!(format!("{:?}", Some(AccessToken::new("hunter2"))), "Some(AccessToken[redacted])");
    }

    #[test]
    fn the_hash_is_lower_case_hex() {
        let hash = AccessToken::new("abc").sha256_hex();
        assert_eq!(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
