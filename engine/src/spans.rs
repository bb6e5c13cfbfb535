//! Choosing the main point of a passage from the attention on its tokens.
//!
//! It must not know where the attention comes from.

use std::ops::Range;

use crate::Span;
use crate::words::units;

/// A token of a turn with the attention on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ScoredToken {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Mean over heads of the head-normalised attention; 0 for tokens without content.
    pub(crate) score: f32,
    pub(crate) content: bool,
}

/// One word, number or date with its strongest attention.
struct Unit {
    range: Range<usize>,
    score: f32,
    tokens: usize,
}

/// The whole words of `text[passage]` that hold the most attention, until they make up `keep` of
/// the passage's content tokens; at least one if the passage has a word. Offsets are those of
/// `text`; saliences are relative to the strongest token of `tokens`.
pub(crate) fn main_point(text: &str, passage: Range<usize>, tokens: &[ScoredToken], keep: f32) -> Vec<Span> {
    let units = scored_units(text, &passage, tokens);
    let total: usize = units.iter().map(|unit| unit.tokens).sum();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "token counts"
    )]
    let wanted = ((total as f32) * keep).round().max(1.0) as usize;
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by(|a, b| units[*b].score.total_cmp(&units[*a].score).then(a.cmp(b)));
    let mut chosen = vec![false; units.len()];
    let mut kept = 0;
    for index in order {
        if kept >= wanted {
            break;
        }
        chosen[index] = true;
        kept += units[index].tokens;
    }
    let strongest = tokens.iter().map(|token| token.score).fold(f32::MIN_POSITIVE, f32::max);
    let mut spans: Vec<Span> = Vec::new();
    for (unit, _) in units.iter().zip(&chosen).filter(|(_, chosen)| **chosen) {
        let salience = (unit.score / strongest).clamp(0.0, 1.0);
        match spans.last_mut() {
            Some(last) if text[last.end..unit.range.start].chars().all(char::is_whitespace) => {
                last.end = unit.range.end;
                last.salience = last.salience.max(salience);
            }
            _ => spans.push(Span {
                start: unit.range.start,
                end: unit.range.end,
                salience,
            }),
        }
    }
    spans
}

fn scored_units(text: &str, passage: &Range<usize>, tokens: &[ScoredToken]) -> Vec<Unit> {
    let mut from = 0;
    let mut scored = Vec::new();
    for range in units(&text[passage.clone()]) {
        let range = passage.start + range.start..passage.start + range.end;
        while tokens.get(from).is_some_and(|token| token.end <= range.start) {
            from += 1;
        }
        let mut unit = Unit {
            range,
            score: 0.0,
            tokens: 0,
        };
        for token in tokens[from..].iter().take_while(|token| token.start < unit.range.end) {
            unit.score = unit.score.max(token.score);
            unit.tokens += usize::from(token.content);
        }
        unit.tokens = unit.tokens.max(1);
        scored.push(unit);
    }
    scored
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens_of(text: &str, scores: &[f32]) -> Vec<ScoredToken> {
        units(text)
            .into_iter()
            .zip(scores.iter().chain(std::iter::repeat(&0.1)))
            .map(|(range, score)| ScoredToken {
                start: range.start,
                end: range.end,
                score: *score,
                content: true,
            })
            .collect()
    }

    fn chosen<'a>(text: &'a str, scores: &[f32], keep: f32) -> Vec<&'a str> {
        main_point(text, 0..text.len(), &tokens_of(text, scores), keep)
            .iter()
            .map(|span| &text[span.start..span.end])
            .collect()
    }

    #[test]
    fn the_strongest_words_win_and_neighbours_join() {
        assert_eq!(
            chosen("my locker code is 4471 now", &[0.1, 0.9, 0.8, 0.2, 1.0, 0.1], 0.5),
            ["locker code", "4471"]
        );
    }

    #[test]
    fn a_turn_with_content_has_a_span_even_without_attention() {
        assert_eq!(chosen("ok", &[0.0], 0.01), ["ok"]);
        assert!(chosen("?! …", &[], 0.5).is_empty());
    }

    #[test]
    fn a_token_inside_a_date_brings_the_whole_date() {
        let text = "see you 7 May 2023 then";
        let tokens = [
            ScoredToken {
                start: 0,
                end: 3,
                score: 0.0,
                content: true,
            },
            ScoredToken {
                start: 14,
                end: 18,
                score: 0.9,
                content: true,
            },
        ];
        let spans = main_point(text, 0..text.len(), &tokens, 0.1);
        assert_eq!(&text[spans[0].start..spans[0].end], "7 May 2023");
    }

    proptest! {
        #[test]
        fn spans_are_whole_units_in_order(text in "[a-z0-9 ,.!]{0,80}", keep in 0.01_f32..1.0, seed in proptest::collection::vec(0.0_f32..1.0, 40)) {
            let tokens = tokens_of(&text, &seed);
            let spans = main_point(&text, 0..text.len(), &tokens, keep);
            let starts: Vec<usize> = units(&text).iter().map(|unit| unit.start).collect();
            let ends: Vec<usize> = units(&text).iter().map(|unit| unit.end).collect();
            prop_assert_eq!(spans.is_empty(), starts.is_empty());
            let mut last = 0;
            for span in spans {
                prop_assert!(starts.contains(&span.start) && ends.contains(&span.end) && span.start >= last);
                last = span.end;
            }
        }
    }
}
