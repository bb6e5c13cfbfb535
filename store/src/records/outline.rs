//! The conversations of a scope: where each turn stands, without words.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::conversation::{Repetition, TurnPlace};
use super::ids::{ConversationId, Scope, TurnId};

/// The conversations of a scope, as far as their turns are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    conversations: BTreeMap<ConversationId, OutlinedConversation>,
    /// When turns were said at places where they were not said first.
    times: HashMap<(TurnId, TurnPlace), DateTime<Utc>>,
    /// What was sent at a place where something is shown as it was said plainly later.
    sent: HashMap<(TurnId, TurnPlace), TurnId>,
}

/// A conversation, or a branch of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutlinedConversation {
    /// For a branch, the place that it begins after.
    pub origin: Option<TurnPlace>,
    /// Its own turns with their positions, in order.
    pub turns: Vec<(u32, TurnId)>,
}

/// A turn at a place that it had before, to be put there again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedTurn {
    /// Whose conversation it is.
    pub scope: Scope,
    /// The turn.
    pub turn: TurnId,
    /// Where it stood.
    pub place: TurnPlace,
    /// Where its conversation begins, if it is a branch and that is known.
    pub origin: Option<TurnPlace>,
    /// When it was said there. Kept to the microsecond.
    pub time: DateTime<Utc>,
    /// What was said, if the turn has documents or instructions around that and it was said plainly later.
    pub plain: Option<TurnId>,
}

/// How many turns a scope has, each once that was sent with documents around it and said plainly later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScopeCounts {
    /// All of them, read or not.
    pub turns: usize,
    /// Those that wait to be read. What was said plainly waits until that is read.
    pub waiting: usize,
}

/// How much a scope and all its parts hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScopeSize {
    /// Their turns, read or not.
    pub turns: usize,
    /// The bytes of what is kept of their texts.
    pub bytes: usize,
}

impl ScopeSize {
    /// Adds a turn with so many bytes of text.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.turns += 1;
        self.bytes += bytes;
    }
}

/// What there is of a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeOverview {
    /// The scope.
    pub scope: Scope,
    /// Its turns, read or not.
    pub turns: usize,
    /// Its conversations and branches.
    pub conversations: usize,
    /// When the first of its turns was first seen.
    pub first_time: DateTime<Utc>,
    /// When the last of them was said.
    pub last_time: DateTime<Utc>,
}

impl Outline {
    /// Turns at their places, where each is allowed once, and behind them turns without any, at the place that they came with.
    pub(crate) fn new(
        origins: impl IntoIterator<Item = (ConversationId, TurnPlace)>,
        placed: impl IntoIterator<Item = (TurnPlace, TurnId)>,
        unplaced: impl IntoIterator<Item = (TurnPlace, TurnId)>,
    ) -> Self {
        let mut outline = Self::default();
        for (place, turn) in placed {
            outline.conversations.entry(place.conversation).or_default().turns.push((place.position, turn));
        }
        // Whatever order they were found in.
        let unplaced: BTreeSet<(ConversationId, u32, TurnId)> =
            unplaced.into_iter().map(|(place, turn)| (place.conversation, place.position, turn)).collect();
        for (conversation, position, turn) in unplaced {
            outline.conversations.entry(conversation).or_default().turns.push((position, turn));
        }
        for (conversation, origin) in origins {
            if let Some(branch) = outline.conversations.get_mut(&conversation) {
                branch.origin = Some(origin);
            }
        }
        for conversation in outline.conversations.values_mut() {
            // Stable, so that what has a place stands before what only came with it.
            conversation.turns.sort_by_key(|(position, _)| *position);
        }
        outline
    }

    /// The same with the times of what was said again, so far as it stands there.
    pub(crate) fn with_times(mut self, repetitions: impl IntoIterator<Item = Repetition>) -> Self {
        let of = |repetition: Repetition| ((repetition.turn, repetition.place), repetition.time);
        self.times = repetitions.into_iter().map(of).collect();
        self
    }

