//! Deletions in the journal.
//!
//! Responsible for: removing what one covers, and noting it until LanceDB has carried it out and cleared its files. Must not
//! know: how LanceDB does that.

use std::sync::atomic::Ordering;

use redb::ReadableTable;

use super::rows::{ACCEPTED, COMPLETED, DELETIONS, NOTES, POINTS, PURGE, TurnRow};
use super::turns::remove_points;
use super::{Journal, conversations, ledger};
use crate::error::StoreError;
use crate::records::{Deletion, Scope, TurnId, TurnKey};

impl Journal {
    /// Removes what a deletion covers, the ledger too, and notes the deletion as under way. Returns the turns removed.
    pub(crate) fn delete(&self, deletion: &Deletion) -> Result<Vec<TurnKey>, StoreError> {
        let (scope, conversation) = (&deletion.scope, deletion.conversation);
        self.database
            .write("delete", |transaction| {
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
                conversations::delete(transaction, deletion)?;
                let noted = (scope.as_str(), conversation.as_ref().map(|id| &id.0));
                transaction.open_table(DELETIONS)?.insert(noted, ())?;
                Ok(removed)
            })
            .inspect(|_| self.stale.store(true, Ordering::Release))
    }

    /// Deletions under way; more than none only after a crash.
    pub(crate) fn deletions(&self) -> Result<Vec<Deletion>, StoreError> {
        let rows = self.database.read("list deletions", |transaction| {
            let mut rows = Vec::new();
            for entry in transaction.open_table(DELETIONS)?.iter()? {
                let (key, _) = entry?;
                let (scope, conversation) = key.value();
                rows.push((scope.to_owned(), conversation.copied().map(TurnId)));
            }
            Ok(rows)
        })?;
        rows.into_iter().map(|(scope, conversation)| Ok(Deletion { scope: Scope::new(scope)?, conversation })).collect()
    }

    /// Notes that LanceDB has carried out a deletion, and that its old files must go at the next maintenance.
    pub(crate) fn finish_deletion(&self, deletion: &Deletion) -> Result<(), StoreError> {
        self.database.write("finish a deletion", |transaction| {
            let noted = (deletion.scope.as_str(), deletion.conversation.as_ref().map(|id| &id.0));
            transaction.open_table(DELETIONS)?.remove(noted)?;
            transaction.open_table(NOTES)?.insert(PURGE, 1)?;
            Ok(())
        })
    }

    /// Whether something was deleted whose bytes may still be in LanceDB's old files.
    pub(crate) fn purge_due(&self) -> Result<bool, StoreError> {
        self.database.read("read notes", |transaction| Ok(transaction.open_table(NOTES)?.get(PURGE)?.is_some()))
    }

    /// Notes that LanceDB's old files are gone.
    pub(crate) fn purge_done(&self) -> Result<(), StoreError> {
        self.database.write("note", |transaction| {
            transaction.open_table(NOTES)?.remove(PURGE)?;
            Ok(())
        })
    }
}
