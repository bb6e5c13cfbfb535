//! The ledger in the journal's file.
//!
//! Responsible for: its table; reading, recording, deleting and expiring its entries.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use redb::{ReadableTable, WriteTransaction};

use super::Journal;
use super::expiry::{ScopedConversation, expired};
use super::rows::{DELETED, DELETIONS, GONE, LEDGER, LedgerRow, LedgerRowKey, SEQUENCES, scope_note};
use crate::error::StoreError;
use crate::records::{
    ConversationId, LedgerEntry, LedgerKey, LedgerKind, LedgerLine, QuotedTurns, Removal, Removed, Scope, TurnId,
};

impl Journal {
    /// Every entry of these keys, in the order asked, for one key in the order of the kinds.
    pub(crate) fn ledger(&self, scope: &Scope, keys: &[LedgerKey]) -> Result<Vec<LedgerEntry>, StoreError> {
        self.database.read("read the ledger", |transaction| {
            let table = transaction.open_table(LEDGER)?;
            let mut entries = Vec::new();
            for key in keys {
                for kind in key.kinds() {
                    if let Some(row) = table.get(row_key(scope, key, *kind))? {
                        entries.push(entry_from(key.id(), *kind, row.value()));
                    }
                }
            }
            Ok(entries)
        })
    }

