//! Where turns stand in conversations.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::ids::{ConversationId, Scope, TurnId};

/// A place in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TurnPlace {
    /// The conversation.
    pub conversation: ConversationId,
    /// How many turns come before it. A branch counts on from the turn that it begins after.
    pub position: u32,
}

/// How much a turn says about the conversation that it is a turn of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnKind {
    /// A call of a tool or its result: agents make the same ones in one conversation after the other.
    Routine,
    /// Something short that somebody said, and that may be said elsewhere as well.
    Said,
    /// Something that somebody said, so long that it is seldom said elsewhere.
    Telling,
    /// A short answer of the model's.
    Answer,
    /// A long answer of the model's.
    TellingAnswer,
}

impl TurnKind {
    pub(crate) fn is_answer(self) -> bool {
        matches!(self, Self::Answer | Self::TellingAnswer)
    }

    pub(crate) fn is_telling(self) -> bool {
        matches!(self, Self::Telling | Self::TellingAnswer)
    }
}

/// The conversation of their scope that the turns of a request go on with, and how the two match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationMatch {
    /// Where the last turn stands that the conversation has already; `None` for a new conversation.
    pub tip: Option<TurnPlace>,
    /// Whether the conversation has no turn after the tip. Else what follows in the request begins a branch.
    pub is_newest: bool,
    /// How many turns of the request, from its first, come before what is new in it.
    pub known: usize,
    /// Turns of the conversation up to the tip that the request has not got, oldest first, each once.
    pub lost: Vec<TurnId>,
    /// The turns of the request that stand where the conversation has another one.
    pub replaced: Vec<ReplacedTurn>,
    /// When turns of the request that are new in it were said, by their places in it, as far as that was before the request: they
    /// are known from elsewhere, and a turn behind them was recorded without its place, as by a migration. What was said before
    /// that turn was said by the time when it was recorded.
    pub said_earlier: BTreeMap<usize, DateTime<Utc>>,
}

impl ConversationMatch {
    /// Whether nothing but the first turn of a request tells the conversation, since that begins with the same words.
    pub(crate) fn rests_on_first_turn(&self) -> bool {
        self.known == 1 && self.tip.is_some_and(|tip| tip.position == 0)
    }
}

/// A turn that stands where the conversation has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplacedTurn {
    /// Its place in the request, from 0.
    pub at: usize,
    /// What the conversation has there.
    pub known: TurnId,
}

/// Turns that were said after a place of a conversation, or that begin one, to be put into their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationAppend {
    /// Whose conversation it is.
    pub scope: Scope,
    /// The place after which it was said; `None` at the beginning of a conversation.
    pub after: Option<TurnPlace>,
    /// The name of the conversation or branch that begins here, should one begin. Later names are greater.
    pub fresh: ConversationId,
    /// The turns, oldest first.
    pub turns: Vec<SaidTurn>,
    /// Earlier turns of the conversation that the request says plainly.
    pub plain: Vec<PlainTurn>,
}

/// What somebody said plainly, and the same as it was sent when it was said: with documents or instructions around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainTurn {
    /// The turn as it was sent then.
    pub wrapped: TurnId,
    /// What was said.
    pub turn: TurnId,
}

/// A turn and when it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaidTurn {
    /// The turn.
    pub turn: TurnId,
    /// When it was said this time. Kept to the microsecond.
    pub time: DateTime<Utc>,
}

/// A conversation as a request sees it, for the times when turns were said in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationView {
    /// Where the last turn stands that the conversation has already; `None` for a new one.
    pub tip: Option<TurnPlace>,
    /// When that is said which it has not got yet.
    pub now: DateTime<Utc>,
    /// What of that was said earlier, oldest first.
    pub earlier: Vec<SaidTurn>,
}

/// A turn at a place, where it was said at another time than it was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repetition {
    pub(crate) turn: TurnId,
    pub(crate) place: TurnPlace,
    pub(crate) time: DateTime<Utc>,
}
