//! Does it work with a certified `OpenID` provider that we did not write?

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use support::fake_as::Issued;
use support::processes::{Ctl, Daemon, Home, Output};
use tokio::time;

use crate::real_parts::OidcProvider;
use crate::real_parts_selftest::post;
use crate::stage::{PATIENCE, prompted};

/// A home with a sealed file and a profile at the provider; what the provider issued is watched for.
struct Stage {
    provider: OidcProvider,
    home: Home,
}

impl Stage {
    /// Starts a provider, or skips the test.
    fn start(test: &str, settings: &[(&str, &str)]) -> Result<Option<Self>> {
        let Some(provider) = OidcProvider::start(test, settings)? else {
            return Ok(None);
        };
        let home = Home::create()?;
        watch(&home, &provider);
        let key = home.write("key", &[b'7'; 64])?;
        let config =
            format!("[store]\nkind = \"file\"\nkey_file = {:?}\n{}", key.display().to_string(), profile(&provider));
        home.write(home.config_file(), config.as_bytes())?;
        Ok(Some(Self { provider, home }))
    }

    async fn daemon(&self) -> Daemon {
        Daemon::launch(&self.home).start().await
    }

    async fn run(&self, arguments: &str) -> Output {
        Ctl::new(&self.home).limit(PATIENCE).run(arguments.split_whitespace()).await
    }

    async fn token(&self, arguments: &str) -> Result<String> {
        let output = self.run(&format!("get-token {arguments}")).await;
        ensure!(output.code == Some(0) && output.stderr.is_empty(), "{output:?}");
        Ok(output.stdout.trim_end().to_owned())
    }

    async fn sign_in(&self, user: &str) -> Result<String> {
        sign_in(&self.home, &self.provider, user).await
    }

    fn polls(&mut self) -> Result<usize> {
        let device = |grant: &str| grant.ends_with("device_code");
        let requests = self.provider.requests()?;
        Ok(requests.iter().filter(|request| request.grant_type.as_deref().is_some_and(device)).count())
    }
}

/// The profile `work` at a provider.
pub(crate) fn profile(provider: &OidcProvider) -> String {
    let issuer = provider.issuer();
    format!(
        "[profiles.work]\nissuer = {issuer:?}\nclient_id = \"cli\"\n\
         scopes = [\"openid\", \"profile\", \"offline_access\"]\n"
    )
}

/// Watches for every code and token the provider keeps.
pub(crate) fn watch(home: &Home, provider: &OidcProvider) {
    let kept = provider.kept();
    home.canary().watch_for(move || {
        kept.rows()
            .into_iter()
            .filter_map(|(model, id)| {
                let kind = match model.as_str() {
                    "AccessToken" => "access_token",
                    "DeviceCode" => "device_code",
                    "RefreshToken" => "refresh_token",
                    _ => return None,
                };
                Some(Issued { kind, value: id })
            })
            .collect()
    });
}

/// Gets a first token, the person confirming as that user, and returns it.
pub(crate) async fn sign_in(home: &Home, provider: &OidcProvider, user: &str) -> Result<String> {
    let mut asked = Ctl::new(home).limit(PATIENCE).spawn(["get-token"]);
    let uri = complete_uri(&asked.stderr_until(|told| told.contains("never enter")).await)?;
    provider.approve(&uri, user)?;
    let output = asked.finish().await;
    ensure!(output.code == Some(0), "{output:?}");
    Ok(output.stdout.trim_end().to_owned())
}

fn complete_uri(told: &str) -> Result<String> {
    let line = told.lines().find_map(|line| line.trim().strip_prefix("or open:"));
    Ok(line.context("a complete URI")?.trim().to_owned())
}

#[tokio::test]
async fn a_person_approves_or_declines() -> Result<()> {
    let test = "real_provider::a_person_approves_or_declines";
    let Some(mut stage) = Stage::start(test, &[("INTERVAL", "1")])? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    let mut asked = Ctl::new(&stage.home).limit(PATIENCE).spawn(["get-token"]);
    prompted(&mut asked).await;
    let uri = complete_uri(&asked.stderr_until(|told| told.contains("never enter")).await)?;
    stage.provider.deny(&uri)?;
    let output = asked.finish().await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(4), ""), "{output:?}");

    let token = stage.sign_in("alice").await?;
    assert_eq!(stage.token("").await?, token);
    let accounts = stage.run("accounts -o json").await.stdout;
    let accounts: Value = serde_json::from_str(&accounts)?;
    assert_eq!(accounts["accounts"][0]["username"], "alice");
    assert_eq!(stage.provider.refreshes()?, 0);
    assert!(stage.polls()? >= 2);
    Ok(())
}

#[tokio::test]
async fn short_tokens_are_refreshed_and_rotate_without_reuse() -> Result<()> {
    let test = "real_provider::short_tokens_are_refreshed_and_rotate_without_reuse";
    let Some(mut stage) = Stage::start(test, &[("INTERVAL", "1"), ("ACCESS_TTL", "1")])? else { return Ok(()) };
    let daemon = stage.daemon().await;
    let mut seen = vec![stage.sign_in("alice").await?];
    for _ in 0..3 {
        time::sleep(Duration::from_millis(1300)).await;
        seen.push(stage.token("").await?);
    }
    daemon.kill9().await;
    let _daemon = stage.daemon().await;
    time::sleep(Duration::from_millis(1300)).await;
    seen.push(stage.token("--no-prompt").await?);
    let tokens = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), tokens, "each refresh brought another token");
    // The library ends the whole sign-in when a spent refresh token comes back.
    assert_eq!(stage.provider.refreshes()?, 4);
    assert!(stage.provider.requests()?.iter().all(|request| request.error.as_deref() != Some("invalid_grant")));
    Ok(())
}

