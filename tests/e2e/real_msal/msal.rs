//! A process with MSAL for Python in it, which does one thing at a time: `tests/real/msal/client.py`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time;

use crate::real_parts::part;
use crate::stage::PATIENCE;

/// Returns the Python that has MSAL, or skips the test.
pub(super) fn python(test: &str) -> Result<Option<PathBuf>> {
    part("BROKERD_TEST_MSAL", test)
}

/// A program that uses MSAL; dropping it kills it.
pub(super) struct Msal {
    _child: Child,
    calls: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Msal {
    /// Starts it, with nothing of our environment: no proxy, no other certificates.
    pub(super) fn start(python: &Path) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("real").join("msal").join("client.py");
        let mut command = Command::new(python);
        command.arg("-B").arg(script).env_clear().env("LC_ALL", "C.UTF-8").kill_on_drop(true);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("Python")?;
        let calls = child.stdin.take().context("standard input")?;
        let answers = BufReader::new(child.stdout.take().context("standard output")?).lines();
        Ok(Self { _child: child, calls, answers })
    }

    /// Has it do something and returns its answer.
    pub(super) async fn ask(&mut self, what: &str, with: Value) -> Result<Value> {
        self.tell(what, with).await?;
        self.answer().await
    }

    /// Has it do something that takes until a person has decided; [`answer`](Self::answer) waits for the end.
    pub(super) async fn tell(&mut self, what: &str, mut with: Value) -> Result<()> {
        with["do"] = json!(what);
        self.calls.write_all(format!("{with}\n").as_bytes()).await.context("the program reads what it is told")
    }

    /// Waits for its answer.
    pub(super) async fn answer(&mut self) -> Result<Value> {
        let line = time::timeout(PATIENCE, self.answers.next_line()).await.context("MSAL takes too long")??;
        let answer: Value = serde_json::from_str(&line.context("the program ended")?)?;
        ensure!(answer.is_object(), "not an answer: {answer}");
        Ok(answer)
    }
}
