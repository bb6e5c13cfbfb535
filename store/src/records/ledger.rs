//! What was injected into forwarded prompts.
//!
//! It must not know what a value means.

use super::ids::{Scope, TurnId};

/// What a ledger entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LedgerKind {
    /// A memory block at the tail of a user message.
    Block,
    /// An eviction: what has left the prompt up to a message.
    Eviction,
    /// A turn that cannot be read, which therefore stays. Unlike the others it does not expire.
    Unreadable,
    /// The main point of a tool's result, which stands in the place of the result.
    Shortened,
}

impl LedgerKind {
    /// Every kind, in the order in which one turn's entries are given.
    pub(crate) const ALL: [Self; 4] = [Self::Block, Self::Eviction, Self::Unreadable, Self::Shortened];

    /// Whether such an entry goes when nothing was written to its conversation for long.
    pub(crate) fn expires(self) -> bool {
        match self {
            Self::Block | Self::Eviction | Self::Shortened => true,
            Self::Unreadable => false,
        }
    }
}

/// What was injected into a forwarded prompt at one turn. A scope has at most one entry of each kind for a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// What it is about.
    pub kind: LedgerKind,
    /// Names the prompt up to the message that it belongs to.
    pub turn: TurnId,
    /// The conversation; the entry is deleted and expires with it.
    pub conversation: TurnId,
    /// What was injected, opaque to the store.
    pub value: Vec<u8>,
}

/// Tells which turns the value of an entry quotes; `None` where that cannot be told, so that it may quote any.
pub type QuotedTurns = fn(LedgerKind, &[u8]) -> Option<Vec<TurnId>>;

/// An entry of the ledger as it lies in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerLine {
    pub(crate) scope: Scope,
    pub(crate) turn: TurnId,
    pub(crate) kind: u8,
    pub(crate) conversation: TurnId,
    pub(crate) micros: i64,
    pub(crate) value: Vec<u8>,
}
