//! What was said plainly after it had been sent with more around it.
//!
//! Responsible for: the table of such turns.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use redb::{ReadableTable, Table, WriteTransaction};

use super::Journal;
use super::rows::{PLACES, PLAIN, PlaceKey, TurnRowKey, every_place};
use crate::error::StoreError;
use crate::records::{ConversationAppend, PlacedTurn, PlainTurn, Removal, Removed, Scope, TurnId};

/// Notes what a request says plainly of turns that stand somewhere: others may have been deleted meanwhile. Doing it again changes
/// nothing.
pub(super) fn note(transaction: &WriteTransaction, new: &ConversationAppend) -> Result<(), redb::Error> {
    if new.plain.is_empty() {
        return Ok(());
    }
    let mut writer = PlainWriter::new(transaction)?;
    new.plain.iter().try_for_each(|plain| writer.note(&new.scope, *plain))
}

/// Notes the same of turns that were put back, unless something is noted of them.
pub(super) fn note_again(transaction: &WriteTransaction, placed: &[PlacedTurn]) -> Result<(), redb::Error> {
    if placed.iter().all(|placed| placed.plain.is_none()) {
        return Ok(());
    }
    let mut writer = PlainWriter::new(transaction)?;
    for PlacedTurn { scope, turn, plain, .. } in placed {
        if let Some(plain) = plain
            && writer.plain_of(scope, *turn)?.is_none()
        {
            writer.note(scope, PlainTurn { wrapped: *turn, turn: *plain })?;
        }
    }
    Ok(())
}

struct PlainWriter<'a> {
    table: Table<'a, TurnRowKey, &'static [u8; 16]>,
    places: Table<'a, PlaceKey, ()>,
}

impl<'a> PlainWriter<'a> {
    fn new(transaction: &'a WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self { table: transaction.open_table(PLAIN)?, places: transaction.open_table(PLACES)? })
    }

    /// Notes what was said, unless what was sent stands nowhere, or is what was said.
    fn note(&mut self, scope: &Scope, plain: PlainTurn) -> Result<(), redb::Error> {
        let PlainTurn { wrapped, turn } = plain;
        let is_there = self.places.range(every_place(scope.as_str(), &wrapped))?.next().transpose()?.is_some();
        if is_there && !self.leads(scope, turn, wrapped)? {
            self.table.insert((scope.as_str(), &wrapped.0), &turn.0)?;
        }
        Ok(())
    }

    fn plain_of(&self, scope: &Scope, turn: TurnId) -> Result<Option<TurnId>, redb::Error> {
        Ok(self.table.get((scope.as_str(), &turn.0))?.map(|plain| TurnId(*plain.value())))
    }

    /// Whether a turn is another one, or was said plainly as that one, perhaps by way of others. In doubt it is so.
    fn leads(&self, scope: &Scope, from: TurnId, to: TurnId) -> Result<bool, redb::Error> {
        let mut next = Some(from);
        for _ in 0..MOST_STEPS {
            let Some(turn) = next.filter(|turn| *turn != to) else { return Ok(next.is_some()) };
            next = self.plain_of(scope, turn)?;
        }
        Ok(next.is_some())
    }
}

/// What was said plainly may have had something around it itself. Longer rows than this have not been seen.
const MOST_STEPS: usize = 8;

/// Takes out what names a turn that a deletion covers.
pub(super) fn remove(transaction: &WriteTransaction, removal: &Removal) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(PLAIN)?;
    let scope = every_turn(&removal.scope);
    match &removal.what {
        Removed::Everything => table.retain_in(scope, |_, _| false)?,
        Removed::Turns { ids, .. } => {
            let ids: HashSet<&[u8; 16]> = ids.iter().map(|TurnId(id)| id).collect();
            table.retain_in(scope, |(_, wrapped), turn| !ids.contains(wrapped) && !ids.contains(turn))?;
        }
    }
    Ok(())
}

