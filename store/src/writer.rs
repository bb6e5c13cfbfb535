//! From the journal into LanceDB, and the background task.
//!
//! Responsible for: batching completed turns into commits, trimming the journal once they are on disk, doing both and
//! maintenance on time. Must not know: what is asked of the store, how maintenance works.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::backoff::{Backoff, until};
use crate::error::StoreError;
use crate::journal::Key;
use crate::record::{Scope, TurnId};
use crate::rows::{self, CompletedTurn};
use crate::schema::column;
use crate::selection::Within;
use crate::shared::{Shared, to_the_end};
use crate::tables;
use crate::trouble::{StorePart, one_line};
use crate::{filter, heal, maintenance};

/// Turns in one commit.
const BATCH_TURNS: usize = 1024;
/// Small commits leave small files, and rows that no index covers are scanned: after this many of either, maintenance
/// does not wait for its time.
const COMMITS_BEFORE_MAINTENANCE: usize = 16;
const ROWS_BEFORE_MAINTENANCE: usize = 4096;

/// Writes what is completed into LanceDB, waits until it is on disk and trims the journal.
pub(crate) async fn flush(shared: &Arc<Shared>) -> Result<(), StoreError> {
    commit(shared).await?;
    trim(shared).await
}

/// Makes pending rows visible to queries if any of them could be an answer. While the tables can't be written nothing is tried
/// for a query: it finds what they hold.
pub(crate) async fn commit_for(shared: &Arc<Shared>, scope: &Scope, within: &Within) -> Result<(), StoreError> {
    let is_wanted = match within {
        Within::Conversation(ids) | Within::ScopeWith(ids) => shared.presence().has_completed(scope, ids),
        Within::Scope => shared.presence().has_any_completed(scope),
    };
    if is_wanted && !shared.troubles.has(StorePart::Tables) {
        commit(shared).await?;
    }
    Ok(())
}

/// Writes everything completed into LanceDB, without waiting for the disk. Who waits here for another's commit
/// finds its own rows written, too.
pub(crate) async fn commit(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let shared = Arc::clone(shared);
    to_the_end(async move {
        let mut writer = shared.writer.lock().await;
        loop {
            let mut keys = shared.presence().completed();
            keys.truncate(BATCH_TURNS);
            if keys.is_empty() {
                return Ok(());
            }
            let completed = pending_rows(&shared, keys).await?;
            let was_uncertain = std::mem::replace(&mut writer.uncertain, true);
            let known = if was_uncertain {
                already_there(&shared, &completed).await?
            } else {
                Known::default()
            };
            append_points(&shared, &completed, &known).await?;
            append_turns(&shared, &completed, &known).await?;
            let mut presence = shared.presence();
            for CompletedTurn { turn, .. } in &completed {
                presence.set_stored(&turn.scope, turn.id, turn.conversation);
                writer.untrimmed.push((turn.scope.clone(), turn.id));
            }
            // After a crash the next batch may be there as well; only an empty journal makes sure.
            writer.uncertain = was_uncertain && presence.completed_len() > 0;
            drop(presence);
            shared.commits.fetch_add(1, Ordering::Relaxed);
            shared.unindexed.fetch_add(completed.len(), Ordering::Relaxed);
        }
    })
    .await
}

/// Waits until LanceDB's files are on disk, then removes what they hold from the journal.
async fn trim(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let shared = Arc::clone(shared);
    to_the_end(async move {
        let _trimming = shared.trimming.lock().await;
        let keys = std::mem::take(&mut shared.writer.lock().await.untrimmed);
        if keys.is_empty() {
            return Ok(());
        }
        let kept = keys.clone();
        let trimmed = trim_after_sync(&shared, keys).await;
        if trimmed.is_err() {
            shared.writer.lock().await.untrimmed.extend(kept);
        }
        trimmed
    })
    .await
}

async fn trim_after_sync(shared: &Arc<Shared>, keys: Vec<Key>) -> Result<(), StoreError> {
    let versions = shared.tables().versions().await?;
    shared
        .blocking(move |shared| {
            shared.directory.sync()?;
            shared.journal.trim(&keys, &versions)
        })
        .await
}

/// Flushes and maintains on time, until the store is closed or dropped.
pub(crate) async fn background(store: Weak<Shared>) {
    let Some((wake, config)) = store
        .upgrade()
        .map(|shared| (Arc::clone(&shared.wake), shared.config.clone()))
    else {
        return;
    };
    let mut flushing = interval_at(Instant::now() + config.flush_interval, config.flush_interval);
    flushing.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut maintaining = interval_at(
        Instant::now() + config.maintenance_interval,
        config.maintenance_interval,
    );
    maintaining.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut flushes, mut maintenances) = (Backoff::default(), Backoff::of_long_work());
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
        let flushed = flush(&shared).await;
        let goes_on = flushed.is_ok();
        conclude(&shared, StorePart::Tables, &mut flushes, flushed);
        maintain |= shared.commits.load(Ordering::Relaxed) >= COMMITS_BEFORE_MAINTENANCE;
        maintain |= shared.unindexed.load(Ordering::Relaxed) >= ROWS_BEFORE_MAINTENANCE;
        if maintain && goes_on && !maintenances.is_waiting() {
            let maintained = maintenance::maintain(&shared)
                .await
                .map(|report| tracing::debug!(?report, "store maintained"));
            if maintained.is_err() {
                set_old_damage_aside(&shared).await;
            }
            conclude(&shared, StorePart::Maintenance, &mut maintenances, maintained);
        }
    }
}

