//! Conversations: which turns were said one after the other.
//!
//! Responsible for: their tables; what a request has in common with the conversation that it goes on with, and putting
//! what is new into its place.
//!
//! A conversation is a list of turns. One that was begun again from an earlier turn (an answer made anew, a message edited) is a
//! branch: it has its own turns from there on and shares those before. Nothing that clients send names a conversation. It is told
//! by the turns that a request shares with it, so that a client may leave out its beginning, write something else there, or send
//! the same request twice.

use std::collections::HashSet;

use redb::{ReadTransaction, ReadableTable, Table, WriteTransaction};

use super::lineage::Lineage;
use super::repetitions::RepetitionWriter;
use super::rows::{BRANCHES, BranchKey, BranchRow, GONE, PLACES, SEQUENCES, SequenceKey, every_place};
use super::{Journal, plain};
use crate::error::StoreError;
use crate::records::{
    ConversationAppend, ConversationId, ConversationMatch, Repetition, SaidTurn, Scope, TurnId, TurnPlace,
};

impl Journal {
    /// What the turns of a request have in common with the conversation that they go on with from a meeting.
    pub(crate) fn match_from(
        &self,
        scope: &Scope,
        turns: &[TurnId],
        meeting: MeetingPoint,
    ) -> Result<ConversationMatch, StoreError> {
        self.database.read("compare conversations", |transaction| compare(transaction, scope, turns, meeting))
    }

    /// [`Journal::match_from`] for a request whose first turn is the one at a place, and of which nothing else is known.
    pub(crate) fn match_beginning(
        &self,
        scope: &Scope,
        turns: &[TurnId],
        place: TurnPlace,
    ) -> Result<ConversationMatch, StoreError> {
        self.match_from(scope, turns, MeetingPoint { at: 0, place, begins_at: 0, is_whole: true, is_telling: true })
    }
}

/// Where a request meets the conversation that it goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MeetingPoint {
    /// The place in the request of the last turn that both have.
    pub(crate) at: usize,
    /// Its place in the conversation.
    pub(crate) place: TurnPlace,
    /// The place in the request from which on it has what the conversation has there.
    pub(crate) begins_at: usize,
    /// Whether the request has all that the conversation has up to there.
    pub(crate) is_whole: bool,
    /// Whether what both have is seldom said elsewhere.
    pub(crate) is_telling: bool,
}

/// Turns that are lost and named. More of a conversation are not looked through for one request.
const MOST_LOST: usize = 20_000;

/// Goes back through both from where they meet.
fn compare(
    transaction: &ReadTransaction,
    scope: &Scope,
    turns: &[TurnId],
    meeting: MeetingPoint,
) -> Result<ConversationMatch, redb::Error> {
    let lineage = Lineage::new(transaction, scope)?;
    let mut matched = ConversationMatch {
        tip: Some(meeting.place),
        is_newest: lineage.count_after(meeting.place, 1)? == 0,
        known: meeting.at + 1,
        ..ConversationMatch::default()
    };
    let said: Vec<TurnId> = turns.get(..=meeting.at).unwrap_or_default().to_vec();
    let rest: Vec<TurnId> = if meeting.is_whole {
        Vec::new()
    } else {
        let walk = lineage.back_from(meeting.place)?.take(MOST_LOST + said.len());
        walk.map(|known| known.map(|(_, turn)| turn)).collect::<Result<_, _>>()?
    };
    super::alignment::Alignment::new(&said, rest).write(&mut matched);
    matched.lost.retain(|turn| *turn != GONE);
    matched.replaced.retain(|replaced| replaced.known != GONE);
    Ok(matched)
}

/// Puts new turns into their place and returns where the last of them stands now. Doing it again changes nothing; what others
/// said there meanwhile makes a branch of it. Words that the same transaction takes in have to be written before. A turn may be
/// without words: the proxy found no room for them. `is_known` names the turns whose words are in the tables.
pub(super) fn place(
    transaction: &WriteTransaction,
    new: &ConversationAppend,
    is_known: impl Fn(TurnId) -> bool,
) -> Result<Option<TurnPlace>, redb::Error> {
    plain::note(transaction, new)?;
    let mut writer = PlaceWriter {
        sequences: transaction.open_table(SEQUENCES)?,
        places: transaction.open_table(PLACES)?,
        branches: transaction.open_table(BRANCHES)?,
        repetitions: RepetitionWriter::new(transaction)?,
        scope: new.scope.as_str(),
        undated: HashSet::new(),
    };
    let (mut here, placed) = placed(&writer.sequences, new)?;
    for SaidTurn { turn, .. } in new.turns.iter().skip(placed) {
        if is_known(*turn) && !writer.is_dated(*turn)? {
            writer.undated.insert(*turn);
        }
    }
    for said in new.turns.iter().skip(placed) {
        let place = match here {
            None => TurnPlace { conversation: new.fresh, position: 0 },
            Some(last) => {
                let position = last.position + 1;
                let following = TurnPlace { conversation: last.conversation, position };
                if writer.is_free(following)? {
                    following
                } else {
                    let branch = writer.free_branch(new.fresh, position)?;
                    writer.branches.insert((new.scope.as_str(), &branch.0), (&last.conversation.0, last.position))?;
                    TurnPlace { conversation: branch, position }
                }
            }
        };
        writer.put(place, *said)?;
        here = Some(place);
    }
    Ok(here)
}

