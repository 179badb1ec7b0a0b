//! Is one device flow enough for everybody who waits, and does each of them leave without harm to the others?

use support::fake_as::{Endpoint, Grant};

use crate::stage::{Stage, codes, prompted};

#[tokio::test]
async fn two_callers_share_one_device_flow() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let mut first = stage.spawn("get-token");
    let code = prompted(&mut first).await;
    let mut second = stage.spawn("get-token -s profile");
    assert_eq!(prompted(&mut second).await, code);
    let told = second.stderr_until(|told| told.contains("never enter")).await;
    let asked_by = format!("brokerctl (process {}) asks to sign in", first.pid().expect("it waits"));
    assert!(told.contains(&asked_by), "the second sees who asked first: {told}");
    stage.server.approve(&code, "alice");
    let (first, second) = (first.finish().await, second.finish().await);
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{first:?} {second:?}");
    assert_eq!(first.stdout, second.stdout, "a token that was granted more serves both");
    assert_eq!(stage.server.count(Endpoint::DeviceAuthorization), 1);
    assert_eq!(stage.refreshes(), 0);
}

#[tokio::test]
async fn an_interrupt_is_for_one_caller() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let mut leaving = stage.spawn("get-token");
    let code = prompted(&mut leaving).await;
    let mut staying = stage.spawn("get-token");
    assert_eq!(prompted(&mut staying).await, code);
    leaving.interrupt();
    let output = leaving.finish().await;
    // A shell makes 130 of the signal.
    assert!(matches!(output.code, None | Some(130)) && output.stdout.is_empty(), "{output:?}");
    stage.server.approve(&code, "alice");
    let output = staying.finish().await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(codes(&output.stderr), [code]);
}

#[tokio::test]
async fn a_flow_nobody_waits_for_ends() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let mut watching = stage.spawn("watch -o json");
    let mut asked = stage.spawn("get-token");
    prompted(&mut asked).await;
    asked.interrupt();
    drop(asked.finish().await);
    let seen = watching.stdout_until(|seen| seen.contains("prompt_ended")).await;
    assert!(seen.contains("abandoned"), "{seen}");
    assert_eq!(stage.json("prompts -o json").await["prompts"], serde_json::json!([]));
    let polls = stage.server.count(Grant::DeviceCode);
    let mut again = stage.spawn("get-token");
    prompted(&mut again).await;
    assert_eq!(stage.server.count(Endpoint::DeviceAuthorization), 2);
    assert_eq!(stage.server.count(Grant::DeviceCode), polls, "the abandoned code is polled no more");
    again.kill9().await;
    watching.kill9().await;
}
