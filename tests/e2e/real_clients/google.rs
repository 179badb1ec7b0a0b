//! Google's authentication library for Python, which takes `exec --gcp` for the machine it runs on.

use anyhow::Result;
use serde_json::Value;
use support::processes::binaries;

use super::{Desk, command, finish, script};
use crate::real_parts::part;
use crate::stage::Stage;

#[tokio::test]
async fn its_default_credential_is_the_commands() -> Result<()> {
    let test = "real_clients::google::its_default_credential_is_the_commands";
    let Some(python) = part("BROKERD_TEST_PYTHON", test)? else { return Ok(()) };
    let desk = Desk::at(Stage::new().await, "").await;
    let mut exec = command(&desk.stage, &binaries().brokerctl);
    exec.env("GOOGLE_CLOUD_PROJECT", "blue-42").args(["exec", "work", "--gcp", "--"]);
    exec.arg(python.join("python")).arg("-B").arg(script("gce.py")).arg("openid");
    let output = finish(&desk.stage, exec).await;
    let found: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(found["token"], desk.token.as_str(), "{output:?}");
    assert_eq!((&found["project"], &found["account"]), (&"blue-42".into(), &"alice@example.com".into()));
    Ok(())
}
