//! The real parts do to a program what the other tests rely on. No brokerd here.

use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::real_parts::{GnomeKeyring, OidcProvider, kernel_session};

/// Posts a form as curl would, and returns the JSON that comes back.
pub(crate) fn post(issuer: &str, path: &str, form: &[(&str, &str)]) -> Result<Value> {
    let body =
        form_urlencoded::Serializer::new(String::new()).append_pair("client_id", "cli").extend_pairs(form).finish();
    let url = Url::parse(issuer)?;
    let address = url.socket_addrs(|| None)?;
    let mut stream = TcpStream::connect(&*address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "POST {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        address[0],
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, json) = answer.split_once("\r\n\r\n").context("a head and a body")?;
    Ok(serde_json::from_str(json)?)
}

fn begin(provider: &OidcProvider) -> Result<(String, String)> {
    let flow = post(provider.issuer(), "/device/auth", &[("scope", "openid profile offline_access")])?;
    let text = |name: &str| flow[name].as_str().map(str::to_owned).context(flow.to_string());
    Ok((text("device_code")?, text("verification_uri_complete")?))
}

fn poll(provider: &OidcProvider, device_code: &str) -> Result<Value> {
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    post(provider.issuer(), "/token", &[("grant_type", grant), ("device_code", device_code)])
}

fn refresh(provider: &OidcProvider, answer: &Value) -> Result<Value> {
    let token = answer["refresh_token"].as_str().context("a refresh token")?;
    post(provider.issuer(), "/token", &[("grant_type", "refresh_token"), ("refresh_token", token)])
}

#[test]
fn a_real_provider_grants_and_denies() -> Result<()> {
    let test = "real_parts_selftest::a_real_provider_grants_and_denies";
    let settings = [("ACCESS_TTL", "7")];
    let Some(mut provider) = OidcProvider::start(test, &settings)? else {
        return Ok(());
    };

    let (device_code, uri) = begin(&provider)?;
    assert_eq!(poll(&provider, &device_code)?["error"], "authorization_pending");
    assert_eq!(provider.wait_for("/token", 400)?.error.as_deref(), Some("authorization_pending"));
    provider.approve(&uri, "bob")?;
    let tokens = poll(&provider, &device_code)?;
    assert_eq!(tokens["expires_in"], 7);

    let (device_code, uri) = begin(&provider)?;
    provider.deny(&uri)?;
    assert_eq!(poll(&provider, &device_code)?["error"], "access_denied");

    refresh(&provider, &tokens)?;
    assert_eq!(provider.refreshes()?, 1);
    let polls = provider.requests()?.iter().filter(|r| r.method == "POST" && r.path == "/token");
    assert_eq!(polls.count(), 4);
    Ok(())
}

#[test]
fn a_real_provider_comes_back_with_its_grants_or_without() -> Result<()> {
    let test = "real_parts_selftest::a_real_provider_comes_back_with_its_grants_or_without";
    let Some(mut provider) = OidcProvider::start(test, &[])? else {
        return Ok(());
    };
    let (device_code, uri) = begin(&provider)?;
    provider.approve(&uri, "alice")?;
    let first = poll(&provider, &device_code)?;

    provider.stop()?;
    assert!(refresh(&provider, &first).is_err(), "a stopped provider answers");
    provider.restart()?;
    let second = refresh(&provider, &first)?;
    assert!(second["access_token"].is_string(), "{}", second["error"]);

    provider.restart_empty()?;
    assert_eq!(refresh(&provider, &second)?["error"], "invalid_grant");
    assert_eq!(provider.refreshes()?, 2);
    Ok(())
}

fn secret_tool(keyring: &GnomeKeyring, arguments: &[&str]) -> Command {
    // It waits for ever on a keyring that hangs.
    let mut command = Command::new("timeout");
    command.args(["2", "secret-tool"]).args(arguments).args(["service", "selftest"]);
    command.envs(keyring.env()).stderr(Stdio::null());
    command
}

fn store(keyring: &GnomeKeyring, secret: &str) -> Result<bool> {
    let mut child =
        secret_tool(keyring, &["store", "--label=selftest"]).stdin(Stdio::piped()).spawn().context("secret-tool")?;
    child.stdin.take().context("standard input")?.write_all(secret.as_bytes())?;
    Ok(child.wait()?.success())
}

fn lookup(keyring: &GnomeKeyring) -> Result<Option<String>> {
    let output = secret_tool(keyring, &["lookup"]).output().context("secret-tool")?;
    Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[test]
fn a_real_keyring_locks_hangs_and_dies() -> Result<()> {
    let test = "real_parts_selftest::a_real_keyring_locks_hangs_and_dies";
    let Some(keyring) = GnomeKeyring::start(test)? else {
        return Ok(());
    };
    let one = Some("one".to_owned());
    assert_eq!(lookup(&keyring)?, None);
    assert!(store(&keyring, "one")?);
    assert_eq!(lookup(&keyring)?, one);

    keyring.lock()?;
    assert_eq!(lookup(&keyring)?, None);
    assert!(!store(&keyring, "two")?);
    keyring.unlock()?;
    assert_eq!(lookup(&keyring)?, one);

    keyring.stop()?;
    assert_eq!(lookup(&keyring)?, None);
    keyring.cont()?;
    assert_eq!(lookup(&keyring)?, one);

    keyring.kill()?;
    assert_eq!(lookup(&keyring)?, None);
    keyring.start_again()?;
    assert_eq!(lookup(&keyring)?, one);
    keyring.kill()?;
    keyring.start_again_locked()?;
    assert_eq!(lookup(&keyring)?, None);

    keyring.kill_bus()?;
    assert!(keyring.lock().is_err(), "a bus that was killed answers");
    Ok(())
}

#[test]
fn a_real_keyring_ends_with_its_owner() -> Result<()> {
    let test = "real_parts_selftest::a_real_keyring_ends_with_its_owner";
    let Some(keyring) = GnomeKeyring::start(test)? else {
        return Ok(());
    };
    let (_, directory) = keyring.env().find(|(name, _)| *name == "BROKERD_TEST_KEYRING_DIR").context("a directory")?;
    let directory = Path::new(directory).to_owned();
    assert!(directory.exists());
    drop(keyring);
    assert!(!directory.exists());
    Ok(())
}

#[test]
fn a_kernel_session_is_private() -> Result<()> {
    let test = "real_parts_selftest::a_kernel_session_is_private";
    let Some(mut command) = kernel_session(test, Path::new("sh"))? else {
        return Ok(());
    };
    let script = "keyctl pipe $(keyctl add user brokerd-selftest secret @s)";
    let output = command.args(["-c", script]).output()?;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "secret");
    let outside = Command::new("keyctl").args(["search", "@s", "user", "brokerd-selftest"]).output();
    assert!(!outside?.status.success(), "the key is seen outside of its session");
    Ok(())
}

#[test]
fn tests_run_prepares_the_parts() {
    // A misspelt variable would skip everything for ever.
    for part in ["OIDC_PROVIDER", "GNOME_KEYRING", "KEYCTL"] {
        let is = |suffix| env::var_os(format!("BROKERD_TEST_{part}{suffix}")).is_some();
        assert!(!(is("") && is("_SKIP")), "{part} is there and is not");
    }
}
