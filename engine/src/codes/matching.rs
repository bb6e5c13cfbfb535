//! How near each of a question's tokens comes to each document, and how similar that makes them.

use super::QuestionCodes;
use super::rarity::{UNREADABLE, is_readable, weights};
use super::{as_float, bytes_of};
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

impl<'a> Matches<'a> {
    /// Compares the question with all documents.
    pub(super) fn new(question: &'a QuestionCodes, documents: &[Vec<&[u8]>]) -> Self {
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
                whole.iter_mut().zip(own).for_each(|(whole, own)| *whole = (*whole).min(*own));
                at += 1;
            }
        }
        found.starts.push(at);
        found
    }

    /// How much each of the question's tokens counts among these documents.
    pub(super) fn weights(&self) -> Vec<f32> {
        weights(&self.documents, self.question.tokens())
    }

    /// The passage of a document that is most similar to the question, and its weighted mean similarity in -1..=1; the first one
    /// among equals, `None` if none of its passages is readable. A document that is compared as one, its passages together, was
    /// measured to find less: the longer it is, the more of it is near to something by chance.
    pub(super) fn best(&self, document: usize, weights: &[f32]) -> Option<(f32, usize)> {
        let tokens = self.question.tokens();
        let mut best: Option<(f32, usize)> = None;
        for (index, passage) in (self.starts[document]..self.starts[document + 1]).enumerate() {
            let row = &self.passages[passage * tokens..(passage + 1) * tokens];
            if !is_readable(row) {
                continue;
            }
            let similarity = self.similarity(row, weights);
            if best.is_none_or(|(known, _)| similarity > known) {
                best = Some((similarity, index));
            }
        }
        best
    }

    fn similarity(&self, row: &[u32], weights: &[f32]) -> f32 {
        let width = as_float(u32::try_from(self.question.width).unwrap_or(u32::MAX)).max(1.0);
        let similarity = |differing: u32| 1.0 - 2.0 * as_float(differing) / width;
        let all: f32 = weights.iter().sum();
        if all <= 0.0 {
            return 0.0;
        }
        let sum: f32 = row.iter().zip(weights).map(|(differing, weight)| weight * similarity(*differing)).sum();
        (sum / all).clamp(-1.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use crate::codes::{Codes, QuestionCodes};

    fn question(width: usize, bytes: Vec<u8>) -> QuestionCodes {
        let codes = Codes::from_bytes(width, bytes).unwrap_or_default();
        QuestionCodes::new(width, &codes)
    }

    /// The similarity of every pair, one bit after the other.
    fn slowly(width: usize, asked: &[u8], token: &[u8]) -> f32 {
        let bits = asked.iter().zip(token).map(|(asked, own)| (asked ^ own).count_ones());
        #[expect(clippy::cast_precision_loss, reason = "few bits")]
        let (differing, width) = (bits.sum::<u32>() as f32, width as f32);
        1.0 - 2.0 * differing / width
    }

    #[test]
    fn the_same_bits_score_1_opposite_ones_minus_1_and_none_nothing() {
        let asked = question(16, vec![0b1010_1010, 0b1100_1100]);
        let (same, opposite) = ([0b1010_1010, 0b1100_1100], [0b0101_0101, 0b0011_0011]);
        let both = [same, opposite].concat();
        let documents: Vec<Vec<&[u8]>> =
            vec![vec![&same], vec![&opposite], vec![&opposite, &both], vec![], vec![&[]], vec![&[1, 2, 3]]];
        let found = asked.max_sim_and_best(&documents);
        assert_eq!(found, [Some((1.0, 0)), Some((-1.0, 0)), Some((1.0, 1)), None, None, None]);
        let scores: Vec<Option<f32>> = found.iter().map(|found| found.map(|(score, _)| score)).collect();
        assert_eq!(asked.max_sim(&documents), scores);
    }

    #[test]
    fn a_token_that_few_documents_have_counts_more() {
        // The first token is in all documents but one, the second one in that alone.
        let asked = question(8, vec![0b1111_0000, 0b1111_1111]);
        let (common, rare): (&[u8], &[u8]) = (&[0b1111_0000], &[0b1111_1111]);
        let documents = [vec![vec![common]; 9], vec![vec![rare]]].concat();
        let scores = asked.max_sim(&documents);
        assert!(scores[9] > scores[0], "{scores:?}");
    }

    proptest! {
        #[test]
        fn a_single_token_scores_its_nearest_match_whatever_the_width(
            token_bytes in prop_oneof![Just(48_usize), Just(96), 1_usize..40], seed in vec(any::<u8>(), 96 * 5), tokens in 1_usize..5,
        ) {
            let width = token_bytes * 8;
            let asked = &seed[..token_bytes];
            let document = &seed[token_bytes..token_bytes * (tokens + 1)];
            let expected = document.chunks(token_bytes).map(|token| slowly(width, asked, token)).fold(-1.0, f32::max);
            let found = question(width, asked.to_vec()).max_sim(&[vec![document]])[0].unwrap_or(f32::NAN);
            prop_assert!((found - expected).abs() < 1e-5, "{found} for {expected}");
        }

        #[test]
        fn a_document_scores_what_its_best_passage_does_and_never_more_than_all_of_it_as_one(
            asked in vec(any::<u8>(), 48 * 3), document in vec(any::<u8>(), 48 * 4),
        ) {
            let asked = question(384, asked);
            let (first, second) = document.split_at(48);
            let alone = |passages: Vec<&[u8]>| asked.max_sim_and_best(&[passages])[0].unwrap_or((f32::NAN, usize::MAX));
            let (cut, place) = alone(vec![first, second]);
            prop_assert!((cut - alone(vec![[first, second][place]]).0).abs() < 1e-6);
            prop_assert!(cut <= alone(vec![&document]).0 + 1e-6);
            prop_assert!((-1.0..=1.0).contains(&cut));
        }
    }
}
