//! Is the server what MSAL takes for Microsoft Entra? What it sends, and what it makes of the answers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use support::fake_as::{Ca, Client, ENTRA_CLIENT_ID, Endpoint, FakeAs, Grant, Options, Request, Rotation};
use tempfile::TempDir;

use super::msal::{self, Msal};
use crate::stage::options;

const OTHER_CLIENT: &str = "66666666-7777-8888-9999-000000000000";
const USER_READ: &[&str] = &["User.Read"];

/// A server, and a program with MSAL that knows its authority.
struct Pair {
    server: FakeAs,
    msal: Msal,
    ca_file: String,
    _directory: TempDir,
}

impl Pair {
    async fn start(python: &Path, change: impl FnOnce(&mut Options)) -> Result<Self> {
        let ca = Ca::new();
        let mut options = Options { rotation: Rotation::Tolerant, ..options() };
        options.clients.push(Client::public(OTHER_CLIENT));
        change(&mut options);
        let server = FakeAs::listen_tls(options, &ca).await?;
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("ca.pem");
        std::fs::write(&file, ca.pem())?;
        let ca_file = file.display().to_string();
        Ok(Self { server, msal: Msal::start(python)?, ca_file, _directory: directory })
    }

    /// Opens an application object; `with` goes over the usual arguments.
    async fn open(&mut self, with: Value) -> Result<Value> {
        let authority = format!("{}/contoso.onmicrosoft.com", self.server.authority());
        let mut arguments = json!({"client_id": ENTRA_CLIENT_ID, "authority": authority, "ca": self.ca_file});
        for (name, value) in with.as_object().context("an object")? {
            arguments[name] = value.clone();
        }
        self.msal.ask("open", arguments).await
    }

    /// Signs alice in and returns the prompt and the answer.
    async fn sign_in(&mut self) -> Result<(Value, Value)> {
        let prompt = self.msal.ask("begin", json!({"scopes": USER_READ})).await?;
        let code = prompt["user_code"].as_str().with_context(|| prompt.to_string())?;
        self.server.approve(code, "alice");
        let answer = self.msal.ask("finish", json!({})).await?;
        Ok((prompt, answer))
    }

    fn last(&self, select: impl Fn(&Request) -> bool) -> Request {
        self.server.log().into_iter().rfind(select).expect("such a request")
    }
}

#[tokio::test]
async fn a_sign_in_is_in_entras_dialect_both_ways() -> Result<()> {
    let test = "real_msal::wire::a_sign_in_is_in_entras_dialect_both_ways";
    let Some(python) = msal::python(test)? else { return Ok(()) };
    let mut pair =
        Pair::start(&python, |options| options.access_token_lifetime = 3 * options.access_token_lifetime).await?;
    let opened = pair.open(json!({"capabilities": ["CP1"]})).await?;
    assert!(opened["version"].is_string(), "{opened}");
    let (prompt, answer) = pair.sign_in().await?;
    let page = prompt["verification_uri"].as_str().context("a page")?;
    let message = prompt["message"].as_str().context("a message")?;
    assert!(message.contains(page) && message.contains("enter the code"), "{message}");
    assert_eq!((prompt["interval"].as_u64(), prompt["expires_in"].as_u64()), (Some(1), Some(900)));
    assert_eq!(prompt["user_code"].as_str().map(str::len), Some(9));

    let asked = pair.last(|request| request.is(Endpoint::DeviceAuthorization));
    assert_eq!(asked.path, "/contoso.onmicrosoft.com/oauth2/v2.0/devicecode");
    assert_eq!(asked.field("scope"), Some("User.Read offline_access openid profile"));
    let poll = pair.last(|request| request.is(Grant::DeviceCode));
    assert_eq!(poll.field("code"), poll.field("device_code"));
    assert_eq!((poll.field("client_info"), poll.header("x-client-sku")), (Some("1"), Some("MSAL.Python")));
    for request in [&asked, &poll] {
        assert!(request.field("claims").context("claims")?.contains("xms_cc"), "{:?}", request.field("claims"));
    }

    assert_eq!((&answer["user"], &answer["token_source"]), (&json!("alice@example.com"), &json!("identity_provider")));
    assert_eq!((&answer["expires_in"], &answer["ext_expires_in"]), (&json!(10_800), &json!(10_800)));
    assert!(answer["refresh_on"].is_u64() && answer.get("foci").is_none(), "a long-lived token, no family: {answer}");
    let accounts = pair.msal.ask("accounts", json!({})).await?;
    let account = &accounts["accounts"][0];
    let home = account["home_account_id"].as_str().context("client_info was understood")?;
    assert!(home.ends_with(".c0ffee00-0000-4000-8000-000000000001"), "{home}");
    assert_eq!(home.split('.').next(), account["local_account_id"].as_str());
    let kept = pair.msal.ask("kept", json!({})).await?;
    assert_eq!((&kept["AccessToken"], &kept["RefreshToken"], &kept["IdToken"]), (&json!(1), &json!(1), &json!(1)));
    Ok(())
}

