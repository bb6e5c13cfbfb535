//! The passages of a tool's long result that answer best, one after the other, with a mark where something is left out.

use std::ops::Range;

/// What stands where something was left out.
const GAP: &str = "…";

/// Ways to quote some passages of a text, longest first: all of them, and the first one alone. None where the text does not hold
/// them, as where only main points are kept.
pub(super) fn excerpts(text: &str, passages: &[String]) -> Vec<String> {
    let Some(places) = passages.iter().map(|passage| place(text, passage)).collect::<Option<Vec<_>>>() else {
        return Vec::new();
    };
    let mut found = vec![with_gaps(text, places.clone()), with_gaps(text, places.into_iter().take(1).collect())];
    found.dedup();
    found.retain(|excerpt| !excerpt.is_empty());
    found
}

fn place(text: &str, passage: &str) -> Option<Range<usize>> {
    let passage = passage.trim();
    let start = text.find(passage).filter(|_| !passage.is_empty())?;
    Some(start..start + passage.len())
}

/// These stretches of a text in its order; those with nothing between them are one.
fn with_gaps(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_unstable_by_key(|place| (place.start, place.end));
    let mut joined: Vec<Range<usize>> = Vec::new();
    for place in places {
        let follows = |last: &&mut Range<usize>| place.start <= last.end || is_blank(text, last.end..place.start);
        match joined.last_mut().filter(follows) {
            Some(last) => last.end = last.end.max(place.end),
            None => joined.push(place),
        }
    }
    let (Some(first), Some(last)) = (joined.first(), joined.last()) else {
        return String::new();
    };
    let (before, behind) = (!is_blank(text, 0..first.start), !is_blank(text, last.end..text.len()));
    let mut pieces: Vec<&str> = Vec::new();
    pieces.extend(before.then_some(GAP));
    for (number, place) in joined.iter().enumerate() {
        pieces.extend((number > 0).then_some(GAP));
        pieces.push(text.get(place.clone()).unwrap_or_default());
    }
    pieces.extend(behind.then_some(GAP));
    pieces.join("\n")
}

fn is_blank(text: &str, range: Range<usize>) -> bool {
    text.get(range).is_none_or(|between| between.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str, passages: &[&str]) -> Vec<String> {
        let passages: Vec<String> = passages.iter().map(|passage| (*passage).to_owned()).collect();
        excerpts(text, &passages)
    }

    #[test]
    fn passages_stand_in_their_order_and_a_mark_where_something_is_left_out() {
        let text = "one\ntwo\nthree\nfour\n";
        assert_eq!(of(text, &["three\n", "one\n"]), ["one\n…\nthree\n…", "…\nthree\n…"]);
        assert_eq!(of(text, &["two\n", "one\n"]), ["one\ntwo\n…", "…\ntwo\n…"]);
        assert_eq!(of(text, &["four\n"]), ["…\nfour"]);
        assert_eq!(of(text, &["five"]), [""; 0]);
        assert_eq!(of(text, &[]), [""; 0]);
    }

    proptest! {
        #[test]
        fn everything_but_the_marks_is_in_the_text(lines in prop::collection::vec("[a-z]{1,6}", 1..9), mask in any::<u16>()) {
            let text = lines.join("\n");
            let chosen: Vec<String> =
                lines.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1).map(|(_, line)| line.clone()).collect();
            for excerpt in excerpts(&text, &chosen) {
                prop_assert!(excerpt.split(GAP).all(|piece| text.contains(piece.trim())), "{}", excerpt);
                prop_assert!(chosen.iter().any(|line| excerpt.contains(line)));
            }
        }
    }
}
