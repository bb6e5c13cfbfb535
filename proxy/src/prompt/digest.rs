//! The digest: the main points of the turns that have left a prompt, in order and dated, within a number of tokens.
//!
//! A digest is frozen between two evictions, and an eviction appends to it, so that a provider's cache of its beginning survives. It
//! must not know where the digest goes or which turns leave.

use std::collections::HashMap;

use mainpoint_engine::EngineError;
use mainpoint_store::{Point, Turn, TurnId};

use crate::memory::{Piece, known_pieces};
use crate::openai::{block, quote};

/// How long a digest may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DigestLimits {
    /// Most tokens of the whole block.
    pub(crate) tokens: usize,
    /// Most tokens of one turn's line, its date not counted.
    pub(crate) per_turn: usize,
}

impl DigestLimits {
    /// The limits of a digest of at most `tokens` tokens, when `turns` turns leave at once.
    pub(crate) fn new(tokens: usize, turns: usize) -> Self {
        Self { tokens, per_turn: (tokens / 2 / turns.max(1)).clamp(SHORTEST_LINE, LONGEST_LINE) }
    }
}

/// A line of a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DigestLine {
    /// What it says.
    pub(crate) text: String,
    /// The turn whose main point it is; `None` where an earlier version wrote it, which did not note that.
    pub(crate) turn: Option<TurnId>,
}

/// One line for each turn that has main points.
///
/// # Errors
/// When `count` fails.
pub(crate) fn lines(
    turns: &[Turn],
    points: &[Point],
    limits: DigestLimits,
    count: impl Fn(&str) -> Result<usize, EngineError>,
) -> Result<Vec<DigestLine>, EngineError> {
    let mut by_turn: HashMap<TurnId, Vec<&Point>> = HashMap::new();
    for point in points {
        by_turn.entry(point.turn).or_default().push(point);
    }
    let mut lines = Vec::new();
    for turn in turns {
        let points = by_turn.get(&turn.id).map(Vec::as_slice).unwrap_or_default();
        if let Some(said) = main_point(turn, points, limits.per_turn, &count)? {
            let text = format!("{} {}", quote::day(turn.time.date_naive()), quote::quote(&turn.role, &[], &said));
            lines.push(DigestLine { text, turn: Some(turn.id) });
        }
    }
    Ok(lines)
}

/// `old` with `new` at its end. Should that be too long, the oldest lines go, and some more, so that the next eviction can append.
///
/// # Errors
/// When `count` fails.
pub(crate) fn append(
    old: Vec<DigestLine>,
    new: Vec<DigestLine>,
    tokens: usize,
    count: impl Fn(&str) -> Result<usize, EngineError>,
) -> Result<Vec<DigestLine>, EngineError> {
    // In digests of older versions the lines of a turn could be taken for other turns.
    let old = old.into_iter().map(|line| DigestLine { text: quote::indented(&line.text), ..line });
    let mut lines: Vec<DigestLine> = old.chain(new).collect();
    let texts: Vec<String> = lines.iter().map(|line| line.text.clone()).collect();
    if lines.is_empty() || count(&block::digest(&texts))? <= tokens {
        return Ok(lines);
    }
    let goal = tokens / 4 * 3;
    let mut used = count(&block::digest(&[]))?;
    let mut kept = 0;
    for text in texts.iter().rev() {
        used += count(text)? + LINE_BREAK;
        if used > goal {
            break;
        }
        kept += 1;
    }
    lines.drain(..lines.len() - kept);
    Ok(lines)
}

const SHORTEST_LINE: usize = 8;
const LONGEST_LINE: usize = 40;
const LINE_BREAK: usize = 1;
/// What stands where words were left out.
const GAP: &str = " … ";

