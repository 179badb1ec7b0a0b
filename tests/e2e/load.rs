//! What do numbers of clients cost? A short form here; `BROKERD_LOAD=long` is for `just score --long`.

use std::time::Duration;

use support::fake_as::Options;
use support::figures::{Set, crowd, load};
use support::processes::binaries;

use crate::crowd::more_descriptors;
use crate::real_parts::skip;

/// A good client's 99th percentile, at most.
const LONGEST: Duration = Duration::from_millis(5);

fn is_long() -> bool {
    std::env::var("BROKERD_LOAD").is_ok_and(|form| form == "long")
}

/// A number in the short form, or in the long one.
fn number(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

async fn set() -> Set {
    more_descriptors();
    Set::new(binaries(), Options::default()).await.expect("a daemon with a sign-in")
}

#[tokio::test]
async fn a_crowd_on_one_refresh_costs_one_request() {
    let (set, waiters) = (set().await, number(1000, 10_000));
    let requests = crowd::wait_for_one_refresh(&set, waiters).await.expect("a token for each");
    println!("load: {requests} of {waiters} waiters");
    assert_eq!(requests, 1);
}

/// How long it takes is judged in the long form alone, which has its machine for itself: a test must not fail because that is slow.
#[tokio::test]
async fn clients_who_are_held_take_bounded_memory() {
    let (set, kept, slow) = (set().await, number(1000, 10_000), number(100, 1000));
    let held = load::hold(&set, kept, slow).await.expect("a token for each");
    let load::Held { alone, crowded, memory } = held;
    println!("load: {kept} kept and {slow} slow: p99 {crowded:.1?}, {alone:.1?} alone, {memory} KiB");
    assert!(memory <= 64 * 1024, "{memory} KiB");
    assert!(!is_long() || crowded <= LONGEST, "{crowded:?}");
}

#[tokio::test]
async fn cached_requests_leave_nothing_behind() {
    let (set, requests) = (set().await, number(50_000, 10_000_000));
    let load::Left { memory, descriptors } = load::ask(&set, requests).await.expect("a token for each");
    assert!(memory <= 1024, "{memory} KiB");
    if let Some(descriptors) = descriptors {
        println!("load: after {requests} requests {memory} KiB and {descriptors} descriptors more");
        assert_eq!(descriptors, 0);
    } else {
        let why = "counting the descriptors of a process that hides its memory needs root; its memory was looked at";
        skip("load::cached_requests_leave_nothing_behind", why).expect("the record of skips");
    }
}
