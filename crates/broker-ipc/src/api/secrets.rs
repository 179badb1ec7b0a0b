//! Client secrets: the one thing a client gives to brokerd to keep.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// `PUT /v1/client-secrets/{profile}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSecretRequest {
    /// The secret of the profile's client (RFC 6749 §2.3.1).
    #[serde(serialize_with = "super::expose")]
    pub client_secret: SecretString,
}

/// `POST /v1/store/unlock`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnlockRequest {
    /// The passphrase of the sealed file.
    #[serde(serialize_with = "super::expose")]
    pub passphrase: SecretString,
    /// Whether it is to be the passphrase from now on, where none has been chosen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new: bool,
}