    /// The same with what was said in the place of what was sent, where `plain` tells what of a turn was said plainly
    /// later: the turn itself if nothing was.
    pub(crate) fn with_said(mut self, plain: impl Fn(TurnId) -> TurnId) -> Self {
        for (name, conversation) in &mut self.conversations {
            let mut is_other = false;
            for (position, turn) in &mut conversation.turns {
                let said = plain(*turn);
                if said != *turn {
                    let place = TurnPlace { conversation: *name, position: *position };
                    self.sent.insert((said, place), std::mem::replace(turn, said));
                    is_other = true;
                }
            }
            if is_other {
                let mut seen = HashSet::new();
                conversation.turns.retain(|entry| seen.insert(*entry));
            }
        }
        self
    }

    /// The turn that was sent at a place of one that was said plainly later; `None` where it was sent as it is.
    pub fn sent_as(&self, place: TurnPlace, turn: TurnId) -> Option<TurnId> {
        self.sent.get(&(turn, place)).copied()
    }

    /// All that a turn was sent as which was said plainly later, each once.
    pub fn every_sent_as(&self, turn: TurnId) -> BTreeSet<TurnId> {
        self.sent.iter().filter(|((said, _), _)| *said == turn).map(|(_, sent)| *sent).collect()
    }

    /// When a turn, or what it was sent as, was said at a place; `None` where that is when this was first seen.
    pub fn time_at(&self, place: TurnPlace, turn: TurnId) -> Option<DateTime<Utc>> {
        self.times.get(&(self.sent_as(place, turn).unwrap_or(turn), place)).copied()
    }

    /// Every conversation and branch that has turns of its own, by name: those that began first, first.
    pub fn conversations(&self) -> impl DoubleEndedIterator<Item = (ConversationId, &OutlinedConversation)> {
        self.conversations.iter().map(|(name, conversation)| (*name, conversation))
    }

    /// How many conversations and branches there are.
    pub fn len(&self) -> usize {
        self.conversations.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.conversations.is_empty()
    }

    /// A conversation of this name.
    pub fn conversation(&self, name: ConversationId) -> Option<&OutlinedConversation> {
        self.conversations.get(&name)
    }

    /// All turns of a conversation, those before the place where it branched from another one included, oldest first; none for a
    /// conversation that is not there.
    pub fn line(&self, name: ConversationId) -> Vec<(TurnPlace, TurnId)> {
        let pieces: Vec<_> = self.pieces(name).collect();
        pieces.into_iter().rev().flatten().collect()
    }

    /// The first of these; `None` for a conversation that is not there.
    pub fn first(&self, name: ConversationId) -> Option<(TurnPlace, TurnId)> {
        self.pieces(name).filter_map(|mut piece| piece.next()).last()
    }

    /// The turns of a conversation, then those before it of the one that it branched from, and so on.
    fn pieces(&self, name: ConversationId) -> impl Iterator<Item = impl Iterator<Item = (TurnPlace, TurnId)>> {
        let mut next = Some(TurnPlace { conversation: name, position: u32::MAX });
        std::iter::from_fn(move || {
            let end = next.take()?;
            let conversation = self.conversations.get(&end.conversation)?;
            // A branch begins behind its origin, whose own origin is before that.
            next = conversation.origin.filter(|origin| origin.position < end.position);
            let own = conversation.turns.iter().filter(move |(position, _)| *position <= end.position);
            Some(own.map(move |(position, turn)| (TurnPlace { position: *position, ..end }, *turn)))
        })
    }

    /// Where a turn stands, or was sent, conversation by conversation.
    pub fn places(&self, turn: TurnId) -> Vec<TurnPlace> {
        let of = |(name, conversation): (&ConversationId, &OutlinedConversation)| {
            let name = *name;
            let each = conversation
                .turns
                .iter()
                .map(|(position, id)| (TurnPlace { conversation: name, position: *position }, *id));
            let here = each.filter(|(place, id)| *id == turn || self.sent_as(*place, *id) == Some(turn));
            here.map(|(place, _)| place).collect::<Vec<_>>()
        };
        self.conversations.iter().flat_map(of).collect()
    }

