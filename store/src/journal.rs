//! The fsynced journal in front of LanceDB.
//!
//! Responsible for: turns and readings that LanceDB does not have durably yet, deletions under way, the ledger, all in
//! one redb file where every call is one durable transaction. Must not know: LanceDB, what a flush is. All calls block.
//!
//! After an error of the file every call fails at once with [`StoreError::JournalDown`] until [`Journal::mend`] has opened the
//! file again (`journal/slot.rs`).

use std::sync::atomic::{AtomicBool, Ordering};

use redb::{ReadableTable, Table, TableDefinition};

use crate::directory::Directory;
use crate::error::StoreError;
use crate::presence::Pending;
use crate::record::{Point, Scope, Turn, TurnId};
use crate::rows::CompletedTurn;
use crate::trouble::Trouble;

pub(crate) use ledger::LedgerLine;
pub(crate) use slot::Mended;
use slot::Slot;

use records::{ACCEPTED, COMPLETED, DELETIONS, NOTES, POINTS, PURGE, PointKey, PointRow, TurnKey, TurnRow};
use records::{point_from, spans_to_bytes, turn_from, turn_row, vector_to_bytes};

pub(crate) mod backlog;
mod file;
mod ledger;
mod records;
mod slot;
#[cfg(test)]
mod slot_tests;

