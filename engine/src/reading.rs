//! What goes into a reading and what comes out of it. It must not know how it is computed.

use std::ops::Range;

use crate::KeyBlock;

/// One turn of a conversation, as the reader sees it: `"{speaker}: {text}\n"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnText {
    /// Who speaks, for example `User`.
    pub speaker: String,
    /// What is said, verbatim.
    pub text: String,
}

/// Consecutive turns to read.
#[derive(Debug, Clone, Default)]
pub struct ReadRequest {
    /// The turn before the first one, if there is any; it is not read, but the first one's vector is pooled behind it, too.
    pub previous: Option<TurnText>,
    /// The turns to read, oldest first.
    pub turns: Vec<TurnText>,
}

impl ReadRequest {
    /// The turn before the one at `index`.
    pub(crate) fn before(&self, index: usize) -> Option<&TurnText> {
        match index.checked_sub(1) {
            Some(previous) => self.turns.get(previous),
            None => self.previous.as_ref(),
        }
    }
}

/// What was read in one turn.
#[derive(Debug, Clone)]
pub struct TurnReading {
    /// Reader tokens of the turn's text, speaker included.
    pub tokens: usize,
    /// The attention on each token of the text.
    pub salience: Vec<TokenSalience>,
    /// The turn's passages; none for a turn without content.
    pub passages: Vec<Passage>,
}

/// The attention on one token of a turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenSalience {
    /// First byte in [`TurnText::text`].
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Attention relative to the turn's strongest token, in 0..=1.
    pub score: f32,
}

/// A stretch of a turn that fits the embedder's window, with its main point.
#[derive(Debug, Clone)]
pub struct Passage {
    /// First byte in [`TurnText::text`].
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The main point: whole words, ascending, never overlapping.
    pub spans: Vec<Span>,
    /// The main point's vector, of unit length and the embedder's width.
    pub vector: Vec<f32>,
    /// The keys of the main point's tokens, for attention search.
    pub keys: KeyBlock,
}

/// A stretch of whole words of a main point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// First byte in [`TurnText::text`].
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The strongest token's attention relative to the turn's strongest token, in 0..=1.
    pub salience: f32,
}

/// Spans of a turn as bytes of one of its passages.
pub(crate) fn within(spans: &[Span], passage: &Range<usize>) -> Vec<(usize, usize)> {
    spans
        .iter()
        .map(|span| (span.start - passage.start, span.end - passage.start))
        .collect()
}
