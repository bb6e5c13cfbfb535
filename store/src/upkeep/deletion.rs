//! Deleting: from search at once, from the journal at once, from the disk at the next maintenance.
//!
//! Responsible for: finding out which turns a deletion covers, and carrying it out in both places so that a crash in between is
//! made good. Must not know: why something is deleted.
//!
//! A deletion makes room, but needs some at first. Each of its steps that fails because the disk is full is tried once more in what is
//! kept for that ([`Journal::make_room`](crate::journal::Journal::make_room)).

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lancedb::expr::DfExpr;
use tokio::sync::MutexGuard;

use super::{catch_up, pruning};
use crate::error::StoreError;
use crate::journal::Purge;
use crate::lance::schema::column;
use crate::lance::{columns, filter, tables};
use crate::records::{
    ConversationId, Deletion, Extent, NotedDeletion, OldTurns, Removal, Removed, Scope, TurnId, TurnKey,
};
use crate::state::{Shared, Writer};
use crate::tasks::to_completion;

/// Turns that LanceDB is told to delete at a time.
const CHUNK: usize = 4096;

/// Deletes and returns the turns that were there.
pub(crate) async fn delete(shared: &Arc<Shared>, deletion: Deletion) -> Result<Vec<TurnId>, StoreError> {
    let shared = Arc::clone(shared);
    to_completion(async move {
        let _maintenance = shared.maintenance.lock().await;
        let _trimming = shared.trimming.lock().await;
        let mut writer = shared.writer.lock().await;
        let deleted = delete_with(&shared, &mut writer, deletion).await;
        deleted.map_err(|error| error.or_full(shared.directory.path()))
    })
    .await
}

/// Only for who holds all of the locks.
async fn delete_with(
    shared: &Arc<Shared>,
    writer: &mut MutexGuard<'_, Writer>,
    deletion: Deletion,
) -> Result<Vec<TurnId>, StoreError> {
    let mut room = RoomMaking::default();
    let covered = loop {
        match resolve(shared, deletion.clone()).await {
            Ok(covered) => break covered,
            Err(failed) => room.make(shared, writer, failed).await?,
        }
    };
    if covered.removal.is_empty() {
        return Ok(Vec::new());
    }
    let (removal, removed) = loop {
        match take_from_journal(shared, &covered).await {
            Ok(taken) => break taken,
            Err(failed) => room.make(shared, writer, failed).await?,
        }
    };
    // What an attempt deleted that failed after that is deleted all the same.
    let mut deleted: HashSet<TurnId> = removed.into_iter().map(|(_, id)| id).collect();
    let mut purge = Purge::NotDue;
    while let Err(failed) = carry_out(shared, writer, &removal, &mut deleted, purge).await {
        room.make(shared, writer, failed).await?;
        purge = Purge::Due;
    }
    // Without room for the next deletion the disk was full when this one began.
    if purge == Purge::Due || shared.journal.trouble().is_some() || !shared.journal.has_reserve() {
        pruning::free_space(shared).await;
    }
    Ok(deleted.into_iter().collect())
}

/// How often room was made for a deletion.
#[derive(Debug, Default)]
struct RoomMaking {
    times: usize,
}

impl RoomMaking {
    /// Makes room for a step that failed, if that was for want of it, so that it can be tried again.
    ///
    /// # Errors
    /// The failure, if it was for another reason or room was made often enough; [`StoreError::Full`] where nothing is left to be given
    /// up.
    async fn make(&mut self, shared: &Arc<Shared>, writer: &mut Writer, failed: StoreError) -> Result<(), StoreError> {
        if self.times == MOST_TIMES {
            return Err(failed);
        }
        self.times += 1;
        let made = shared
            .blocking(move |shared| match shared.journal.make_room(&failed)? {
                Some(repaired) => Ok(repaired),
                None => Err(failed),
            })
            .await?;
        catch_up::note(shared, made);
        catch_up::catch_up_with(shared, writer).await
    }
}

/// The journal may have to be opened again, then the room be given up that is kept, and then something else may take that.
const MOST_TIMES: usize = 3;

/// What a deletion covers.
#[derive(Debug, Clone)]
struct Covered {
    /// What was found.
    removal: Removal,
    /// For a deletion of what was said before a time, what that was found by: until it is carried out, some of it may
    /// be said again.
    old: Option<OldTurns>,
}

impl From<Removal> for Covered {
    fn from(removal: Removal) -> Self {
        Self { removal, old: None }
    }
}

/// Takes out of the journal what goes, and notes that the tables may still have it. Returns what went, and which turns
/// the journal had.
async fn take_from_journal(shared: &Arc<Shared>, covered: &Covered) -> Result<(Removal, Vec<TurnKey>), StoreError> {
    let Covered { removal, old } = covered.clone();
    shared
        .blocking(move |shared| {
            let quoted = shared.config.quoted;
            shared.change(
                |journal| match old {
                    Some(old) => journal.delete_old(&old, quoted),
                    None => journal.delete(&removal, quoted).map(|removed| (removal, removed)),
                },
                |turn_index, (removal, _)| turn_index.forget(&removal.scope, |turn| removal.covers(turn)),
            )
        })
        .await
}