/// Versions of the tables, by table name.
pub(crate) type Versions = [(&'static str, u64); 2];

/// Names a turn.
pub(crate) type Key = (Scope, TurnId);

/// Everything of a scope, or of one conversation in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) scope: Scope,
    pub(crate) conversation: Option<TurnId>,
}

/// The journal.
#[derive(Debug)]
pub(crate) struct Journal {
    slot: Slot,
    /// Whether the file may hold bytes of what was removed from it.
    stale: AtomicBool,
}

impl Journal {
    /// Looks at the file of a journal without changing anything.
    pub(crate) fn examine(directory: &Directory) -> Result<(), StoreError> {
        file::examine(directory)
    }

    /// Opens or creates the journal. A file that is damaged is moved aside and a new one begun.
    pub(crate) fn open(directory: &Directory) -> Result<Self, StoreError> {
        let existed = directory.journal().exists();
        Ok(Self {
            slot: Slot::open(directory)?,
            stale: AtomicBool::new(existed),
        })
    }

    /// What is wrong with the journal at the moment.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.slot.trouble()
    }

    /// Whether the file is still the one that was opened, under its name and as long as it was left; notes it where not.
    pub(crate) fn look(&self) {
        self.slot.look();
    }

    /// Makes good what [`Journal::trouble`] names, if it can be made good now.
    ///
    /// # Errors
    /// Why it cannot; try again later.
    pub(crate) fn mend(&self) -> Result<Mended, StoreError> {
        let mended = self.slot.mend()?;
        if matches!(mended, Mended::Reopened | Mended::BegunAnew) {
            self.stale.store(true, Ordering::Release);
        }
        Ok(mended)
    }

    /// Adds turns that are not there yet and returns which were new. `is_known` names those that are elsewhere; it is
    /// asked while no other write, such as trimming, can happen.
    pub(crate) fn accept(&self, turns: &[Turn], is_known: impl Fn(&Turn) -> bool) -> Result<Vec<Key>, StoreError> {
        self.write("accept turns", |transaction| {
            let mut accepted = transaction.open_table(ACCEPTED)?;
            let completed = transaction.open_table(COMPLETED)?;
            let mut new = Vec::new();
            for turn in turns.iter().filter(|turn| !is_known(turn)) {
                let key = (turn.scope.as_str(), &turn.id.0);
                if accepted.get(key)?.is_none() && completed.get(key)?.is_none() {
                    accepted.insert(key, turn_row(turn))?;
                    new.push((turn.scope.clone(), turn.id));
                }
            }
            Ok(new)
        })
    }

    /// Every turn accepted and not completed, by scope, conversation and position.
    pub(crate) fn accepted(&self) -> Result<Vec<Turn>, StoreError> {
        let mut turns = self.read("list unread turns", |transaction| {
            let table = transaction.open_table(ACCEPTED)?;
            let mut turns = Vec::new();
            for entry in table.iter()? {
                let (key, row) = entry?;
                turns.push(turn_from(key.value(), row.value()));
            }
            Ok(turns)
        })?;
        let turns = turns.drain(..).collect::<Result<Vec<Turn>, StoreError>>();
        turns.map(|mut turns| {
            turns.sort_by(|one, other| {
                let order = |turn: &Turn| (turn.conversation, turn.position, turn.id);
                one.scope.cmp(&other.scope).then_with(|| order(one).cmp(&order(other)))
            });
            turns
        })
    }

    /// The accepted ones of these turns; what must be known to complete them.
    pub(crate) fn accepted_turns(&self, keys: &[Key]) -> Result<Vec<Turn>, StoreError> {
        self.turns_in(ACCEPTED, keys)
    }

    /// Moves turns from accepted to completed, with their points. Those no longer accepted are left out; returns the
    /// others.
    pub(crate) fn complete(&self, completed: &[CompletedTurn]) -> Result<Vec<Key>, StoreError> {
        self.write("complete turns", |transaction| {
            let mut accepted_table = transaction.open_table(ACCEPTED)?;
            let mut completed_table = transaction.open_table(COMPLETED)?;
            let mut points_table = transaction.open_table(POINTS)?;
            let mut moved = Vec::new();
            for CompletedTurn { turn, points } in completed {
                let scope = turn.scope.as_str();
                if accepted_table.remove((scope, &turn.id.0))?.is_none() {
                    continue;
                }
                completed_table.insert((scope, &turn.id.0), turn_row(turn))?;
                for point in points {
                    let (spans, vector) = (spans_to_bytes(&point.spans), vector_to_bytes(&point.vector));
                    let row: PointRow<'_> = (point.start, point.end, &spans, &point.text, &vector, &point.features);
                    points_table.insert((scope, &turn.id.0, point.passage), row)?;
                }
                moved.push((turn.scope.clone(), turn.id));
            }
            Ok(moved)
        })
        .inspect(|_| self.stale.store(true, Ordering::Release))
    }

    /// Those of these turns that are completed, with their points.
    pub(crate) fn completed(&self, keys: &[Key]) -> Result<Vec<CompletedTurn>, StoreError> {
        let turns = self.turns_in(COMPLETED, keys)?;
        let rows = self.read("read completed turns", |transaction| {
            let table = transaction.open_table(POINTS)?;
            let mut completed = Vec::with_capacity(turns.len());
            for turn in turns {
                let (scope, id) = (turn.scope.as_str(), &turn.id.0);
                let mut points = Vec::new();
                for entry in table.range((scope, id, 0)..=(scope, id, u32::MAX))? {
                    let (key, row) = entry?;
                    points.push(point_from(turn.id, key.value().2, row.value()));
                }
                completed.push((turn, points));
            }
            Ok(completed)
        })?;
        let whole = |(turn, points): (Turn, Vec<Result<Point, StoreError>>)| {
            Ok(CompletedTurn {
                turn,
                points: points.into_iter().collect::<Result<_, StoreError>>()?,
            })
        };
        rows.into_iter().map(whole).collect()
    }

    /// Those of these turns of a scope that the journal has, accepted or completed.
    pub(crate) fn turns(&self, keys: &[Key]) -> Result<Vec<Turn>, StoreError> {
        let mut turns = self.turns_in(ACCEPTED, keys)?;
        turns.extend(self.turns_in(COMPLETED, keys)?);
        Ok(turns)
    }

    /// Every turn in the journal and how far it is.
    pub(crate) fn keys(&self) -> Result<Vec<(Key, Pending)>, StoreError> {
        let keys = self.read("list turns", |transaction| {
            let mut keys = Vec::new();
            for (definition, state) in [(ACCEPTED, Pending::Accepted), (COMPLETED, Pending::Completed)] {
                for entry in transaction.open_table(definition)?.iter()? {
                    let (key, _) = entry?;
                    let (scope, id) = key.value();
                    keys.push((scope.to_owned(), TurnId(*id), state));
                }
            }
            Ok(keys)
        })?;
        keys.into_iter()
            .map(|(scope, id, state)| Ok(((Scope::new(scope)?, id), state)))
            .collect()
    }

    /// Removes completed turns that LanceDB has on disk, and notes the versions of the tables that are.
    pub(crate) fn trim(&self, keys: &[Key], versions: &Versions) -> Result<(), StoreError> {
        self.write("trim", |transaction| {
            let mut notes = transaction.open_table(NOTES)?;
            for (table, version) in versions {
                notes.insert(*table, version)?;
            }
            let mut completed = transaction.open_table(COMPLETED)?;
            let mut points = transaction.open_table(POINTS)?;
            for (scope, id) in keys {
                completed.remove((scope.as_str(), &id.0))?;
                remove_points(&mut points, scope, *id)?;
            }
            Ok(())
        })
        .inspect(|()| self.stale.store(true, Ordering::Release))
    }

    /// The version of a table known to be on disk.
    pub(crate) fn version(&self, table: &str) -> Result<Option<u64>, StoreError> {
        self.read("read notes", |transaction| {
            let version = transaction.open_table(NOTES)?.get(table)?;
            Ok(version.map(|version| version.value()))
        })
    }

    /// Removes what a deletion covers, the ledger too, and notes the deletion as under way. Returns the turns removed.
    pub(crate) fn delete(&self, deletion: &Deletion) -> Result<Vec<Key>, StoreError> {
        let (scope, conversation) = (&deletion.scope, deletion.conversation);
        self.write("delete", |transaction| {
            let mut removed = Vec::new();
            for definition in [ACCEPTED, COMPLETED] {
                let mut table = transaction.open_table(definition)?;
                let whole_scope = (scope.as_str(), &[0; 16])..=(scope.as_str(), &[u8::MAX; 16]);
                let covered = |_: (&str, &[u8; 16]), row: TurnRow<'_>| conversation.is_none_or(|id| *row.1 == id.0);
                for entry in table.extract_from_if(whole_scope, covered)? {
                    let (key, _) = entry?;
                    removed.push((scope.clone(), TurnId(*key.value().1)));
                }
            }
            let mut points = transaction.open_table(POINTS)?;
            for (scope, id) in &removed {
                remove_points(&mut points, scope, *id)?;
            }
            ledger::delete(transaction, deletion)?;
            let noted = (scope.as_str(), conversation.as_ref().map(|id| &id.0));
            transaction.open_table(DELETIONS)?.insert(noted, ())?;
            Ok(removed)
        })
        .inspect(|_| self.stale.store(true, Ordering::Release))
    }

    /// Deletions under way; more than none only after a crash.
    pub(crate) fn deletions(&self) -> Result<Vec<Deletion>, StoreError> {
        let rows = self.read("list deletions", |transaction| {
            let mut rows = Vec::new();
            for entry in transaction.open_table(DELETIONS)?.iter()? {
                let (key, _) = entry?;
                let (scope, conversation) = key.value();
                rows.push((scope.to_owned(), conversation.copied().map(TurnId)));
            }
            Ok(rows)
        })?;
        rows.into_iter()
            .map(|(scope, conversation)| {
                Ok(Deletion {
                    scope: Scope::new(scope)?,
                    conversation,
                })
            })
            .collect()
    }

    /// Notes that LanceDB has carried out a deletion, and that its old files must go at the next maintenance.
    pub(crate) fn finish_deletion(&self, deletion: &Deletion) -> Result<(), StoreError> {
        self.write("finish a deletion", |transaction| {
            let noted = (deletion.scope.as_str(), deletion.conversation.as_ref().map(|id| &id.0));
            transaction.open_table(DELETIONS)?.remove(noted)?;
            transaction.open_table(NOTES)?.insert(PURGE, 1)?;
            Ok(())
        })
    }

    /// Whether something was deleted whose bytes may still be in LanceDB's old files.
    pub(crate) fn purge_due(&self) -> Result<bool, StoreError> {
        self.read("read notes", |transaction| {
            Ok(transaction.open_table(NOTES)?.get(PURGE)?.is_some())
        })
    }

    /// Notes that LanceDB's old files are gone.
    pub(crate) fn purge_done(&self) -> Result<(), StoreError> {
        self.write("note", |transaction| {
            transaction.open_table(NOTES)?.remove(PURGE)?;
            Ok(())
        })
    }

    /// Writes what the journal holds into a new file that replaces the old one, so that nothing removed is left in
    /// free pages. Returns false when there was nothing to clear.
    pub(crate) fn rewrite(&self) -> Result<bool, StoreError> {
        if !self.stale.swap(false, Ordering::AcqRel) {
            return Ok(false);
        }
        self.slot
            .rewrite()
            .inspect_err(|_| self.stale.store(true, Ordering::Release))?;
        Ok(true)
    }

    /// Closes the file and releases its lock; later calls give [`StoreError::Closed`].
    pub(crate) fn close(&self) {
        self.slot.close();
    }

    fn turns_in(
        &self,
        definition: TableDefinition<TurnKey, TurnRow<'static>>,
        keys: &[Key],
    ) -> Result<Vec<Turn>, StoreError> {
        let turns = self.read("read turns", |transaction| {
            let table = transaction.open_table(definition)?;
            let mut turns = Vec::new();
            for (scope, id) in keys {
                let key = (scope.as_str(), &id.0);
                if let Some(row) = table.get(key)? {
                    turns.push(turn_from(key, row.value()));
                }
            }
            Ok(turns)
        })?;
        turns.into_iter().collect()
    }

    fn write<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&redb::WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        self.slot.write(action, work)
    }

    fn read<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        self.slot.read(action, work)
    }
}

fn remove_points(
    points: &mut Table<'_, PointKey, PointRow<'static>>,
    scope: &Scope,
    id: TurnId,
) -> Result<(), redb::Error> {
    let of_turn = (scope.as_str(), &id.0, 0)..=(scope.as_str(), &id.0, u32::MAX);
    points.retain_in(of_turn, |_, _| false)?;
    Ok(())
}
