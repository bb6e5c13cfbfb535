//! The main point of a turn within a number of tokens: its strongest spans, in the order in which they were said.

use mainpoint_engine::EngineError;
use mainpoint_store::{Point, Turn};

use crate::memory::{Piece, known_pieces};

/// The turn's strongest spans that fit into `limit` tokens, in the order in which they were said; `None` when it has none.
///
/// # Errors
/// When `count` fails.
pub(super) fn main_point(
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
        let cost = count(piece.text)? + BETWEEN;
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

/// Tokens of what stands between two spans, about.
const BETWEEN: usize = 1;
/// What stands where words were left out.
const GAP: &str = " … ";

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

    use super::*;
    use crate::memory::turns_for_tests as turns;

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
            ranking_data: vec![],
        }
    }

    #[test]
    fn the_strongest_spans_that_fit_stand_in_the_order_in_which_they_were_said() {
        let turn = turns::turn(0, "My cat Tom, by the way, was born on 3 May in Riga.");
        let whole = Point { end: 50, ..point(&turn.text, &[(3, 10, 0.9), (24, 41, 0.2), (36, 41, 0.8)]) };
        assert_eq!(main_point(&turn, &[&whole], 6, &words).unwrap().unwrap(), "cat Tom … 3 May");
    }

    #[test]
    fn a_turn_without_points_has_none_and_one_of_which_only_spans_are_kept_is_cut() {
        assert_eq!(main_point(&turns::turn(0, "hello"), &[], 3, &words).unwrap(), None);
        let kept = turns::turn(0, "cat Tom … 3 May");
        let unknown = point(&kept.text, &[(200, 220, 1.0)]);
        assert_eq!(main_point(&kept, &[&unknown], 3, &words).unwrap().unwrap(), "cat Tom …");
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
}
