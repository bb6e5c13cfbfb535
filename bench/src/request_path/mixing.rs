//! Rows that look like real ones, any number of them, each made of its number alone.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use mainpoint::memory::ranking_data::RankingData;
use mainpoint_engine::codes_of;
use mainpoint_store::{ConversationId, Point, Scope, Span, Turn, TurnId};

use super::material::{ReadPassage, Sentence};
use crate::stats::narrow;

pub(super) struct Mixer<'a> {
    /// What they are made of; never empty.
    pub(super) passages: &'a [ReadPassage],
    pub(super) scope: Scope,
}

/// Turns, and the main points of each.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) turns: Vec<Turn>,
    pub(super) points: Vec<(Scope, TurnId, Vec<Point>)>,
}

const SEED: u64 = 20_261_123;
const CONVERSATION: usize = 200;
const SENTENCES: usize = 4;
/// Passages that its sentences are taken from.
const SOURCES: usize = 3;
/// How much of a token's vector may be another one's, so that no two rows are alike.
const ANOTHER: f32 = 0.35;
/// 2023-05-08 in seconds since 1970.
const BEGINNING: i64 = 1_683_504_000;

impl Mixer<'_> {
    /// The rows with these numbers, one main point each.
    pub(super) fn rows(&self, numbers: Range<usize>) -> Rows {
        let mut rows = Rows::default();
        for number in numbers {
            let mut random = fastrand::Rng::with_seed(SEED.wrapping_add((number as u64).wrapping_mul(0x9E37_79B9)));
            let Some((text, sentences)) = self.said(&mut random) else {
                continue;
            };
            let turn = self.turn(number, text);
            let Some(point) = self.point(&turn, &sentences, &mut random) else {
                continue;
            };
            rows.points.push((self.scope.clone(), turn.id, vec![point]));
            rows.turns.push(turn);
        }
        rows
    }

    fn turn(&self, number: usize, text: String) -> Turn {
        let position = number % CONVERSATION;
        let minutes = TimeDelta::try_minutes(i64::try_from(number).unwrap_or_default());
        let beginning = DateTime::<Utc>::from_timestamp(BEGINNING, 0).unwrap_or_default();
        Turn {
            id: id(number),
            parent: (position > 0).then(|| id(number - 1)),
            conversation: ConversationId(id(number - position).0),
            scope: self.scope.clone(),
            position: narrow(position),
            role: "user".to_owned(),
            tokens: narrow(text.len().div_ceil(4)),
            text,
            time: beginning + minutes.unwrap_or_default(),
        }
    }

    /// Sentences of different turns behind one speaker's name, as text and one by one.
    fn said(&self, random: &mut fastrand::Rng) -> Option<(String, Vec<&Sentence>)> {
        let mut sources = Vec::with_capacity(SOURCES);
        for _ in 0..SOURCES {
            sources.push(random.choice(self.passages)?);
        }
        let mut text = format!("{}:", sources.first()?.speaker);
        let mut sentences = Vec::with_capacity(SENTENCES);
        for _ in 0..random.usize(1..=SENTENCES) {
            let source = random.choice(&sources)?;
            let sentence = random.choice(&source.sentences)?;
            text.push(' ');
            text.push_str(&sentence.text);
            sentences.push(sentence);
        }
        Some((text, sentences))
    }

    /// The main point of sentences: their passages' vectors and their tokens, each mixed with another one.
    fn point(&self, turn: &Turn, sentences: &[&Sentence], random: &mut fastrand::Rng) -> Option<Point> {
        let (mut tokens, mut vectors) = (Vec::new(), Vec::new());
        for sentence in sentences {
            let other = random.choice(self.passages)?;
            let other = random.choice(&other.sentences)?;
            vectors.push(mixed(&sentence.vector, &other.vector, ANOTHER * random.f32()));
            for token in &sentence.tokens {
                let other = random.choice(self.passages)?;
                let other = random.choice(&other.sentences)?;
                let other = random.choice(&other.tokens)?;
                tokens.push(mixed(token, other, ANOTHER * random.f32()));
            }
        }
        let vector = mean(&vectors)?;
        // The model's mean is out of them already.
        let codes = codes_of(tokens.iter().map(Vec::as_slice), &vec![0.0; tokens.first()?.len()]);
        Some(Point {
            turn: turn.id,
            passage: 0,
            start: 0,
            end: narrow(turn.text.len()),
            spans: spans(&turn.text),
            text: turn.text.clone(),
            ranking_data: RankingData::new(turn).encode(codes.as_bytes()),
            vector,
        })
    }
}