/// Where the last of the new turns stands that has its place already, and how many have.
fn placed(
    sequences: &impl ReadableTable<SequenceKey, &'static [u8; 16]>,
    new: &ConversationAppend,
) -> Result<(Option<TurnPlace>, usize), redb::Error> {
    let has = |place: TurnPlace, turn: TurnId| -> Result<bool, redb::Error> {
        let row = sequences.get((new.scope.as_str(), &place.conversation.0, place.position))?;
        Ok(row.is_some_and(|row| *row.value() == turn.0))
    };
    let mut here = new.after;
    for (count, SaidTurn { turn, .. }) in new.turns.iter().enumerate() {
        let position = here.map_or(0, |place| place.position + 1);
        let of = here.map_or(new.fresh, |place| place.conversation);
        let on = |conversation| TurnPlace { conversation, position };
        if has(on(of), *turn)? {
            here = Some(on(of));
        } else if has(on(new.fresh), *turn)? {
            here = Some(on(new.fresh));
        } else {
            return Ok((here, count));
        }
    }
    Ok((here, new.turns.len()))
}

struct PlaceWriter<'a> {
    sequences: Table<'a, SequenceKey, &'static [u8; 16]>,
    places: Table<'a, super::rows::PlaceKey, ()>,
    branches: Table<'a, BranchKey, BranchRow<'static>>,
    repetitions: RepetitionWriter<'a>,
    scope: &'a str,
    /// Turns whose words are in the tables and that stand nowhere. Nobody knows whether they are said now or were said when they
    /// were first seen.
    undated: HashSet<TurnId>,
}

impl PlaceWriter<'_> {
    fn is_free(&self, place: TurnPlace) -> Result<bool, redb::Error> {
        Ok(self.sequences.get((self.scope, &place.conversation.0, place.position))?.is_none())
    }

    /// A name for a branch: `fresh`, or the next one that is free where two branches begin under the same name.
    fn free_branch(&self, fresh: ConversationId, position: u32) -> Result<ConversationId, redb::Error> {
        let mut name = fresh;
        while !self.is_free(TurnPlace { conversation: name, position })?
            || self.branches.get((self.scope, &name.0))?.is_some()
        {
            name = ConversationId(u128::from_be_bytes(name.0).wrapping_add(1).to_be_bytes());
        }
        Ok(name)
    }

    /// Whether the time at which a turn, whose words are there, is put to a place tells anything. It does not where nothing but
    /// its words was kept, as after a migration: then the whole history is sent at once, and was said long ago.
    fn is_dated(&self, turn: TurnId) -> Result<bool, redb::Error> {
        let mut places = self.places.range(every_place(self.scope, &turn))?;
        Ok(places.next().transpose()?.is_some() || self.repetitions.has_row(self.scope, turn)?)
    }

    fn put(&mut self, place: TurnPlace, said: SaidTurn) -> Result<(), redb::Error> {
        let SaidTurn { turn, time } = said;
        self.sequences.insert((self.scope, &place.conversation.0, place.position), &turn.0)?;
        self.places.insert((self.scope, &turn.0, &place.conversation.0, place.position), ())?;
        if self.undated.contains(&turn) {
            return Ok(());
        }
        self.repetitions.note(self.scope, Repetition { turn, place, time })
    }
}

impl Journal {
    /// Whether all of it stands in its place already, as when a request was sent again.
    pub(crate) fn has_said(&self, said: &[ConversationAppend]) -> Result<bool, StoreError> {
        self.database.read("look for what was said", |transaction| {
            let sequences = transaction.open_table(SEQUENCES)?;
            for new in said {
                if placed(&sequences, new)?.1 < new.turns.len() {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Puts turns into their places whose words are in the tables, and nothing else.
    #[cfg(test)]
    pub(crate) fn place(&self, new: &ConversationAppend) -> Result<Option<TurnPlace>, StoreError> {
        self.database.write("place turns", |transaction| place(transaction, new, |_| true)).inspect(|_| {
            self.stale.store(true, std::sync::atomic::Ordering::Release);
        })
    }
}
