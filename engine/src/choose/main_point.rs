//! Choosing the main point of a passage from what the model says of its tokens.

use std::ops::Range;
use std::sync::Arc;

use super::coverage::Coverage;
use crate::read::reduction::Reduction;
use crate::read::words::units;
use crate::read::{PassageReading, PassageTokens, ReadToken, Span, TokenSalience};
use crate::{EngineError, codes_of};

/// What makes main points of passages.
#[derive(Debug, Clone)]
pub(crate) struct Chooser {
    /// What is stored of vectors.
    pub(crate) reduction: Arc<Reduction>,
    /// The share of a passage's tokens that its main point has, in (0, 1].
    pub(crate) share: f32,
}

/// A passage whose saliences are not yet relative to anything.
pub(crate) struct Chosen {
    pub(crate) passage: PassageReading,
    pub(crate) salience: Vec<TokenSalience>,
}

/// One word, number or date.
struct Unit {
    range: Range<usize>,
    /// Its tokens.
    tokens: Vec<usize>,
    /// Its most salient token's.
    salience: f32,
    chosen: bool,
}

impl Chooser {
    /// Checks what no type can say.
    ///
    /// # Errors
    /// [`EngineError::Setting`].
    pub(crate) fn check(share: f32) -> Result<(), EngineError> {
        if share > 0.0 && share <= 1.0 {
            return Ok(());
        }
        Err(EngineError::Setting { key: "reader.keep", value: share.to_string(), allowed: "more than 0, at most 1" })
    }

    /// The main point of a passage of `text`: the words that together stand best for what is attended to, until
    /// [`Chooser::share`] of all tokens are selected; at least one word if there is any. A passage without words is taken whole,
    /// but has no spans.
    pub(crate) fn choose(&self, text: &str, passage: &PassageTokens) -> Chosen {
        let units = self.units(text, passage);
        let chosen = || units.iter().filter(|unit| unit.chosen);
        let mut selected: Vec<usize> = chosen().flat_map(|unit| unit.tokens.iter().copied()).collect();
        if selected.is_empty() {
            selected = (0..passage.tokens.len()).collect();
        }
        selected.sort_unstable();
        selected.dedup();
        let salience = passage.tokens.iter().map(|token| TokenSalience {
            start: token.start,
            end: token.end,
            score: salience_of(token),
        });
        Chosen {
            passage: PassageReading {
                start: passage.start,
                end: passage.end,
                spans: spans(text, chosen()),
                vector: self.reduction.pooled(&passage.vector),
                codes: codes_of(selected.iter().map(|index| vector(&passage.tokens[*index])), &self.reduction.mean),
            },
            salience: salience.collect(),
        }
    }

    /// The passage's words, with those marked that make its main point.
    fn units(&self, text: &str, passage: &PassageTokens) -> Vec<Unit> {
        let mut units = units_of(text, passage);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "token counts"
        )]
        let wanted = ((passage.tokens.len() as f32) * self.share).round().max(1.0) as usize;
        let groups: Vec<Vec<usize>> = units.iter().map(|unit| unit.tokens.clone()).collect();
        for index in representative(passage, &self.reduction.mean, &groups, wanted) {
            units[index].chosen = true;
        }
        units
    }
}

impl Chosen {
    /// The highest salience of its tokens.
    pub(crate) fn strongest(&self) -> f32 {
        self.salience.iter().map(|token| token.score).fold(0.0, f32::max)
    }
}

/// The groups of a passage's tokens that together are most like everything that is attended to, until they hold `wanted` tokens,
/// in the order in which they are chosen.
#[must_use]
pub fn representative(passage: &PassageTokens, mean: &[f32], groups: &[Vec<usize>], wanted: usize) -> Vec<usize> {
    let attention: Vec<f32> = passage.tokens.iter().map(salience_of).collect();
    let coverage = Coverage { codes: &codes_of(passage.tokens.iter().map(vector), mean), attention: &attention };
    coverage.choose(groups, wanted)
}

/// A salience relative to the strongest one, in 0..=1.
pub(crate) fn relative(salience: f32, strongest: f32) -> f32 {
    (salience / strongest.max(f32::MIN_POSITIVE)).clamp(0.0, 1.0)
}

/// What the others attend to is the main point.
fn salience_of(token: &ReadToken) -> f32 {
    token.attention
}

/// A token's vector.
fn vector(token: &ReadToken) -> &[f32] {
    &token.vector
}

fn units_of(text: &str, passage: &PassageTokens) -> Vec<Unit> {
    let mut from = 0;
    let mut found = Vec::new();
    for range in units(&text[passage.start..passage.end]) {
        let range = passage.start + range.start..passage.start + range.end;
        while passage.tokens.get(from).is_some_and(|token| token.end <= range.start) {
            from += 1;
        }
        let inside = passage.tokens[from..].iter().take_while(|token| token.start < range.end);
        let salience = inside.clone().map(salience_of).fold(0.0, f32::max);
        found.push(Unit { tokens: (from..from + inside.count()).collect(), range, salience, chosen: false });
    }
    found
}

