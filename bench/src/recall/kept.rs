//! Readings, encodings, asked questions and re-ranking scores as columns, for the cache.

use mainpoint_engine::{EncodedToken, Encoding, Span, TokenSalience};

use super::reading::{Asked, ReadPassage, ReadTurn, Reading};
use crate::cache::Columns;

/// A column that is read piece by piece.
struct Pieces<T> {
    values: std::vec::IntoIter<T>,
}

impl<T> Pieces<T> {
    fn of(values: Vec<T>) -> Self {
        Self {
            values: values.into_iter(),
        }
    }

    fn take(&mut self, count: usize) -> Vec<T> {
        self.values.by_ref().take(count).collect()
    }
}

pub(super) fn reading_columns(reading: &Reading) -> Columns {
    let turns = || reading.turns.iter();
    let passages = || turns().flat_map(|turn| &turn.passages);
    let spans = || passages().flat_map(|passage| &passage.spans);
    let salience = || turns().flat_map(|turn| &turn.salience);
    let mut columns = Columns::default();
    columns.put_numbers("milliseconds", [reading.milliseconds]);
    columns.put_numbers("turn.tokens", turns().map(|turn| turn.tokens));
    columns.put_numbers("turn.passages", turns().map(|turn| turn.passages.len()));
    columns.put_numbers("turn.salience", turns().map(|turn| turn.salience.len()));
    columns.put_numbers("salience.start", salience().map(|token| token.start));
    columns.put_numbers("salience.end", salience().map(|token| token.end));
    columns.put_floats("salience.score", salience().map(|token| token.score));
    columns.put_numbers("passage.start", passages().map(|passage| passage.start));
    columns.put_numbers("passage.end", passages().map(|passage| passage.end));
    columns.put_numbers("passage.spans", passages().map(|passage| passage.spans.len()));
    columns.put_numbers("passage.width", passages().map(|passage| passage.vector.len()));
    columns.put_numbers("passage.keys", passages().map(|passage| passage.keys.len()));
    columns.put_numbers("span.start", spans().map(|span| span.start));
    columns.put_numbers("span.end", spans().map(|span| span.end));
    columns.put_floats("span.salience", spans().map(|span| span.salience));
    columns.put_floats("vectors", passages().flat_map(|passage| passage.vector.iter().copied()));
    columns.put_bytes(
        "keys",
        passages().flat_map(|passage| passage.keys.iter().copied()).collect(),
    );
    columns
}

pub(super) fn reading(columns: &Columns) -> Reading {
    let mut spans = Pieces::of(
        (columns
            .numbers("span.start")
            .into_iter()
            .zip(columns.numbers("span.end")))
        .zip(columns.floats("span.salience"))
        .map(|((start, end), salience)| Span { start, end, salience })
        .collect(),
    );
    let mut salience = Pieces::of(
        (columns
            .numbers("salience.start")
            .into_iter()
            .zip(columns.numbers("salience.end")))
        .zip(columns.floats("salience.score"))
        .map(|((start, end), score)| TokenSalience { start, end, score })
        .collect(),
    );
    let mut vectors = Pieces::of(columns.floats("vectors"));
    let mut keys = Pieces::of(columns.bytes("keys").to_vec());
    let sizes = columns
        .numbers("passage.spans")
        .into_iter()
        .zip(columns.numbers("passage.width"));
    let mut passages = Pieces::of(
        (columns
            .numbers("passage.start")
            .into_iter()
            .zip(columns.numbers("passage.end")))
        .zip(sizes.zip(columns.numbers("passage.keys")))
        .map(|((start, end), ((span_count, width), key_bytes))| ReadPassage {
            start,
            end,
            spans: spans.take(span_count),
            vector: vectors.take(width),
            keys: keys.take(key_bytes),
        })
        .collect(),
    );
    let turns = (columns.numbers("turn.tokens").into_iter())
        .zip(
            columns
                .numbers("turn.passages")
                .into_iter()
                .zip(columns.numbers("turn.salience")),
        )
        .map(|(tokens, (passage_count, token_count))| ReadTurn {
            tokens,
            salience: salience.take(token_count),
            passages: passages.take(passage_count),
        })
        .collect();
    Reading {
        turns,
        milliseconds: columns.numbers("milliseconds").first().copied().unwrap_or(0),
    }
}

pub(super) fn encoding_columns(turns: &[Vec<Encoding>]) -> Columns {
    let encodings = || turns.iter().flatten();
    let tokens = || encodings().flat_map(|encoding| &encoding.tokens);
    let mut columns = Columns::default();
    columns.put_numbers("turn.passages", turns.iter().map(Vec::len));
    columns.put_numbers("passage.tokens", encodings().map(|encoding| encoding.tokens.len()));
    columns.put_numbers("token.start", tokens().map(|token| token.start));
    columns.put_numbers("token.end", tokens().map(|token| token.end));
    columns.put_numbers("token.width", tokens().map(|token| token.vector.len()));
    columns.put_floats("vectors", tokens().flat_map(|token| token.vector.iter().copied()));
    columns
}

