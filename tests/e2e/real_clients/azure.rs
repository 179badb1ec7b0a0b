//! The Azure SDK for Python, whose credentials find `az`, `azd` or a managed identity, and no other line of it is ours.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use support::fake_as::ENTRA_CLIENT_ID;
use support::processes::{Daemon, binaries};
use tokio::process::Command;
use tokio::time::Instant;

use super::{command, finish, link, script};
use crate::real_parts::part;
use crate::stage::Stage;

/// What is asked for: Azure Resource Manager, of a sign-in that was for another API.
const SCOPE: &str = "https://management.azure.com/.default";
/// The SDKs' own limit for a program they run.
const THEIR_PATIENCE: Duration = Duration::from_secs(10);

/// A profile of Microsoft Entra.
fn config(stage: &Stage) -> String {
    format!(
        "{}[profiles.work]\nprovider = \"entra\"\nauthority = {:?}\ntenant = \"contoso.onmicrosoft.com\"\n\
         client_id = {ENTRA_CLIENT_ID:?}\nscopes = [\"User.Read\"]\n",
        stage.store(),
        stage.server.authority()
    )
}

async fn stage() -> (Stage, Daemon) {
    let stage = Stage::new().await;
    link(&stage);
    let daemon = Daemon::start(&stage.home, &config(&stage)).await;
    (stage, daemon)
}

/// Asks a credential of the SDK: the program, and how it is started.
async fn ask(stage: &Stage, mut command: Command, words: &[&str]) -> Value {
    command.arg("-B").arg(script("sdk.py")).args(words);
    let output = finish(stage, command).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The program as a developer starts it. Of the credentials in `DefaultAzureCredential` only a developer's are tried: others
/// would ask an address of the cloud.
fn plain(stage: &Stage, python: &Path) -> Command {
    let mut command = command(stage, python.join("python"));
    command.env("AZURE_TOKEN_CREDENTIALS", "dev");
    command
}

/// The program in `brokerctl exec --azure`, after some words for the shell.
fn within(stage: &Stage, python: &Path, words: &[&str]) -> Command {
    let mut command = command(stage, &binaries().brokerctl);
    command.args(["exec", "work", "--azure", "--"]).args(words).arg(python.join("python"));
    command
}

#[tokio::test]
async fn a_developers_credentials_get_their_tokens_from_az_and_azd() -> Result<()> {
    let test = "real_clients::azure::a_developers_credentials_get_their_tokens_from_az_and_azd";
    let Some(python) = part("BROKERD_TEST_PYTHON", test)? else { return Ok(()) };
    let (stage, _daemon) = stage().await;
    stage.sign_in("alice").await;
    let at_hand = stage.json(&format!("get-token -o json -s {SCOPE}")).await;
    for credential in ["AzureCliCredential", "AzureDeveloperCliCredential", "DefaultAzureCredential"] {
        let got = ask(&stage, plain(&stage, &python), &[credential, SCOPE]).await;
        let [told, known] = [&got, &at_hand].map(|answer| answer["expires_on"].as_i64().expect("a time"));
        assert_eq!(got["token"], at_hand["access_token"], "{credential}: {got}");
        assert_eq!(told, known, "{credential}");
        let issued = stage.server.access_token(got["token"].as_str().expect("a token")).expect("it is good");
        assert!(issued.scope.iter().all(|scope| !scope.contains("User.Read")), "another API's: {issued:?}");
    }
    for credential in ["AzureCliCredential", "AzureDeveloperCliCredential"] {
        let got = ask(&stage, plain(&stage, &python), &[credential, SCOPE, "fabrikam.onmicrosoft.com"]).await;
        let issued = stage.server.access_token(got["token"].as_str().expect("a token")).expect("it is good");
        assert_eq!(issued.tenant.as_deref(), Some("c0ffee00-0000-4000-8000-000000000002"), "{credential}");
    }
    Ok(())
}

#[tokio::test]
async fn where_nobody_is_signed_in_the_sdk_goes_on_to_its_next_credential() -> Result<()> {
    let test = "real_clients::azure::where_nobody_is_signed_in_the_sdk_goes_on_to_its_next_credential";
    let Some(python) = part("BROKERD_TEST_PYTHON", test)? else { return Ok(()) };
    let (stage, daemon) = stage().await;
    let refused = async |credential: &str| {
        let begun = Instant::now();
        let got = ask(&stage, plain(&stage, &python), &[credential, SCOPE]).await;
        assert!(begun.elapsed() < THEIR_PATIENCE, "{credential} did not wait for a program");
        (got["raised"].as_str().unwrap_or_default().to_owned(), got["message"].to_string())
    };
    let unavailable = [
        ("AzureCliCredential", "Please run 'az login' to set up an account"),
        ("AzureDeveloperCliCredential", "Please run 'azd auth login'"),
    ];
    for (credential, theirs) in unavailable {
        let (raised, message) = refused(credential).await;
        assert_eq!(raised, "CredentialUnavailableError", "{credential}: {message}");
        assert!(message.contains(theirs), "{credential}: {message}");
    }
    // It has asked them all, and says of each why not.
    let (raised, message) = refused("DefaultAzureCredential").await;
    assert_eq!(raised, "ClientAuthenticationError", "{message}");
    assert!(unavailable.iter().all(|(credential, _)| message.contains(credential)), "{message}");

    drop(daemon);
    for (credential, _) in unavailable {
        let (raised, message) = refused(credential).await;
        assert_eq!(raised, "CredentialUnavailableError", "without brokerd: {credential}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn a_managed_identity_is_the_commands_alone() -> Result<()> {
    let test = "real_clients::azure::a_managed_identity_is_the_commands_alone";
    let Some(python) = part("BROKERD_TEST_PYTHON", test)? else { return Ok(()) };
    let (stage, _daemon) = stage().await;
    stage.sign_in("alice").await;
    for credential in ["ManagedIdentityCredential", "DefaultAzureCredential"] {
        let got = ask(&stage, within(&stage, &python, &[]), &[credential, SCOPE]).await;
        let token = got["token"].as_str().unwrap_or_else(|| panic!("{credential}: {got}"));
        let issued = stage.server.access_token(token).expect("it is good");
        assert!(issued.scope.iter().any(|scope| scope.starts_with("https://management.azure.com/")), "{issued:?}");
    }
    // Another program that has found the port has not the secret.
    let wrong = within(&stage, &python, &["env", "IDENTITY_HEADER=0000"]);
    let got = ask(&stage, wrong, &["ManagedIdentityCredential", SCOPE]).await;
    assert!(got["raised"].is_string() && got["message"].to_string().contains("IDENTITY-HEADER is wrong"), "{got}");
    // A page in a browser has neither the name nor the right to leave out where it comes from.
    for header in ["Host: evil.test", "Origin: https://evil.test"] {
        let ask = format!(
            "curl -s -o /dev/null -w '%{{http_code}}' -H 'X-IDENTITY-HEADER: '$IDENTITY_HEADER -H '{header}' \
             \"$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https://management.azure.com\""
        );
        let mut browser = command(&stage, &binaries().brokerctl);
        browser.args(["exec", "work", "--azure", "--", "sh", "-c", &ask]);
        let output = finish(&stage, browser).await;
        assert_eq!(output.stdout, "403", "{header}: {output:?}");
    }
    Ok(())
}