    /// Every turn, each once.
    pub fn turns(&self) -> HashSet<TurnId> {
        self.conversations.values().flat_map(|conversation| &conversation.turns).map(|(_, turn)| *turn).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> TurnId {
        TurnId([number; 16])
    }

    fn name(number: u8) -> ConversationId {
        ConversationId([number; 16])
    }

    fn at(conversation: u8, position: u32) -> TurnPlace {
        TurnPlace { conversation: name(conversation), position }
    }

    fn line(outline: &Outline, conversation: u8) -> Vec<(u32, u8)> {
        outline.line(name(conversation)).iter().map(|(place, turn)| (place.position, turn.0[0])).collect()
    }

    #[test]
    fn a_branch_reads_on_from_what_it_shares() {
        let placed =
            [(at(1, 0), id(10)), (at(1, 1), id(11)), (at(1, 2), id(12)), (at(2, 2), id(22)), (at(2, 3), id(10))];
        let outline = Outline::new([(name(2), at(1, 1))], placed, []);
        assert_eq!(line(&outline, 1), [(0, 10), (1, 11), (2, 12)]);
        assert_eq!(line(&outline, 2), [(0, 10), (1, 11), (2, 22), (3, 10)]);
        assert_eq!(outline.places(id(10)), [at(1, 0), at(2, 3)]);
        assert_eq!([1, 2].map(|number| outline.first(name(number))), [Some((at(1, 0), id(10))); 2]);
        assert_eq!(outline.first(name(3)), None);
        assert!(outline.line(name(3)).is_empty() && outline.turns().len() == 4);
    }

    #[test]
    fn a_turn_without_a_place_stands_behind_the_one_that_has_it() {
        let unplaced = [(at(1, 0), id(9)), (at(1, 0), id(8)), (at(3, 7), id(7))];
        let outline = Outline::new([], [(at(1, 0), id(99)), (at(1, 1), id(11))], unplaced);
        assert_eq!(line(&outline, 1), [(0, 99), (0, 8), (0, 9), (1, 11)]);
        assert_eq!(line(&outline, 3), [(7, 7)]);
    }

    #[test]
    fn what_was_said_plainly_stands_where_it_was_sent_at_the_time_of_that() {
        let placed =
            [(at(1, 0), id(10)), (at(1, 1), id(11)), (at(2, 0), id(30)), (at(2, 1), id(12)), (at(3, 0), id(20))];
        let time = DateTime::UNIX_EPOCH;
        let again = [Repetition { turn: id(30), place: at(2, 0), time }];
        let outline = Outline::new([], placed, [(at(2, 0), id(31))]).with_times(again);
        let outline = outline.with_said(|turn| if [id(10), id(30), id(31)].contains(&turn) { id(20) } else { turn });
        assert_eq!((line(&outline, 1), line(&outline, 2)), (vec![(0, 20), (1, 11)], vec![(0, 20), (1, 12)]));
        assert_eq!(outline.places(id(20)), [at(1, 0), at(2, 0), at(3, 0)]);
        assert_eq!((outline.places(id(10)), outline.turns().contains(&id(10))), (vec![at(1, 0)], false));
        let sent = [at(1, 0), at(1, 1), at(3, 0)].map(|place| outline.sent_as(place, id(20)));
        assert_eq!(sent, [Some(id(10)), None, None]);
        assert_eq!([at(1, 0), at(3, 0)].map(|place| outline.time_at(place, id(20))), [None, None]);
        assert!(outline.every_sent_as(id(20)).contains(&id(10)) && outline.every_sent_as(id(10)).is_empty());
    }

    #[test]
    fn branches_of_each_other_end() {
        let outline =
            Outline::new([(name(1), at(2, 4)), (name(2), at(1, 4))], [(at(1, 5), id(10)), (at(2, 5), id(20))], []);
        assert_eq!(line(&outline, 1), [(5, 10)]);
    }
}
