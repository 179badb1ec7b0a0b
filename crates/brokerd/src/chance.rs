//! The one source of chance that decides when something happens: a simulation brings its own, and the same one again.

use std::sync::{Mutex, PoisonError};

/// Where jitter comes from. Ids, keys and nonces do not: nothing that must not be guessed is made here.
#[derive(Debug, Default)]
pub struct Chance(Option<Mutex<fastrand::Rng>>);

impl Chance {
    /// The operating system's.
    pub fn system() -> Self {
        Self(None)
    }

    /// The same for the same seed, for tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    /// Anything from 0 to 1. Without randomness in the middle: then machines are less spread, and nothing else is lost.
    pub(crate) fn fraction(&self) -> f64 {
        if let Some(seeded) = &self.0 {
            return seeded.lock().unwrap_or_else(PoisonError::into_inner).f64();
        }
        let mut bytes = [0x7f_u8; 4];
        getrandom::fill(&mut bytes).ok();
        f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
    }
}