/// Carries out deletions that a crash or an error left half way. The journal has done its part of them.
pub(crate) async fn resume(shared: &Arc<Shared>) -> Result<(), StoreError> {
    for noted in shared.blocking(|shared| shared.journal.deletions()).await? {
        match noted {
            NotedDeletion::Removal(removal) => {
                tracing::info!(scope = %removal.scope, "carrying out a deletion that was interrupted");
                let shared = Arc::clone(shared);
                to_completion(async move {
                    let _maintenance = shared.maintenance.lock().await;
                    let _trimming = shared.trimming.lock().await;
                    let mut writer = shared.writer.lock().await;
                    // Its rows may have gone before it was interrupted.
                    carry_out(&shared, &mut writer, &removal, &mut HashSet::new(), Purge::Due).await
                })
                .await?;
            }
            NotedDeletion::Conversation(scope, id) => {
                tracing::info!(%scope, "carrying out a deletion that an earlier version left half way");
                delete(shared, Deletion { scope: scope.clone(), extent: Extent::Conversation(id) }).await?;
                let noted = NotedDeletion::Conversation(scope, id);
                shared.blocking(move |shared| shared.journal.finish_deletion(&noted, Purge::Due)).await?;
            }
        }
    }
    Ok(())
}

/// Which turns a deletion covers now.
async fn resolve(shared: &Arc<Shared>, deletion: Deletion) -> Result<Covered, StoreError> {
    let Deletion { scope, extent } = deletion;
    Ok(match extent {
        Extent::Everything => Removal { scope, what: Removed::Everything }.into(),
        Extent::Turns(ids) => Removal::of_turns(&scope, ids).into(),
        Extent::Before(time) => {
            let mut turns = stored(shared, filter::of_scope(&scope).and(filter::before(time))).await?;
            let pending = shared.blocking(move |shared| shared.journal.older(time)).await?;
            turns.extend(pending.into_iter().filter(|(of, _)| *of == scope).map(|(_, id)| id));
            let old = OldTurns { scope, turns, time };
            shared
                .blocking(move |shared| Ok(Covered { removal: shared.journal.said_before(&old)?, old: Some(old) }))
                .await?
        }
        Extent::Conversation(id) => of_conversation(shared, scope, id).await?.into(),
    })
}

async fn of_conversation(
    shared: &Arc<Shared>,
    scope: Scope,
    conversation: ConversationId,
) -> Result<Removal, StoreError> {
    let of_journal = scope.clone();
    let (conversations, mut ids) = shared
        .blocking(move |shared| {
            let conversations = shared.journal.with_branches(&of_journal, conversation)?;
            let ids = shared.journal.turns_of(&of_journal, &conversations)?;
            Ok((conversations, ids))
        })
        .await?;
    let names: Vec<ConversationId> = conversations.iter().copied().collect();
    ids.extend(stored(shared, filter::of_conversations(&scope, &names)).await?);
    shared
        .blocking(move |shared| {
            let elsewhere = shared.journal.in_other_conversations(&scope, &ids, &conversations)?;
            ids.retain(|id| !elsewhere.contains(id));
            Ok(Removal { scope, what: Removed::Turns { ids, conversations, places: HashSet::new() } })
        })
        .await
}

/// The turns in LanceDB that a filter names.
async fn stored(shared: &Shared, turns: DfExpr) -> Result<HashSet<TurnId>, StoreError> {
    let mut found = HashSet::new();
    for batch in tables::rows(&shared.tables().turns, turns, &[column::ID], None).await? {
        found.extend(columns::identifiers_from::<TurnId>(&batch, column::ID)?);
    }
    Ok(found)
}

/// Takes out of the tables what goes, and adds it to what was `deleted` before, also where it fails.
async fn carry_out(
    shared: &Arc<Shared>,
    writer: &mut MutexGuard<'_, Writer>,
    removal: &Removal,
    deleted: &mut HashSet<TurnId>,
    mut purge: Purge,
) -> Result<(), StoreError> {
    let scope = &removal.scope;
    writer.untrimmed.retain(|(of, id)| of != scope || !deleted.contains(id));
    let taken = take_from_tables(shared, removal, deleted).await;
    shared.turn_index().unload(scope);
    if !deleted.is_empty() {
        shared.forget_turns(scope, deleted);
        shared.deletions.fetch_add(1, Ordering::AcqRel);
    }
    if taken? > 0 {
        purge = Purge::Due;
    }
    let noted = NotedDeletion::Removal(removal.clone());
    shared
        .blocking(move |shared| {
            shared.directory.sync()?;
            shared.journal.finish_deletion(&noted, purge)
        })
        .await
}

/// Deletes the rows that go, adds their turns to `deleted`, and returns how many rows went.
async fn take_from_tables(
    shared: &Shared,
    removal: &Removal,
    deleted: &mut HashSet<TurnId>,
) -> Result<u64, StoreError> {
    let failed = || StoreError::lance("delete rows");
    let mut rows = 0;
    for (turns_covered, points_covered) in rows_covered(removal) {
        deleted.extend(stored(shared, turns_covered.clone()).await?);
        let points = shared.tables().points.delete(&points_covered).await.map_err(failed())?.num_deleted_rows;
        shared.stored_points.fetch_sub(points, Ordering::Relaxed);
        let turns = shared.tables().turns.delete(&turns_covered).await.map_err(failed())?.num_deleted_rows;
        shared.stored_turns.fetch_sub(turns, Ordering::Relaxed);
        rows += points + turns;
    }
    Ok(rows)
}

/// The rows of both tables that go, in as many steps as it takes.
fn rows_covered(removal: &Removal) -> Vec<(DfExpr, DfExpr)> {
    let scope = &removal.scope;
    match &removal.what {
        Removed::Everything => vec![(filter::of_scope(scope), filter::of_scope(scope))],
        Removed::Turns { ids, .. } => {
            let ids: Vec<TurnId> = ids.iter().copied().collect();
            let rows =
                |ids: &[TurnId]| (filter::of_ids(scope, column::ID, ids), filter::of_ids(scope, column::TURN, ids));
            ids.chunks(CHUNK).map(rows).collect()
        }
    }
}

#[cfg(test)]
#[path = "deletion_tests.rs"]
mod tests;
