//! A question's codes and how it scores what is stored.

use super::matching::Matches;

use super::{Codes, bytes_of};
use crate::ffi::nearest::{WORD_BYTES, word_of};

/// The sign bits of a question's tokens.
#[derive(Debug, Clone)]
pub struct QuestionCodes {
    pub(super) width: usize,
    /// Words of one token's bits.
    pub(super) words: usize,
    pub(super) bits: Vec<u64>,
}

impl QuestionCodes {
    /// A question's tokens of `width` dimensions.
    pub(crate) fn new(width: usize, codes: &Codes) -> Self {
        let token_bytes = bytes_of(width).max(1);
        let bits = codes.as_bytes().chunks_exact(token_bytes).flat_map(|token| token.chunks(WORD_BYTES).map(word_of));
        Self { width, words: token_bytes.div_ceil(WORD_BYTES), bits: bits.collect() }
    }

    /// Tokens of the question.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.bits.len().checked_div(self.words).unwrap_or(0)
    }

    /// How well each document matches this question, and the place of its passage that does: for each of the question's tokens the
    /// similarity of the passage's nearest token (1 for the same bits, -1 for opposite ones), and the mean of these, in which a
    /// token counts the more the rarer it is among these documents. `None` for a document without readable codes.
    ///
    /// A document has all passages of one turn, each as the bytes of [`Codes::as_bytes`].
    #[must_use]
    pub fn max_sim_and_best(&self, documents: &[Vec<&[u8]>]) -> Vec<Option<(f32, usize)>> {
        let matches = Matches::new(self, documents);
        let weights = matches.weights();
        (0..documents.len()).map(|document| matches.best(document, &weights)).collect()
    }

    /// The same without the places.
    #[must_use]
    pub fn max_sim(&self, documents: &[Vec<&[u8]>]) -> Vec<Option<f32>> {
        let found = self.max_sim_and_best(documents).into_iter();
        found.map(|found| found.map(|(score, _)| score)).collect()
    }
}
