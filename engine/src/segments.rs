//! Cutting a text into short segments, so that what costs more than its length in one piece can be done segment by segment.
//!
//! Cuts lie where hardly any tokenizer joins what stands on both sides: behind a line break, in front of a space
//! between two words.

use std::ops::Range;

/// How large a segment may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentSize {
    /// Most bytes; a single character is never cut.
    pub bytes: usize,
    /// Most stretches of white space other than a single space. Tokenizers take each of them for a piece of its own, and some
    /// search the whole text again for every piece.
    pub gaps: usize,
}

/// Byte ranges of the text's segments, in order: each ends where the next one begins, none is empty, together they are the
/// text. The time this takes is proportional to the text's length.
pub fn segments(text: &str, size: SegmentSize) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let segment = start..start + first_cut(rest, size);
        start = segment.end;
        Some(segment)
    })
}

/// Where the first segment of a text that is not empty ends.
fn first_cut(text: &str, size: SegmentSize) -> usize {
    let mut seen = Seen::default();
    let mut characters = text.char_indices().peekable();
    let mut end = text.len();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map_or(' ', |(_, next)| *next);
        seen.pass(at, character, next);
        let is_full = at + character.len_utf8() > size.bytes || seen.gaps > size.gaps;
        if is_full && at > 0 {
            end = at;
            break;
        }
    }
    if end == text.len() {
        return end;
    }
    // A cut near the beginning would make many segments of little; a hard one at the end does less harm.
    let is_late = |cut: &usize| *cut > 0 && *cut <= end && *cut >= end / 4;
    let clean = Some(seen.clean).filter(is_late);
    clean.or(Some(seen.edge).filter(is_late)).unwrap_or(end)
}

/// What was seen on the way through a text, and the last places to cut; 0 for none.
#[derive(Default)]
struct Seen {
    before: Option<char>,
    /// Between words or lines.
    clean: usize,
    /// Between white space and something else.
    edge: usize,
    gaps: usize,
}

impl Seen {
    /// Goes on to `character`, which stands at `at`.
    fn pass(&mut self, at: usize, character: char, next: char) {
        let blank = character.is_whitespace();
        if let Some(before) = self.before {
            let behind_a_line = before == '\n' && !blank;
            let before_a_word = character == ' ' && !before.is_whitespace() && next.is_alphanumeric();
            if behind_a_line || before_a_word {
                self.clean = at;
            } else if blank != before.is_whitespace() {
                self.edge = at;
            }
        }
        let single_space = character == ' ' && !next.is_whitespace();
        let starts = self.before.is_none_or(|before| !before.is_whitespace());
        // A line break of a run counts, too, since it may be a token of its own.
        if blank && (character == '\n' || starts) && !single_space {
            self.gaps += 1;
        }
        self.before = Some(character);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::any_text_for_tests::any_text;

    fn cut(text: &str, bytes: usize) -> Vec<&str> {
        let size = SegmentSize { bytes, gaps: 1000 };
        segments(text, size).map(|range| &text[range]).collect()
    }

    #[test]
    fn cuts_lie_before_words_and_behind_lines() {
        assert_eq!(cut("one two three four", 10), ["one two", " three", " four"]);
        assert_eq!(cut("one two\nthree four", 12), ["one two\n", "three four"]);
        assert_eq!(cut("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(cut("", 3), [""; 0]);
        assert_eq!(cut("ééé", 1), ["é", "é", "é"]);
    }

    #[test]
    fn short_lines_are_cut_by_their_number() {
        let size = SegmentSize { bytes: 1000, gaps: 2 };
        let text = " \n".repeat(6);
        assert!(segments(&text, size).all(|range| text[range].matches('\n').count() <= 2));
        let spaced = "word ".repeat(20);
        assert_eq!(segments(&spaced, size).count(), 1, "single spaces are no gaps");
    }

    proptest! {
        #[test]
        fn segments_are_the_text_and_none_is_too_long(text in any_text(400), bytes in 1_usize..60, gaps in 1_usize..9) {
            let found: Vec<_> = segments(&text, SegmentSize { bytes, gaps }).collect();
            prop_assert_eq!(found.iter().map(|range| &text[range.clone()]).collect::<String>(), text.clone());
            for range in &found {
                let segment = &text[range.clone()];
                prop_assert!(!segment.is_empty());
                prop_assert!(segment.len() <= bytes || segment.chars().count() == 1);
            }
        }
    }
}
