//! Do the programs that brokerd starts get a descriptor of its: the listening socket, the store's lock, a connection?

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use support::processes::Daemon;
use tokio::time;

use crate::stage::{PATIENCE, Stage};

/// A command of the configuration that leaves a list of its descriptors in a file, and prints a key.
pub(crate) fn listing(file: &Path) -> Vec<String> {
    // A process of its own looks: what that one opens, and what dash keeps of its standard output meanwhile, is not in the list.
    const LIST: &str = "(exec ls /proc/$$/fd >\"$0.new\") && mv \"$0.new\" \"$0\"; echo ";
    vec!["sh".to_owned(), "-c".to_owned(), LIST.to_owned() + &"7".repeat(64), file.display().to_string()]
}

/// The configuration that has both commands leave their lists, in these two files.
pub(crate) fn config(key_command: &Path, prompt: &Path, profile: &str) -> String {
    let [key_command, prompt] = [key_command, prompt].map(listing);
    format!("[store]\nkind = \"file\"\nkey_command = {key_command:?}\n{profile}[prompt]\ncommand = {prompt:?}\n")
}

#[tokio::test]
async fn a_command_of_the_configuration_inherits_none() {
    let stage = Stage::new().await;
    let [ours, key_command, prompt] = ["ours", "key-command", "prompt"].map(|name| stage.home.path().join(name));
    // What a program gets that this test starts: whoever started the test may have left some open.
    let words = listing(&ours);
    let mut command = stage.home.command(words[0].as_ref());
    let ended = command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).status().await;
    assert!(ended.expect("a shell").success());
    let ours = std::fs::read_to_string(ours).expect("a list");

    let config = config(&key_command, &prompt, &stage.profile("work"));
    let daemon = Daemon::start(&stage.home, &config).await;
    stage.until("helper npm", |output| output.stderr.contains("brokerctl prompts")).await;
    for file in [key_command, prompt] {
        let left = async {
            while !file.exists() {
                time::sleep(Duration::from_millis(20)).await;
            }
        };
        time::timeout(PATIENCE, left).await.unwrap_or_else(|_| panic!("no {}: {}", file.display(), daemon.log()));
        assert_eq!(std::fs::read_to_string(&file).expect("it is there"), ours, "{}", file.display());
    }
}
