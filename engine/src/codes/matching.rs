//! How near each of a question's tokens comes to each document, and what that tells of how rare it is among them.
//!
//! It must not know which model made the codes.

use super::QuestionCodes;
use super::bytes_of;
use crate::ffi::popcount::nearest_here;

/// The fewest differing bits of every passage and document, per token of the question.
pub(super) struct Matches<'a> {
    question: &'a QuestionCodes,
    /// Where the passages of each document begin in `passages`, and where the last ones end.
    starts: Vec<usize>,
    /// `passage * tokens ..`; [`UNREADABLE`] for one without readable codes.
    passages: Vec<u32>,
    /// `document * tokens ..`, the fewest of its passages.
    documents: Vec<u32>,
}

/// More than any two codes differ.
const UNREADABLE: u32 = u32::MAX;

impl<'a> Matches<'a> {
    /// Compares the question with all documents.
    pub(super) fn of(question: &'a QuestionCodes, documents: &[Vec<&[u8]>]) -> Self {
        let tokens = question.tokens();
        let token_bytes = bytes_of(question.width).max(1);
        let count = documents.iter().map(Vec::len).sum::<usize>();
        let mut found = Self {
            question,
            starts: Vec::with_capacity(documents.len() + 1),
            passages: vec![UNREADABLE; count * tokens],
            documents: vec![UNREADABLE; documents.len() * tokens],
        };
        let mut at = 0;
        for (number, document) in documents.iter().enumerate() {
            found.starts.push(at);
            for passage in document {
                let own = &mut found.passages[at * tokens..(at + 1) * tokens];
                if passage.len().is_multiple_of(token_bytes) {
                    nearest_here(&question.bits, question.words, passage, token_bytes, own);
                }
                let whole = &mut found.documents[number * tokens..(number + 1) * tokens];
                whole
                    .iter_mut()
                    .zip(own)
                    .for_each(|(whole, own)| *whole = (*whole).min(*own));
                at += 1;
            }
        }
        found.starts.push(at);
        found
    }

    /// How much each of the question's tokens counts: its own rarity times ln(1 + N / (1 + n)), where N documents are
    /// readable and n of them come nearer to it than half way between the mean document and the nearest one.
    pub(super) fn weights(&self) -> Vec<f32> {
        let tokens = self.question.tokens();
        let rows = || {
            self.documents
                .chunks_exact(tokens.max(1))
                .filter(|row| is_readable(row))
        };
        let count = rows().count();
        let weight = |(token, rarity): (usize, &f32)| {
            let column = || rows().map(|row| f64::from(row[token]));
            let nearest = column().fold(f64::INFINITY, f64::min);
            let near = f64::midpoint(column().sum::<f64>() / as_number(count), nearest);
            let nearer = column().filter(|differing| *differing < near).count();
            let soft = (1.0 + as_number(count) / as_number(1 + nearer)).ln();
            #[expect(clippy::cast_possible_truncation, reason = "a weight needs no more than 24 bits")]
            let soft = soft as f32;
            rarity * soft
        };
        self.question.rarity.iter().enumerate().map(weight).collect()
    }

    /// The weighted mean similarity of a document, in -1..=1.
    pub(super) fn score(&self, document: usize, weights: &[f32]) -> Option<f32> {
        let tokens = self.question.tokens();
        let is_there = self.starts[document] < self.starts[document + 1];
        let row = &self.documents[document * tokens..(document + 1) * tokens];
        (is_there && is_readable(row)).then(|| self.similarity(row, weights))
    }

    /// The passage of a document that is most similar by itself; the first one among equals.
    pub(super) fn best_passage(&self, document: usize, weights: &[f32]) -> Option<usize> {
        let tokens = self.question.tokens();
        let mut best: Option<(usize, f32)> = None;
        for (index, passage) in (self.starts[document]..self.starts[document + 1]).enumerate() {
            let row = &self.passages[passage * tokens..(passage + 1) * tokens];
            if !is_readable(row) {
                continue;
            }
            let similarity = self.similarity(row, weights);
            if best.is_none_or(|(_, known)| similarity > known) {
                best = Some((index, similarity));
            }
        }
        best.map(|(index, _)| index)
    }

    fn similarity(&self, row: &[u32], weights: &[f32]) -> f32 {
        let width = as_float(u32::try_from(self.question.width).unwrap_or(u32::MAX)).max(1.0);
        let similarity = |differing: u32| 1.0 - 2.0 * as_float(differing) / width;
        let all: f32 = weights.iter().sum();
        if all <= 0.0 {
            return 0.0;
        }
        let sum: f32 = row
            .iter()
            .zip(weights)
            .map(|(differing, weight)| weight * similarity(*differing))
            .sum();
        (sum / all).clamp(-1.0, 1.0)
    }
}

fn is_readable(row: &[u32]) -> bool {
    row.first() != Some(&UNREADABLE)
}

#[expect(clippy::cast_precision_loss, reason = "counts of bits and documents")]
fn as_float(count: u32) -> f32 {
    count as f32
}

#[expect(clippy::cast_precision_loss, reason = "counts of documents")]
fn as_number(count: usize) -> f64 {
    count as f64
}
