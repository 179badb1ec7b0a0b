//! Does the daemon's socket do what `docs/openapi.yaml` says, whatever is sent?
//!
//! schemathesis makes the requests, good and bad, and holds every answer against the description: its status, its
//! headers, its type and its schema. `BROKERD_SCHEMATHESIS=1000` has so many cases an operation instead of a few.

use std::env;
use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context as _, Result, bail};
use broker_client::{Client, Endpoint, Event};
use support::fake_as::FakeAs;
use support::processes::Daemon;

use crate::real_parts::part;
use crate::stage::Stage;

/// Cases an operation, drawn from one seed.
const CASES: &str = "20";
/// One prompt of so many is approved, one is declined; the others are cancelled, which takes no poll.
const PROMPTS: usize = 8;

#[tokio::test]
async fn the_socket_does_what_the_description_says() -> Result<()> {
    let test = "real_schemathesis::the_socket_does_what_the_description_says";
    let Some(schemathesis) = part("BROKERD_TEST_SCHEMATHESIS", test)? else { return Ok(()) };
    let stage = Stage::new().await;
    let config = stage.config()
        + &stage.profile("google")
        + "client_secret = \"keyring\"\n[[hosts]]\nmatch = \"git.example.com\"\nprofile = \"work\"\nusername = \"oauth2\"\n";
    let daemon = Daemon::start(&stage.home, &format!("default_profile = \"work\"\n{config}")).await;
    stage.sign_in("alice").await;
    let cases = env::var("BROKERD_SCHEMATHESIS").unwrap_or_else(|_| CASES.to_owned());
    let client = Client::new(Endpoint::from_path(daemon.socket()));
    let output = tokio::select! {
        output = run(&stage, &schemathesis, daemon.socket(), &cases) => output?,
        () = person(client, &stage.server) => bail!("the daemon left:\n{}", daemon.log()),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("schemathesis:{}", said.lines().filter(|line| line.contains("generated")).collect::<String>());
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
    Ok(())
}

async fn run(stage: &Stage, schemathesis: &Path, socket: &Path, cases: &str) -> Result<Output> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = tests.join("real/schemathesis");
    let mut command = stage.home.command(schemathesis.as_ref());
    command.arg("--config-file").arg(here.join("schemathesis.toml"));
    command.arg("run").arg(tests.join("../docs/openapi.yaml"));
    command.args(["--no-color", "--phases", "examples,coverage,fuzzing", "--seed", "1", "--max-examples", cases]);
    command.env("SCHEMATHESIS_HOOKS", here.join("hooks.py")).env("BROKERD_SOCKET", socket);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.current_dir(stage.home.path()).stdin(Stdio::null()).kill_on_drop(true);
    command.output().await.context("schemathesis")
}

/// Somebody who answers every prompt, each in the way that is its turn.
async fn person(client: Client, server: &FakeAs) {
    let mut events = client.events().await.expect("a stream");
    let mut seen = 0;
    while let Some(Ok(event)) = events.next().await {
        let Event::PromptStarted(prompt) = event else { continue };
        seen += 1;
        match seen % PROMPTS {
            1 => server.approve(&prompt.user_code, "alice"),
            2 => server.deny(&prompt.user_code),
            // Its caller may have left meanwhile.
            _ => drop(client.cancel_prompt(&prompt.id).await),
        }
    }
}
