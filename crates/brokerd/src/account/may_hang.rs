//! Whether what is in the air waits for the provider, which may never answer, so that a sign-out may cut it off. Once the
//! provider has answered it may not: what is being saved may be all there is of a rotated token. The vault's deadline ends that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by the account's task and its flight.
#[derive(Clone, Default)]
pub(super) struct MayHang(Arc<AtomicBool>);

impl MayHang {
    pub(super) fn new(may_hang: bool) -> Self {
        Self(Arc::new(AtomicBool::new(may_hang)))
    }

    /// What there was to save has been saved.
    pub(super) fn begins(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The provider has answered, and nothing more is sent.
    pub(super) fn answered(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
