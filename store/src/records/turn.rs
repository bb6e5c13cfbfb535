//! Turns and their main points.

use chrono::{DateTime, Utc};

use super::ids::{ConversationId, Scope, TurnId};

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Names it within its scope.
    pub id: TurnId,
    /// The turn before it; `None` for the first one.
    pub parent: Option<TurnId>,
    /// The conversation that it was said in first.
    pub conversation: ConversationId,
    /// Whose memory it is.
    pub scope: Scope,
    /// Place in the conversation, counted from 0.
    pub position: u32,
    /// Who spoke, as on the wire (`user`, `assistant`, `tool`).
    pub role: String,
    /// The verbatim text; under [`Retain::Spans`](crate::Retain::Spans), once completed, only its spans joined by ` … `.
    pub text: String,
    /// When the turn was first seen; of a turn that a store gives, when it was said last, unless that store says otherwise. Kept to
    /// the microsecond.
    pub time: DateTime<Utc>,
    /// Length in tokens.
    pub tokens: u32,
}

/// A stretch of a turn's text that carries meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// First byte in the turn's original text.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Attention it received, 0 to 1 relative to the turn's maximum.
    pub salience: f32,
}

/// The main point of one passage of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The turn it belongs to.
    pub turn: TurnId,
    /// Number of the passage within the turn, counted from 0.
    pub passage: u32,
    /// First byte of the passage in the turn's original text.
    pub start: u32,
    /// One past the last byte of the passage.
    pub end: u32,
    /// The main point itself.
    pub spans: Vec<Span>,
    /// The passage's verbatim text, or under [`Retain::Spans`](crate::Retain::Spans) its spans joined by ` … `.
    pub text: String,
    /// Embedding of the passage; its length is the store's `vector_width`.
    pub vector: Vec<f32>,
    /// What ranks it once it is found, opaque to the store.
    pub ranking_data: Vec<u8>,
}

/// A turn that has been read, with its main points.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CompletedTurn {
    pub(crate) turn: Turn,
    pub(crate) points: Vec<Point>,
}

/// A turn as it was found in LanceDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundTurn {
    pub(crate) id: TurnId,
    pub(crate) conversation: ConversationId,
    pub(crate) seen: Seen,
}

/// What is kept of a row in which a turn was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The row, as long as that file is not merged with others.
    pub(crate) row: u64,
    /// When the turn was first seen.
    pub(crate) time: DateTime<Utc>,
}

/// A turn that waits to be read, without its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingTurn {
    /// Whose memory it is.
    pub scope: Scope,
    /// Names it.
    pub id: TurnId,
    /// The turn before it; `None` for the first one.
    pub parent: Option<TurnId>,
    /// Place in the conversation, counted from 0.
    pub position: u32,
    /// When the turn was first seen, in microseconds since 1970.
    pub micros: i64,
    /// Length in tokens.
    pub tokens: u32,
    /// Length of its text in bytes.
    pub bytes: usize,
}

impl WaitingTurn {
    /// The turn without its words.
    #[must_use]
    pub fn new(turn: &Turn) -> Self {
        Self {
            scope: turn.scope.clone(),
            id: turn.id,
            parent: turn.parent,
            position: turn.position,
            micros: turn.time.timestamp_micros(),
            tokens: turn.tokens,
            bytes: turn.text.len(),
        }
    }
}

/// How far a turn is that only the journal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pending {
    /// Not read yet.
    Accepted,
    /// Read.
    Completed,
}