    /// Adds the entries that are not there yet, written `now`, and returns those that hold, in the order given. What quotes a turn
    /// that is not there is not kept: it was deleted since.
    pub(crate) fn record(
        &self,
        scope: &Scope,
        entries: Vec<LedgerEntry>,
        now: DateTime<Utc>,
        quotes: impl Fn(&LedgerEntry) -> Quotes,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        if entries.is_empty() {
            return Ok(entries);
        }
        self.database.write("write the ledger", |transaction| {
            let mut table = transaction.open_table(LEDGER)?;
            let deleted = transaction.open_table(DELETED)?;
            let is_scope_deleted = transaction.open_table(DELETIONS)?.get(scope_note(scope))?.is_some();
            let mut held = Vec::with_capacity(entries.len());
            for entry in entries {
                let place = row_key(scope, &entry.key, entry.kind);
                let known = table.get(place)?.map(|row| entry_from(entry.key.id(), entry.kind, row.value()));
                let may_be_kept = match quotes(&entry) {
                    Quotes::Gone => false,
                    Quotes::Unknown => !is_scope_deleted,
                    Quotes::Turns(turns) => {
                        let mut is_there = turns.is_empty() || !is_scope_deleted;
                        for turn in turns {
                            is_there &= deleted.get((scope.as_str(), &turn.0))?.is_none();
                        }
                        is_there
                    }
                };
                if known.is_none() && may_be_kept {
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
                let ((scope, id, kind), (conversation, micros, value)) = (place.value(), row.value());
                rows.push((scope.to_owned(), *id, kind, *conversation, micros, value.to_vec()));
            }
            Ok(rows)
        })?;
        let line = |(scope, id, kind, conversation, micros, value)| {
            Ok(LedgerLine {
                scope: Scope::new(scope)?,
                id,
                kind,
                conversation: ConversationId(conversation),
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
                let place = (line.scope.as_str(), &line.id, line.kind);
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
                    expires(kind) && silent.contains(&(scope.to_owned(), ConversationId(*conversation)))
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

/// What an entry that is to be written quotes, as far as memory knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Quotes {
    /// Nobody can tell.
    Unknown,
    /// These turns.
    Turns(Vec<TurnId>),
    /// A turn that is not there.
    Gone,
}

/// The turns that an entry quotes, or is about; `None` where that cannot be told.
pub(crate) fn quoted_by(entry: &LedgerEntry, quoted: QuotedTurns) -> Option<Vec<TurnId>> {
    match entry.key {
        LedgerKey::Turn(turn) => Some(vec![turn]),
        LedgerKey::Prefix(_) => quoted(entry.kind, &entry.value),
    }
}

/// Removes what a deletion covers: what was put into the prompts of conversations that go, and what quotes a turn that
/// goes, or that leaves a place, whose date the quote may bear.
pub(super) fn delete(
    transaction: &WriteTransaction,
    removal: &Removal,
    quoted: QuotedTurns,
) -> Result<(), redb::Error> {
    let scope = removal.scope.as_str();
    let whole_scope = (scope, &[0; 16], 0)..=(scope, &[u8::MAX; 16], u8::MAX);
    let moved = moved(transaction, removal)?;
    let stays = |(_, id, kind): (&str, &[u8; 16], u8), row: LedgerRow<'_>| match &removal.what {
        Removed::Everything => false,
        Removed::Turns { conversations, .. } if conversations.contains(&ConversationId(*row.0)) => false,
        Removed::Turns { ids, .. } => {
            let kind = LedgerKind::ALL.into_iter().find(|known| number(*known) == kind);
            let turns = kind.and_then(|kind| quoted_by(&entry_from(id, kind, row), quoted));
            let is_touched =
                |turn: &TurnId| ids.contains(turn) || (kind != Some(LedgerKind::Unreadable) && moved.contains(turn));
            // One of which nobody can tell what it quotes may quote any.
            turns.map_or(ids.is_empty() && moved.is_empty(), |turns| !turns.iter().any(is_touched))
        }
    };
    let mut table = transaction.open_table(LEDGER)?;
    table.retain_in(whole_scope, stays)?;
    Ok(())
}

/// The turns that leave a place where they stand.
fn moved(transaction: &WriteTransaction, removal: &Removal) -> Result<HashSet<TurnId>, redb::Error> {
    let Removed::Turns { conversations, places, .. } = &removal.what else {
        return Ok(HashSet::new());
    };
    let mut moved: HashSet<TurnId> = places.iter().map(|(turn, _)| *turn).collect();
    let sequences = transaction.open_table(SEQUENCES)?;
    let scope = removal.scope.as_str();
    for ConversationId(conversation) in conversations {
        for entry in sequences.range((scope, conversation, 0)..=(scope, conversation, u32::MAX))? {
            moved.insert(TurnId(*entry?.1.value()));
        }
    }
    moved.remove(&GONE);
    Ok(moved)
}

/// The conversations to which nothing was written for `age`.
fn silent(
    table: &impl ReadableTable<LedgerRowKey, LedgerRow<'static>>,
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
        expires(kind).then(|| Ok(((scope.to_owned(), ConversationId(*conversation)), micros)))
    });
    expired(written, now, age)
}

fn row_key<'a>(scope: &'a Scope, key: &'a LedgerKey, kind: LedgerKind) -> (&'a str, &'a [u8; 16], u8) {
    (scope.as_str(), key.id(), number(kind))
}

fn number(kind: LedgerKind) -> u8 {
    match kind {
        LedgerKind::Block => 0,
        LedgerKind::Eviction => 1,
        LedgerKind::Unreadable => 2,
        LedgerKind::Shortened => 3,
    }
}

/// Whether an entry of this kind's number may expire; one of a kind that is not known stays.
fn expires(kind: u8) -> bool {
    LedgerKind::ALL.into_iter().any(|known| number(known) == kind && known.expires())
}

fn entry_from(id: &[u8; 16], kind: LedgerKind, (conversation, _, value): LedgerRow<'_>) -> LedgerEntry {
    LedgerEntry {
        kind,
        key: LedgerKey::new(kind, *id),
        conversation: ConversationId(*conversation),
        value: value.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::directory::Directory;
    use crate::journal::Purge;
    use crate::records::{ConversationAppend, NotedDeletion, PrefixId, SaidTurn, TurnPlace};

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

    fn block(prefix: u8, conversation: u8) -> LedgerEntry {
        LedgerEntry {
            kind: LedgerKind::Block,
            key: LedgerKey::Prefix(PrefixId([prefix; 16])),
            conversation: ConversationId([conversation; 16]),
            value: vec![prefix],
        }
    }

    fn unreadable(turn: u8, conversation: u8) -> LedgerEntry {
        let key = LedgerKey::Turn(TurnId([turn; 16]));
        LedgerEntry { kind: LedgerKind::Unreadable, key, value: Vec::new(), ..block(turn, conversation) }
    }

    fn record(journal: &Journal, scope: &Scope, entries: Vec<LedgerEntry>, day: i64) -> Vec<LedgerEntry> {
        journal.record(scope, entries, on_day(day), |_| Quotes::Turns(Vec::new())).unwrap()
    }

    /// A value names the turns that it quotes, a byte each; one that begins with 255 says nothing about that.
    fn by_bytes(_: LedgerKind, value: &[u8]) -> Option<Vec<TurnId>> {
        let is_told = value.first() != Some(&u8::MAX);
        is_told.then(|| value.iter().map(|byte| TurnId([*byte; 16])).collect())
    }

    fn quoting(prefix: u8, conversation: u8, value: &[u8]) -> LedgerEntry {
        LedgerEntry { value: value.to_vec(), ..block(prefix, conversation) }
    }

    /// The prefixes and turns from 1 to 9 that have an entry.
    fn with_entries(journal: &Journal, scope: &Scope) -> Vec<u8> {
        let both = |id| [LedgerKey::Prefix(PrefixId([id; 16])), LedgerKey::Turn(TurnId([id; 16]))];
        let keys: Vec<LedgerKey> = (1..=9).flat_map(both).collect();
        let entries = journal.ledger(scope, &keys).unwrap();
        entries.iter().map(|entry| entry.key.id()[0]).collect()
    }

    #[test]
    fn a_silent_conversation_expires_whole_also_after_a_rewrite_and_the_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, here, there) = (journal(directory.path()), scope("here"), scope("there"));
        record(&journal, &here, vec![block(1, 1), block(5, 5)], 0);
        record(&journal, &there, vec![block(1, 1)], 0);
        record(&journal, &here, vec![block(2, 1)], 20);

        assert_eq!(journal.expire_ledger(on_day(30), THIRTY_DAYS).unwrap(), 0);
        assert!(!journal.rewrite().unwrap(), "nothing was removed");
        assert_eq!(journal.expire_ledger(on_day(31), THIRTY_DAYS).unwrap(), 2);
        assert_eq!(with_entries(&journal, &here), [1, 2]);
        assert!(with_entries(&journal, &there).is_empty());

        assert!(journal.rewrite().unwrap());
        assert_eq!(with_entries(&journal, &here), [1, 2]);
        assert_eq!(journal.expire_ledger(on_day(50), THIRTY_DAYS).unwrap(), 0);
        assert_eq!(journal.expire_ledger(on_day(51), THIRTY_DAYS).unwrap(), 2);
        assert!(with_entries(&journal, &here).is_empty());
    }

