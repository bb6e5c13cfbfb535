//! Deletions in the journal.
//!
//! Responsible for: removing what one covers, and noting it until LanceDB has carried it out and cleared its files. Must not
//! know: how LanceDB does that.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use redb::{ReadableTable, WriteTransaction};

use super::rows::{ACCEPTED, COMPLETED, DELETED, DELETIONS, NOTES, PLACES, POINTS, PURGE, REPETITIONS, scope_note};
use super::said_before::said_before;
use super::turns::remove_points;
use super::{Journal, ledger, removal};
use crate::error::StoreError;
use crate::records::{
    ConversationId, DeletionMark, NotedDeletion, OldTurns, QuotedTurns, Removal, Removed, Scope, TurnId, TurnKey,
};

impl Journal {
    /// Removes what a deletion covers, the ledger and the places in conversations too, and notes the deletion as under way. Returns
    /// the turns removed.
    pub(crate) fn delete(&self, removal: &Removal, quoted: QuotedTurns) -> Result<Vec<TurnKey>, StoreError> {
        let _departing = self.departures.begin(&removal.scope);
        self.database
            .write_deletion("delete", |transaction| carry_out(transaction, removal, quoted))
            .inspect(|_| self.stale.store(true, Ordering::Release))
    }

    /// [`Journal::delete`] for all that was said before a time. What that covers is found out in the same transaction,
    /// since something of it may be said again until then; it is returned as well.
    pub(crate) fn delete_old(
        &self,
        old: &OldTurns,
        quoted: QuotedTurns,
    ) -> Result<(Removal, Vec<TurnKey>), StoreError> {
        let _departing = self.departures.begin(&old.scope);
        self.database
            .write_deletion("delete", |transaction| {
                let removal =
                    said_before(&transaction.open_table(PLACES)?, &transaction.open_table(REPETITIONS)?, old)?;
                let removed = carry_out(transaction, &removal, quoted)?;
                Ok((removal, removed))
            })
            .inspect(|_| self.stale.store(true, Ordering::Release))
    }

    /// What has been deleted of a scope by now.
    pub(crate) fn deletion_mark(&self, scope: &Scope) -> DeletionMark {
        self.departures.mark(scope)
    }

    /// Deletions under way; more than none only after a crash.
    pub(crate) fn deletions(&self) -> Result<Vec<NotedDeletion>, StoreError> {
        let (scopes, turns) = self.database.read("list deletions", |transaction| {
            let mut scopes = Vec::new();
            for entry in transaction.open_table(DELETIONS)?.iter()? {
                let (key, _) = entry?;
                let (scope, conversation) = key.value();
                scopes.push((scope.to_owned(), conversation.copied().map(ConversationId)));
            }
            let mut turns: BTreeMap<String, HashSet<TurnId>> = BTreeMap::new();
            for entry in transaction.open_table(DELETED)?.iter()? {
                let (key, _) = entry?;
                let (scope, id) = key.value();
                turns.entry(scope.to_owned()).or_default().insert(TurnId(*id));
            }
            Ok((scopes, turns))
        })?;
        let mut noted = Vec::new();
        for (scope, conversation) in scopes {
            let scope = Scope::new(scope)?;
            noted.push(match conversation {
                Some(conversation) => NotedDeletion::Conversation(scope, conversation),
                None => NotedDeletion::Removal(Removal { scope, what: Removed::Everything }),
            });
        }
        for (scope, ids) in turns {
            noted.push(NotedDeletion::Removal(Removal::of_turns(&Scope::new(scope)?, ids)));
        }
        Ok(noted)
    }

