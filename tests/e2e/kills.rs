//! Does a sign-in outlive `kill -9` at any moment of a refresh, and of the start after it? And of a sign-in or a sign-out,
//! does a kill leave a half?

#![expect(clippy::print_stdout, reason = "`just score` reads the figures")]

use std::time::Duration;

use futures_util::future::join_all;
use support::fake_as::{Options, Rotation};
use support::figures::Set;
use support::figures::kills::{Deed, Killed, at_random};
use support::processes::binaries;

/// Of each kind of provider; `BROKERD_KILLS` asks for another number.
fn each() -> usize {
    std::env::var("BROKERD_KILLS").ok().and_then(|number| number.parse().ok()).unwrap_or(55)
}

async fn kill(deed: Deed, rotation: Rotation, kills: usize) -> Killed {
    let mut set = Set::new(binaries(), Options { rotation, ..Options::default() }).await.unwrap();
    let seed = fastrand::u64(..);
    println!("{deed:?}, {rotation:?}: seed {seed}");
    let killed = at_random(&mut set, deed, kills, &mut fastrand::Rng::with_seed(seed)).await.unwrap();
    println!("{deed:?}, {rotation:?}: {killed:?}");
    println!("canaries: {} secrets, 0 found", killed.secrets);
    killed
}

async fn in_a_refresh(rotation: Rotation) -> Killed {
    let killed = kill(Deed::Refresh, rotation, each()).await;
    assert!(killed.in_the_air > 0, "no kill came in the middle of a refresh");
    killed
}

/// Fewer than of refreshes: each takes a second to poll.
async fn at_each_kind_of_provider(deed: Deed) {
    let rotations = [Rotation::Tolerant, Rotation::Grace(Duration::from_secs(30)), Rotation::Strict];
    let killed = join_all(rotations.map(|rotation| kill(deed, rotation, each() / 5))).await;
    assert!(killed.iter().all(|killed| killed.avoidable == 0), "{killed:?}");
}

#[tokio::test]
async fn no_kill_loses_a_sign_in_where_the_old_refresh_token_stays_good() {
    assert_eq!(in_a_refresh(Rotation::Tolerant).await.lost, 0);
}

#[tokio::test]
async fn no_kill_loses_a_sign_in_where_there_is_a_grace_period() {
    assert_eq!(in_a_refresh(Rotation::Grace(Duration::from_secs(30))).await.lost, 0);
}

#[tokio::test]
async fn no_kill_loses_a_sign_in_where_refresh_tokens_do_not_rotate() {
    assert_eq!(in_a_refresh(Rotation::None).await.lost, 0);
}

/// What is answered and not yet saved is lost there: no order of writes can help. Nothing else is.
#[tokio::test]
async fn a_strict_provider_ends_a_sign_in_only_by_a_token_that_was_sent() {
    assert_eq!(in_a_refresh(Rotation::Strict).await.avoidable, 0);
}

#[tokio::test]
async fn no_kill_leaves_half_a_sign_in() {
    at_each_kind_of_provider(Deed::SignIn).await;
}

#[tokio::test]
async fn no_kill_leaves_half_a_sign_out() {
    at_each_kind_of_provider(Deed::SignOut).await;
}
