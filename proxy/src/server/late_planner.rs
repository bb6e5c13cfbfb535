//! The planner, which may come later than the first requests.
//!
//! Where the store cannot be opened for want of space the proxy serves without a memory until it can.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use chrono::Utc;
use mainpoint_store::{StorePart, Trouble};

use crate::error::{MemoryError, ProxyError};
use crate::prompt::Planner;
use crate::telemetry::logs::OncePerMinute;
use crate::telemetry::metrics;

/// The planner; or why there is none.
#[derive(Default)]
pub(crate) struct LatePlanner {
    planner: OnceLock<Planner>,
    /// What keeps the store from being opened; `None` where it is open, and where there is no memory at all.
    trouble: Mutex<Option<Trouble>>,
    warnings: OncePerMinute,
}

impl LatePlanner {
    /// One that is there.
    pub(crate) fn here(planner: Planner) -> Self {
        Self { planner: OnceLock::from(planner), ..Self::default() }
    }

    /// One that comes later, and why.
    pub(crate) fn later(reason: String) -> Self {
        let trouble = Trouble { part: StorePart::Journal, reason, since: Utc::now() };
        Self { trouble: Mutex::new(Some(trouble)), ..Self::default() }
    }

    /// The planner, if it is there.
    pub(crate) fn get(&self) -> Option<&Planner> {
        self.planner.get()
    }

    /// Whether there is a memory, be it open or not.
    pub(crate) fn has_memory(&self) -> bool {
        self.get().is_some() || self.trouble().is_some()
    }

    /// What keeps the store from being opened.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.held().clone()
    }

    /// The store could still not be opened, for this reason. True if it was another one until now.
    pub(crate) fn still_missing(&self, reason: &str) -> bool {
        match &mut *self.held() {
            Some(trouble) if trouble.reason != reason => {
                reason.clone_into(&mut trouble.reason);
                true
            }
            _ => false,
        }
    }

    /// The store is open.
    pub(crate) fn come(&self, planner: Planner) {
        // Only one is ever waited for.
        let _ = self.planner.set(planner);
        *self.held() = None;
    }

    /// Counts a request that goes without its memory, and logs that once a minute.
    pub(crate) fn report(&self) {
        let error = MemoryError::NotOpen;
        metrics::failure(error.label());
        if self.warnings.allows(error.label()) {
            tracing::warn!(kind = error.label(), "requests pass without a memory until the store can be opened");
        }
    }

    /// Why the memory's API can do nothing.
    pub(crate) fn refusal(&self) -> ProxyError {
        if self.has_memory() { MemoryError::NotOpen.into() } else { ProxyError::MemoryOff }
    }

    fn held(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_that_is_off_is_told_from_one_that_is_not_open_yet() {
        let off = LatePlanner::default();
        assert!(!off.has_memory() && matches!(off.refusal(), ProxyError::MemoryOff));
        let later = LatePlanner::later("full".to_owned());
        assert!(later.has_memory() && later.get().is_none());
        let refusal = later.refusal().refusal();
        assert_eq!((refusal.status.as_u16(), refusal.code), (503, "store_not_open"));
    }

    #[test]
    fn a_reason_is_news_only_when_it_changes_and_the_trouble_keeps_its_beginning() {
        let later = LatePlanner::later("full".to_owned());
        let since = later.trouble().map(|trouble| trouble.since);
        assert!(!later.still_missing("full") && later.still_missing("fuller"));
        let now = later.trouble();
        assert_eq!(now.as_ref().map(|trouble| trouble.reason.as_str()), Some("fuller"));
        assert_eq!(now.map(|trouble| trouble.since), since);
    }
}
