//! What is shown of conversations and turns.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use mainpoint_store::{ConversationId, Point, Scope, ScopeOverview, Turn, TurnId, TurnPlace};
use serde::{Deserialize, Serialize, Serializer};

use crate::memory::one_line;

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page<T, N = String> {
    /// What is in it.
    pub(crate) data: Vec<T>,
    /// What comes behind it begins after this; `None` where nothing does.
    pub(crate) next: Option<N>,
}

impl<T: Copy> Page<T, T> {
    /// The first `limit` of a list.
    pub(super) fn of(list: impl Iterator<Item = T>, limit: usize) -> Self {
        let mut data: Vec<T> = list.take(limit.saturating_add(1)).collect();
        let has_more = data.len() > limit;
        data.truncate(limit);
        Self { next: data.last().copied().filter(|_| has_more), data }
    }
}

impl<T: Serialize> Serialize for Page<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct List<'a, T> {
            object: &'static str,
            data: &'a [T],
            has_more: bool,
            next: Option<&'a str>,
        }
        let next = self.next.as_deref();
        List { object: "list", data: &self.data, has_more: next.is_some(), next }.serialize(serializer)
    }
}

/// A place in a conversation, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListedPlace {
    /// The conversation.
    pub(crate) conversation: ConversationId,
    /// How many turns come before it there.
    pub(crate) position: u32,
}

impl From<TurnPlace> for ListedPlace {
    fn from(place: TurnPlace) -> Self {
        Self { conversation: place.conversation, position: place.position }
    }
}

impl From<ListedPlace> for TurnPlace {
    fn from(place: ListedPlace) -> Self {
        Self { conversation: place.conversation, position: place.position }
    }
}

/// A conversation, or a branch of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ListedConversation {
    /// Its name.
    pub(crate) id: ConversationId,
    /// How many turns it has, those before the place where it branched off included.
    pub(crate) turns: usize,
    /// Its first turn.
    pub(crate) first_turn: TurnId,
    /// Its last turn.
    pub(crate) last_turn: TurnId,
    /// When its first turn was said there.
    pub(crate) first_time: DateTime<Utc>,
    /// When its last turn was.
    pub(crate) last_time: DateTime<Utc>,
    /// How its first turn begins.
    pub(crate) first_words: String,
    /// For a branch, the place that it begins after.
    pub(crate) branches_from: Option<ListedPlace>,
}

impl ListedConversation {
    /// A conversation of so many turns, of which these are the first and the last, with the times when they were said
    /// there.
    pub(super) fn new(
        id: ConversationId,
        turns: usize,
        [(first, first_time), (last, last_time)]: [(&Turn, DateTime<Utc>); 2],
        origin: Option<TurnPlace>,
    ) -> Self {
        Self {
            id,
            turns,
            first_turn: first.id,
            last_turn: last.id,
            first_time,
            last_time,
            first_words: one_line(&first.text, FIRST_WORDS),
            branches_from: origin.map(ListedPlace::from),
        }
    }
}

/// Whose memory there is, and how much of it: enough to be recognised by whoever knows its owner, and nothing of its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ListedScope {
    /// Its name.
    id: Scope,
    /// Its conversations and branches.
    conversations: usize,
    /// Its turns, read or not.
    turns: usize,
    /// When the first of its turns was said.
    first_time: DateTime<Utc>,
    /// When the last of them was.
    last_time: DateTime<Utc>,
}

impl From<ScopeOverview> for ListedScope {
    fn from(overview: ScopeOverview) -> Self {
        let ScopeOverview { scope: id, turns, conversations, first_time, last_time } = overview;
        Self { id, conversations, turns, first_time, last_time }
    }
}

/// A turn at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ListedTurn {
    /// Its name.
    pub(crate) id: TurnId,
    /// The conversation, or the one that it branched from.
    pub(crate) conversation: ConversationId,
    /// How many turns come before it there.
    pub(crate) position: u32,
    /// Who spoke.
    pub(crate) role: String,
    /// What was said, or the main point where only that is kept.
    pub(crate) text: String,
    /// When it was said there; of a turn by itself, when it was said last.
    pub(crate) time: DateTime<Utc>,
    /// Its length in tokens.
    pub(crate) tokens: u32,
    /// Whether it has been read, so that searches find it.
    pub(crate) read: bool,
    /// The turn that was sent there, if this was said plainly after it had been sent with documents or instructions
    /// around it.
    pub(crate) sent_as: Option<TurnId>,
}

