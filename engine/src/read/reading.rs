//! What goes into a reading and what comes out of it.

use crate::{Codes, QuestionCodes};

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnText {
    /// Who speaks, for example `User`.
    pub speaker: String,
    /// What is said, verbatim.
    pub text: String,
}

/// Turns to read, each by itself.
#[derive(Debug, Clone, Default)]
pub struct ReadRequest {
    /// In the order of the readings.
    pub turns: Vec<TurnText>,
}

/// What was read in one turn.
#[derive(Debug, Clone)]
pub struct TurnReading {
    /// Tokens of the turn's own text.
    pub tokens: usize,
    /// How salient each token of the text is.
    pub salience: Vec<TokenSalience>,
    /// The turn's passages; none for a turn without content.
    pub passages: Vec<PassageReading>,
}

/// How salient one token of a turn is: the attention that it receives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenSalience {
    /// First byte in [`TurnText::text`].
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Relative to the turn's most salient token, in 0..=1.
    pub score: f32,
}

/// A stretch of a turn that is read in one pass, with its main point.
#[derive(Debug, Clone)]
pub struct PassageReading {
    /// First byte in [`TurnText::text`].
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The main point: whole words, ascending, never overlapping.
    pub spans: Vec<Span>,
    /// The mean of the vectors of all tokens of its pass, the one vector that the model was trained to give, as [`Projection`]
    /// leaves it; of unit length. The mean of the main point alone was measured to find far less.
    ///
    /// [`Projection`]: crate::Projection
    pub vector: Vec<f32>,
    /// The main point's tokens, bit by bit.
    pub codes: Codes,
}

/// A stretch of whole words of a main point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// First byte in [`TurnText::text`].
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The most salient token's salience relative to the turn's most salient token, in 0..=1.
    pub salience: f32,
}

/// A question, ready to search with.
#[derive(Debug, Clone)]
pub struct EncodedQuestion {
    /// As [`PassageReading::vector`].
    pub vector: Vec<f32>,
    /// Its tokens with content, bit by bit.
    pub codes: QuestionCodes,
}

/// A passage with everything that the model says of its tokens, for benchmarks.
#[derive(Debug, Clone)]
pub struct PassageTokens {
    /// First byte in [`TurnText::text`].
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The mean of the vectors of all tokens of its pass, of unit length and the model's width.
    pub vector: Vec<f32>,
    /// The tokens of the text that have a letter or a digit, or all if none has.
    pub tokens: Vec<ReadToken>,
}

/// What the model says of one token.
#[derive(Debug, Clone)]
pub struct ReadToken {
    /// First byte in [`TurnText::text`].
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The token's vector as the model gives it.
    pub vector: Vec<f32>,
    /// The attention that it receives from the passage's other tokens, mean over all heads and layers; 1 if all tokens
    /// received the same.
    pub attention: f32,
    /// How rare it is in the model's vocabulary, more than 0. For comparison only: attention × rarity was measured to choose worse
    /// than attention alone.
    pub rarity: f32,
}