impl Journal {
    /// Those of these turns that were said plainly later, with what was said.
    pub(crate) fn plain(&self, scope: &Scope, turns: &[TurnId]) -> Result<HashMap<TurnId, TurnId>, StoreError> {
        self.database.read("look up what was said plainly", |transaction| {
            let table = transaction.open_table(PLAIN)?;
            let mut found = HashMap::new();
            for turn in turns {
                if let Some(plain) = table.get((scope.as_str(), &turn.0))? {
                    found.insert(*turn, TurnId(*plain.value()));
                }
            }
            Ok(found)
        })
    }

    /// Every turn of a scope that was said plainly later, with what was said.
    pub(crate) fn every_plain(&self, scope: &Scope) -> Result<HashMap<TurnId, TurnId>, StoreError> {
        Ok(self.plain_pairs(scope)?.into_iter().map(|plain| (plain.wrapped, plain.turn)).collect())
    }

    fn plain_pairs(&self, scope: &Scope) -> Result<Vec<PlainTurn>, StoreError> {
        self.database.read("look up what was said plainly", |transaction| {
            let mut pairs = Vec::new();
            for entry in transaction.open_table(PLAIN)?.range(every_turn(scope))? {
                let (key, turn) = entry?;
                pairs.push(PlainTurn { wrapped: TurnId(*key.value().1), turn: TurnId(*turn.value()) });
            }
            Ok(pairs)
        })
    }

    /// These turns and all that have their words: what was said plainly of one, and all that was sent with more around it.
    pub(crate) fn with_same_words(
        &self,
        scope: &Scope,
        turns: impl IntoIterator<Item = TurnId>,
    ) -> Result<HashSet<TurnId>, StoreError> {
        let mut linked: HashMap<TurnId, Vec<TurnId>> = HashMap::new();
        for PlainTurn { wrapped, turn } in self.plain_pairs(scope)? {
            linked.entry(wrapped).or_default().push(turn);
            linked.entry(turn).or_default().push(wrapped);
        }
        let mut waiting: Vec<TurnId> = turns.into_iter().collect();
        let mut found = HashSet::new();
        while let Some(turn) = waiting.pop() {
            if found.insert(turn) {
                waiting.extend(linked.remove(&turn).unwrap_or_default());
            }
        }
        Ok(found)
    }
}

/// Scope, turn.
type TurnKeyOf<'a> = (&'a str, &'a [u8; 16]);

