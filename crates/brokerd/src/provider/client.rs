//! The client as it introduces itself: its registration, and the secret where the keyring has it.

use std::borrow::Cow;

use broker_oauth::registration::Registration;
use broker_oauth::secret::ClientSecret;
use zeroize::Zeroizing;

use super::{Fault, Provider};
use crate::vault::VaultError;

/// Where the store has a profile's client secret. No account's id has a colon in it, so it is taken for none.
pub(crate) fn secret_key(profile: &str) -> String {
    format!("client-secret:{profile}")
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
            *known = kept.map(|secret| ClientSecret::new(secret.as_str()));
        }
        let Some(secret) = known.clone() else { return Err(Fault::NoClientSecret) };
        Ok(Cow::Owned(Registration { client_secret: Some(secret), ..profile.registration.clone() }))
    }

    /// Keeps another secret in the keyring; the next request has it.
    pub(crate) async fn set_secret(&self, secret: ClientSecret) -> Result<(), VaultError> {
        let mut known = self.secret.lock().await;
        // Whatever becomes of the write, the keyring is asked again.
        *known = None;
        let record = Zeroizing::new(secret.expose().to_owned());
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
