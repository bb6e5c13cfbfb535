//! The turns of one scope that are to be read, in the order in which they came.

use std::collections::{BTreeSet, HashMap};

use mainpoint_store::{TurnId, WaitingTurn};

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) turns: usize,
    /// Of their texts.
    pub(super) bytes: usize,
}

/// Turns of one scope.
#[derive(Debug, Default)]
pub(super) struct Queue {
    turns: HashMap<TurnId, Known>,
    /// Those that wait, the oldest first.
    waiting: BTreeSet<Place>,
    being_read: Option<Vec<TurnId>>,
}

/// Time in microseconds, place in the conversation, turn id.
type Place = (i64, u32, TurnId);

#[derive(Debug, Clone, Copy)]
struct Known {
    place: Place,
    tokens: usize,
    bytes: usize,
    state: State,
    /// When it came.
    era: Era,
}

/// Counts deletions: what is known of a turn may have been found out before it was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Era(u64);

impl Era {
    /// The one after this.
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The journal is about to have it.
    Reserved,
    Waiting,
    BeingRead,
}

impl Load {
    pub(super) fn has_room(self, limit: Self, bytes: usize) -> bool {
        self.turns < limit.turns && self.bytes.saturating_add(bytes) <= limit.bytes
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.turns += 1;
        self.bytes += bytes;
    }

    pub(super) fn subtract(&mut self, bytes: usize) {
        self.turns -= 1;
        self.bytes -= bytes;
    }
}

impl Queue {
    /// Whether a turn is here, in the journal or about to be.
    pub(super) fn has(&self, id: TurnId) -> bool {
        self.turns.contains_key(&id)
    }

    /// Whether the journal has a turn that is to be read.
    pub(super) fn is_journalled(&self, id: TurnId) -> bool {
        self.turns.get(&id).is_some_and(|known| known.state != State::Reserved)
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn is_being_read(&self) -> bool {
        self.being_read.is_some()
    }

    /// Whether somebody is reading this turn, as it came last.
    pub(super) fn is_turn_being_read(&self, id: TurnId) -> bool {
        self.turns.get(&id).is_some_and(|known| known.state == State::BeingRead)
    }

    /// Whether nothing is left of it.
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty() && self.being_read.is_none()
    }

    /// Tokens of the turn that is read first; 0 for none.
    pub(super) fn first_tokens(&self) -> usize {
        let first = self.waiting.first().and_then(|(_, _, id)| self.turns.get(id));
        first.map_or(0, |known| known.tokens)
    }

    /// False if the turn is here already.
    pub(super) fn reserve(&mut self, turn: &WaitingTurn, era: Era) -> bool {
        if self.has(turn.id) {
            return false;
        }
        let known = Known {
            place: (turn.micros, turn.position, turn.id),
            tokens: turn.tokens as usize,
            bytes: turn.bytes,
            state: State::Reserved,
            era,
        };
        self.turns.insert(turn.id, known);
        true
    }

    pub(super) fn enqueue(&mut self, id: TurnId) {
        if let Some(known) = self.turns.get(&id).copied()
            && known.state == State::Reserved
        {
            self.wait(id, known);
        }
    }

    /// The turns that the journal has and that came before this.
    pub(super) fn journalled_before(&self, era: Era) -> Vec<TurnId> {
        let of_journal = self.turns.iter().filter(|(_, known)| known.state != State::Reserved && known.era < era);
        of_journal.map(|(id, _)| *id).collect()
    }

    /// Whether a turn is here that came before this.
    pub(super) fn had_before(&self, id: TurnId, era: Era) -> bool {
        self.turns.get(&id).is_some_and(|known| known.era < era)
    }

    /// Forgets a turn and returns its size.
    pub(super) fn remove(&mut self, id: TurnId) -> Option<usize> {
        let known = self.turns.remove(&id)?;
        self.waiting.remove(&known.place);
        Some(known.bytes)
    }

    /// Takes the oldest turns, one at least and up to so many tokens; says how many tokens they have.
    pub(super) fn begin(&mut self, tokens: usize) -> (Vec<TurnId>, usize) {
        let (mut batch, mut filled) = (Vec::new(), 0);
        while let Some(place) = self.waiting.first().copied() {
            let (_, _, id) = place;
            let own = self.turns.get(&id).map_or(0, |known| known.tokens);
            if !batch.is_empty() && filled + own > tokens {
                break;
            }
            filled += own;
            self.waiting.remove(&place);
            if let Some(known) = self.turns.get_mut(&id) {
                known.state = State::BeingRead;
            }
            batch.push(id);
        }
        self.being_read = Some(batch.clone());
        (batch, filled)
    }

    /// Nothing is being read any more; what still is here waits again.
    pub(super) fn end(&mut self) {
        for id in self.being_read.take().unwrap_or_default() {
            if let Some(known) = self.turns.get(&id).copied()
                && known.state == State::BeingRead
            {
                self.wait(id, known);
            }
        }
    }

    fn wait(&mut self, id: TurnId, known: Known) {
        self.waiting.insert(known.place);
        self.turns.insert(id, Known { state: State::Waiting, ..known });
    }
}
