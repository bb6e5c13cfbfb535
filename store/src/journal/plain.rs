//! What was said plainly after it had been sent with more around it.
//!
//! Responsible for: the table of such turns. Must not know: how it is told that a turn says plainly what another one said.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use redb::WriteTransaction;

use super::Journal;
use super::rows::PLAIN;
use crate::error::StoreError;
use crate::records::{ConversationAppend, Removal, Removed, Scope, TurnId};

/// Notes what a request says plainly. Doing it again changes nothing.
pub(super) fn note(transaction: &WriteTransaction, new: &ConversationAppend) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(PLAIN)?;
    for plain in &new.plain {
        table.insert((new.scope.as_str(), &plain.wrapped.0), &plain.turn.0)?;
    }
    Ok(())
}

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
}

/// Scope, turn.
type TurnKeyOf<'a> = (&'a str, &'a [u8; 16]);

fn every_turn(scope: &Scope) -> RangeInclusive<TurnKeyOf<'_>> {
    (scope.as_str(), &[0; 16])..=(scope.as_str(), &[u8::MAX; 16])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;
    use crate::directory::Directory;
    use crate::records::PlainTurn;
    use crate::records::samples::{conversation, id, scope};

    fn journal(root: &tempfile::TempDir) -> Journal {
        let journal = Journal::open(&Directory::prepare(&root.path().join("data")).unwrap()).unwrap();
        let plain =
            [(1, 11), (2, 12), (3, 13)].map(|(wrapped, turn)| PlainTurn { wrapped: id(wrapped), turn: id(turn) });
        let new = |scope| ConversationAppend {
            scope,
            after: None,
            fresh: conversation(1),
            turns: Vec::new(),
            plain: plain.to_vec(),
        };
        journal.place(&new(scope())).unwrap();
        journal.place(&new(Scope::new("k-another").unwrap())).unwrap();
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
    fn nothing_names_a_turn_that_was_deleted() {
        let root = tempfile::tempdir().unwrap();
        let journal = journal(&root);
        let ids = [id(1), id(12)].into();
        delete(&journal, Removed::Turns { ids, conversations: HashSet::new(), places: HashSet::new() });
        assert_eq!(known(&journal, &scope()), HashMap::from([(id(3), id(13))]));
        delete(&journal, Removed::Everything);
        assert!(known(&journal, &scope()).is_empty());
        assert_eq!(known(&journal, &Scope::new("k-another").unwrap()).len(), 3, "it is another's");
    }
}