/// The turn's strongest spans that fit into `limit` tokens, in the order in which they were said; `None` when it has none.
///
/// # Errors
/// When `count` fails.
pub(crate) fn main_point(
    turn: &Turn,
    points: &[&Point],
    limit: usize,
    count: &impl Fn(&str) -> Result<usize, EngineError>,
) -> Result<Option<String>, EngineError> {
    let mut pieces: Vec<((u32, usize), Piece<'_>)> = points.iter().flat_map(|point| said(point)).collect();
    pieces.sort_by(|one, other| other.1.salience.total_cmp(&one.1.salience).then(one.0.cmp(&other.0)));
    let mut chosen: Vec<((u32, usize), &str)> = Vec::new();
    let mut used = 0;
    for (place, piece) in pieces {
        let cost = count(piece.text)? + LINE_BREAK;
        // The strongest span is always there, however long.
        if chosen.is_empty() || used + cost <= limit {
            used += cost;
            chosen.push((place, piece.text));
        }
    }
    if chosen.is_empty() {
        return Ok(first_words(&turn.text, limit, count)?.filter(|_| !points.is_empty()));
    }
    chosen.sort_unstable_by_key(|(place, _)| *place);
    let words: Vec<&str> = chosen.iter().map(|(_, text)| text.trim()).collect();
    Ok(Some(words.join(GAP)))
}

/// A passage's strongest stretches with their places in the turn: the passage's number and theirs within it. The turn's own text
/// does not tell them, for where only spans are kept it is not what was said.
fn said(point: &Point) -> impl Iterator<Item = ((u32, usize), Piece<'_>)> {
    let pieces = known_pieces(point.start..point.end, &point.spans, &point.text).into_iter().enumerate();
    let worded = pieces.filter(|(_, piece)| !piece.text.trim().is_empty());
    worded.map(|(number, piece)| ((point.passage, number), piece))
}

fn first_words(
    text: &str,
    limit: usize,
    count: &impl Fn(&str) -> Result<usize, EngineError>,
) -> Result<Option<String>, EngineError> {
    let mut end = 0;
    for (at, word) in text.split_whitespace().map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word)) {
        let longer = text.get(..at + word.len()).unwrap_or_default();
        if end > 0 && count(longer)? > limit {
            break;
        }
        end = at + word.len();
    }
    Ok(text.get(..end).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use mainpoint_store::Span;
    use proptest::prelude::*;

    use super::*;
    use crate::memory::turns;

    #[expect(clippy::unnecessary_wraps, reason = "it stands for a tokenizer that can fail")]
    fn words(text: &str) -> Result<usize, EngineError> {
        Ok(text.split_whitespace().count())
    }

    /// The main point of a turn's first 40 bytes, of which `text` is kept.
    fn point(text: &str, spans: &[(u32, u32, f32)]) -> Point {
        let spans = spans.iter().map(|(start, end, salience)| Span { start: *start, end: *end, salience: *salience });
        Point {
            turn: turns::id(0),
            passage: 0,
            start: 0,
            end: 40,
            spans: spans.collect(),
            text: text.to_owned(),
            vector: vec![],
            features: vec![],
        }
    }

    fn texts(lines: Vec<DigestLine>) -> Vec<String> {
        lines.into_iter().map(|line| line.text).collect()
    }

    fn untold(texts: &[String]) -> Vec<DigestLine> {
        texts.iter().map(|text| DigestLine { text: text.clone(), turn: None }).collect()
    }

    #[test]
    fn the_strongest_spans_that_fit_stand_in_the_order_in_which_they_were_said() {
        let turn = turns::turn(0, "My cat Tom, by the way, was born on 3 May in Riga.");
        let whole = Point { end: 50, ..point(&turn.text, &[(3, 10, 0.9), (24, 41, 0.2), (36, 41, 0.8)]) };
        let points = [whole];
        let limits = DigestLimits { tokens: 100, per_turn: 6 };
        let line = DigestLine { text: "[1 January 1970] user: cat Tom … 3 May".to_owned(), turn: Some(turn.id) };
        assert_eq!(lines(&[turn], &points, limits, words).unwrap(), [line]);
    }

    #[test]
    fn a_turn_without_points_has_no_line_and_one_of_which_only_spans_are_kept_is_cut() {
        let limits = DigestLimits { tokens: 100, per_turn: 3 };
        assert!(lines(&[turns::turn(0, "hello")], &[], limits, words).unwrap().is_empty());
        let kept = turns::turn(0, "cat Tom … 3 May");
        let unknown = [point(&kept.text, &[(200, 220, 1.0)])];
        assert_eq!(texts(lines(&[kept], &unknown, limits, words).unwrap()), ["[1 January 1970] user: cat Tom …"]);
    }

    #[test]
    fn of_a_turn_of_which_only_spans_are_kept_whole_spans_are_told() {
        let turn = turns::turn(0, "cat Tom … 3 May … Riga");
        // The spans' offsets are those of what was said: some behind the end of what is kept, some within it.
        for (first, second, third) in [((203, 210), (336, 341), (350, 354)), ((1, 8), (9, 14), (15, 19))] {
            let points = [
                Point { passage: 4, start: 40, end: 60, ..point("Riga", &[(third.0, third.1, 0.9)]) },
                point("cat Tom … 3 May", &[(first.0, first.1, 0.7), (second.0, second.1, 0.8)]),
            ];
            let told = |limit| {
                let points: Vec<&Point> = points.iter().collect();
                main_point(&turn, &points, limit, &words).unwrap().unwrap()
            };
            assert_eq!(told(8), "cat Tom … 3 May … Riga");
            assert_eq!(told(5), "3 May … Riga");
            assert_eq!(told(1), "Riga");
        }
    }

    proptest! {
        #[test]
        fn a_digest_is_appended_to_until_it_is_full_and_then_loses_its_oldest_lines(
            old in prop::collection::vec("[a-z ]{1,20}", 0..10), new in prop::collection::vec("[a-z ]{1,20}", 0..10),
            tokens in 40..120usize,
        ) {
            let lines = texts(append(untold(&old), untold(&new), tokens, words).unwrap());
            let all: Vec<String> = old.iter().chain(&new).cloned().collect();
            prop_assert!(all.ends_with(&lines));
            prop_assert!(lines.is_empty() || words(&block::digest(&lines)).unwrap() <= tokens);
            if words(&block::digest(&all)).unwrap() <= tokens {
                prop_assert_eq!(lines, all);
            }
        }
    }
}
