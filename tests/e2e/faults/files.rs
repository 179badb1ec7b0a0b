//! The files of the state directory, as a crash, a bad disk or a careless hand may leave them.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use support::fake_as::Endpoint;

use crate::stage::{Stage, codes, prompted};

/// What may be in the place of a text.
fn damages(text: &[u8]) -> [(&'static str, Vec<u8>); 6] {
    [
        ("cut in half", text[..text.len() / 2].to_vec()),
        ("without its end", text[..text.len() - 1].to_vec()),
        ("empty", Vec::new()),
        // What a file system may make of a file that was not synced before a power cut.
        ("zeros", vec![0; text.len()]),
        ("of another shape", b"[]".to_vec()),
        ("not text", vec![0xff; 16]),
    ]
}

impl Stage {
    fn state_file(&self, name: &str) -> PathBuf {
        self.home.state().join("brokerd").join(name)
    }

    /// Puts something else in the place of a file.
    fn damage(&self, name: &str, text: &[u8]) {
        self.home.write(self.state_file(name), text).expect("a file");
    }
}

#[tokio::test]
async fn a_damaged_index_costs_nothing_and_is_whole_again() {
    let stage = Stage::new().await;
    let mut daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    let whole = fs::read(stage.state_file("accounts.json")).expect("an index");
    for (how, damaged) in damages(&whole) {
        daemon.kill9().await;
        stage.damage("accounts.json", &damaged);
        daemon = stage.daemon().await;
        let output = stage.run("get-token --no-prompt").await;
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{how}: {output:?}");
        let status = stage.json("status -o json").await;
        assert!(status["notices"].to_string().contains("repaired from the store"), "{how}: {status}");
        let index: Value = serde_json::from_slice(&fs::read(stage.state_file("accounts.json")).expect("an index"))
            .unwrap_or_else(|error| panic!("{how}: {error}"));
        assert_eq!(index["accounts"][0]["username"], "alice@example.com", "{how}: {index}");
    }
    assert_eq!((stage.server.count(Endpoint::DeviceAuthorization), stage.server.reuse_detected()), (1, 0));
}

/// Whether its code has been polled, or redeemed, is known no more. So it is not polled again: a server may take that for a
/// theft, and end what it was redeemed for.
#[tokio::test]
async fn a_damaged_list_of_prompts_costs_the_pending_prompt_and_no_sign_in() {
    let stage = Stage::new().await;
    let mut daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    let mut asked = stage.spawn("login");
    let mut code = prompted(&mut asked).await;
    let mut shown = 1;
    let whole = fs::read(stage.state_file("prompts.json")).expect("a list");
    for (how, damaged) in damages(&whole) {
        daemon.kill9().await;
        stage.damage("prompts.json", &damaged);
        daemon = stage.daemon().await;
        shown += 1;
        let told = asked.stderr_until(|told| codes(told).len() == shown).await;
        let anew = codes(&told).pop().expect("a code");
        assert_ne!(anew, code, "{how}");
        code = anew;
        assert_eq!(stage.run("get-token --no-prompt").await.code, Some(0), "{how}");
    }
    stage.server.approve(&code, "bob");
    let output = asked.finish().await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(stage.server.count(Endpoint::DeviceAuthorization), shown + 1);
    assert_eq!(stage.server.reuse_detected(), 0);
}

#[tokio::test]
async fn a_damaged_sealed_file_is_told_left_as_it_is_and_good_when_it_is_put_back() {
    let stage = Stage::new().await;
    let mut daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    // It has seen the provider rotate, so that an intent is written, or would be.
    stage.ok("get-token --force-refresh").await;
    let mut spent = stage.refreshes();
    daemon.kill9().await;
    let whole = fs::read(stage.sealed_file()).expect("a sealed file");
    // The ends of the parts of its header, and of its body: docs/decisions/0004-sealed-file.md.
    let cuts = [0, 1, 8, 9, 33, 49, 73, 104, 105, 106, whole.len() / 2, whole.len() - 1];
    let cut = cuts.map(|length| (format!("cut at {length}"), whole[..length].to_vec()));
    let flipped = [3, 40, 90, 105, whole.len() - 1].map(|index| {
        let mut damaged = whole.clone();
        damaged[index] ^= 1;
        (format!("another bit at {index}"), damaged)
    });
    let longer = ("one byte more".to_owned(), [&whole[..], &[0]].concat());
    let mut whole = whole.clone();
    for (how, damaged) in cut.into_iter().chain(flipped).chain([longer]) {
        stage.damage("grants.sealed", &damaged);
        daemon = stage.daemon().await;
        for arguments in ["get-token --no-prompt", "get-token", "login"] {
            let output = stage.run(arguments).await;
            assert_eq!((output.code, output.stdout.as_str()), (Some(9), ""), "{how}: {output:?}");
            assert!(output.stderr.contains("grants.sealed is damaged"), "{how}: {output:?}");
        }
        assert_eq!(fs::read(stage.sealed_file()).expect("a sealed file"), damaged, "{how}: it is not written over");
        assert_eq!((stage.refreshes(), stage.server.count(Endpoint::DeviceAuthorization)), (spent, 1), "{how}");
        stage.damage("grants.sealed", &whole);
        let output = stage.run("get-token --no-prompt").await;
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{how}: {output:?}");
        spent += 1;
        daemon.kill9().await;
        // As the refresh has left it.
        whole = fs::read(stage.sealed_file()).expect("a sealed file");
    }
    assert_eq!(stage.server.reuse_detected(), 0);
}

#[tokio::test]
async fn what_a_killed_write_left_is_removed_and_costs_nothing() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    stage.sign_in("alice").await;
    daemon.kill9().await;
    let names = ["grants.sealed", "accounts.json", "prompts.json"];
    let left = names.map(|name| format!(".{name}.Ab3xYz.tmp"));
    for (name, left) in names.iter().zip(&left) {
        let whole = fs::read(stage.state_file(name)).unwrap_or_default();
        stage.damage(left, &whole[..whole.len() / 2]);
    }
    let _daemon = stage.daemon().await;
    let output = stage.run("get-token --no-prompt").await;
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    assert!(left.iter().all(|left| !stage.state_file(left).exists()));
}