pub(super) fn encodings(columns: &Columns) -> Vec<Vec<Encoding>> {
    let mut vectors = Pieces::of(columns.floats("vectors"));
    let mut tokens = Pieces::of(
        (columns
            .numbers("token.start")
            .into_iter()
            .zip(columns.numbers("token.end")))
        .zip(columns.numbers("token.width"))
        .map(|((start, end), width)| EncodedToken {
            start,
            end,
            vector: vectors.take(width),
        })
        .collect(),
    );
    let mut passages = Pieces::of(
        columns
            .numbers("passage.tokens")
            .into_iter()
            .map(|count| Encoding {
                tokens: tokens.take(count),
            })
            .collect(),
    );
    columns
        .numbers("turn.passages")
        .into_iter()
        .map(|count| passages.take(count))
        .collect()
}

pub(super) fn asked_columns(asked: &Asked) -> Columns {
    let mut columns = Columns::default();
    columns.put_numbers("question.width", asked.vectors.iter().map(Vec::len));
    columns.put_numbers("question.turns", asked.attention.iter().map(Vec::len));
    columns.put_floats("vectors", asked.vectors.iter().flatten().copied());
    columns.put_floats("attention", asked.attention.iter().flatten().copied());
    columns
}

pub(super) fn asked(columns: &Columns) -> Asked {
    let mut vectors = Pieces::of(columns.floats("vectors"));
    let mut attention = Pieces::of(columns.floats("attention"));
    Asked {
        vectors: columns
            .numbers("question.width")
            .into_iter()
            .map(|width| vectors.take(width))
            .collect(),
        attention: columns
            .numbers("question.turns")
            .into_iter()
            .map(|turns| attention.take(turns))
            .collect(),
    }
}

pub(super) fn scores_columns(questions: &[Vec<f32>]) -> Columns {
    let mut columns = Columns::default();
    columns.put_numbers("question.candidates", questions.iter().map(Vec::len));
    columns.put_floats("scores", questions.iter().flatten().copied());
    columns
}

pub(super) fn scores(columns: &Columns) -> Vec<Vec<f32>> {
    let mut scores = Pieces::of(columns.floats("scores"));
    let counts = columns.numbers("question.candidates").into_iter();
    counts.map(|count| scores.take(count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(start: usize, spans: usize) -> ReadPassage {
        let span = |at| Span {
            start: start + at,
            end: start + at + 1,
            salience: 0.25,
        };
        ReadPassage {
            start,
            end: start + 9,
            spans: (0..spans).map(span).collect(),
            vector: vec![0.5, -0.5],
            keys: vec![7; spans],
        }
    }

    #[test]
    fn a_reading_comes_back_from_its_columns() {
        let token = TokenSalience {
            start: 1,
            end: 4,
            score: 0.75,
        };
        let turns = vec![
            ReadTurn {
                tokens: 12,
                salience: vec![token; 3],
                passages: vec![passage(0, 2), passage(9, 1)],
            },
            ReadTurn::default(),
            ReadTurn {
                tokens: 5,
                salience: vec![token],
                passages: vec![passage(0, 0)],
            },
        ];
        let kept = Reading {
            turns,
            milliseconds: 1234,
        };
        assert_eq!(reading(&reading_columns(&kept)), kept);
    }

    #[test]
    fn encodings_come_back_from_their_columns() {
        let token = |start| EncodedToken {
            start,
            end: start + 2,
            vector: vec![1.0, 2.0, 3.0],
        };
        let turns = vec![
            vec![
                Encoding {
                    tokens: vec![token(0), token(3)],
                },
                Encoding { tokens: vec![token(9)] },
            ],
            vec![],
        ];
        let back = encodings(&encoding_columns(&turns));
        assert_eq!(format!("{back:?}"), format!("{turns:?}"));
    }

    #[test]
    fn asked_questions_come_back_from_their_columns() {
        let kept = Asked {
            vectors: vec![vec![1.0], vec![2.0]],
            attention: vec![vec![0.1, 0.2], vec![0.3, f32::MIN]],
        };
        assert_eq!(asked(&asked_columns(&kept)), kept);
    }
    #[test]
    fn scores_come_back_from_their_columns() {
        let kept = vec![vec![0.5, -0.25], vec![], vec![0.125]];
        assert_eq!(scores(&scores_columns(&kept)), kept);
    }
}
