//! The conversation that a request goes on with: how the two match, which turns it says again, and which it says plainly.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use mainpoint_store::{
    ConversationId, ConversationMatch, ConversationView, PlainTurn, SaidTurn, Turn, TurnId, TurnPlace,
};

/// What the memory says of the conversation of a request.
pub(super) struct MatchedConversation {
    /// Where the two meet, and which of its turns are known, lost or replaced.
    conversation_match: ConversationMatch,
    /// Indices of the messages that count with the words of a turn that they say again.
    pub(super) restated: BTreeSet<usize>,
    /// The known turns that were sent with documents around them and that the request has in their plain form.
    pub(super) plain: Vec<PlainTurn>,
    /// Where and when these were sent first, by the places of their messages among the spoken ones.
    pub(super) first_sent: BTreeMap<usize, FirstSent>,
}

/// Where and when something was sent first that a request says plainly.
#[derive(Debug, Clone, Copy)]
pub(super) struct FirstSent {
    pub(super) conversation: ConversationId,
    pub(super) position: u32,
    pub(super) time: DateTime<Utc>,
}

impl FirstSent {
    /// Where and when this turn was sent.
    pub(super) fn new(turn: &Turn) -> Self {
        Self { conversation: turn.conversation, position: turn.position, time: turn.time }
    }
}

impl MatchedConversation {
    /// The conversation of a request that says nothing of it again.
    pub(super) fn new(conversation_match: ConversationMatch) -> Self {
        Self { conversation_match, restated: BTreeSet::new(), plain: Vec::new(), first_sent: BTreeMap::new() }
    }

    /// Where what is new follows; `None` where the request begins a conversation.
    pub(super) fn tip(&self) -> Option<TurnPlace> {
        self.conversation_match.tip
    }

    /// The turns of the conversation that the request has not got.
    pub(super) fn lost(&self) -> &[TurnId] {
        &self.conversation_match.lost
    }

    /// The conversation that what is new belongs to in a request of so many turns; `None` where it begins one, or a branch.
    pub(super) fn conversation(&self, turns: usize) -> Option<ConversationId> {
        let goes_on = self.conversation_match.is_newest || self.conversation_match.known >= turns;
        self.tip().filter(|_| goes_on).map(|tip| tip.conversation)
    }

    /// How many turns of the conversation come before the one at the place `at` of the request.
    pub(super) fn position(&self, at: usize) -> usize {
        let before = self.tip().map_or(0, |tip| tip.position as usize + 1);
        (before + at).saturating_sub(self.conversation_match.known)
    }

    /// Where and when the turn at this place was sent first, where it is the plain form of a known turn.
    pub(super) fn first_sent(&self, at: usize) -> Option<FirstSent> {
        self.first_sent.get(&at).copied()
    }

    /// The conversation up to what is new of these turns of the request, which is said `now`.
    pub(super) fn view(&self, turns: &[TurnId], now: DateTime<Utc>) -> ConversationView {
        let earlier = self.conversation_match.said_earlier.iter();
        let earlier = earlier.filter_map(|(at, time)| Some(SaidTurn { turn: *turns.get(*at)?, time: *time }));
        ConversationView { tip: self.tip(), now, earlier: earlier.collect() }
    }

    /// What is new of these turns of the request, said `now` where nothing else is known.
    pub(super) fn new_turns(&self, turns: &[TurnId], now: DateTime<Utc>) -> Vec<SaidTurn> {
        let time = |at: usize| self.conversation_match.said_earlier.get(&at).copied().unwrap_or(now);
        let new = turns.iter().enumerate().skip(self.conversation_match.known);
        new.map(|(at, turn)| SaidTurn { turn: *turn, time: time(at) }).collect()
    }
}
