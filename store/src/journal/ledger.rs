//! The ledger in the journal's file.
//!
//! Responsible for: its table; reading, recording, deleting and expiring its entries. Must not know: what a value means,
//! when maintenance is due.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use redb::{ReadableTable, WriteTransaction};

use super::Journal;
use super::expiry::{ScopedConversation, expired};
use super::rows::{LEDGER, LedgerKey, LedgerRow};
use crate::error::StoreError;
use crate::records::{Deletion, LedgerEntry, LedgerKind, LedgerLine, Scope, TurnId};

impl Journal {
    /// Every entry of these turns, in the order asked, for one turn in the order of the kinds.
    pub(crate) fn ledger(&self, scope: &Scope, turns: &[TurnId]) -> Result<Vec<LedgerEntry>, StoreError> {
        self.database.read("read the ledger", |transaction| {
            let table = transaction.open_table(LEDGER)?;
            let mut entries = Vec::new();
            for turn in turns {
                for kind in LedgerKind::ALL {
                    if let Some(row) = table.get(key(scope, turn, kind))? {
                        entries.push(entry_from(*turn, kind, row.value()));
                    }
                }
            }
            Ok(entries)
        })
    }

    /// Adds the entries that are not there yet, written `now`, and returns those that hold, in the order given.
    pub(crate) fn record(
        &self,
        scope: &Scope,
        entries: Vec<LedgerEntry>,
        now: DateTime<Utc>,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        if entries.is_empty() {
            return Ok(entries);
        }
        self.database.write("write the ledger", |transaction| {
            let mut table = transaction.open_table(LEDGER)?;
            let mut held = Vec::with_capacity(entries.len());
            for entry in entries {
                let place = key(scope, &entry.turn, entry.kind);
                let known = table.get(place)?.map(|row| entry_from(entry.turn, entry.kind, row.value()));
                if known.is_none() {
                    let row: LedgerRow<'_> = (&entry.conversation.0, now.timestamp_micros(), &entry.value);
                    table.insert(place, row)?;
                }
                held.push(known.unwrap_or(entry));
            }
            Ok(held)
        })
    }

    /// Every entry of every scope.
    pub(crate) fn ledger_lines(&self) -> Result<Vec<LedgerLine>, StoreError> {
        let rows = self.database.read("list the ledger", |transaction| {
            let mut rows = Vec::new();
            for entry in transaction.open_table(LEDGER)?.iter()? {
                let (place, row) = entry?;
                let ((scope, turn, kind), (conversation, micros, value)) = (place.value(), row.value());
                rows.push((scope.to_owned(), *turn, kind, *conversation, micros, value.to_vec()));
            }
            Ok(rows)
        })?;
        let line = |(scope, turn, kind, conversation, micros, value)| {
            Ok(LedgerLine {
                scope: Scope::new(scope)?,
                turn: TurnId(turn),
                kind,
                conversation: TurnId(conversation),
                micros,
                value,
            })
        };
        rows.into_iter().map(line).collect()
    }

    /// Adds those entries that are not there yet, as old as they are.
    pub(crate) fn adopt_ledger(&self, lines: &[LedgerLine]) -> Result<(), StoreError> {
        self.database.write("take a ledger over", |transaction| {
            let mut table = transaction.open_table(LEDGER)?;
            for line in lines.iter().filter(|line| line.kind != number(LedgerKind::Unreadable)) {
                let place = (line.scope.as_str(), &line.turn.0, line.kind);
                if table.get(place)?.is_none() {
                    let row: LedgerRow<'_> = (&line.conversation.0, line.micros, &line.value);
                    table.insert(place, row)?;
                }
            }
            Ok(())
        })
    }

    /// Whether there is no entry at all.
    pub(crate) fn has_no_ledger(&self) -> Result<bool, StoreError> {
        self.database.read("look into the ledger", |transaction| Ok(transaction.open_table(LEDGER)?.first()?.is_none()))
    }

