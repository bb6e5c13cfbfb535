//! Searches and what they find.

use std::sync::Arc;

use super::ids::{Scope, TurnId};

/// Where to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Within {
    /// Exactly these turns, such as those of one conversation.
    Turns(Vec<TurnId>),
    /// Everything in the scope.
    Scope,
    /// Everything in the scope that LanceDB has, with these turns for sure. Other turns that were completed within the last
    /// flush interval may be missing: no answer waits for them.
    ScopeWith(Vec<TurnId>),
}

impl Within {
    /// The turns, where only some are meant.
    pub(crate) fn turns(&self) -> Option<&[TurnId]> {
        match self {
            Self::Turns(turns) => Some(turns),
            Self::Scope | Self::ScopeWith(_) => None,
        }
    }
}

/// What to search for.
#[derive(Debug, Clone)]
pub struct SearchQuery {
    /// Whose memory.
    pub scope: Scope,
    /// Which part of it.
    pub within: Within,
    /// Embedding of the question; its length is the store's `vector_width`.
    pub vector: Vec<f32>,
    /// The question's text. Plain words, never query syntax; lexical search reads its first 16 KiB.
    pub text: String,
    /// At most this many hits in each ranking, at least 1.
    pub limit: usize,
}

/// One place in a ranking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The turn.
    pub turn: TurnId,
    /// The passage within it.
    pub passage: u32,
    /// Dense: cosine similarity, -1 to 1. Lexical: BM25, above 0, comparable within one ranking only.
    pub score: f32,
}

/// What both searches found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SearchResult {
    /// By cosine similarity, best first. Empty for a vector of zeros.
    pub dense: Vec<Hit>,
    /// By BM25, best first. Empty for a text without words (or with stop words only).
    pub lexical: Vec<Hit>,
}

/// A passage that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexedPassage {
    /// The turn.
    pub turn: TurnId,
    /// The passage within it, from 0.
    pub passage: u32,
    /// What it was stored with to be ranked by, opaque to the store.
    pub ranking_data: Arc<[u8]>,
    /// Where it lies in the snapshot that it was found in.
    pub row: u64,
}

/// What was found.
#[derive(Debug)]
pub struct IdentifiedHits {
    /// The passages by their scores.
    pub hits: SearchResult,
    /// Every passage of the rankings and of the other rows once, by turn and passage.
    pub passages: Vec<IndexedPassage>,
}