#[tokio::test]
async fn twenty_callers_with_an_expired_token_cost_one_refresh() -> Result<()> {
    let test = "real_provider::twenty_callers_with_an_expired_token_cost_one_refresh";
    // Long enough that the token which twenty processes share does not end while they start.
    let settings = [("INTERVAL", "1"), ("ACCESS_TTL", "6")];
    let Some(mut stage) = Stage::start(test, &settings)? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    let first = stage.sign_in("bob").await?;
    time::sleep(Duration::from_millis(6200)).await;
    let ctl = Ctl::new(&stage.home).limit(PATIENCE);
    let callers: Vec<_> = (0..20).map(|_| ctl.spawn(["get-token", "--no-prompt"])).collect();
    let mut tokens = Vec::new();
    for caller in callers {
        let output = caller.finish().await;
        assert_eq!(output.code, Some(0), "{output:?}");
        tokens.push(output.stdout.trim_end().to_owned());
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    assert_ne!(tokens[0], first);
    assert_eq!(stage.provider.refreshes()?, 1);
    Ok(())
}

#[tokio::test]
async fn signing_out_ends_the_refresh_token_at_the_provider() -> Result<()> {
    let test = "real_provider::signing_out_ends_the_refresh_token_at_the_provider";
    let Some(mut stage) = Stage::start(test, &[("INTERVAL", "1")])? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    stage.sign_in("alice").await?;
    let rows = stage.provider.kept().rows();
    let (_, refresh_token) = rows.iter().find(|(model, _)| model == "RefreshToken").context("a refresh token")?;
    let output = stage.run("logout").await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stderr.contains("at the provider: revoked"), "{}", output.stderr);
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    assert_eq!(post(stage.provider.issuer(), "/token", &form)?["error"], "invalid_grant");
    assert_eq!(stage.run("get-token --no-prompt").await.code, Some(3));
    assert_eq!(stage.provider.refreshes()?, 1, "ours, by hand");
    Ok(())
}

/// The library spends the refresh token before it looks at the resource, and would end the whole sign-in the next time.
#[tokio::test]
async fn a_wrong_resource_costs_nobody_the_sign_in() -> Result<()> {
    let test = "real_provider::a_wrong_resource_costs_nobody_the_sign_in";
    let Some(mut stage) = Stage::start(test, &[("INTERVAL", "1")])? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    stage.sign_in("alice").await?;
    let refused = stage.run("get-token --no-prompt --resource urn:nowhere").await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert_eq!(stage.provider.refreshes()?, 0);
    stage.token("--force-refresh --no-prompt").await?;
    stage.token("--force-refresh --no-prompt").await?;
    Ok(())
}

#[tokio::test]
async fn a_provider_that_says_slow_down_is_heard() -> Result<()> {
    let test = "real_provider::a_provider_that_says_slow_down_is_heard";
    // It announces one second and wants three.
    let settings = [("INTERVAL", "1"), ("SLOW_DOWN", "3")];
    let Some(mut stage) = Stage::start(test, &settings)? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    let mut asked = Ctl::new(&stage.home).limit(PATIENCE).spawn(["get-token"]);
    let uri = complete_uri(&asked.stderr_until(|told| told.contains("never enter")).await)?;
    while stage.provider.wait_for("/token", 400)?.error.as_deref() != Some("slow_down") {}
    stage.provider.approve(&uri, "alice")?;
    let output = asked.finish().await;
    assert_eq!(output.code, Some(0), "{output:?}");
    let slowed = stage.provider.requests()?.iter().filter(|request| request.error.as_deref() == Some("slow_down"));
    assert_eq!(slowed.count(), 1, "heard the first time");
    Ok(())
}

#[tokio::test]
async fn a_provider_that_forgot_everything_asks_for_a_person() -> Result<()> {
    let test = "real_provider::a_provider_that_forgot_everything_asks_for_a_person";
    let Some(mut stage) = Stage::start(test, &[("INTERVAL", "1")])? else { return Ok(()) };
    let _daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await?;
    stage.provider.stop()?;
    let away = stage.run("get-token --force-refresh").await;
    assert_eq!(away.code, Some(8), "{away:?}");
    assert_eq!(stage.token("").await?, token, "the token at hand is good");
    stage.provider.restart()?;
    assert_eq!(stage.run("reload").await.code, Some(0));
    stage.token("--force-refresh").await?;
    stage.provider.restart_empty()?;
    let forgotten = stage.run("get-token --force-refresh --no-prompt").await;
    assert_eq!(forgotten.code, Some(3), "{forgotten:?}");
    // A dead refresh token is not sent again.
    let sent = stage.provider.refreshes()?;
    assert_eq!(stage.run("get-token --force-refresh --no-prompt").await.code, Some(3));
    assert_eq!(stage.provider.refreshes()?, sent);
    Ok(())
}
