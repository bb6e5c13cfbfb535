//! Where turns stand in the conversations of a scope, read as a whole and put back as it was.
//!
//! Responsible for: listing conversations, their branches and their turns; putting turns at places that they had before. Must not
//! know: how a request finds its conversation, where words are.

use std::collections::{BTreeSet, HashSet};

use redb::{ReadableTable, WriteTransaction};

use super::repetitions::RepetitionWriter;
use super::rows::{ACCEPTED, BRANCHES, COMPLETED, GONE, PLACES, SEQUENCES, every_place};
use super::turns::accept_turns;
use super::{Journal, plain};
use crate::error::StoreError;
use crate::records::{
    ConversationId, PlacedTurn, Removal, Removed, Repetition, Scope, Turn, TurnId, TurnKey, TurnPlace,
    WholeConversation,
};

/// The tables of conversations, as far as they are about one scope.
#[derive(Debug, Default)]
pub(crate) struct ScopePlaces {
    /// Where each branch begins.
    pub(crate) origins: Vec<(ConversationId, TurnPlace)>,
    /// Turns at their places, in order, whether their words are there or not.
    pub(crate) placed: Vec<(TurnPlace, TurnId)>,
}

impl Journal {
    /// Every place of a scope.
    pub(crate) fn scope_places(&self, scope: &Scope) -> Result<ScopePlaces, StoreError> {
        let (name, least, most) = (scope.as_str(), &[0; 16], &[u8::MAX; 16]);
        self.database.read("list conversations", |transaction| {
            let mut found = ScopePlaces::default();
            for entry in transaction.open_table(BRANCHES)?.range((name, least)..=(name, most))? {
                let (key, origin) = entry?;
                let (conversation, position) = origin.value();
                let origin = TurnPlace { conversation: ConversationId(*conversation), position };
                found.origins.push((ConversationId(*key.value().1), origin));
            }
            for entry in transaction.open_table(SEQUENCES)?.range((name, least, 0)..=(name, most, u32::MAX))? {
                let (key, turn) = entry?;
                let (_, conversation, position) = key.value();
                found
                    .placed
                    .push((TurnPlace { conversation: ConversationId(*conversation), position }, TurnId(*turn.value())));
            }
            Ok(found)
        })
    }

    /// A conversation, the branches that begin in it, and those that begin in them.
    pub(crate) fn with_branches(
        &self,
        scope: &Scope,
        conversation: ConversationId,
    ) -> Result<HashSet<ConversationId>, StoreError> {
        let (name, least, most) = (scope.as_str(), &[0; 16], &[u8::MAX; 16]);
        let branches = self.database.read("list branches", |transaction| {
            let mut branches = Vec::new();
            for entry in transaction.open_table(BRANCHES)?.range((name, least)..=(name, most))? {
                let (key, origin) = entry?;
                branches.push((ConversationId(*key.value().1), ConversationId(*origin.value().0)));
            }
            Ok(branches)
        })?;
        let mut found = HashSet::from([conversation]);
        loop {
            let before = found.len();
            let further = branches.iter().filter(|(_, of)| found.contains(of)).map(|(branch, _)| *branch);
            let further: Vec<ConversationId> = further.collect();
            found.extend(further);
            if found.len() == before {
                return Ok(found);
            }
        }
    }

    /// The turns that stand in these conversations, and those in the journal that came with one of them.
    pub(crate) fn turns_of(
        &self,
        scope: &Scope,
        conversations: &HashSet<ConversationId>,
    ) -> Result<HashSet<TurnId>, StoreError> {
        let name = scope.as_str();
        self.database.read("list turns of conversations", |transaction| {
            let mut turns = HashSet::new();
            let sequences = transaction.open_table(SEQUENCES)?;
            for ConversationId(conversation) in conversations {
                for entry in sequences.range((name, conversation, 0)..=(name, conversation, u32::MAX))? {
                    let (_, turn) = entry?;
                    turns.insert(TurnId(*turn.value()));
                }
            }
            turns.remove(&GONE);
            for definition in [ACCEPTED, COMPLETED] {
                for entry in transaction.open_table(definition)?.range((name, &[0; 16])..=(name, &[u8::MAX; 16]))? {
                    let (key, row) = entry?;
                    if conversations.contains(&ConversationId(*row.value().1)) {
                        turns.insert(TurnId(*key.value().1));
                    }
                }
            }
            Ok(turns)
        })
    }

    /// Those of these turns that stand in other conversations than these.
    pub(crate) fn in_other_conversations(
        &self,
        scope: &Scope,
        turns: &HashSet<TurnId>,
        conversations: &HashSet<ConversationId>,
    ) -> Result<HashSet<TurnId>, StoreError> {
        let name = scope.as_str();
        self.database.read("look up places", |transaction| {
            let places = transaction.open_table(PLACES)?;
            let mut elsewhere = HashSet::new();
            for turn in turns {
                for entry in places.range(every_place(name, turn))? {
                    let (key, _) = entry?;
                    if !conversations.contains(&ConversationId(*key.value().2)) {
                        elsewhere.insert(*turn);
                        break;
                    }
                }
            }
            Ok(elsewhere)
        })
    }

    /// What a deletion of a whole conversation takes, as things are now. It stays so only while nobody else writes.
    pub(crate) fn removal_of(&self, whole: &WholeConversation) -> Result<Removal, StoreError> {
        let scope = whole.scope.clone();
        let conversations = self.with_branches(&scope, whole.conversation)?;
        let mut ids = self.turns_of(&scope, &conversations)?;
        ids.extend(&whole.stored);
        let elsewhere = self.in_other_conversations(&scope, &ids, &conversations)?;
        let ids = ids.into_iter().filter(|id| !elsewhere.contains(id)).collect();
        let conversations = conversations.into_iter().collect();
        Ok(Removal { scope, what: Removed::Turns { ids, conversations, places: BTreeSet::new() } })
    }

    /// [`Journal::accept`] for turns that stood elsewhere before: each is put where it stood, unless another one is
    /// there by now, with what was said plainly of it.
    pub(crate) fn restore(
        &self,
        turns: &[Turn],
        placed: &[PlacedTurn],
        is_known: impl Fn(&Scope, TurnId) -> bool,
    ) -> Result<Vec<TurnKey>, StoreError> {
        self.database.write("restore turns", |transaction| {
            let accepted = accept_turns(transaction, turns, is_known)?;
            put_back(transaction, placed)?;
            plain::note_again(transaction, placed)?;
            Ok(accepted)
        })
    }
}

fn put_back(transaction: &WriteTransaction, placed: &[PlacedTurn]) -> Result<(), redb::Error> {
    let mut sequences = transaction.open_table(SEQUENCES)?;
    let mut places = transaction.open_table(PLACES)?;
    let mut branches = transaction.open_table(BRANCHES)?;
    let mut repetitions = RepetitionWriter::new(transaction)?;
    for PlacedTurn { scope, turn, place, origin, time, .. } in placed {
        let (scope, conversation, position) = (scope.as_str(), &place.conversation.0, place.position);
        let there = sequences.get((scope, conversation, position))?.map(|turn| TurnId(*turn.value()));
        if there.is_none_or(|there| there == GONE) {
            sequences.insert((scope, conversation, position), &turn.0)?;
            places.insert((scope, &turn.0, conversation, position), ())?;
            repetitions.note(scope, Repetition { turn: *turn, place: *place, time: *time })?;
        }
        if let Some(origin) = origin
            && branches.get((scope, conversation))?.is_none()
        {
            branches.insert((scope, conversation), (&origin.conversation.0, origin.position))?;
        }
    }
    Ok(())
}