/// Chosen words as spans; those with only white space between them are one.
fn spans<'a>(text: &str, units: impl Iterator<Item = &'a Unit>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for unit in units {
        match spans.last_mut() {
            Some(last) if text[last.end..unit.range.start].chars().all(char::is_whitespace) => {
                last.end = unit.range.end;
                last.salience = last.salience.max(unit.salience);
            }
            _ => spans.push(Span { start: unit.range.start, end: unit.range.end, salience: unit.salience }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIMENSIONS: usize = 128;

    /// A passage of a token a word, with these saliences; no word is more like another one than any other.
    fn passage_of(text: &str, scores: &[f32]) -> PassageTokens {
        let scored = units(text).into_iter().zip(scores.iter().chain(std::iter::repeat(&0.1)));
        let token = |(range, attention): (Range<usize>, &f32)| ReadToken {
            vector: axis(range.start),
            start: range.start,
            end: range.end,
            attention: *attention,
            rarity: 1.0,
        };
        PassageTokens { start: 0, end: text.len(), vector: vec![0.6, 0.8], tokens: scored.map(token).collect() }
    }

    /// A vector whose code differs in half of its bits from that of any other place: a row of Hadamard's matrix.
    fn axis(place: usize) -> Vec<f32> {
        let is_odd = |dimension: usize| (dimension & place).count_ones() % 2 == 1;
        (0..DIMENSIONS).map(|dimension| if is_odd(dimension) { -1.0 } else { 1.0 }).collect()
    }

    fn chooser(share: f32) -> Chooser {
        let reduction = Reduction { mean: vec![0.0; DIMENSIONS], projection: None };
        Chooser { reduction: Arc::new(reduction), share }
    }

    fn chosen<'a>(text: &'a str, scores: &[f32], share: f32) -> Vec<&'a str> {
        let chosen = chooser(share).choose(text, &passage_of(text, scores));
        let spans = chosen.passage.spans.iter();
        spans.map(|span| &text[span.start..span.end]).collect()
    }

    #[test]
    fn the_most_salient_words_win_and_neighbours_join() {
        assert_eq!(chosen("my locker code is 4471 now", &[0.1, 0.9, 0.8, 0.2, 1.0, 0.1], 0.5), ["locker code", "4471"]);
    }

    #[test]
    fn a_passage_with_content_has_a_span_even_without_attention() {
        assert_eq!(chosen("ok", &[0.0], 0.01), ["ok"]);
        assert!(chosen("?! …", &[], 0.5).is_empty());
    }

    #[test]
    fn a_token_inside_a_date_brings_the_whole_date_and_all_its_tokens() {
        let text = "see you 7 May 2023 then";
        let mut passage = passage_of(text, &[]);
        let token = |start, end, attention| ReadToken { start, end, attention, vector: axis(start), rarity: 1.0 };
        passage.tokens = vec![token(0, 3, 0.1), token(8, 9, 0.2), token(14, 16, 0.9), token(16, 18, 0.3)];
        let chosen = chooser(0.1).choose(text, &passage).passage;
        assert_eq!(&text[chosen.spans[0].start..chosen.spans[0].end], "7 May 2023");
        assert_eq!(chosen.codes.len(), 3);
    }

    #[test]
    fn a_passage_without_words_keeps_all_its_tokens() {
        let mut passage = passage_of("★", &[]);
        passage.tokens = passage_of("star", &[]).tokens;
        let chosen = chooser(0.5).choose("★", &passage).passage;
        assert_eq!((chosen.spans.len(), chosen.codes.len()), (0, 1));
    }

    proptest! {
        #[test]
        fn spans_are_whole_units_in_order(
            text in "[a-z0-9 ,.!]{0,80}", share in 0.01_f32..1.0, seed in proptest::collection::vec(0.0_f32..1.0, 40),
        ) {
            let passage = passage_of(&text, &seed);
            let chosen = chooser(share).choose(&text, &passage);
            let strongest = chosen.strongest();
            let starts: Vec<usize> = units(&text).iter().map(|unit| unit.start).collect();
            let ends: Vec<usize> = units(&text).iter().map(|unit| unit.end).collect();
            prop_assert_eq!(chosen.passage.spans.is_empty(), starts.is_empty());
            let mut last = 0;
            for span in chosen.passage.spans {
                prop_assert!(starts.contains(&span.start) && ends.contains(&span.end) && span.start >= last);
                prop_assert!((0.0..=1.0).contains(&relative(span.salience, strongest)) && span.salience <= strongest);
                last = span.end;
            }
        }
    }
}