/// Notes how an attempt went, and says so when that changes.
pub(crate) fn conclude(shared: &Shared, part: StorePart, backoff: &mut Backoff, result: Result<(), StoreError>) {
    match result {
        Ok(()) => {
            backoff.went_well();
            if let Some(trouble) = shared.troubles.end(part) {
                tracing::info!(
                    part = part.label(),
                    seconds = trouble.seconds(),
                    "the store does again what it could not do"
                );
            }
        }
        Err(StoreError::Closed) => backoff.went_well(),
        // Said once, where the journal is.
        Err(_) if shared.journal.trouble().is_some() => backoff.failed(),
        Err(error) => {
            let failures = backoff.failures().saturating_add(1);
            backoff.failed();
            let cause = one_line(&error);
            shared.troubles.begin(part, cause.clone());
            // A full disk fails every few seconds: the 1st, 2nd, 4th, 8th … failure in a row is worth a line.
            if failures.is_power_of_two() {
                tracing::warn!(cause, failures, "{}; it is tried again by itself", meaning(part));
            }
        }
    }
}

/// What a failure means for whoever reads the log.
fn meaning(part: StorePart) -> &'static str {
    match part {
        StorePart::Journal => "the journal can't be used",
        StorePart::Tables => {
            "turns that were read can't be written to the tables: the journal keeps them, and searches do not find them yet"
        }
        StorePart::Files => "files of the tables are gone or damaged and can't be healed; what needs them fails",
        StorePart::Maintenance => {
            "the tables can't be maintained: answers are right, searches get slower, and what was deleted may still be on the disk"
        }
    }
}

/// A damaged manifest of an old version serves no search, but keeps Lance from pruning.
async fn set_old_damage_aside(shared: &Arc<Shared>) {
    if let Err(error) = heal::set_old_damage_aside(shared).await {
        tracing::debug!(
            error = one_line(&error),
            "old versions of the tables can't be looked at"
        );
    }
}

/// Reads completed turns from the journal. Those that are no longer there were deleted meanwhile.
async fn pending_rows(shared: &Arc<Shared>, keys: Vec<Key>) -> Result<Vec<CompletedTurn>, StoreError> {
    let asked = keys.clone();
    let completed = shared.blocking(move |shared| shared.journal.completed(&asked)).await?;
    if completed.len() < keys.len() {
        let found: HashSet<(&Scope, TurnId)> = completed.iter().map(|one| (&one.turn.scope, one.turn.id)).collect();
        let mut presence = shared.presence();
        for (scope, id) in keys.iter().filter(|(scope, id)| !found.contains(&(scope, *id))) {
            presence.clear_pending(scope, *id);
        }
    }
    Ok(completed)
}

/// Turns of a batch whose rows LanceDB has already.
#[derive(Default)]
struct Known {
    turns: HashSet<Key>,
    points: HashSet<Key>,
}

async fn already_there(shared: &Shared, completed: &[CompletedTurn]) -> Result<Known, StoreError> {
    let mut by_scope: HashMap<&Scope, Vec<TurnId>> = HashMap::new();
    for CompletedTurn { turn, .. } in completed {
        by_scope.entry(&turn.scope).or_default().push(turn.id);
    }
    let _reading = shared.gate.read().await;
    let mut known = Known::default();
    for (scope, ids) in by_scope {
        for (table, name, found) in [
            (&shared.tables().turns, column::ID, &mut known.turns),
            (&shared.tables().points, column::TURN, &mut known.points),
        ] {
            for batch in tables::rows(table, filter::of_ids(scope, name, &ids), &[name], None).await? {
                found.extend(
                    rows::identifiers_from(&batch, name)?
                        .into_iter()
                        .map(|id| (scope.clone(), id)),
                );
            }
        }
    }
    Ok(known)
}

async fn append_points(shared: &Shared, completed: &[CompletedTurn], known: &Known) -> Result<(), StoreError> {
    let missing = missing(completed, &known.points);
    let batch = rows::points_to_batch(&missing, shared.tables().vector_width)?;
    let added = batch.num_rows() as u64;
    tables::append(&shared.tables().points, batch).await?;
    shared.stored_points.fetch_add(added, Ordering::Relaxed);
    Ok(())
}

async fn append_turns(shared: &Shared, completed: &[CompletedTurn], known: &Known) -> Result<(), StoreError> {
    let missing = missing(completed, &known.turns);
    tables::append(&shared.tables().turns, rows::turns_to_batch(&missing)?).await?;
    shared.stored_turns.fetch_add(missing.len() as u64, Ordering::Relaxed);
    Ok(())
}

fn missing<'a>(completed: &'a [CompletedTurn], known: &HashSet<Key>) -> Vec<&'a CompletedTurn> {
    let is_missing = |one: &&CompletedTurn| !known.contains(&(one.turn.scope.clone(), one.turn.id));
    completed.iter().filter(is_missing).collect()
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
