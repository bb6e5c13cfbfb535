//! Looking after the store's files while they are open.
//!
//! Responsible for: noticing every second what is no longer as it was left, and at once that the journal met a full
//! disk, trying again what failed, waiting longer after each failure.
//!
//! LanceDB reads its files when it needs them, so one that is removed is noticed by the first question that needs it, and
//! a manifest only at the next start. Here both are noticed soon, and while what the manifest said is still known.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::attempts::conclude;
use super::backoff::{Backoff, until};
use super::catch_up::{is_let_go, reopen_journal, repair_journal};
use super::{healing, integrity, repair};
use crate::error::StoreError;
use crate::state::Shared;
use crate::trouble::{StorePart, one_line};

const EVERY: Duration = Duration::from_secs(1);

/// Looks after the files until the store is closed or dropped.
pub(crate) async fn background(store: Weak<Shared>) {
    let Some(found_full) = store.upgrade().map(|shared| shared.journal.found_full()) else {
        return;
    };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut journal, mut tables) = (Backoff::default(), Backoff::default());
    loop {
        let due = [journal.due(), tables.due()].into_iter().flatten().min();
        let is_journal_full = tokio::select! {
            () = found_full.notified() => true,
            _ = ticks.tick() => false,
            () = until(due) => false,
        };
        let Some(shared) = store.upgrade().filter(|shared| shared.ensure_open().is_ok()) else {
            return;
        };
        if is_journal_full {
            reopen_journal(&shared).await;
            continue;
        }
        if !journal.is_waiting() {
            match repair_journal(&shared).await {
                Ok(()) => journal.succeeded(),
                // The journal's own trouble says why it is out of order.
                Err(error) => {
                    tracing::debug!(cause = one_line(&error), "the journal can't be opened yet");
                    journal.failed();
                }
            }
        }
        if !tables.is_waiting() {
            let repaired = repair_tables(&shared).await;
            let kept = put_back(&shared).await;
            let repaired = repaired.and(kept);
            conclude(&shared, StorePart::Files, &mut tables, repaired);
        }
    }
}

async fn repair_tables(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let is_whole = !shared.is_reconciliation_due.load(Ordering::Acquire) && integrity::are_whole(shared).await?;
    if is_let_go(shared) {
        return Ok(());
    }
    if !is_whole {
        repair::reopen(shared).await?;
    }
    match shared.faults.suspicion() {
        Some(suspicion) => healing::heal(shared, suspicion).await,
        None => Ok(()),
    }
}

/// Puts the files back that are kept as they are.
async fn put_back(shared: &Arc<Shared>) -> Result<(), StoreError> {
    if is_let_go(shared) {
        return Ok(());
    }
    let restored = shared.blocking(|shared| shared.kept_files.restore(&shared.directory)).await?;
    if restored > 0 {
        shared.losses.fetch_add(1, Ordering::AcqRel);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;
    use crate::journal::Repaired;
    use crate::{Store, StoreConfig};

    #[tokio::test(flavor = "multi_thread")]
    async fn the_room_that_a_deletion_works_in_is_kept_again_when_it_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(StoreConfig::idle(directory.path(), 2)).await.unwrap();
        let shared = Arc::clone(store.shared());
        let reserve = directory.path().join("reserve");
        assert!(reserve.exists());
        let deletion = shared.maintenance.lock().await;
        let full = StoreError::Full { path: directory.path().to_owned() };
        assert_eq!(shared.journal.make_room(&full).unwrap(), Some(Repaired::Nothing));
        repair_journal(&shared).await.unwrap();
        assert!(!reserve.exists() && shared.journal.trouble().is_some());
        drop(deletion);
        // The store's own watch may be about to do the same.
        while shared.journal.trouble().is_some() {
            repair_journal(&shared).await.unwrap();
        }
        assert!(reserve.exists());
    }
}
