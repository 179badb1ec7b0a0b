//! Who runs the daemon, and what the two tell each other: the inherited socket, readiness, state, signs of life, signals.
//!
//! systemd is spoken to where its variables are set, and nothing here happens where they are not. launchd needs to be told by the
//! exit code when to leave it at that; a shell needs no more than signals.

#[cfg(target_os = "linux")]
mod activation;
mod launchd;
mod listen;
mod manager;
pub(crate) mod pulse;
mod signals;
mod state;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

#[cfg(target_os = "linux")]
pub use self::activation::{ActivationError, inherited};
pub use self::launchd::restarts_every_failure;
#[cfg(not(target_os = "linux"))]
pub use self::listen::inherited;
pub use self::listen::{Inherited, is_to_be_changed, listen};
pub use self::manager::Manager;
pub use self::signals::{Signal, Signals};
use self::state::State;
use crate::broker::Broker;

/// How often the state is looked at when nothing is known to have happened, and no watchdog asks more often.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Tells the service manager that clients are served, and from then on how things are and that they go on.
pub fn attend(broker: &Arc<Broker>) {
    if !broker.manager.is_there() {
        return;
    }
    let attending = attend_until_stopped(Arc::clone(broker));
    let stop = broker.stop.clone();
    broker.tasks.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = attending => {}
        }
    });
}

/// Tells the service manager that the daemon is leaving.
pub fn leave(broker: &Broker) {
    broker.manager.stopping();
}

async fn attend_until_stopped(broker: Arc<Broker>) {
    let watchdog = broker.manager.watchdog();
    // A third: two rounds may be missed before the manager acts.
    let every = watchdog.map_or(LOOK_EVERY, |limit| (limit / 3).min(LOOK_EVERY));
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    broker.manager.ready(&State::of(&broker).await.to_string());
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if watchdog.is_some() {
                    feed(&broker, every).await;
                }
            }
            () = broker.events.happened() => {}
            () = broker.manager.reloaded() => {}
        }
        broker.manager.state(&State::of(&broker).await.to_string());
    }
}

/// Feeds the watchdog if the daemon is alive: the accept loop and the vault's thread each came round within `limit`.
async fn feed(broker: &Broker, limit: Duration) {
    match pulse::feel(broker, limit).await {
        Ok(()) => broker.manager.alive(),
        Err(lifeless) => tracing::error!(lifeless, "no sign of life: the service manager's watchdog is not fed"),
    }
}

#[cfg(test)]
mod tests;
