//! What a deletion leaves of conversations.
//!
//! Responsible for: taking turns and whole conversations out of the tables of conversations so that what stays keeps
//! its place.
//!
//! Where a turn goes from the middle of a conversation, something stays that nobody has said: a request that still has the turn, or
//! has another one instead, goes on with the conversation as before. Nothing of it stays at either end.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use redb::{ReadableTable, Table, WriteTransaction};

use super::plain;
use super::repetitions::of_turn;
use super::rows::{
    BRANCHES, BranchKey, BranchRow, GONE, PLACES, PlaceKey, REPETITIONS, RepetitionKey, SEQUENCES, SequenceKey,
    every_place,
};
use crate::records::{ConversationId, Removal, Removed, TurnId, TurnPlace};

/// Takes out what a deletion covers.
pub(super) fn remove(transaction: &WriteTransaction, removal: &Removal) -> Result<(), redb::Error> {
    let mut tables = ConversationTables {
        sequences: transaction.open_table(SEQUENCES)?,
        places: transaction.open_table(PLACES)?,
        branches: transaction.open_table(BRANCHES)?,
        repetitions: transaction.open_table(REPETITIONS)?,
        scope: removal.scope.as_str(),
    };
    plain::remove(transaction, removal)?;
    match &removal.what {
        Removed::Everything => tables.clear(),
        Removed::Turns { ids, conversations, places } => {
            for conversation in conversations {
                tables.forget(*conversation)?;
            }
            let mut touched = BTreeSet::new();
            for turn in ids {
                tables.vacate(*turn, &mut touched)?;
            }
            let mut left: BTreeMap<TurnId, HashSet<TurnPlace>> = BTreeMap::new();
            for (turn, place) in places {
                left.entry(*turn).or_default().insert(*place);
                touched.insert(place.conversation);
            }
            for (turn, places) in left {
                tables.leave(turn, &places)?;
            }
            touched.into_iter().try_for_each(|conversation| tables.trim(conversation))
        }
    }
}

struct ConversationTables<'a> {
    sequences: Table<'a, SequenceKey, &'static [u8; 16]>,
    places: Table<'a, PlaceKey, ()>,
    branches: Table<'a, BranchKey, BranchRow<'static>>,
    repetitions: Table<'a, RepetitionKey, ()>,
    scope: &'a str,
}

impl ConversationTables<'_> {
    fn clear(&mut self) -> Result<(), redb::Error> {
        let (scope, least, most) = (self.scope, &[0; 16], &[u8::MAX; 16]);
        self.sequences.retain_in((scope, least, 0)..=(scope, most, u32::MAX), |_, _| false)?;
        self.places.retain_in((scope, least, least, 0)..=(scope, most, most, u32::MAX), |_, ()| false)?;
        self.branches.retain_in((scope, least)..=(scope, most), |_, _| false)?;
        let whole = (scope, least, i64::MIN, least, 0)..=(scope, most, i64::MAX, most, u32::MAX);
        self.repetitions.retain_in(whole, |_, ()| false)?;
        Ok(())
    }

    /// Takes a whole conversation out.
    fn forget(&mut self, conversation: ConversationId) -> Result<(), redb::Error> {
        let mut turns = HashSet::new();
        for (position, turn) in self.turns(conversation)? {
            self.sequences.remove((self.scope, &conversation.0, position))?;
            self.places.remove((self.scope, &turn.0, &conversation.0, position))?;
            turns.insert(turn);
        }
        for turn in turns {
            self.repetitions.retain_in(of_turn(self.scope, &turn), |(_, _, _, of, _), ()| *of != conversation.0)?;
        }
        self.branches.remove((self.scope, &conversation.0))?;
        Ok(())
    }

    /// Takes a turn out of every place that it has, and notes in which conversations.
    fn vacate(&mut self, turn: TurnId, touched: &mut BTreeSet<ConversationId>) -> Result<(), redb::Error> {
        let mut places = Vec::new();
        for entry in self.places.range(every_place(self.scope, &turn))? {
            let (key, _) = entry?;
            let (_, _, conversation, position) = key.value();
            places.push(TurnPlace { conversation: ConversationId(*conversation), position });
        }
        for TurnPlace { conversation, position } in places {
            self.places.remove((self.scope, &turn.0, &conversation.0, position))?;
            self.sequences.insert((self.scope, &conversation.0, position), &GONE.0)?;
            touched.insert(conversation);
        }
        self.repetitions.retain_in(of_turn(self.scope, &turn), |_, ()| false)?;
        Ok(())
    }

    /// Takes a turn out of some of its places.
    fn leave(&mut self, turn: TurnId, left: &HashSet<TurnPlace>) -> Result<(), redb::Error> {
        for TurnPlace { conversation, position } in left {
            if self.places.remove((self.scope, &turn.0, &conversation.0, *position))?.is_some() {
                self.sequences.insert((self.scope, &conversation.0, *position), &GONE.0)?;
            }
        }
        let stays = |conversation: &[u8; 16], position| {
            !left.contains(&TurnPlace { conversation: ConversationId(*conversation), position })
        };
        self.repetitions.retain_in(of_turn(self.scope, &turn), |(_, _, _, of, at), ()| stays(of, at))?;
        Ok(())
    }

    /// Takes what nobody has said from the ends of a conversation, and the conversation if nothing else is left.
    fn trim(&mut self, conversation: ConversationId) -> Result<(), redb::Error> {
        let turns = self.turns(conversation)?;
        let is_gone = |(_, turn): &&(u32, TurnId)| *turn == GONE;
        let leading = turns.iter().take_while(is_gone).count();
        let trailing = turns.iter().skip(leading).rev().take_while(is_gone).count();
        let (before, rest) = turns.split_at(leading);
        let (_, after) = rest.split_at(rest.len() - trailing);
        for (position, _) in before.iter().chain(after) {
            self.sequences.remove((self.scope, &conversation.0, *position))?;
        }
        let is_empty = leading + trailing == turns.len();
        if is_empty && !self.has_branches(conversation)? {
            self.branches.remove((self.scope, &conversation.0))?;
        }
        Ok(())
    }

    fn turns(&self, conversation: ConversationId) -> Result<Vec<(u32, TurnId)>, redb::Error> {
        let whole = (self.scope, &conversation.0, 0)..=(self.scope, &conversation.0, u32::MAX);
        let mut turns = Vec::new();
        for entry in self.sequences.range(whole)? {
            let (key, turn) = entry?;
            turns.push((key.value().2, TurnId(*turn.value())));
        }
        Ok(turns)
    }

    fn has_branches(&self, conversation: ConversationId) -> Result<bool, redb::Error> {
        for entry in self.branches.range((self.scope, &[0; 16])..=(self.scope, &[u8::MAX; 16]))? {
            let (_, origin) = entry?;
            if *origin.value().0 == conversation.0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
