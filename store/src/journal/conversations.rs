//! Conversations: which turns were said one after the other.
//!
//! Responsible for: their tables; finding the conversation that a request goes on with, and putting what is new into its place.
//! Must not know: what turns say, where their words are.
//!
//! A conversation is a list of turns. One that was begun again from an earlier turn (an answer made anew, a message edited) is a
//! branch: it has its own turns from there on and shares those before. Nothing that clients send names a conversation. It is told
//! by the turns that a request shares with it, so that a client may leave out its beginning, write something else there, or send
//! the same request twice.

use std::collections::HashSet;

use redb::{ReadTransaction, ReadableTable, Table, WriteTransaction};

use super::Journal;
use super::lineage::{Lineage, Walk};
use super::repetitions::RepetitionWriter;
use super::rows::{BRANCHES, BranchKey, BranchRow, GONE, PLACES, SEQUENCES, SequenceKey, every_place};
use crate::error::StoreError;
use crate::records::{
    ConversationAppend, ConversationId, ConversationMatch, Repetition, SaidTurn, Scope, TurnId, TurnKind, TurnPlace,
};

impl Journal {
    /// The conversation of a scope that the turns of a request, each of its kind, go on with.
    pub(crate) fn match_conversation(
        &self,
        scope: &Scope,
        turns: &[TurnId],
        kinds: &[TurnKind],
    ) -> Result<ConversationMatch, StoreError> {
        self.database.read("find a conversation", |transaction| {
            let found = best_meeting(transaction, scope, turns, kinds)?;
            match found {
                None => Ok(ConversationMatch::default()),
                Some(meeting) => compare(transaction, scope, turns, meeting),
            }
        })
    }

    /// The same for a request whose first turn is known to be the one at a place, and no other is.
    pub(crate) fn match_beginning(
        &self,
        scope: &Scope,
        turns: &[TurnId],
        place: TurnPlace,
    ) -> Result<ConversationMatch, StoreError> {
        self.database.read("find a conversation", |transaction| {
            let meeting = Meeting { at: 0, place, run: 1, is_said: true, is_whole: true };
            compare(transaction, scope, turns, meeting)
        })
    }
}

/// A turn of a request that a conversation has.
#[derive(Debug, Clone, Copy)]
struct Meeting {
    /// Its place in the request.
    at: usize,
    place: TurnPlace,
    /// How many turns in a row, up to it, both have.
    run: usize,
    /// Whether somebody said one of those; calls and their results alone tell no conversation.
    is_said: bool,
    /// Whether the run reaches back to the beginning of both.
    is_whole: bool,
}

impl Meeting {
    /// Whether it is no coincidence. A request's only turn may also be the first of a new conversation.
    fn is_certain(&self, kind: TurnKind) -> bool {
        self.is_whole || (self.is_said && self.run >= 2) || (kind == TurnKind::Telling && self.at > 0)
    }

    fn rank(&self) -> (bool, usize, usize) {
        (self.is_whole, self.run, self.at)
    }
}

/// Places of one turn that are looked at, the newest conversations first: "yes" may have been said thousands of times.
const PLACES_TRIED: usize = 64;
/// Known turns of a request, from its end, whose places are looked at. What comes after the right one is new, but may have been
/// said elsewhere.
const TURNS_TRIED: usize = 8;
/// Calls and results whose places are looked at besides.
const ROUTINE_TRIED: usize = 256;
/// Turns in a row that settle the matter.
const ENOUGH: usize = 8;
/// Turns that are lost and named. More of a conversation are not looked through for one request.
const MOST_LOST: usize = 20_000;