    /// Removes every entry of the conversations to which nothing was written for `age`, and returns how many went.
    pub(crate) fn expire_ledger(&self, now: DateTime<Utc>, age: Duration) -> Result<usize, StoreError> {
        let look = "look for expired entries of the ledger";
        let found = self.database.read(look, |transaction| silent(&transaction.open_table(LEDGER)?, now, age))?;
        if found.is_empty() {
            return Ok(0);
        }
        self.database
            .write("expire entries of the ledger", |transaction| {
                let mut table = transaction.open_table(LEDGER)?;
                // A conversation may have been written to since it was found.
                let silent = silent(&table, now, age)?;
                let is_silent = |(scope, _, kind): (&str, &[u8; 16], u8), (conversation, _, _): LedgerRow<'_>| {
                    expires(kind) && silent.contains(&(scope.to_owned(), TurnId(*conversation)))
                };
                let mut removed = 0;
                for entry in table.extract_if(is_silent)? {
                    entry?;
                    removed += 1;
                }
                Ok(removed)
            })
            .inspect(|_| self.stale.store(true, Ordering::Release))
    }
}

/// Removes what a deletion covers.
pub(super) fn delete(transaction: &WriteTransaction, deletion: &Deletion) -> Result<(), redb::Error> {
    let scope = deletion.scope.as_str();
    let whole_scope = (scope, &[0; 16], 0)..=(scope, &[u8::MAX; 16], u8::MAX);
    let stays = |_: (&str, &[u8; 16], u8), (conversation, _, _): LedgerRow<'_>| {
        deletion.conversation.is_some_and(|id| id.0 != *conversation)
    };
    let mut table = transaction.open_table(LEDGER)?;
    table.retain_in(whole_scope, stays)?;
    Ok(())
}

/// The conversations to which nothing was written for `age`.
fn silent(
    table: &impl ReadableTable<LedgerKey, LedgerRow<'static>>,
    now: DateTime<Utc>,
    age: Duration,
) -> Result<HashSet<ScopedConversation>, redb::Error> {
    let written = table.iter()?.filter_map(|entry| {
        let (key, row) = match entry {
            Ok(entry) => entry,
            Err(error) => return Some(Err(redb::Error::from(error))),
        };
        let (scope, _, kind) = key.value();
        let (conversation, micros, _) = row.value();
        expires(kind).then(|| Ok(((scope.to_owned(), TurnId(*conversation)), micros)))
    });
    expired(written, now, age)
}

fn key<'a>(scope: &'a Scope, turn: &'a TurnId, kind: LedgerKind) -> (&'a str, &'a [u8; 16], u8) {
    (scope.as_str(), &turn.0, number(kind))
}

fn number(kind: LedgerKind) -> u8 {
    match kind {
        LedgerKind::Block => 0,
        LedgerKind::Eviction => 1,
        LedgerKind::Unreadable => 2,
    }
}

/// Whether an entry of this kind's number may expire; one of a kind that is not known stays.
fn expires(kind: u8) -> bool {
    LedgerKind::ALL.into_iter().any(|known| number(known) == kind && known.expires())
}