fn mixed(one: &[f32], other: &[f32], share: f32) -> Vec<f32> {
    let pairs = one.iter().zip(other);
    pairs.map(|(one, other)| (1.0 - share) * one + share * other).collect()
}

/// The mean of vectors, of unit length; nothing without any.
fn mean(vectors: &[Vec<f32>]) -> Option<Vec<f32>> {
    let mut sum = vec![0.0_f32; vectors.first()?.len()];
    for vector in vectors {
        sum.iter_mut().zip(vector).for_each(|(sum, number)| *sum += number);
    }
    let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
    sum.iter_mut().for_each(|number| *number /= length.max(f32::MIN_POSITIVE));
    Some(sum)
}

/// Every other word is one of the main point, as with half of the content kept.
fn spans(text: &str) -> Vec<Span> {
    let mut at = 0;
    let mut words = Vec::new();
    for word in text.split_inclusive(' ') {
        words.push(at..at + word.trim_end().len());
        at += word.len();
    }
    let span = |word: Range<usize>| Span { start: narrow(word.start), end: narrow(word.end), salience: 1.0 };
    words.into_iter().skip(1).step_by(2).map(span).collect()
}

/// Scattered, as hashes are.
fn id(number: usize) -> TurnId {
    TurnId(fastrand::Rng::with_seed(SEED ^ number as u64).u128(..).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn passages() -> Vec<ReadPassage> {
        let sentence = |text: String, number: u8| Sentence {
            text,
            tokens: vec![(0..8).map(|at| if at == number { 1.0 } else { 0.25 }).collect()],
            vector: (0..8).map(|at| if at == number { 1.0 } else { 0.0 }).collect(),
        };
        let passage = |number: u8| ReadPassage {
            speaker: format!("Speaker{number}"),
            sentences: vec![
                sentence(format!("Sentence {number}."), number),
                sentence(format!("Another {number}!"), 7 - number),
            ],
        };
        (0..8).map(passage).collect()
    }

    #[test]
    fn a_row_is_the_same_however_many_are_made_together() {
        let passages = passages();
        let mixer = Mixer { passages: &passages, scope: Scope::new("s").unwrap() };
        let (all, some) = (mixer.rows(0..450), mixer.rows(200..300));
        assert_eq!(all.turns[200..300], some.turns[..]);
        assert_eq!(all.points[200..300], some.points[..]);
        assert_eq!((all.turns[200].parent, all.turns[200].position), (None, 0));
        assert_eq!(all.turns[201].parent, Some(all.turns[200].id));
        assert_eq!(all.turns[399].conversation.0, all.turns[200].id.0);
        let ids: HashSet<TurnId> = all.turns.iter().map(|turn| turn.id).collect();
        assert_eq!(ids.len(), 450);
    }

    #[test]
    fn vectors_have_unit_length_every_token_has_its_code_and_spans_lie_in_their_text() {
        let passages = passages();
        let mixer = Mixer { passages: &passages, scope: Scope::new("s").unwrap() };
        for (turn, (_, _, points)) in mixer.rows(0..50).turns.iter().zip(&mixer.rows(0..50).points) {
            let length: f32 = points[0].vector.iter().map(|number| number * number).sum();
            assert!((length - 1.0).abs() < 1e-4, "{length}");
            let (_, codes) = RankingData::decode(&points[0].ranking_data).unwrap();
            // A sentence of two words has one token, and a code of eight numbers one byte.
            assert_eq!(codes.len(), (turn.text.split(' ').count() - 1) / 2);
            for span in &points[0].spans {
                assert!(turn.text.get(span.start as usize..span.end as usize).is_some());
            }
        }
    }
}
