//! What is kept of a turn's text.
//!
//! Responsible for: cutting a turn and its points down to their spans, checking points. Pure.

use half::f16;

use crate::config::Retain;
use crate::error::StoreError;
use crate::records::{Point, Span, Turn};

/// Between two spans that stand for a longer text.
const ELISION: &str = " … ";

/// Checks the points of a turn against it and cuts both down to what is retained.
///
/// # Errors
/// [`StoreError::InvalidPoint`] when a point belongs to another turn, repeats a passage, has a vector of another
/// width or with a number that half precision cannot hold, or (under [`Retain::Spans`]) names bytes that are no text of the turn.
pub(crate) fn retained(
    retain: Retain,
    vector_width: usize,
    mut turn: Turn,
    mut points: Vec<Point>,
) -> Result<(Turn, Vec<Point>), StoreError> {
    points.sort_by_key(|point| point.passage);
    for (index, point) in points.iter().enumerate() {
        let repeated = index > 0 && points[index - 1].passage == point.passage;
        check(&turn, point, vector_width, repeated)?;
    }
    if retain == Retain::Spans {
        for point in &mut points {
            point.text = join_spans(&turn, point)?;
        }
        let texts: Vec<&str> = points.iter().map(|point| point.text.as_str()).filter(|text| !text.is_empty()).collect();
        turn.text = texts.join(ELISION);
    }
    Ok((turn, points))
}

fn check(turn: &Turn, point: &Point, vector_width: usize, repeated: bool) -> Result<(), StoreError> {
    let reason = if point.turn != turn.id {
        format!("it belongs to turn {}", point.turn)
    } else if repeated {
        "the passage is there twice".to_owned()
    } else if point.vector.len() != vector_width {
        format!("its vector has {} numbers, the store holds {vector_width}", point.vector.len())
    } else if !point.vector.iter().all(|number| f16::from_f32(*number).is_finite()) {
        "its vector has a number that is not finite in half precision".to_owned()
    } else {
        return Ok(());
    };
    Err(StoreError::InvalidPoint { turn: turn.id.to_string(), passage: point.passage, reason })
}

fn join_spans(turn: &Turn, point: &Point) -> Result<String, StoreError> {
    let slice = |span: &Span| {
        turn.text.get(span.start as usize..span.end as usize).ok_or_else(|| StoreError::InvalidPoint {
            turn: turn.id.to_string(),
            passage: point.passage,
            reason: format!("its span {}..{} is no text of the turn ({} bytes)", span.start, span.end, turn.text.len()),
        })
    };
    let texts = point.spans.iter().map(slice).collect::<Result<Vec<_>, _>>()?;
    Ok(texts.join(ELISION))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;
    use crate::records::samples_for_tests as samples;

    const TEXT: &str = "Well, the réunion is on 14 March, you know.";

    fn turn() -> Turn {
        samples::turn(1, TEXT)
    }

    fn span(text: &str) -> Span {
        let start = TEXT.find(text).unwrap();
        Span { start: start as u32, end: (start + text.len()) as u32, salience: 1.0 }
    }

    fn point(spans: Vec<Span>) -> Point {
        Point { spans, ..samples::point(&turn(), vec![1.0, 0.0]) }
    }

    #[test]
    fn retaining_turns_changes_nothing() {
        let points = vec![point(vec![span("réunion")])];
        let (kept, kept_points) = retained(Retain::Turns, 2, turn(), points.clone()).unwrap();
        assert_eq!(kept.text, TEXT);
        assert_eq!(kept_points, points);
    }

    #[test]
    fn retaining_spans_keeps_nothing_verbatim_but_the_spans() {
        let points = vec![point(vec![span("réunion"), span("14 March")])];
        let (kept, kept_points) = retained(Retain::Spans, 2, turn(), points).unwrap();
        assert_eq!(kept.text, "réunion … 14 March");
        assert_eq!(kept_points[0].text, "réunion … 14 March");
    }

    #[test]
    fn a_turn_without_points_retains_no_text_under_spans() {
        let (kept, _) = retained(Retain::Spans, 2, turn(), vec![]).unwrap();
        assert_eq!(kept.text, "");
    }

    #[test]
    fn points_that_do_not_fit_are_refused_with_the_reason() {
        let inside_a_character = Span { start: span("réunion").start + 2, end: 20, salience: 1.0 };
        let cases = [
            (vec![point(vec![inside_a_character])], "no text of the turn"),
            (vec![Point { vector: vec![1.0], ..point(vec![]) }], "has 1 numbers"),
            (vec![Point { vector: vec![1.0, f32::NAN], ..point(vec![]) }], "not finite"),
            (vec![Point { vector: vec![1.0, 1e6], ..point(vec![]) }], "not finite"),
            (vec![Point { turn: samples::id(2), ..point(vec![]) }], "belongs to turn"),
            (vec![point(vec![]), point(vec![])], "twice"),
        ];
        for (points, reason) in cases {
            let error = retained(Retain::Spans, 2, turn(), points).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
