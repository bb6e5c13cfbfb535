//! The words of a main point, as the store keeps them.
//!
//! It must not know how they were chosen, nor who shows them.

use std::ops::Range;

use mainpoint_store::Span;

/// A stretch of a main point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece<'a> {
    /// Its words.
    pub(super) text: &'a str,
    /// The attention that they received, 0 to 1.
    pub(super) salience: f32,
}

/// What the store puts between spans where only they are kept.
const ELISION: &str = " … ";

/// The stretches of a passage that are its main point; all of its text where that is not known. `range` is where the passage stood
/// in its turn as it was said, and the spans' offsets are of that turn, too.
pub(super) fn pieces<'a>(range: Range<u32>, spans: &[Span], text: &'a str) -> Vec<Piece<'a>> {
    let found = if range.len() == text.len() { in_passage(range.start, spans, text) } else { joined(spans, text) };
    if found.is_empty() { vec![Piece { text, salience: 1.0 }] } else { found }
}

fn in_passage<'a>(start: u32, spans: &[Span], text: &'a str) -> Vec<Piece<'a>> {
    let piece = |span: &Span| {
        let offset = |offset: u32| usize::try_from(offset.checked_sub(start)?).ok();
        Some(Piece { text: text.get(offset(span.start)?..offset(span.end)?)?, salience: span.salience })
    };
    spans.iter().filter_map(piece).collect()
}

/// What is left of a passage of which only its spans are kept.
fn joined<'a>(spans: &[Span], text: &'a str) -> Vec<Piece<'a>> {
    let texts: Vec<&str> = text.split(ELISION).collect();
    if texts.len() != spans.len() {
        return Vec::new();
    }
    texts.into_iter().zip(spans).map(|(text, span)| Piece { text, salience: span.salience }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: u32, end: u32) -> Span {
        Span { start, end, salience: 0.5 }
    }

    fn texts(range: Range<u32>, spans: &[Span], text: &'static str) -> Vec<&'static str> {
        pieces(range, spans, text).into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn a_main_point_is_cut_out_of_its_passage() {
        assert_eq!(texts(100..120, &[span(104, 109), span(115, 120)], "The heron stands sti"), ["heron", "s sti"]);
    }

    #[test]
    fn where_only_the_main_point_is_kept_it_is_all_that_there_is() {
        assert_eq!(texts(100..150, &[span(104, 109), span(140, 144)], "heron … pond"), ["heron", "pond"]);
    }

    #[test]
    fn what_does_not_fit_is_shown_as_a_whole() {
        assert_eq!(texts(0..5, &[], "heron"), ["heron"]);
        assert_eq!(texts(0..5, &[span(3, 90)], "heron"), ["heron"]);
        assert_eq!(texts(0..50, &[span(3, 4), span(7, 8)], "heron"), ["heron"]);
    }
}