    /// Notes that LanceDB has carried out a deletion, and where `purge` says so that its old files must go at the next
    /// maintenance.
    pub(crate) fn finish_deletion(&self, noted: &NotedDeletion, purge: Purge) -> Result<(), StoreError> {
        self.database.write_deletion("finish a deletion", |transaction| {
            match noted {
                NotedDeletion::Conversation(scope, id) => {
                    transaction.open_table(DELETIONS)?.remove((scope.as_str(), Some(&id.0)))?;
                }
                NotedDeletion::Removal(Removal { scope, what: Removed::Everything }) => {
                    transaction.open_table(DELETIONS)?.remove(scope_note(scope))?;
                    let whole_scope = (scope.as_str(), &[0; 16])..=(scope.as_str(), &[u8::MAX; 16]);
                    transaction.open_table(DELETED)?.retain_in(whole_scope, |_, ()| false)?;
                }
                NotedDeletion::Removal(Removal { scope, what: Removed::Turns { ids, .. } }) => {
                    let mut table = transaction.open_table(DELETED)?;
                    for id in ids {
                        table.remove((scope.as_str(), &id.0))?;
                    }
                }
            }
            if purge == Purge::Due {
                transaction.open_table(NOTES)?.insert(PURGE, 1)?;
            }
            Ok(())
        })
    }

    /// Whether something was deleted whose bytes may still be in LanceDB's old files.
    pub(crate) fn purge_due(&self) -> Result<bool, StoreError> {
        self.database.read("read notes", |transaction| Ok(transaction.open_table(NOTES)?.get(PURGE)?.is_some()))
    }

    /// Notes that LanceDB's old files are gone.
    pub(crate) fn purge_done(&self) -> Result<(), StoreError> {
        self.database.write_deletion("note", |transaction| {
            transaction.open_table(NOTES)?.remove(PURGE)?;
            Ok(())
        })
    }

    /// The turns in the journal that were first seen before a time.
    pub(crate) fn older(&self, before: DateTime<Utc>) -> Result<Vec<TurnKey>, StoreError> {
        let before = before.timestamp_micros();
        let keys = self.database.read("look for old turns", |transaction| {
            let mut keys = Vec::new();
            for definition in [ACCEPTED, COMPLETED] {
                for entry in transaction.open_table(definition)?.iter()? {
                    let (key, row) = entry?;
                    let ((scope, id), (_, _, _, _, _, micros, _)) = (key.value(), row.value());
                    if micros < before {
                        keys.push((scope.to_owned(), TurnId(*id)));
                    }
                }
            }
            Ok(keys)
        })?;
        keys.into_iter().map(|(scope, id)| Ok((Scope::new(scope)?, id))).collect()
    }
}

/// Whether LanceDB's files may hold what was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purge {
    Due,
    /// They never had it.
    NotDue,
}

fn carry_out(
    transaction: &WriteTransaction,
    removal: &Removal,
    quoted: QuotedTurns,
) -> Result<Vec<TurnKey>, redb::Error> {
    let removed = take_turns(transaction, removal)?;
    ledger::delete(transaction, removal, quoted)?;
    removal::remove(transaction, removal)?;
    note(transaction, removal)?;
    Ok(removed)
}

fn take_turns(transaction: &WriteTransaction, removal: &Removal) -> Result<Vec<TurnKey>, redb::Error> {
    let scope = removal.scope.as_str();
    let mut removed: Vec<TurnKey> = Vec::new();
    for definition in [ACCEPTED, COMPLETED] {
        let mut table = transaction.open_table(definition)?;
        match &removal.what {
            Removed::Everything => {
                let whole_scope = (scope, &[0; 16])..=(scope, &[u8::MAX; 16]);
                for entry in table.extract_from_if(whole_scope, |_, _| true)? {
                    let (key, _) = entry?;
                    removed.push((removal.scope.clone(), TurnId(*key.value().1)));
                }
            }
            Removed::Turns { ids, .. } => {
                for id in ids {
                    if table.remove((scope, &id.0))?.is_some() {
                        removed.push((removal.scope.clone(), *id));
                    }
                }
            }
        }
    }
    let mut points = transaction.open_table(POINTS)?;
    for (scope, id) in &removed {
        remove_points(&mut points, scope, *id)?;
    }
    Ok(removed)
}

fn note(transaction: &WriteTransaction, removal: &Removal) -> Result<(), redb::Error> {
    let scope = removal.scope.as_str();
    match &removal.what {
        Removed::Everything => {
            transaction.open_table(DELETIONS)?.insert(scope_note(&removal.scope), ())?;
        }
        Removed::Turns { ids, .. } => {
            let mut table = transaction.open_table(DELETED)?;
            for id in ids {
                table.insert((scope, &id.0), ())?;
            }
        }
    }
    Ok(())
}
