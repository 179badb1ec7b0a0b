//! What most of the tests here stand on: the project's authorization server, a home with a sealed file in it, a daemon.

#[cfg(unix)]
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use support::fake_as::{FakeAs, Grant, Options};
use support::processes::{Ctl, Daemon, Home, Output, Running};
use tokio::time;

/// How long anything here may take that has no limit of its own.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The stage. Whatever the server gives out is watched for.
pub(crate) struct Stage {
    pub(crate) server: FakeAs,
    pub(crate) home: Home,
}

/// Options for a server on a real clock.
pub(crate) fn options() -> Options {
    Options { interval: Some(Duration::from_secs(1)), ..Options::default() }
}

impl Stage {
    /// Sets it; no daemon runs yet.
    pub(crate) async fn new() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self::at(FakeAs::listen(options).await.expect("a server on loopback"))
    }

    /// The same with a server that runs already.
    pub(crate) fn at(server: FakeAs) -> Self {
        let home = Home::new();
        home.canary().watch(&server);
        home.write(KEY_FILE, &[b'7'; 64]).expect("a key");
        Self { server, home }
    }

    /// The `[store]` table: grants in a sealed file.
    pub(crate) fn store(&self) -> String {
        let key = self.home.path().join(KEY_FILE);
        format!("[store]\nkind = \"file\"\nkey_file = {:?}\n", key.display().to_string())
    }

    /// The configuration: a profile `work`.
    pub(crate) fn config(&self) -> String {
        self.store() + &self.profile("work")
    }

    /// A profile at the server.
    pub(crate) fn profile(&self, name: &str) -> String {
        let issuer = self.server.issuer();
        format!(
            "[profiles.{name}]\nissuer = {issuer:?}\nclient_id = \"cli\"\n\
             scopes = [\"openid\", \"profile\", \"offline_access\"]\n"
        )
    }

    /// Starts a daemon.
    pub(crate) async fn daemon(&self) -> Daemon {
        Daemon::start(&self.home, &self.config()).await
    }

    pub(crate) fn ctl(&self) -> Ctl<'_> {
        Ctl::new(&self.home).limit(PATIENCE)
    }

    /// Runs brokerctl with these words as arguments.
    pub(crate) async fn run(&self, arguments: &str) -> Output {
        self.ctl().run(arguments.split_whitespace()).await
    }

    /// Starts brokerctl with these words as arguments.
    pub(crate) fn spawn(&self, arguments: &str) -> Running {
        self.ctl().spawn(arguments.split_whitespace())
    }

    /// Runs brokerctl again and again until its output is as wanted.
    pub(crate) async fn until(&self, arguments: &str, wanted: impl Fn(&Output) -> bool) -> Output {
        let looking = async {
            loop {
                let output = self.run(arguments).await;
                if wanted(&output) {
                    return output;
                }
                time::sleep(Duration::from_millis(100)).await;
            }
        };
        time::timeout(PATIENCE, looking).await.expect("it comes to that")
    }

    /// Runs brokerctl, which must succeed, and returns its stdout.
    pub(crate) async fn ok(&self, arguments: &str) -> String {
        let output = self.run(arguments).await;
        assert_eq!(output.code, Some(0), "brokerctl {arguments}: {output:?}");
        output.stdout
    }

    /// The same for a command that prints JSON.
    pub(crate) async fn json(&self, arguments: &str) -> Value {
        let stdout = self.ok(arguments).await;
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("brokerctl {arguments}: {error}: {stdout}"))
    }

    /// Gets a first token, the person confirming as that user, and returns it.
    pub(crate) async fn sign_in(&self, user: &str) -> String {
        let mut asked = self.spawn("get-token");
        let code = prompted(&mut asked).await;
        self.server.approve(&code, user);
        let output = asked.finish().await;
        assert_eq!(output.code, Some(0), "{output:?}");
        output.stdout.trim_end().to_owned()
    }

    /// Waits until a token has ended, by the server's clock and a little more.
    #[cfg(unix)]
    pub(crate) async fn until_expired(&self, token: &str) {
        let ended = async {
            while self.server.access_token(token).is_some() {
                time::sleep(Duration::from_millis(50)).await;
            }
        };
        time::timeout(PATIENCE, ended).await.expect("the token ends");
        time::sleep(Duration::from_millis(200)).await;
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.server.count(Grant::RefreshToken)
    }

    /// Where the sealed file is.
    #[cfg(unix)]
    pub(crate) fn sealed_file(&self) -> PathBuf {
        self.home.state().join("brokerd").join("grants.sealed")
    }
}

/// Waits for a prompt and returns its code.
pub(crate) async fn prompted(asked: &mut Running) -> String {
    let told = asked.stderr_until(|told| !codes(told).is_empty()).await;
    codes(&told).pop().expect("just seen")
}

/// Returns the user codes shown, in order: in plain lines, or in events. A prompt is written at once, so a code that is there
/// is there in full.
pub(crate) fn codes(told: &str) -> Vec<String> {
    let whole = told.rfind("never enter").map_or("", |end| &told[..end]);
    let plain = whole.lines().filter_map(|line| Some(line.trim().strip_prefix("enter:")?.trim().to_owned()));
    let events = told.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let events = events.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    plain.chain(events.filter_map(|event| Some(event["user_code"].as_str()?.to_owned()))).collect()
}

const KEY_FILE: &str = "key";
