//! The client as it introduces itself: its registration, and the secret where the keyring has it.

use std::borrow::Cow;

use broker_oauth::registration::Registration;
use broker_oauth::secret::ClientSecret;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Fault, Provider};
use crate::config::Profile;
use crate::vault::VaultError;
use crate::wiped;

/// Where the store has a profile's client secret. No account's id has a colon in it, so it is taken for none.
pub(crate) fn secret_key(profile: &str) -> String {
    format!("client-secret:{profile}")
}

/// The record. A secret is for one client at one server: it does not follow the profile's name to another.
#[derive(Serialize, Deserialize)]
struct Record {
    bound_to: String,
    client_id: String,
    secret: String,
}

impl Drop for Record {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// The record of a profile's secret, as JSON.
fn to_record(profile: &Profile, secret: &ClientSecret) -> Zeroizing<String> {
    let record = Record {
        bound_to: profile.bound_to(),
        client_id: profile.registration.client_id.clone(),
        secret: secret.expose().to_owned(),
    };
    wiped::json_text(&record)
}

/// Reads a record. `None` if it is for another client or another server than the profile's.
fn from_record(profile: &Profile, text: &str) -> Option<ClientSecret> {
    let record: Record = serde_json::from_str(text).ok()?;
    if (&record.client_id, &record.bound_to) != (&profile.registration.client_id, &profile.bound_to()) {
        tracing::info!(profile = profile.name, "the client secret in the keyring is for another client or server");
        return None;
    }
    Some(ClientSecret::new(record.secret.as_str()))
}

impl Provider {
    /// The registration with its secret, which is read from the keyring before the first request that needs it.
    pub(super) async fn client(&self) -> Result<Cow<'_, Registration>, Fault> {
        let profile = &self.profile;
        if !profile.secret_in_keyring {
            return Ok(Cow::Borrowed(&profile.registration));
        }
        let mut known = self.secret.lock().await;
        if known.is_none() {
            let kept = self.vault.get(&secret_key(&profile.name)).await;
            let kept = kept.map_err(|error| Fault::Keyring(Box::new(error.body())))?;
            *known = kept.and_then(|text| from_record(profile, &text));
        }
        let Some(secret) = known.clone() else { return Err(Fault::NoClientSecret) };
        Ok(Cow::Owned(Registration { client_secret: Some(secret), ..profile.registration.clone() }))
    }

    /// Keeps another secret in the keyring; the next request has it.
    pub(crate) async fn set_secret(&self, secret: ClientSecret) -> Result<(), VaultError> {
        let mut known = self.secret.lock().await;
        // Whatever becomes of the write, the keyring is asked again.
        *known = None;
        let record = to_record(&self.profile, &secret);
        self.vault.put(&secret_key(&self.profile.name), record).await?;
        *known = Some(secret);
        self.refusals.forget();
        Ok(())
    }

    /// Forgets the secret, here and in the keyring.
    pub(crate) async fn remove_secret(&self) -> Result<(), VaultError> {
        let mut known = self.secret.lock().await;
        *known = None;
        self.vault.delete(&secret_key(&self.profile.name)).await
    }
}