fn entry_from(turn: TurnId, kind: LedgerKind, (conversation, _, value): LedgerRow<'_>) -> LedgerEntry {
    LedgerEntry { kind, turn, conversation: TurnId(*conversation), value: value.to_vec() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use std::path::Path;

    use super::*;
    use crate::directory::Directory;

    const THIRTY_DAYS: Duration = Duration::from_secs(30 * 86_400);

    fn journal(directory: &Path) -> Journal {
        Journal::open(&Directory::prepare(directory).unwrap()).unwrap()
    }

    fn scope(name: &str) -> Scope {
        Scope::new(name).unwrap()
    }

    fn on_day(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + day * 86_400, 0).unwrap()
    }

    fn block(turn: u8, conversation: u8) -> LedgerEntry {
        LedgerEntry {
            kind: LedgerKind::Block,
            turn: TurnId([turn; 16]),
            conversation: TurnId([conversation; 16]),
            value: vec![turn],
        }
    }

    /// The turns from 1 to 9 that have an entry.
    fn turns_with_entries(journal: &Journal, scope: &Scope) -> Vec<u8> {
        let turns: Vec<TurnId> = (1..=9).map(|turn| TurnId([turn; 16])).collect();
        let entries = journal.ledger(scope, &turns).unwrap();
        entries.iter().map(|entry| entry.turn.0[0]).collect()
    }

    #[test]
    fn a_silent_conversation_expires_whole_also_after_a_rewrite_and_the_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, here, there) = (journal(directory.path()), scope("here"), scope("there"));
        journal.record(&here, vec![block(1, 1), block(5, 5)], on_day(0)).unwrap();
        journal.record(&there, vec![block(1, 1)], on_day(0)).unwrap();
        journal.record(&here, vec![block(2, 1)], on_day(20)).unwrap();

        assert_eq!(journal.expire_ledger(on_day(30), THIRTY_DAYS).unwrap(), 0);
        assert!(!journal.rewrite().unwrap(), "nothing was removed");
        assert_eq!(journal.expire_ledger(on_day(31), THIRTY_DAYS).unwrap(), 2);
        assert_eq!(turns_with_entries(&journal, &here), [1, 2]);
        assert!(turns_with_entries(&journal, &there).is_empty());

        assert!(journal.rewrite().unwrap());
        assert_eq!(turns_with_entries(&journal, &here), [1, 2]);
        assert_eq!(journal.expire_ledger(on_day(50), THIRTY_DAYS).unwrap(), 0);
        assert_eq!(journal.expire_ledger(on_day(51), THIRTY_DAYS).unwrap(), 2);
        assert!(turns_with_entries(&journal, &here).is_empty());
    }

    #[test]
    fn recording_an_entry_again_does_not_make_it_younger() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, scope) = (journal(directory.path()), scope("s"));
        for day in [0, 25] {
            assert_eq!(journal.record(&scope, vec![block(1, 1)], on_day(day)).unwrap(), [block(1, 1)]);
        }
        assert_eq!(journal.expire_ledger(on_day(31), THIRTY_DAYS).unwrap(), 1);
        assert!(turns_with_entries(&journal, &scope).is_empty());
    }

    #[test]
    fn a_turn_that_cannot_be_read_is_still_known_when_its_conversation_has_expired() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, scope) = (journal(directory.path()), scope("s"));
        let unreadable = LedgerEntry { kind: LedgerKind::Unreadable, ..block(2, 1) };
        journal.record(&scope, vec![block(1, 1), unreadable], on_day(0)).unwrap();
        assert_eq!(journal.expire_ledger(on_day(31), THIRTY_DAYS).unwrap(), 1);
        assert_eq!(turns_with_entries(&journal, &scope), [2]);
        assert_eq!(journal.expire_ledger(on_day(99), THIRTY_DAYS).unwrap(), 0);
    }

    #[test]
    fn a_deletion_takes_its_entries_along_in_the_journals_own_transaction() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, here, there) = (journal(directory.path()), scope("here"), scope("there"));
        for scope in [&here, &there] {
            journal.record(scope, vec![block(1, 1), block(2, 1), block(5, 5)], on_day(0)).unwrap();
        }
        let deletion = |conversation| Deletion { scope: here.clone(), conversation };
        journal.delete(&deletion(Some(TurnId([1; 16])))).unwrap();
        assert_eq!(turns_with_entries(&journal, &here), [5]);
        journal.delete(&deletion(None)).unwrap();
        assert!(turns_with_entries(&journal, &here).is_empty());
        assert_eq!(turns_with_entries(&journal, &there), [1, 2, 5]);
    }
}
