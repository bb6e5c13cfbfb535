//! Cutting a turn into passages that fit a pass, at sentence ends where there are any.
//!
//! It must not know which tokenizer weighs the words.

use std::ops::Range;

use super::sentences::sentences;
use crate::segments::{SegmentSize, segments};

/// A stretch of a text that is never cut, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// Its bytes.
    pub(crate) range: Range<usize>,
    /// Tokens that the model makes of it.
    pub(crate) tokens: usize,
}

/// Most bytes of a stretch that is weighed at once; longer sentences are cut between words first.
const STRETCH: SegmentSize = SegmentSize { bytes: 4096, gaps: usize::MAX };
/// Most bytes of a passage; few have so many, but a run of spaces has no tokens.
const PASSAGE_BYTES: usize = 2 * STRETCH.bytes;

/// Byte ranges of consecutive passages that together hold every word of `text`; each has at most `limit` tokens, or one
/// word. A text without a letter or digit has none, and neither has one of which the model makes no token.
///
/// `weigh` gives the words that begin in a stretch of the text, ascending, their bytes counted from its start; those of a
/// longer stretch are those of its parts.
pub(crate) fn passages(text: &str, limit: usize, weigh: impl Fn(Range<usize>) -> Vec<Word>) -> Vec<Range<usize>> {
    let mut found: Vec<Piece> = Vec::new();
    for sentence in sentences(text) {
        for stretch in segments(&text[sentence.clone()], STRETCH) {
            let start = sentence.start + stretch.start;
            let end = sentence.start + stretch.end;
            for piece in pieces(stretch.len(), &weigh(start..end), limit) {
                let range = start + piece.range.start..start + piece.range.end;
                match found.last_mut() {
                    Some(last)
                        if last.tokens + piece.tokens <= limit && range.end - last.range.start <= PASSAGE_BYTES =>
                    {
                        last.range.end = range.end;
                        last.tokens += piece.tokens;
                    }
                    _ => found.push(Piece { range, ..piece }),
                }
            }
        }
    }
    found
        .into_iter()
        .filter(|piece| piece.tokens > 0)
        .map(|piece| piece.range)
        .filter(|range| text[range.clone()].chars().any(char::is_alphanumeric))
        .collect()
}

/// A stretch of words.
struct Piece {
    range: Range<usize>,
    tokens: usize,
}

/// A stretch of `length` bytes in as few pieces as possible that fit, about equally heavy, each from its first word to the
/// next one's.
fn pieces(length: usize, words: &[Word], limit: usize) -> Vec<Piece> {
    let tokens: usize = words.iter().map(|word| word.tokens).sum();
    let wanted = tokens.div_ceil(tokens.div_ceil(limit.max(1)).max(1));
    let mut found = vec![Piece { range: 0..length, tokens: 0 }];
    let mut before = 0;
    for word in words {
        let spaced = word.range.start > before;
        before = word.range.end;
        if let Some(last) = found.last_mut() {
            let is_full = last.tokens >= wanted && spaced;
            if last.tokens == 0 || !(is_full || last.tokens + word.tokens > limit) {
                last.tokens += word.tokens;
                continue;
            }
            last.range.end = word.range.start;
        }
        found.push(Piece { range: word.range.start..length, tokens: word.tokens });
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::any_text::any_text;

    /// Words between white space, each a token for every four bytes begun.
    fn words(text: &str) -> Vec<Word> {
        let mut words = Vec::new();
        let mut start: Option<usize> = None;
        for (at, character) in text.char_indices().chain([(text.len(), ' ')]) {
            match (character.is_whitespace(), start) {
                (true, Some(from)) => {
                    let tokens = (at - from).div_ceil(4);
                    words.push(Word { range: from..at, tokens });
                    start = None;
                }
                (false, None) => start = Some(at),
                _ => {}
            }
        }
        words
    }

    fn passages_of(text: &str, limit: usize) -> Vec<Range<usize>> {
        passages(text, limit, |range| words(&text[range]))
    }

    #[test]
    fn a_short_turn_is_one_passage() {
        assert_eq!(passages_of("One. Two six.", 10), std::iter::once(0..13).collect::<Vec<_>>());
    }

    #[test]
    fn passages_end_at_sentences() {
        let text = "One two ten. Four five six. Nine.";
        let found: Vec<&str> = passages_of(text, 4).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["One two ten. ", "Four five six. ", "Nine."]);
    }

    #[test]
    fn a_sentence_that_does_not_fit_is_cut_into_about_equal_parts() {
        let text = "a b c d e f g h i j";
        let found: Vec<&str> = passages_of(text, 6).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["a b c d e ", "f g h i j"]);
    }

    #[test]
    fn a_turn_without_words_has_no_passage() {
        assert!(passages_of(" … ?!\n", 10).is_empty());
    }

    #[test]
    fn spaces_make_no_passage_endless() {
        let text = format!("one{}two{0}three", " ".repeat(100_000));
        let found = passages_of(&text, 100);
        assert!(found.iter().all(|range| range.len() <= PASSAGE_BYTES));
        assert!(
            ["one", "two", "three"].iter().all(|word| found.iter().any(|range| text[range.clone()].contains(word)))
        );
    }

    proptest! {
        #[test]
        fn passages_fit_ascend_and_lose_no_word(text in any_text(300), limit in 1_usize..20) {
            let found = passages_of(&text, limit);
            let mut last = 0;
            for range in &found {
                let inside = words(&text[range.clone()]);
                let tokens: usize = inside.iter().map(|word| word.tokens).sum();
                prop_assert!(range.start >= last && (tokens <= limit || inside.len() == 1));
                prop_assert!(!text[last..range.start].chars().any(char::is_alphanumeric));
                last = range.end;
            }
            prop_assert!(!text[last..].chars().any(char::is_alphanumeric));
        }
    }
}