    #[test]
    fn recording_an_entry_again_does_not_make_it_younger() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, scope) = (journal(directory.path()), scope("s"));
        for day in [0, 25] {
            assert_eq!(record(&journal, &scope, vec![block(1, 1)], day), [block(1, 1)]);
        }
        assert_eq!(journal.expire_ledger(on_day(31), THIRTY_DAYS).unwrap(), 1);
        assert!(with_entries(&journal, &scope).is_empty());
    }

    #[test]
    fn a_turn_that_cannot_be_read_is_still_known_when_its_conversation_has_expired() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, scope) = (journal(directory.path()), scope("s"));
        record(&journal, &scope, vec![block(1, 1), unreadable(2, 1)], 0);
        assert_eq!(journal.expire_ledger(on_day(31), THIRTY_DAYS).unwrap(), 1);
        assert_eq!(with_entries(&journal, &scope), [2]);
        assert_eq!(journal.expire_ledger(on_day(99), THIRTY_DAYS).unwrap(), 0);
    }

    #[test]
    fn a_deletion_takes_along_what_was_put_into_its_conversations_and_what_quotes_its_turns() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, here, there) = (journal(directory.path()), scope("here"), scope("there"));
        for scope in [&here, &there] {
            let entries = [(1, 1, &[90][..]), (2, 1, &[]), (3, 5, &[91, 92]), (4, 5, &[93]), (5, 5, &[u8::MAX])];
            let entries = entries.map(|(prefix, conversation, value)| quoting(prefix, conversation, value));
            record(&journal, scope, [entries.to_vec(), vec![unreadable(6, 5)]].concat(), 0);
        }
        let delete = |what| journal.delete(&Removal { scope: here.clone(), what }, by_bytes).unwrap();
        let conversations = BTreeSet::from([ConversationId([1; 16])]);
        delete(Removed::Turns { ids: BTreeSet::new(), conversations, places: BTreeSet::new() });
        assert_eq!(with_entries(&journal, &here), [3, 4, 5, 6]);
        delete(Removed::turns([TurnId([92; 16])]));
        assert_eq!(with_entries(&journal, &here), [4, 6], "what does not say what it quotes goes, too");
        delete(Removed::turns([TurnId([6; 16])]));
        assert_eq!(with_entries(&journal, &here), [4], "sent again, it is tried again");
        delete(Removed::Everything);
        assert!(with_entries(&journal, &here).is_empty());
        assert_eq!(with_entries(&journal, &there), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_turn_that_leaves_a_place_takes_along_what_may_quote_it_from_there() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, here) = (journal(directory.path()), scope("here"));
        let entries = || vec![quoting(1, 5, &[90]), quoting(2, 5, &[91]), quoting(3, 5, &[u8::MAX]), unreadable(90, 5)];
        record(&journal, &here, entries(), 0);
        let conversation = ConversationId([7; 16]);
        let place = TurnPlace { conversation, position: 0 };
        let delete = |conversations, places| {
            let what = Removed::Turns { ids: BTreeSet::new(), conversations, places };
            journal.delete(&Removal { scope: here.clone(), what }, by_bytes).unwrap();
        };
        delete(BTreeSet::new(), BTreeSet::from([(TurnId([90; 16]), place)]));
        assert_eq!(with_entries(&journal, &here), [2]);
        let unreadable = journal.ledger(&here, &[LedgerKey::Turn(TurnId([90; 16]))]).unwrap();
        assert_eq!(unreadable.len(), 1, "that it cannot be read holds wherever it stands");

        record(&journal, &here, entries(), 0);
        let turns = [91, 92].map(|turn| SaidTurn { turn: TurnId([turn; 16]), time: on_day(0) }).into();
        journal
            .place(&ConversationAppend {
                scope: here.clone(),
                after: None,
                fresh: conversation,
                turns,
                plain: Vec::new(),
            })
            .unwrap();
        delete(BTreeSet::from([conversation]), BTreeSet::new());
        assert_eq!(with_entries(&journal, &here), [1], "it stood in a conversation that went");
    }

    #[test]
    fn what_quotes_a_turn_that_is_being_deleted_is_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, scope) = (journal(directory.path()), scope("s"));
        let quotes = |entry: &LedgerEntry| match entry.value.as_slice() {
            [77] => Quotes::Gone,
            value => by_bytes(entry.kind, value).map_or(Quotes::Unknown, Quotes::Turns),
        };
        let write = |prefix, value: &[u8]| {
            let entry = quoting(prefix, 1, value);
            assert_eq!(journal.record(&scope, vec![entry.clone()], on_day(0), quotes).unwrap(), [entry]);
        };
        let removal = Removal::of_turns(&scope, [TurnId([90; 16])]);
        journal.delete(&removal, by_bytes).unwrap();
        for (prefix, value) in [(1, &[90][..]), (2, &[91]), (3, &[91, 90]), (4, &[77]), (5, &[u8::MAX])] {
            write(prefix, value);
        }
        assert_eq!(with_entries(&journal, &scope), [2, 5]);
        journal.finish_deletion(&NotedDeletion::Removal(removal), Purge::NotDue).unwrap();
        write(1, &[90]);
        assert_eq!(with_entries(&journal, &scope), [1, 2, 5], "it was said again");
        journal.delete(&Removal { scope: scope.clone(), what: Removed::Everything }, by_bytes).unwrap();
        for (prefix, value) in [(1, &[90][..]), (2, &[]), (3, &[u8::MAX])] {
            write(prefix, value);
        }
        assert_eq!(with_entries(&journal, &scope), [2], "it quotes nothing");
    }
}
