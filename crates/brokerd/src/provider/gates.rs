//! When a provider may be asked again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Fault;

/// What providers asked for with `Retry-After`, by token endpoint: it binds everybody behind the same one.
#[derive(Clone, Default)]
pub(crate) struct Gates(Arc<Mutex<HashMap<String, Instant>>>);

impl Gates {
    pub(super) fn check(&self, url: &url::Url) -> Result<(), Fault> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = gates.get(url.as_str()) else { return Ok(()) };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            gates.remove(url.as_str());
            return Ok(());
        }
        Err(Fault::Waiting { retry_after: left.as_secs() + 1 })
    }

    pub(super) fn close(&self, url: &url::Url, seconds: u64) {
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(url.to_string()).or_insert(until);
        *gate = until.max(*gate);
    }
}
