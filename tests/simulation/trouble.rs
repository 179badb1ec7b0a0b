//! What goes wrong at the two seams, drawn at random.

use std::time::Duration;

use brokerd::store::memory::MemoryStore;
use fastrand::Rng;
use support::fake_as::{Endpoint, FakeAs, Fault, Grant, Raw, Select};

/// What is wrong now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trouble {
    /// The store takes no writes.
    pub(crate) store: bool,
    /// It may have refused a write that is still to be made good.
    pub(crate) shaky: bool,
}

/// A fault of the provider that says nothing about the sign-in.
fn fault(rng: &mut Rng) -> (&'static str, Fault) {
    match rng.u8(0..12) {
        0 => ("closes", Fault::CloseConnection),
        1 => ("is a portal", Fault::Html),
        2 => ("500", Fault::status(500)),
        3 => ("502", Fault::status(502)),
        4 => ("503", Fault::status(503)),
        5 => ("throttles", Fault::throttled(rng.u64(1..120))),
        6 => ("hangs", Fault::Hang),
        7 => ("is slow", Fault::Delay(Duration::from_millis(rng.u64(10..25_000)))),
        8 => ("is temporarily unavailable", Fault::oauth("temporarily_unavailable")),
        9 => ("has an error", Fault::oauth("server_error")),
        10 => ("is hostile", hostile()),
        _ => ("talks rubbish", Fault::Raw(Raw::text("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"access"))),
    }
}

/// An error whose words do something to a terminal and to a log, where they reach one.
fn hostile() -> Fault {
    let description =
        "\u{1b}]0;mine\u{7}\u{1b}[2J\u{9b}31m\r\nINFO granted\u{202e}\u{2066}\u{200b}\u{e0041}".to_owned();
    Fault::Oauth { error: "server_error".into(), description, extra: serde_json::Map::new() }
}

/// Makes the provider ill, once or until it recovers.
pub(crate) fn at_provider(rng: &mut Rng, server: &FakeAs) -> String {
    let selects: [Select; 5] = [
        Grant::RefreshToken.into(),
        Grant::DeviceCode.into(),
        Endpoint::DeviceAuthorization.into(),
        Endpoint::Discovery.into(),
        Endpoint::Revocation.into(),
    ];
    let select = selects[rng.usize(0..selects.len())];
    let (name, mut fault) = fault(rng);
    // One that outlives its daemon is decided after the next daemon's, and a code redeemed twice ends the sign-in at this provider: nobody
    // could help that.
    if let Fault::Delay(delay) = &mut fault
        && selects[1] == select
    {
        *delay /= 5;
    }
    if rng.bool() {
        server.script(select, fault);
        return format!("the provider {name} once, {select:?}");
    }
    server.always(select, fault);
    format!("the provider {name} from now on, {select:?}")
}

/// Makes the store ill, or well again.
pub(crate) fn at_store(rng: &mut Rng, store: &MemoryStore, now: &mut Trouble) -> &'static str {
    now.shaky |= now.store;
    if now.store {
        heal(store, now);
        return "the store is well again";
    }
    match rng.u8(0..6) {
        0 => store.set_locked(true),
        1 => store.set_failing(true),
        2 => store.set_full(true),
        3 => store.set_hanging(true),
        4 => {
            // What it has, it keeps: nothing that is signed in is in danger.
            store.fail_next_deletes(rng.usize(1..4));
            return "the store fails a few deletions";
        }
        _ => {
            store.fail_next_puts(rng.usize(1..4));
            now.shaky = true;
            return "the store fails a few writes";
        }
    }
    now.store = true;
    "the store takes nothing"
}

pub(crate) fn heal(store: &MemoryStore, now: &mut Trouble) {
    store.set_locked(false);
    store.set_failing(false);
    store.set_full(false);
    store.set_hanging(false);
    store.fail_next_puts(0);
    store.fail_next_deletes(0);
    now.store = false;
}
