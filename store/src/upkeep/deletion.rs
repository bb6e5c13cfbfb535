//! Deleting: from search at once, from the journal at once, from the disk at the next maintenance.
//!
//! Responsible for: finding out which turns a deletion covers, and carrying it out in both places so that a crash in
//! between is made good.
//!
//! A deletion makes room, but needs some at first. Each of its steps that fails because the disk is full is tried once more in what is
//! kept for that ([`Journal::make_room`](crate::journal::Journal::make_room)).

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::MutexGuard;

use super::catch_up;
use crate::error::StoreError;
use crate::journal::Purge;
use crate::lance::turn_rows::{RemovedRows, Selection};
use crate::records::{
    ConversationId, Deletion, Extent, NotedDeletion, OldTurns, Removal, Removed, Scope, TurnId, TurnKey,
    WholeConversation,
};
use crate::state::deletions_due::DeletionAtWork;
use crate::state::{Shared, Writer};
use crate::tasks::to_completion;
use crate::trouble::{StorePart, one_line};

/// Turns that LanceDB is told to delete at a time.
const CHUNK: usize = 4096;

/// Deletes and returns the turns that were there.
pub(crate) async fn delete(shared: &Arc<Shared>, deletion: Deletion) -> Result<Vec<TurnId>, StoreError> {
    let shared = Arc::clone(shared);
    to_completion(async move {
        let _maintenance = shared.maintenance.lock().await;
        let _trimming = shared.trimming.lock().await;
        let mut writer = shared.writer.lock().await;
        let deleted = shared.writing(delete_with(&shared, &mut writer, deletion)).await;
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
    let (at_work, removed) = loop {
        match take_from_journal(shared, &covered).await {
            Ok(taken) => break taken,
            Err(failed) => room.make(shared, writer, failed).await?,
        }
    };
    // What an attempt deleted that failed after that is deleted all the same.
    let mut deleted: HashSet<TurnId> = removed.into_iter().map(|(_, id)| id).collect();
    let mut purge = Purge::NotDue;
    let carried_out = carry_out_in_room(shared, writer, at_work.removal(), &mut deleted, &mut purge, room).await;
    if let Err(failed) = carried_out {
        let scope = at_work.removal().scope.clone();
        // From here on it is due.
        drop(at_work);
        // What is loaded of the scope may still name what is deleted.
        shared.turn_index().unload(&scope);
        say_due(shared, &scope, &failed);
        return Err(failed);
    }
    at_work.carried_out();
    // Without room for the next deletion the disk was full when this one began.
    if purge == Purge::Due || shared.journal.trouble().is_some() || !shared.journal.has_reserve() {
        free_space(shared).await;
    }
    Ok(deleted.into_iter().collect())
}

/// Carries a deletion out, and makes room for it where it fails for want of some.
async fn carry_out_in_room(
    shared: &Arc<Shared>,
    writer: &mut MutexGuard<'_, Writer>,
    removal: &Removal,
    deleted: &mut HashSet<TurnId>,
    purge: &mut Purge,
    mut room: RoomMaking,
) -> Result<(), StoreError> {
    while let Err(failed) = carry_out(shared, writer, removal, deleted, *purge).await {
        room.make(shared, writer, failed).await?;
        *purge = Purge::Due;
    }
    Ok(())
}

/// Says that a deletion could not be carried out: it is tried again, and until then its scope is not read.
fn say_due(shared: &Shared, scope: &Scope, failed: &StoreError) {
    let cause = one_line(failed);
    if shared.troubles.begin(StorePart::Maintenance, format!("a deletion can't be carried out: {cause}")) {
        tracing::error!(
            %scope,
            cause,
            "a deletion can't be carried out in the tables. It is tried again by itself; until it is done nothing of this scope is \
             recalled, listed or searched, and requests pass as they are"
        );
    }
    shared.wake.notify_one();
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
    /// By what it is found out again when it is carried out, since more may be said until then.
    again: Again,
}

#[derive(Debug, Clone)]
enum Again {
    /// It stays as it is.
    Not,
    /// Some of what was said before a time may be said again.
    Old(OldTurns),
    /// A conversation may go on.
    Conversation(WholeConversation),
}

impl From<Removal> for Covered {
    fn from(removal: Removal) -> Self {
        Self { removal, again: Again::Not }
    }
}

/// Takes out of the journal what goes, and notes that the tables may still have it. Returns what went, and which turns
/// the journal had.
async fn take_from_journal(
    shared: &Arc<Shared>,
    covered: &Covered,
) -> Result<(DeletionAtWork, Vec<TurnKey>), StoreError> {
    let Covered { removal, again } = covered.clone();
    shared
        .blocking(move |shared| {
            let quoted = shared.config.quoted;
            let mut at_work = None;
            let (removal, removed) = shared.change(
                |journal| {
                    let removal = match again {
                        Again::Old(old) => return journal.delete_old(&old, quoted),
                        Again::Conversation(whole) => journal.removal_of(&whole)?,
                        Again::Not => removal,
                    };
                    journal.delete(&removal, quoted).map(|removed| (removal, removed))
                },
                |turn_index, (removal, _)| {
                    // Before anybody can look in the tables for what is said again.
                    at_work = Some(shared.deletions_due.begin(removal));
                    turn_index.forget(&removal.scope, |turn| removal.covers(turn));
                },
            )?;
            Ok((at_work.unwrap_or_else(|| shared.deletions_due.begin(&removal)), removed))
        })
        .await
}

/// Carries out deletions that a crash or an error left half way. The journal has done its part of them. All of them are tried.
///
/// # Errors
/// The last failure. What was not carried out is known to be due.
pub(crate) async fn resume(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let mut result = Ok(());
    for deletion in note_all(shared).await? {
        match resume_one(shared, &deletion).await {
            Ok(()) => tracing::info!(scope = %deletion.scope(), "a deletion that was interrupted is carried out"),
            Err(failed) => {
                say_due(shared, deletion.scope(), &failed);
                result = Err(failed);
            }
        }
    }
    result
}

/// Knows of all deletions that are noted and may not have been carried out, before anything of them can be read; gives them.
pub(super) async fn note_all(shared: &Arc<Shared>) -> Result<Vec<NotedDeletion>, StoreError> {
    let noted = shared.blocking(|shared| shared.journal.deletions()).await?;
    noted.iter().for_each(|deletion| shared.deletions_due.note(deletion.clone()));
    Ok(noted)
}

async fn resume_one(shared: &Arc<Shared>, noted: &NotedDeletion) -> Result<(), StoreError> {
    match noted.clone() {
        NotedDeletion::Removal(Removal { scope, .. }) => {
            let shared = Arc::clone(shared);
            to_completion(async move {
                let _maintenance = shared.maintenance.lock().await;
                let _trimming = shared.trimming.lock().await;
                let mut writer = shared.writer.lock().await;
                shared.writing(resume_of_scope(&shared, &mut writer, &scope)).await
            })
            .await
        }
        // As an earlier version noted it.
        NotedDeletion::Conversation(scope, id) => {
            delete(shared, Deletion { scope: scope.clone(), extent: Extent::Conversation(id) }).await?;
            let noted = NotedDeletion::Conversation(scope, id);
            let done = noted.clone();
            shared.blocking(move |shared| shared.journal.finish_deletion(&noted, Purge::Due)).await?;
            shared.deletions_due.end(&done);
            Ok(())
        }
    }
}

/// Carries out what is noted of a scope now: another attempt may have ended meanwhile, and what came after that must stay.
/// Only for who holds all of the locks.
async fn resume_of_scope(
    shared: &Arc<Shared>,
    writer: &mut MutexGuard<'_, Writer>,
    scope: &Scope,
) -> Result<(), StoreError> {
    let now = shared.blocking(|shared| shared.journal.deletions()).await?;
    shared.deletions_due.replace(scope, &now);
    for deletion in now.iter().filter(|deletion| deletion.scope() == scope) {
        if let NotedDeletion::Removal(removal) = deletion {
            // Its rows may have gone before it was interrupted.
            let (mut deleted, mut purge, room) = (HashSet::new(), Purge::Due, RoomMaking::default());
            carry_out_in_room(shared, writer, removal, &mut deleted, &mut purge, room).await?;
        }
    }
    Ok(())
}

/// Which turns a deletion covers now.
async fn resolve(shared: &Arc<Shared>, deletion: Deletion) -> Result<Covered, StoreError> {
    let Deletion { scope, extent } = deletion;
    Ok(match extent {
        Extent::Everything => Removal { scope, what: Removed::Everything }.into(),
        Extent::Turns(ids) => {
            let of_journal = scope.clone();
            let ids = shared.blocking(move |shared| shared.journal.with_same_words(&of_journal, ids)).await?;
            Removal::of_turns(&scope, ids).into()
        }
        Extent::Before(time) => {
            let mut turns = shared.rows().find(&scope, Selection::Before(time)).await?;
            let pending = shared.blocking(move |shared| shared.journal.older(time)).await?;
            turns.extend(pending.into_iter().filter(|(of, _)| *of == scope).map(|(_, id)| id));
            let old = OldTurns { scope, turns, time };
            shared
                .blocking(move |shared| {
                    Ok(Covered { removal: shared.journal.said_before(&old)?, again: Again::Old(old) })
                })
                .await?
        }
        Extent::Conversation(conversation) => {
            let of_journal = scope.clone();
            let names = shared.blocking(move |shared| shared.journal.with_branches(&of_journal, conversation)).await?;
            let names: Vec<ConversationId> = names.into_iter().collect();
            let stored = shared.rows().find(&scope, Selection::Conversations(&names)).await?;
            let whole = WholeConversation { scope, conversation, stored };
            shared
                .blocking(move |shared| {
                    Ok(Covered { removal: shared.journal.removal_of(&whole)?, again: Again::Conversation(whole) })
                })
                .await?
        }
    })
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
    let done = noted.clone();
    shared
        .blocking(move |shared| {
            shared.rows().sync(&shared.directory)?;
            // What was moved aside may hold it as well.
            let purge = if shared.directory.has_set_aside() { Purge::Due } else { purge };
            shared.journal.finish_deletion(&noted, purge)
        })
        .await?;
    shared.deletions_due.end(&done);
    Ok(())
}

/// Deletes the rows that go, adds their turns to `deleted`, and returns how many rows went.
async fn take_from_tables(
    shared: &Shared,
    removal: &Removal,
    deleted: &mut HashSet<TurnId>,
) -> Result<u64, StoreError> {
    let (rows, mut removed, scope) = (shared.rows(), 0, &removal.scope);
    let ids: Vec<TurnId>;
    let parts: Vec<RemovedRows<'_>> = match &removal.what {
        Removed::Everything => vec![RemovedRows::All],
        Removed::Turns { ids: covered, .. } => {
            ids = covered.iter().copied().collect();
            ids.chunks(CHUNK).map(RemovedRows::Turns).collect()
        }
    };
    for part in parts {
        deleted.extend(rows.find(scope, Selection::Removed(part)).await?);
        let points = rows.remove_points(scope, part).await?;
        shared.stored_points.fetch_sub(points, Ordering::Relaxed);
        let turns = rows.remove_turns(scope, part).await?;
        shared.stored_turns.fetch_sub(turns, Ordering::Relaxed);
        removed += points + turns;
    }
    Ok(removed)
}

/// Removes at once the files that no version needs but old ones, where a full disk lets nothing else be done. Only for who holds
/// `maintenance` and `writer`, and has made what was written durable. What it cannot do maintenance does.
async fn free_space(shared: &Shared) {
    let _no_readers = shared.gate.write().await;
    shared.rows().prune_to_newest(&shared.directory).await;
}

#[cfg(test)]
#[path = "deletion_tests.rs"]
mod tests;
