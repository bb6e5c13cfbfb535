//! From the journal into LanceDB.
//!
//! Responsible for: batching completed turns into commits, trimming the journal once they are on disk.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::StoreError;
use crate::lance::turn_rows::KnownRows;
use crate::records::{CompletedTurn, Scope, TurnId, TurnKey, Within};
use crate::state::{Shared, Writer};
use crate::tasks::to_completion;
use crate::trouble::StorePart;

/// Turns in one commit.
const BATCH_TURNS: usize = 1024;

/// Writes what is completed into LanceDB, waits until it is on disk and trims the journal.
pub(crate) async fn flush(shared: &Arc<Shared>) -> Result<(), StoreError> {
    commit(shared).await?;
    trim(shared).await
}

/// Makes pending rows visible to queries if any of them could be an answer. While the tables can't be written nothing is tried
/// for a query: it finds what they hold.
pub(crate) async fn commit_for(shared: &Arc<Shared>, scope: &Scope, within: &Within) -> Result<(), StoreError> {
    let is_wanted = match within {
        Within::Turns(ids) | Within::ScopeWith(ids) => shared.turn_index().has_completed(scope, ids),
        Within::Scope => shared.turn_index().has_any_completed(scope),
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
    to_completion(async move {
        let mut writer = shared.writer.lock().await;
        shared.writing(commit_with(&shared, &mut writer)).await
    })
    .await
}

/// The same, for who holds `writer`.
async fn commit_with(shared: &Arc<Shared>, writer: &mut Writer) -> Result<(), StoreError> {
    loop {
        let mut keys = shared.turn_index().completed();
        // A deletion that is still to be carried out would take them as well.
        keys.retain(|(scope, _)| !shared.deletions_due.is_of(scope));
        keys.sort_unstable();
        keys.truncate(BATCH_TURNS);
        if keys.is_empty() {
            return Ok(());
        }
        let completed = pending_rows(shared, keys).await?;
        let was_uncertain = std::mem::replace(&mut writer.uncertain, true);
        let known = if was_uncertain { already_there(shared, &completed).await? } else { KnownRows::default() };
        append_points(shared, &completed, &known).await?;
        append_turns(shared, &completed, &known).await?;
        let mut turn_index = shared.turn_index();
        for CompletedTurn { turn, .. } in &completed {
            turn_index.set_stored(&turn.scope, turn.id, turn.conversation);
            writer.untrimmed.push((turn.scope.clone(), turn.id));
        }
        // After a crash the next batch may be there as well; only an empty journal makes sure.
        writer.uncertain = was_uncertain && turn_index.unflushed_len() > 0;
        drop(turn_index);
        shared.commits.fetch_add(1, Ordering::Relaxed);
        shared.unindexed.fetch_add(completed.len(), Ordering::Relaxed);
    }
}

/// Waits until LanceDB's files are on disk, then removes what they hold from the journal.
async fn trim(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let shared = Arc::clone(shared);
    to_completion(async move {
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

async fn trim_after_sync(shared: &Arc<Shared>, keys: Vec<TurnKey>) -> Result<(), StoreError> {
    let versions = shared.rows().versions().await?;
    shared
        .blocking(move |shared| {
            shared.rows().sync(&shared.directory)?;
            shared.journal.trim(&keys, versions)
        })
        .await
}

/// Reads completed turns from the journal. Those that are no longer there were deleted meanwhile.
async fn pending_rows(shared: &Arc<Shared>, keys: Vec<TurnKey>) -> Result<Vec<CompletedTurn>, StoreError> {
    let asked = keys.clone();
    let completed = shared.blocking(move |shared| shared.journal.completed(&asked)).await?;
    if completed.len() < keys.len() {
        let found: HashSet<(&Scope, TurnId)> = completed.iter().map(|one| (&one.turn.scope, one.turn.id)).collect();
        let mut turn_index = shared.turn_index();
        for (scope, id) in keys.iter().filter(|(scope, id)| !found.contains(&(scope, *id))) {
            turn_index.clear_pending(scope, *id);
        }
    }
    Ok(completed)
}

/// The turns of a batch whose rows LanceDB has already.
async fn already_there(shared: &Shared, completed: &[CompletedTurn]) -> Result<KnownRows, StoreError> {
    let mut by_scope: HashMap<&Scope, Vec<TurnId>> = HashMap::new();
    for CompletedTurn { turn, .. } in completed {
        by_scope.entry(&turn.scope).or_default().push(turn.id);
    }
    let _reading = shared.gate.read().await;
    let (rows, mut known) = (shared.rows(), KnownRows::default());
    for (scope, ids) in by_scope {
        rows.note_known(scope, &ids, &mut known).await?;
    }
    Ok(known)
}

async fn append_points(shared: &Shared, completed: &[CompletedTurn], known: &KnownRows) -> Result<(), StoreError> {
    let added = shared.rows().add_points(&missing(completed, &known.points)).await?;
    shared.stored_points.fetch_add(added, Ordering::Relaxed);
    Ok(())
}

async fn append_turns(shared: &Shared, completed: &[CompletedTurn], known: &KnownRows) -> Result<(), StoreError> {
    let missing = missing(completed, &known.turns);
    shared.rows().add_turns(&missing).await?;
    shared.stored_turns.fetch_add(missing.len() as u64, Ordering::Relaxed);
    Ok(())
}

fn missing<'a>(completed: &'a [CompletedTurn], known: &HashSet<TurnKey>) -> Vec<&'a CompletedTurn> {
    let is_missing = |one: &&CompletedTurn| !known.contains(&(one.turn.scope.clone(), one.turn.id));
    completed.iter().filter(is_missing).collect()
}

#[cfg(test)]
#[path = "flush_tests.rs"]
mod tests;
