//! Says to whoever computes that nobody wants the outcome any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that is raised once; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Halt(Arc<AtomicBool>);

impl Halt {
    /// From now on whatever heeds this ends as soon as it can.
    pub(crate) fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether to end.
    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// The flag itself; it lives as long as any clone.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0
    }
}
