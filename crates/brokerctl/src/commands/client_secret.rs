//! `client-secret`: hands a client's secret to the keyring. It is read from stdin and never stands in an argument.

use broker_client::blocking::Client;
use secrecy::SecretString;

use crate::cli::{ClientSecret, ClientSecretCommand};
use crate::failure::Failure;
use crate::prompt::Mode;
use crate::{clean, hidden, output};

/// `brokerctl client-secret`
pub(crate) fn run(client: &Client, prompt: Mode, options: &ClientSecret) -> Result<(), Failure> {
    let (done, target) = match &options.command {
        ClientSecretCommand::Set(target) => {
            let secret = read(&target.profile)?;
            client.set_client_secret(&target.profile, &secret)?;
            ("kept", target)
        }
        ClientSecretCommand::Remove(target) => {
            client.remove_client_secret(&target.profile)?;
            if !client.status()?.profiles.iter().any(|profile| profile.name == target.profile) {
                prompt.note(&format!("there is no profile {}", clean::line(&target.profile)));
            }
            ("removed", target)
        }
    };
    if target.plain.is_json() {
        return output::json(&serde_json::json!({ done: target.profile }));
    }
    prompt.note(&format!("client secret of {} {done}", clean::line(&target.profile)));
    Ok(())
}

fn read(profile: &str) -> Result<SecretString, Failure> {
    let asking = format!("client secret of {} (not shown): ", clean::line(profile));
    hidden::secret(&asking, "type it when asked, or pipe it in: … | brokerctl client-secret set PROFILE")
}
