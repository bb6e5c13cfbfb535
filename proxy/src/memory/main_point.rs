//! The words of a main point, as the store keeps them.

use std::ops::Range;

use mainpoint_store::Span;

/// A stretch of a main point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Piece<'a> {
    /// Its words.
    pub(crate) text: &'a str,
    /// The attention that they received, 0 to 1.
    pub(crate) salience: f32,
}

/// What the store puts between spans where only they are kept.
const ELISION: &str = " … ";

/// The stretches of a passage that are its main point; all of its text where that is not known. `range` is where the passage stood
/// in its turn as it was said, and the spans' offsets are of that turn, too.
pub(super) fn pieces<'a>(range: Range<u32>, spans: &[Span], text: &'a str) -> Vec<Piece<'a>> {
    let found = known_pieces(range, spans, text);
    if found.is_empty() { vec![Piece { text, salience: 1.0 }] } else { found }
}

/// The stretches of a passage that are its main point, in the order of its spans; none where they are not known. The arguments are
/// as whoever stored the passage gave them: where it stood in its turn as it was said, its spans in that turn, and what is kept.
pub(crate) fn known_pieces<'a>(range: Range<u32>, spans: &[Span], text: &'a str) -> Vec<Piece<'a>> {
    match joined(spans, text) {
        Some(found) => found,
        None if range.len() == text.len() => in_passage(range.start, spans, text),
        None => Vec::new(),
    }
}

fn in_passage<'a>(start: u32, spans: &[Span], text: &'a str) -> Vec<Piece<'a>> {
    let piece = |span: &Span| {
        let offset = |offset: u32| usize::try_from(offset.checked_sub(start)?).ok();
        Some(Piece { text: text.get(offset(span.start)?..offset(span.end)?)?, salience: span.salience })
    };
    spans.iter().filter_map(piece).collect()
}

/// What is left of a passage of which only its spans are kept; `None` where `text` is not these spans and nothing else.
fn joined<'a>(spans: &[Span], text: &'a str) -> Option<Vec<Piece<'a>>> {
    let mut rest = text;
    let mut found = Vec::with_capacity(spans.len());
    for (number, span) in spans.iter().enumerate() {
        if number > 0 {
            rest = rest.strip_prefix(ELISION)?;
        }
        let length = usize::try_from(span.end.checked_sub(span.start)?).ok()?;
        let (text, after) = rest.split_at_checked(length)?;
        found.push(Piece { text, salience: span.salience });
        rest = after;
    }
    rest.is_empty().then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    #[test]
    fn spans_that_are_as_long_as_their_passage_by_chance_are_not_cut_once_more() {
        assert_eq!(texts(0..16, &[span(1, 6), span(8, 12)], "heron … pond"), ["heron", "pond"]);
    }

    proptest! {
        #[test]
        fn spans_are_found_again_in_what_is_kept_of_them_wherever_they_stood(
            words in prop::collection::vec("[a-zé …]{1,12}", 1..6), start in 0..40_u32, gap in 0..12_u32,
        ) {
            let mut end = start;
            let mut spans = Vec::new();
            for word in &words {
                let from = end + gap;
                end = from + u32::try_from(word.len()).unwrap_or_default();
                spans.push(span(from, end));
            }
            let text = words.join(ELISION);
            let found: Vec<&str> =
                known_pieces(start..end, &spans, &text).into_iter().map(|piece| piece.text).collect();
            prop_assert_eq!(found, words);
        }
    }
}
