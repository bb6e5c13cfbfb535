//! What the reader saw of a conversation, and the same as columns, for the cache.
//!
//! Vectors are kept minus the model's mean, so that 16 bits keep every sign of a code.

use mainpoint_engine::{PassageTokens, ReadToken};

use crate::cache::Columns;
use crate::ranking::minus;

/// A conversation as it was read: every content token of every turn.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    pub(crate) turns: Vec<Vec<PassageTokens>>,
    /// The model's tokens of every turn, speaker included.
    pub(crate) sizes: Vec<usize>,
    /// Thousandths of a second that reading took.
    pub(crate) milliseconds: usize,
}

/// The columns of a reading by a model with this mean token vector.
pub(super) fn columns(reading: &Reading, mean: &[f32]) -> Columns {
    let passages = || reading.turns.iter().flatten();
    let tokens = || passages().flat_map(|passage| &passage.tokens);
    let mut columns = Columns::default();
    columns.put_numbers("milliseconds", [reading.milliseconds]);
    columns.put_numbers("turn.tokens", reading.sizes.iter().copied());
    columns.put_numbers("turn.passages", reading.turns.iter().map(Vec::len));
    columns.put_numbers("passage.start", passages().map(|passage| passage.start));
    columns.put_numbers("passage.end", passages().map(|passage| passage.end));
    columns.put_halves("passage.vector", passages().flat_map(|passage| passage.vector.clone()));
    columns.put_numbers("passage.tokens", passages().map(|passage| passage.tokens.len()));
    columns.put_numbers("token.start", tokens().map(|token| token.start));
    columns.put_numbers("token.end", tokens().map(|token| token.end));
    columns.put_floats("token.attention", tokens().map(|token| token.attention));
    columns.put_floats("token.rarity", tokens().map(|token| token.rarity));
    columns.put_halves("token.vector", tokens().flat_map(|token| minus(&token.vector, mean)));
    columns
}

/// The reading that [`columns`] kept.
pub(super) fn from_columns(columns: &Columns, mean: &[f32]) -> Reading {
    let (vectors, width) = (columns.halves("token.vector"), mean.len().max(1));
    let mut vectors = vectors.chunks_exact(width).map(|centred| {
        let pairs = centred.iter().zip(mean);
        pairs.map(|(number, mean)| number + mean).collect::<Vec<f32>>()
    });
    let ranges = |start, end| columns.numbers(start).into_iter().zip(columns.numbers(end));
    let weights = columns.floats("token.attention").into_iter().zip(columns.floats("token.rarity"));
    let mut tokens = ranges("token.start", "token.end").zip(weights).map(|((start, end), (attention, rarity))| {
        ReadToken { start, end, vector: vectors.next().unwrap_or_default(), attention, rarity }
    });
    let counts = columns.numbers("passage.tokens");
    let whole = columns.halves("passage.vector");
    let mut whole = whole.chunks_exact(width).map(<[f32]>::to_vec);
    let mut passages = ranges("passage.start", "passage.end").zip(counts).map(|((start, end), count)| PassageTokens {
        start,
        end,
        vector: whole.next().unwrap_or_default(),
        tokens: tokens.by_ref().take(count).collect(),
    });
    let turns = columns.numbers("turn.passages").into_iter();
    Reading {
        turns: turns.map(|count| passages.by_ref().take(count).collect()).collect(),
        sizes: columns.numbers("turn.tokens"),
        milliseconds: columns.numbers("milliseconds").first().copied().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_comes_back_from_its_columns_with_every_sign() {
        let mean = [0.5, -100.0];
        let token = |start: usize| ReadToken {
            start,
            end: start + 3,
            vector: vec![0.5 + 0.01, -100.0 - 0.001],
            attention: 0.25,
            rarity: 7.5,
        };
        let passage = |start: usize, count: usize| PassageTokens {
            start,
            end: start + 9,
            vector: vec![0.5, -0.25],
            tokens: (0..count).map(|number| token(start + number)).collect(),
        };
        let kept = Reading {
            turns: vec![vec![passage(0, 2), passage(9, 1)], Vec::new(), vec![passage(0, 0)]],
            sizes: vec![12, 1, 5],
            milliseconds: 1234,
        };
        let found = from_columns(&columns(&kept, &mean), &mean);
        assert_eq!((&found.sizes, found.milliseconds), (&kept.sizes, 1234));
        let places = |reading: &Reading| -> Vec<Vec<(usize, usize, Vec<usize>)>> {
            let place = |passage: &PassageTokens| {
                let starts = passage.tokens.iter().map(|token| token.start).collect();
                (passage.start, passage.end, starts)
            };
            let turns = reading.turns.iter();
            turns.map(|passages| passages.iter().map(place).collect()).collect()
        };
        assert_eq!(places(&found), places(&kept));
        let vectors = found.turns.iter().flatten().map(|passage| passage.vector.as_slice());
        assert!(vectors.eq([[0.5, -0.25].as_slice(); 3]));
        for token in found.turns.iter().flatten().flat_map(|passage| &passage.tokens) {
            assert!(token.vector[0] > mean[0] && token.vector[1] < mean[1], "{:?}", token.vector);
            assert_eq!((token.attention, token.rarity), (0.25, 7.5));
        }
    }
}