fn every_turn(scope: &Scope) -> RangeInclusive<TurnKeyOf<'_>> {
    (scope.as_str(), &[0; 16])..=(scope.as_str(), &[u8::MAX; 16])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use chrono::DateTime;

    use super::*;
    use crate::directory::Directory;
    use crate::records::samples_for_tests::{conversation, id, scope};
    use crate::records::{SaidTurn, TurnPlace};

    fn journal(root: &tempfile::TempDir) -> Journal {
        let journal = Journal::open(&Directory::prepare(&root.path().join("data")).unwrap()).unwrap();
        let plain =
            [(1, 11), (2, 12), (3, 13)].map(|(wrapped, turn)| PlainTurn { wrapped: id(wrapped), turn: id(turn) });
        let new = |scope| ConversationAppend {
            scope,
            after: None,
            fresh: conversation(1),
            turns: [1, 2, 3].map(|turn| SaidTurn { turn: id(turn), time: DateTime::UNIX_EPOCH }).to_vec(),
            plain: plain.to_vec(),
        };
        for scope in [scope(), Scope::new("k-another").unwrap()] {
            let new = new(scope);
            let placing = ConversationAppend { plain: Vec::new(), ..new.clone() };
            journal.place(&placing).unwrap();
            journal.place(&new).unwrap();
        }
        journal
    }

    fn known(journal: &Journal, scope: &Scope) -> HashMap<TurnId, TurnId> {
        journal.plain(scope, &[1, 2, 3, 4].map(id)).unwrap()
    }

    fn delete(journal: &Journal, what: Removed) {
        let removal = Removal { scope: scope(), what };
        journal.database.write("delete", |transaction| remove(transaction, &removal)).unwrap();
    }

    #[test]
    fn what_was_said_plainly_is_found_by_the_turn_in_which_it_was_sent_first() {
        let root = tempfile::tempdir().unwrap();
        let journal = journal(&root);
        assert_eq!(
            known(&journal, &scope()),
            HashMap::from([(1, 11), (2, 12), (3, 13)].map(|(one, other)| (id(one), id(other))))
        );
        assert!(known(&journal, &Scope::new("k-other").unwrap()).is_empty());
    }

    #[test]
    fn nothing_is_noted_of_a_turn_that_stands_nowhere() {
        let root = tempfile::tempdir().unwrap();
        let journal = journal(&root);
        let new = ConversationAppend {
            scope: scope(),
            after: None,
            fresh: conversation(2),
            turns: Vec::new(),
            plain: vec![PlainTurn { wrapped: id(4), turn: id(14) }],
        };
        journal.place(&new).unwrap();
        assert_eq!(known(&journal, &scope()).len(), 3);
        assert!(!known(&journal, &scope()).contains_key(&id(4)), "it may have been deleted meanwhile");
    }

    #[test]
    fn what_is_put_back_is_noted_once_and_never_of_itself() {
        let root = tempfile::tempdir().unwrap();
        let journal = journal(&root);
        let placed = |turn, plain| PlacedTurn {
            scope: scope(),
            turn: id(turn),
            place: TurnPlace { conversation: conversation(7), position: turn },
            origin: None,
            time: DateTime::UNIX_EPOCH,
            plain: Some(id(plain)),
        };
        let moved = [placed(1, 21), placed(4, 14), placed(14, 15), placed(15, 4), placed(5, 5)];
        for _ in 0..2 {
            journal.restore(&[], &moved, |_, _| false).unwrap();
            let mut expected =
                HashMap::from([(1, 11), (2, 12), (3, 13), (4, 14), (14, 15)].map(|(one, other)| (id(one), id(other))));
            assert_eq!(journal.every_plain(&scope()).unwrap(), expected, "what was known of the first stays");
            expected.retain(|turn, _| [1, 2, 3, 4].map(id).contains(turn));
            assert_eq!(known(&journal, &scope()), expected);
        }
        let same = journal.with_same_words(&scope(), [id(4)]).unwrap();
        assert_eq!(same, HashSet::from([4, 14, 15].map(id)));
    }

    #[test]
    fn the_words_of_a_turn_are_in_what_was_said_plainly_and_in_all_that_was_sent_around_that() {
        let root = tempfile::tempdir().unwrap();
        let journal = journal(&root);
        let again = ConversationAppend {
            scope: scope(),
            after: None,
            fresh: conversation(1),
            turns: Vec::new(),
            plain: vec![PlainTurn { wrapped: id(3), turn: id(11) }],
        };
        journal.place(&again).unwrap();
        let same = |turns: &[u32]| journal.with_same_words(&scope(), turns.iter().map(|turn| id(*turn))).unwrap();
        for turn in [1, 3, 11] {
            assert_eq!(same(&[turn]), HashSet::from([1, 3, 11].map(id)), "{turn}");
        }
        assert_eq!(same(&[2, 40]), HashSet::from([2, 12, 40].map(id)));
        assert!(same(&[]).is_empty());
    }

    #[test]
    fn nothing_names_a_turn_that_was_deleted() {
        let root = tempfile::tempdir().unwrap();
        let journal = journal(&root);
        let ids = [id(1), id(12)].into();
        delete(&journal, Removed::Turns { ids, conversations: [].into(), places: [].into() });
        assert_eq!(known(&journal, &scope()), HashMap::from([(id(3), id(13))]));
        delete(&journal, Removed::Everything);
        assert!(known(&journal, &scope()).is_empty());
        assert_eq!(known(&journal, &Scope::new("k-another").unwrap()).len(), 3, "it is another's");
    }
}
