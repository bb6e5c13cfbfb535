//! The background task that flushes and maintains on time.
//!
//! Responsible for: when.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::attempts::conclude;
use super::backoff::{Backoff, until};
use super::{flush, maintenance};
use crate::state::Shared;
use crate::trouble::StorePart;

/// Small commits leave small files, and rows that no index covers are scanned: after this many of either, maintenance
/// does not wait for its time.
const COMMITS_BEFORE_MAINTENANCE: usize = 16;
const ROWS_BEFORE_MAINTENANCE: usize = 4096;

/// Flushes and maintains on time, until the store is closed or dropped.
pub(crate) async fn background(store: Weak<Shared>) {
    let Some((wake, config)) = store.upgrade().map(|shared| (Arc::clone(&shared.wake), shared.config.clone())) else {
        return;
    };
    let mut flushing = interval_at(Instant::now() + config.flush_interval, config.flush_interval);
    flushing.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut maintaining = interval_at(Instant::now() + config.maintenance_interval, config.maintenance_interval);
    maintaining.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut flushes, mut maintenances) = (Backoff::default(), Backoff::for_long_work());
    // What could not be deleted when the store was opened does not wait for the next maintenance.
    if store.upgrade().is_some_and(|shared| shared.deletions_due.is_any()) {
        maintenances.failed();
    }
    loop {
        let due = [flushes.due(), maintenances.due()].into_iter().flatten().min();
        let mut maintain = tokio::select! {
            _ = flushing.tick() => false,
            () = wake.notified() => false,
            _ = maintaining.tick() => true,
            () = until(due) => maintenances.failures() > 0,
        };
        let Some(shared) = store.upgrade().filter(|shared| shared.ensure_open().is_ok()) else {
            return;
        };
        if flushes.is_waiting() {
            continue;
        }
        let flushed = shared.noted(flush::flush(&shared).await);
        let goes_on = flushed.is_ok();
        conclude(&shared, StorePart::Tables, &mut flushes, flushed);
        maintain |= shared.commits.load(Ordering::Relaxed) >= COMMITS_BEFORE_MAINTENANCE;
        let is_deletion_due = shared.deletions_due.is_any();
        maintain |= is_deletion_due || shared.troubles.has(StorePart::Maintenance);
        maintain |= shared.unindexed.load(Ordering::Relaxed) >= ROWS_BEFORE_MAINTENANCE;
        // A deletion makes room where a flush finds none.
        if maintain && (goes_on || is_deletion_due) && !maintenances.is_waiting() {
            let maintained = shared
                .noted(maintenance::maintain(&shared).await)
                .map(|report| tracing::debug!(?report, "store maintained"));
            conclude(&shared, StorePart::Maintenance, &mut maintenances, maintained);
        }
    }
}