fn best_meeting(
    transaction: &ReadTransaction,
    scope: &Scope,
    turns: &[TurnId],
    kinds: &[TurnKind],
) -> Result<Option<Meeting>, redb::Error> {
    let places = transaction.open_table(PLACES)?;
    let lineage = Lineage::new(transaction, scope)?;
    let mut best: Option<Meeting> = None;
    let (mut tried, mut tried_routine) = (0, 0);
    for (at, (turn, kind)) in turns.iter().zip(kinds).enumerate().rev() {
        let mut is_known = false;
        for entry in places.range(every_place(scope.as_str(), turn))?.rev().take(PLACES_TRIED) {
            let (key, _) = entry?;
            let (_, _, conversation, position) = key.value();
            is_known = true;
            let place = TurnPlace { conversation: ConversationId(*conversation), position };
            let (up_to, kinds) = (turns.get(..=at).unwrap_or_default(), kinds.get(..=at).unwrap_or_default());
            let meeting = meet(&lineage, up_to, kinds, place)?;
            let is_better = best.as_ref().is_none_or(|best| meeting.rank() > best.rank());
            if is_better && meeting.is_certain(*kind) {
                best = Some(meeting);
            }
        }
        let count = if *kind == TurnKind::Routine { &mut tried_routine } else { &mut tried };
        *count += usize::from(is_known);
        let is_settled = best.as_ref().is_some_and(|best| best.is_whole || best.run >= ENOUGH);
        if is_settled || tried >= TURNS_TRIED || tried_routine >= ROUTINE_TRIED {
            break;
        }
    }
    Ok(best)
}

fn meet(lineage: &Lineage, turns: &[TurnId], kinds: &[TurnKind], place: TurnPlace) -> Result<Meeting, redb::Error> {
    let mut walk = WalkOverGaps { walk: lineage.back_from(place)?, next: None, gaps: 0 };
    let (mut passed, mut run, mut is_said, mut reached) = (0, 0, false, None);
    for (turn, kind) in turns.iter().zip(kinds).rev() {
        match walk.pass(*turn)? {
            Passed::Same(position) => {
                run += 1;
                is_said |= *kind != TurnKind::Routine;
                reached = Some(position);
            }
            Passed::Gap => reached = None,
            Passed::Other => break,
        }
        passed += 1;
    }
    let is_whole = passed == turns.len() && reached == Some(0);
    Ok(Meeting { at: turns.len().saturating_sub(1), place, run, is_said, is_whole })
}

/// Goes back through a conversation beside a request, which may have something at the place of a turn that was deleted, or nothing.
struct WalkOverGaps<'a> {
    walk: Walk<'a>,
    /// The turn that was reached and not passed.
    next: Option<(u32, TurnId)>,
    /// Deleted turns between it and the last one that was passed.
    gaps: usize,
}

/// What a conversation has where a request has a turn.
enum Passed {
    /// The same turn, at this position.
    Same(u32),
    /// One that was deleted, which speaks neither for nor against.
    Gap,
    /// Another one, or none.
    Other,
}

impl WalkOverGaps<'_> {
    fn pass(&mut self, turn: TurnId) -> Result<Passed, redb::Error> {
        while self.next.is_none() {
            match self.walk.next().transpose()? {
                Some((_, GONE)) => self.gaps += 1,
                Some(known) => self.next = Some(known),
                None => break,
            }
        }
        Ok(match self.next {
            Some((position, known)) if known == turn => {
                (self.next, self.gaps) = (None, 0);
                Passed::Same(position)
            }
            _ if self.gaps > 0 => {
                self.gaps -= 1;
                Passed::Gap
            }
            _ => Passed::Other,
        })
    }
}

/// Goes back through both from where they meet.
fn compare(
    transaction: &ReadTransaction,
    scope: &Scope,
    turns: &[TurnId],
    meeting: Meeting,
) -> Result<ConversationMatch, redb::Error> {
    let lineage = Lineage::new(transaction, scope)?;
    let follows = lineage.has_after(meeting.place)?;
    let mut matched = ConversationMatch {
        tip: Some(meeting.place),
        is_newest: !follows,
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
/// said there meanwhile makes a branch of it. Turns whose words are new have to be there before.
pub(super) fn place(
    transaction: &WriteTransaction,
    new: &ConversationAppend,
) -> Result<Option<TurnPlace>, redb::Error> {
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
        if !writer.is_dated(*turn)? {
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
    /// Turns of which nobody knows whether they are said now or were said when they were first seen.
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

    /// Whether the time at which a turn is put to a place tells anything. It does not where nothing but its words was
    /// kept, as after a migration: then the whole history is sent at once, and was said long ago.
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

    /// Puts new turns into their places, and nothing else.
    #[cfg(test)]
    pub(crate) fn place(&self, new: &ConversationAppend) -> Result<Option<TurnPlace>, StoreError> {
        self.database.write("place turns", |transaction| place(transaction, new)).inspect(|_| {
            self.stale.store(true, std::sync::atomic::Ordering::Release);
        })
    }
}
