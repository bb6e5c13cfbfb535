//! What was injected into forwarded prompts.

use super::ids::{ConversationId, PrefixId, Scope, TurnId};

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
    /// Every kind.
    pub(crate) const ALL: [Self; 4] = [Self::Block, Self::Eviction, Self::Unreadable, Self::Shortened];

    /// Whether such an entry goes when nothing was written to its conversation for long.
    pub(crate) fn expires(self) -> bool {
        match self {
            Self::Block | Self::Eviction | Self::Shortened => true,
            Self::Unreadable => false,
        }
    }
}

/// What an entry of the ledger belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LedgerKey {
    /// The prompt up to a message: for all that was put into prompts.
    Prefix(PrefixId),
    /// A turn, wherever it stands: for one that cannot be read.
    Turn(TurnId),
}

impl LedgerKey {
    /// What an entry of a kind belongs to, by its id.
    pub(crate) fn new(kind: LedgerKind, id: [u8; 16]) -> Self {
        match kind {
            LedgerKind::Block | LedgerKind::Eviction | LedgerKind::Shortened => Self::Prefix(PrefixId(id)),
            LedgerKind::Unreadable => Self::Turn(TurnId(id)),
        }
    }

    /// The id.
    pub(crate) fn id(&self) -> &[u8; 16] {
        match self {
            Self::Prefix(PrefixId(id)) | Self::Turn(TurnId(id)) => id,
        }
    }

    /// The kinds that its entries may have, in the order in which they are given.
    pub(crate) fn kinds(self) -> &'static [LedgerKind] {
        match self {
            Self::Prefix(_) => &[LedgerKind::Block, LedgerKind::Eviction, LedgerKind::Shortened],
            Self::Turn(_) => &[LedgerKind::Unreadable],
        }
    }
}

/// What was injected into a forwarded prompt up to one message. A scope has at most one entry of each kind for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// What it is about.
    pub kind: LedgerKind,
    /// What it belongs to, as its kind demands.
    pub key: LedgerKey,
    /// The conversation. The entry is deleted with it, and expires when nothing was written for the conversation for long, unless it
    /// is one that does not expire ([`LedgerKind::Unreadable`]).
    pub conversation: ConversationId,
    /// What was injected, opaque to the store.
    pub value: Vec<u8>,
}

/// Tells which turns the value of an entry quotes; `None` where that cannot be told, so that it may quote any.
pub type QuotedTurns = fn(LedgerKind, &[u8]) -> Option<Vec<TurnId>>;

/// An entry of the ledger as it lies in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerLine {
    pub(crate) scope: Scope,
    pub(crate) id: [u8; 16],
    pub(crate) kind: u8,
    pub(crate) conversation: ConversationId,
    pub(crate) micros: i64,
    pub(crate) value: Vec<u8>,
}