#[tokio::test]
async fn errors_have_entras_shape_and_the_first_requests_id() -> Result<()> {
    let test = "real_msal::wire::errors_have_entras_shape_and_the_first_requests_id";
    let Some(python) = msal::python(test)? else { return Ok(()) };
    // The server knows that the code has run out before MSAL does.
    let early = |options: &mut Options| {
        options.device_code_lifetime = Duration::ZERO;
        options.device_overrides.insert("expires_in".into(), json!(900));
    };
    let mut pair = Pair::start(&python, early).await?;
    pair.open(json!({})).await?;
    pair.msal.ask("begin", json!({"scopes": USER_READ})).await?;
    let answer = pair.msal.ask("finish", json!({})).await?;
    assert_eq!((&answer["error"], &answer["error_codes"]), (&json!("expired_token"), &json!([70_020])));
    let asked = pair.last(|request| request.is(Endpoint::DeviceAuthorization));
    let id = asked.header("client-request-id").context("MSAL names its requests")?;
    assert_eq!(answer["correlation_id"], id);
    let (description, uri) = (answer["error_description"].as_str(), answer["error_uri"].as_str());
    let (description, uri) = (description.context("a description")?, uri.context("a URI")?);
    let number = &answer["error_codes"][0];
    assert!(description.starts_with(&format!("AADSTS{number}: ")), "{description}");
    assert!(description.contains(&format!(" Correlation ID: {id} Timestamp: ")), "{description}");
    assert!(uri.ends_with(&format!("/error?code={number}")), "{uri}");
    Ok(())
}

#[tokio::test]
async fn instance_discovery_knows_this_server_and_no_other() -> Result<()> {
    let test = "real_msal::wire::instance_discovery_knows_this_server_and_no_other";
    let Some(python) = msal::python(test)? else { return Ok(()) };
    let mut pair = Pair::start(&python, |_| {}).await?;
    let instances = format!("{}/common/discovery/instance", pair.server.authority());
    let opened = pair.open(json!({"instance_discovery": instances})).await?;
    assert!(opened["version"].is_string(), "{opened}");
    let paths: Vec<String> = pair.server.log().into_iter().map(|request| request.path).collect();
    assert!(paths[0].starts_with("/common/discovery/instance?"), "{paths:?}");
    assert_eq!(paths[1], "/contoso.onmicrosoft.com/v2.0/.well-known/openid-configuration");
    let (_, answer) = pair.sign_in().await?;
    assert!(answer["token"].is_string(), "{answer}");

    let elsewhere = json!({"instance_discovery": instances, "authority": "https://login.example/contoso"});
    let refused = pair.open(elsewhere).await?;
    let said = refused["text"][0].as_str().context("a text")?;
    assert!(said.starts_with("invalid_instance"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_familys_refresh_token_is_good_for_its_other_client() -> Result<()> {
    let test = "real_msal::wire::a_familys_refresh_token_is_good_for_its_other_client";
    let Some(python) = msal::python(test)? else { return Ok(()) };
    let family = |options: &mut Options| options.family_clients = vec![ENTRA_CLIENT_ID.into(), OTHER_CLIENT.into()];
    let mut pair = Pair::start(&python, family).await?;
    pair.open(json!({})).await?;
    let (_, answer) = pair.sign_in().await?;
    assert_eq!(answer["foci"], "1");
    pair.open(json!({"client_id": OTHER_CLIENT, "same_cache": true})).await?;
    let answer = pair.msal.ask("silent", json!({"scopes": USER_READ})).await?;
    assert!(answer["token"].is_string(), "{answer}");
    let refresh = pair.last(|request| request.is(Grant::RefreshToken));
    assert_eq!((refresh.field("client_id"), refresh.status), (Some(OTHER_CLIENT), Some(200)));

    pair.server.reconfigure(|options| options.family_clients.clear());
    let answer = pair.msal.ask("silent", json!({"scopes": USER_READ, "force": true})).await?;
    assert_eq!(answer["error"], "invalid_grant", "no family, no token: {answer}");
    Ok(())
}