impl ListedTurn {
    pub(super) fn new(turn: &Turn, place: TurnPlace, read: bool) -> Self {
        Self {
            id: turn.id,
            conversation: place.conversation,
            position: place.position,
            role: turn.role.clone(),
            text: turn.text.clone(),
            time: turn.time,
            tokens: turn.tokens,
            read,
            sent_as: None,
        }
    }
}

/// A turn, and what was said around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Surroundings {
    /// The conversation that it is read in.
    pub(crate) conversation: ConversationId,
    /// The turns, oldest first.
    pub(crate) data: Vec<ListedTurn>,
    /// How many turns of the conversation come before these.
    pub(crate) earlier: usize,
    /// How many come after them.
    pub(crate) later: usize,
}

/// Everything that is known of a turn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TurnDetails {
    #[serde(flatten)]
    turn: ListedTurn,
    /// Every place where it stands.
    pub(crate) places: Vec<ListedPlace>,
    /// The words of its main point, in order.
    pub(crate) main_point: Vec<ListedSpan>,
}

/// A stretch of a turn's text that is part of its main point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct ListedSpan {
    /// First byte in the text as it was said.
    pub(crate) start: u32,
    /// One past the last byte.
    pub(crate) end: u32,
    /// The attention that it received, 0 to 1.
    pub(crate) salience: f32,
}

impl TurnDetails {
    /// A turn as it is listed at its first place, with those of these points that are its own.
    pub(super) fn new(turn: ListedTurn, points: &[Point], places: &[TurnPlace]) -> Self {
        let spans = points.iter().filter(|point| point.turn == turn.id).flat_map(|point| &point.spans);
        let mut main_point: Vec<ListedSpan> =
            spans.map(|span| ListedSpan { start: span.start, end: span.end, salience: span.salience }).collect();
        main_point.sort_by_key(|span| (span.start, span.end));
        Self { turn, places: places.iter().copied().map(ListedPlace::from).collect(), main_point }
    }
}

/// Where a page of conversations ended: with this one, which began then. The order of these is that of the places of a list, the
/// last of them first, whatever is added to it or deleted from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConversationCursor {
    /// When its first turn was said there, in microseconds since 1970.
    micros: i64,
    /// The conversation.
    pub(crate) conversation: ConversationId,
}

impl ConversationCursor {
    /// What is allowed in its place.
    pub(crate) const ALLOWED: &str = "a time and the id of a conversation, as \"next\" of the page before gives them";

    /// The place of a conversation that began at a time.
    pub(super) fn new(begun: DateTime<Utc>, conversation: ConversationId) -> Self {
        Self { micros: begun.timestamp_micros(), conversation }
    }

    /// At most `limit` of these places behind another one, those that began last first.
    pub(super) fn page(mut places: Vec<Self>, after: Option<Self>, limit: usize) -> Page<Self, Self> {
        places.sort_unstable_by_key(|place| std::cmp::Reverse(*place));
        Page::of(places.into_iter().filter(|place| after.is_none_or(|after| *place < after)), limit)
    }
}

impl fmt::Display for ConversationCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.micros, self.conversation)
    }
}

impl FromStr for ConversationCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (micros, conversation) = text.split_once('.').ok_or(())?;
        Ok(Self { micros: micros.parse().map_err(|_| ())?, conversation: conversation.parse().map_err(|_| ())? })
    }
}

/// Where a page of a conversation's turns ended: at this position, with this turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TurnCursor {
    /// The position.
    pub(crate) position: u32,
    /// The turn.
    pub(crate) turn: TurnId,
}

impl TurnCursor {
    /// The index of what comes behind it in a line, wherever that was deleted from meanwhile.
    pub(super) fn place_behind(self, line: &[(TurnPlace, TurnId)]) -> usize {
        let is_it = |(place, turn): &(TurnPlace, TurnId)| place.position == self.position && *turn == self.turn;
        match line.iter().position(is_it) {
            Some(at) => at + 1,
            None => line.iter().take_while(|(place, _)| place.position <= self.position).count(),
        }
    }
}

impl fmt::Display for TurnCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.position, self.turn)
    }
}

impl FromStr for TurnCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (position, turn) = text.split_once('.').ok_or(())?;
        Ok(Self { position: position.parse().map_err(|_| ())?, turn: turn.parse().map_err(|_| ())? })
    }
}

