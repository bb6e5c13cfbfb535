//! After files were damaged: opening the tables anew and making them, the journal and memory agree again.
//!
//! Responsible for: reading again what lost its points, removing points that lost their turn, forgetting what is no
//! longer so.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lancedb::Table;
use lancedb::query::{QueryBase, Select};

use super::{catch_up, deletion, integrity, replay};
use crate::error::StoreError;
use crate::lance::opening::Inspected;
use crate::lance::schema::column;
use crate::lance::{batches, columns, filter, tables};
use crate::records::{Scope, TurnId, TurnKey};
use crate::state::Shared;
use crate::tasks::to_completion;

/// Brings memory, journal and tables together after opening.
pub(crate) async fn replay(shared: &Arc<Shared>, rows_lost: bool) -> Result<(), StoreError> {
    if rows_lost {
        deletion::note_all(shared).await?;
        let unread = reconcile(shared).await?;
        tracing::warn!(unread, "a table was rolled back; turns that lost their main points are read again");
    }
    replay::replay(shared).await
}

/// Opens the tables anew, as a start does, and repairs what is damaged. Does nothing if everything is there after all.
///
/// What was in the tables and is gone is lost unless the journal has it still; the log says how many turns that are.
pub(crate) async fn reopen(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let shared = Arc::clone(shared);
    to_completion(async move {
        let _maintenance = shared.maintenance.lock().await;
        let _trimming = shared.trimming.lock().await;
        let mut writer = shared.writer.lock().await;
        if !is_reopened(&shared).await? {
            return Ok(());
        }
        let before = shared.stored_turns.load(Ordering::Relaxed);
        let again = reconcile(&shared).await?;
        replay::count(&shared).await?;
        catch_up::reset(&shared, &mut writer).await?;
        shared.losses.fetch_add(1, Ordering::AcqRel);
        shared.is_reconciliation_due.store(false, Ordering::Release);
        let kept = shared.stored_turns.load(Ordering::Relaxed);
        tracing::error!(
            turns_kept = kept,
            turns_read_again = again,
            turns_gone = before.saturating_sub(kept).saturating_sub(again as u64),
            "rows of the tables were lost while they were open; they were opened anew and go on with what is left. Of the turns \
             that are gone, the journal writes again those that it has, and the others are read again when their client sends them"
        );
        Ok(())
    })
    .await
}

/// Opens the tables anew if anything of them is not there. True if rows were lost, now or at an attempt that failed half way.
async fn is_reopened(shared: &Arc<Shared>) -> Result<bool, StoreError> {
    let _no_readers = shared.gate.write().await;
    shared.directory.ensure_same()?;
    let was_due = shared.is_reconciliation_due.load(Ordering::Acquire);
    if !was_due {
        integrity::restore_manifests(shared).await?;
        if integrity::are_whole(shared).await? {
            return Ok(false);
        }
    }
    // From here on a failure must not hide what was lost.
    shared.is_reconciliation_due.store(true, Ordering::Release);
    let inspected = Inspected::new(&shared.directory, &shared.config).await?;
    let on_disk = shared.blocking(|shared| shared.journal.versions()).await?;
    // Commits that nobody has made sure of yet were there as well; before the first trim of all, these are all commits.
    let written = on_disk.newest(shared.tables().versions().await?);
    let opened = inspected.open(&shared.directory, &shared.config, written).await?;
    shared.replace_tables(opened.tables);
    shared.forget_passages();
    let rows_lost = was_due || opened.rows_lost;
    shared.is_reconciliation_due.store(rows_lost, Ordering::Release);
    Ok(rows_lost)
}

/// Puts turns whose points are gone back into the journal as unread, and removes points whose turn is gone (unless the
/// journal has it), then notes the versions that the tables have. Returns the number of turns to be read again.
pub(super) async fn reconcile(shared: &Arc<Shared>) -> Result<usize, StoreError> {
    let in_journal: HashSet<TurnKey> =
        shared.blocking(|shared| shared.journal.keys()).await?.into_iter().map(|(key, _)| key).collect();
    let turns = keys(&shared.tables().turns, column::ID).await?;
    let points = keys(&shared.tables().points, column::TURN).await?;

    let orphans = points.keys().filter(|key| !turns.contains_key(*key) && !in_journal.contains(*key));
    for (scope, ids) in by_scope(orphans) {
        delete(&shared.tables().points, &scope, column::TURN, &ids).await?;
    }

    // What was deleted half way is not read again.
    let is_deleted = |(scope, id): &TurnKey| shared.deletions_due.covers(scope, *id);
    let pointless =
        turns.iter().filter(|(key, passages)| **passages > 0 && !points.contains_key(*key) && !is_deleted(key));
    let mut unread = Vec::new();
    for (scope, ids) in by_scope(pointless.map(|(key, _)| key)) {
        for batch in tables::rows(&shared.tables().turns, filter::of_ids(&scope, column::ID, &ids), &[], None).await? {
            unread.extend(batches::turns_from_batch(&batch)?);
        }
    }
    let count = unread.len();
    let again: Vec<TurnKey> = unread.iter().map(|turn| (turn.scope.clone(), turn.id)).collect();
    shared.blocking(move |shared| shared.journal.accept(&unread, &[], |_, _| false)).await?;
    for (scope, ids) in by_scope(again.iter()) {
        delete(&shared.tables().turns, &scope, column::ID, &ids).await?;
    }
    let versions = shared.tables().versions().await?;
    shared.blocking(move |shared| shared.journal.trim(&[], versions)).await?;
    Ok(count)
}

/// Scope and id of every row, with the number of passages that the turn had (0 in the table of points).
async fn keys(table: &Table, id: &'static str) -> Result<HashMap<TurnKey, u32>, StoreError> {
    let mut columns_read = vec![column::SCOPE, id];
    if id == column::ID {
        columns_read.push(column::PASSAGES);
    }
    let query = table.query().select(Select::columns(&columns_read));
    let batches = tables::collect(&query, "compare the tables").await?;
    let mut found = HashMap::new();
    for batch in &batches {
        let scopes = columns::strings(batch, column::SCOPE)?;
        let passages = (id == column::ID).then(|| columns::numbers(batch, column::PASSAGES)).transpose()?;
        for (row, turn) in columns::identifiers_from(batch, id)?.into_iter().enumerate() {
            let passages = passages.map_or(0, |column| column.value(row));
            found.insert((Scope::new(scopes.value(row))?, turn), passages);
        }
    }
    Ok(found)
}

async fn delete(table: &Table, scope: &Scope, column: &str, ids: &[TurnId]) -> Result<(), StoreError> {
    let deleted = table.delete(&filter::of_ids(scope, column, ids)).await;
    deleted.map(|_| ()).map_err(StoreError::lance("delete rows"))
}

fn by_scope<'a>(keys: impl Iterator<Item = &'a TurnKey>) -> HashMap<Scope, Vec<TurnId>> {
    let mut grouped: HashMap<Scope, Vec<TurnId>> = HashMap::new();
    for (scope, id) in keys {
        grouped.entry(scope.clone()).or_default().push(*id);
    }
    grouped
}
