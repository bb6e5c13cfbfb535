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

/// One word, number or date.
struct Unit {
    range: Range<usize>,
    /// The strongest attention on one of its tokens.
    score: f32,
    chosen: bool,
}

/// The main point of `text[passage]`: the words that hold the passage's most attended content
/// tokens, `keep` of them. Whole words, so a little more than `keep` is kept; at least one word if
/// there is any. Offsets are those of `text`; saliences are relative to the strongest of `tokens`.
pub(crate) fn main_point(text: &str, passage: Range<usize>, tokens: &[ScoredToken], keep: f32) -> Vec<Span> {
    let chosen = most_attended(&passage, tokens, keep);
    let mut units = units_of(text, &passage, tokens, &chosen);
    if let Some(strongest) = units.iter_mut().max_by(|a, b| a.score.total_cmp(&b.score)) {
        strongest.chosen = true;
    }
    let strongest = tokens.iter().map(|token| token.score).fold(f32::MIN_POSITIVE, f32::max);
    let mut spans: Vec<Span> = Vec::new();
    for unit in units.iter().filter(|unit| unit.chosen) {
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

/// Which tokens are among the `keep` most attended content tokens of the passage; earlier ones
/// first among equals.
fn most_attended(passage: &Range<usize>, tokens: &[ScoredToken], keep: f32) -> Vec<bool> {
    let inside = |token: &ScoredToken| token.content && token.start < passage.end && token.end > passage.start;
    let mut order: Vec<usize> = (0..tokens.len()).filter(|index| inside(&tokens[*index])).collect();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "token counts"
    )]
    let wanted = ((order.len() as f32) * keep).round().max(1.0) as usize;
    order.sort_by(|a, b| tokens[*b].score.total_cmp(&tokens[*a].score).then(a.cmp(b)));
    let mut chosen = vec![false; tokens.len()];
    order.into_iter().take(wanted).for_each(|index| chosen[index] = true);
    chosen
}

fn units_of(text: &str, passage: &Range<usize>, tokens: &[ScoredToken], chosen: &[bool]) -> Vec<Unit> {
    let mut from = 0;
    let mut found = Vec::new();
    for range in units(&text[passage.clone()]) {
        let range = passage.start + range.start..passage.start + range.end;
        while tokens.get(from).is_some_and(|token| token.end <= range.start) {
            from += 1;
        }
        let mut unit = Unit {
            range,
            score: 0.0,
            chosen: false,
        };
        for (token, chosen) in tokens[from..].iter().zip(&chosen[from..]) {
            if token.start >= unit.range.end {
                break;
            }
            unit.score = unit.score.max(token.score);
            unit.chosen |= chosen;
        }
        found.push(unit);
    }
    found
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