/// Characters of a turn that a list of conversations shows.
const FIRST_WORDS: usize = 80;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;
    use crate::memory::turns_for_tests::{self as turns, id};

    #[test]
    fn a_page_ends_where_it_is_full_and_says_whether_more_comes() {
        let page = |limit| Page::of(1..=3, limit);
        assert_eq!(page(2), Page { data: vec![1, 2], next: Some(2) });
        assert_eq!(page(3), Page { data: vec![1, 2, 3], next: None });
        let written = serde_json::to_value(Page { data: vec![1], next: Some("x".to_owned()) }).unwrap();
        assert_eq!(written, serde_json::json!({"object": "list", "data": [1], "has_more": true, "next": "x"}));
    }

    #[test]
    fn conversations_are_listed_by_when_they_began_and_then_by_their_ids() {
        let place = |micros, number| ConversationCursor { micros, conversation: turns::conversation(number) };
        let page = ConversationCursor::page(vec![place(5, 1), place(-7, 4), place(9, 2), place(5, 3)], None, 3);
        assert_eq!(page.data, [place(9, 2), place(5, 3), place(5, 1)]);
        assert_eq!(page.next, Some(place(5, 1)));
        for wrong in ["", "5", ".", "5.x", &turns::conversation(1).to_string()] {
            assert_eq!(wrong.parse::<ConversationCursor>(), Err(()), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn pages_hold_every_conversation_that_stays_once_whatever_comes_and_goes_between_them(
            times in prop::collection::vec(-3..3_i64, 1..20),
            limit in 1..5_usize,
            changes in prop::collection::vec((any::<prop::sample::Index>(), -3..3_i64, any::<bool>()), 0..30),
        ) {
            let place = |number: usize, micros: i64| {
                ConversationCursor { micros, conversation: turns::conversation(u32::try_from(number).unwrap()) }
            };
            let mut there: Vec<ConversationCursor> =
                times.iter().enumerate().map(|(number, micros)| place(number * 7 % 20, *micros)).collect();
            let (mut stayed, mut seen, mut after) = (there.clone(), Vec::new(), None);
            let mut changes = (100..).zip(changes);
            loop {
                let page = ConversationCursor::page(there.clone(), after, limit);
                seen.extend(page.data);
                let Some(next) = page.next else { break };
                prop_assert_eq!(next.to_string().parse(), Ok(next));
                after = Some(next);
                if let Some((number, (which, micros, deletes))) = changes.next() {
                    if deletes && !there.is_empty() {
                        let gone = there.swap_remove(which.index(there.len()));
                        stayed.retain(|place| *place != gone);
                    } else {
                        there.push(place(number, micros));
                    }
                }
            }
            prop_assert!(seen.is_sorted_by(|one, other| one > other), "newest first, none twice: {:?}", seen);
            prop_assert!(stayed.iter().all(|place| seen.contains(place)), "{:?} of {:?}", seen, stayed);
        }

        #[test]
        fn pages_hold_every_turn_once_also_where_one_that_a_page_ended_with_is_deleted(
            positions in prop::collection::vec(0..6_u32, 1..20), limit in 1..5_usize, deletes: bool,
        ) {
            let mut positions = positions;
            positions.sort_unstable();
            let conversation = turns::conversation(0);
            let mut line: Vec<(TurnPlace, TurnId)> =
                (1..).zip(&positions).map(|(turn, position)| (TurnPlace { conversation, position: *position }, id(turn))).collect();
            let distinct = positions.windows(2).all(|pair| pair[0] != pair[1]);
            let all: Vec<TurnId> = line.iter().map(|(_, turn)| *turn).collect();
            let (mut seen, mut after) = (Vec::new(), None::<TurnCursor>);
            loop {
                let from = after.map_or(0, |after| after.place_behind(&line));
                let page = Page::of(line.iter().copied().skip(from), limit);
                seen.extend(page.data.iter().map(|(_, turn)| *turn));
                let Some((place, turn)) = page.next else { break };
                let cursor = TurnCursor { position: place.position, turn };
                prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
                after = Some(cursor);
                // Where two turns share a position it is not told any more which was last.
                if deletes && distinct {
                    line.retain(|(_, other)| *other != turn);
                }
            }
            prop_assert_eq!(seen, all);
        }
    }
}
