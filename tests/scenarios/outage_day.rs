//! A day without the provider while a hundred clients go on asking: what does it cost the provider, is anybody asked to sign
//! in, and how soon is it over?
//!
//! Where nothing reaches the provider, an attempt costs it nothing: who asks is served within half a minute of its return. Where
//! requests reach it, that would cost it 2,880 of them a day. It gets a few hundred, and its return is seen within the longest
//! pause.

#![expect(clippy::print_stdout, reason = "`just score` reads the figures")]

use std::time::Duration;

use broker_client::ClientError;
use support::fake_as::{Endpoint, Fault};
use support::rig::{Rig, interactive, never, s};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How often each client asks, as a mail client does.
const EVERY: Duration = Duration::from_secs(15 * 60);

/// What a day came to.
#[derive(Debug)]
struct Day {
    /// All that reached the provider.
    requests: usize,
    /// From its return until somebody was served who tried all the time.
    back: Duration,
}

/// Lets clients ask until they are served. Each tells when that was.
fn crowd(rig: &Rig, clients: u32) -> mpsc::UnboundedReceiver<Instant> {
    let (sender, served) = mpsc::unbounded_channel();
    for number in 0..clients {
        let (client, sender) = (rig.new_client(), sender.clone());
        // Every other one would show a prompt, if there were one.
        let request = if number % 2 == 0 { interactive() } else { never() };
        rig.spawn(async move {
            tokio::time::sleep(EVERY * number / clients).await;
            loop {
                match client.access_token(&request, |_| unreachable!("a prompt")).await {
                    Ok(_) => break,
                    Err(ClientError::Api(body)) => assert_eq!(body.error.exit_code(), 8, "{body:?}"),
                    Err(other) => unreachable!("{other:?}"),
                }
                tokio::time::sleep(EVERY).await;
            }
            sender.send(Instant::now()).unwrap();
        });
    }
    served
}

/// Alice is signed in, and her token has expired, when the provider goes; a day later it comes back.
async fn day(what: &str, clients: u32, goes: impl AsyncFnOnce(&Rig), comes: impl FnOnce(&Rig)) -> Day {
    let rig = Rig::setup().log_level(LevelFilter::WARN).start();
    rig.sign_in("alice").await;
    rig.expire().await;
    let before = rig.fake.log().len();
    let begin = Instant::now();
    goes(&rig).await;
    let mut served = crowd(&rig, clients);
    rig.pass(DAY.saturating_sub(begin.elapsed())).await;
    assert!(served.is_empty(), "{what}: served by nobody");
    let requests = rig.fake.log().len() - before;

    comes(&rig);
    let end = Instant::now();
    while rig.client.access_token(&never(), |_| unreachable!("a prompt")).await.is_err() {
        rig.pass(s(1)).await;
    }
    let back = end.elapsed();
    for _ in 0..clients {
        served.recv().await.unwrap();
    }
    assert!(end.elapsed() <= EVERY + back, "each the next time that it asks: {:?}", end.elapsed());
    assert_eq!((rig.fake.count(Endpoint::DeviceAuthorization), rig.fake.reuse_detected()), (1, 0), "no prompt");
    println!("outage, {what}: {requests} requests in 24 h by {clients} clients, back after {} s", back.as_secs());
    Day { requests, back }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_reaches_the_provider_it_is_back_within_half_a_minute() {
    let goes = async |rig: &Rig| {
        // It fails for a quarter of an hour before it is gone.
        rig.fake.always(Endpoint::Token, Fault::status(503));
        let client = rig.new_client();
        for _ in 0..90 {
            client.access_token(&never(), |_| unreachable!("a prompt")).await.unwrap_err();
            rig.pass(s(10)).await;
        }
        rig.fake.refuse_connections(true);
        rig.fake.drop_connections();
    };
    let day = day("unreachable", 100, goes, |rig| {
        assert!(rig.writes().len() < 100, "{} writes of the store", rig.writes().len());
        rig.fake.clear();
        rig.fake.refuse_connections(false);
    });
    let day = day.await;
    assert!(day.requests < 20 && day.back <= s(30), "{day:?}");
}

#[tokio::test(start_paused = true)]
async fn where_it_says_that_it_is_not_well_it_gets_a_few_hundred_requests() {
    goes_with("answering 503", 100, Fault::status(503)).await;
}

#[tokio::test(start_paused = true)]
async fn where_it_answers_nothing_or_somebody_else_does_it_gets_no_more() {
    goes_with("cutting connections", 20, Fault::CloseConnection).await;
    goes_with("answering nothing", 20, Fault::Hang).await;
    goes_with("answering with a page", 20, Fault::Html).await;
}

async fn goes_with(what: &str, clients: u32, fault: Fault) {
    let goes = async |rig: &Rig| rig.fake.always(Endpoint::Token, fault);
    let day = day(what, clients, goes, |rig| {
        assert!(rig.writes().len() < 400, "{} writes of the store", rig.writes().len());
        rig.fake.clear();
    });
    let day = day.await;
    // The longest pause, after an answer that is still waited for.
    assert!((150..400).contains(&day.requests) && day.back <= s(300 + 31), "{what}: {day:?}");
}
