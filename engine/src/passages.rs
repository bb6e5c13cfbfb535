//! Cutting a turn into passages that fit the embedder, at sentence ends where there are any.
//!
//! It must not know which tokenizer counts.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// Byte ranges of consecutive passages that together hold every word of `text`; each has at most
/// `limit` tokens by `count`. A text without a letter or digit has none.
pub(crate) fn passages(text: &str, limit: usize, count: impl Fn(&str) -> usize) -> Vec<Range<usize>> {
    let mut found: Vec<(Range<usize>, usize)> = Vec::new();
    for (at, sentence) in text.split_sentence_bound_indices() {
        for piece in pieces(at, sentence, limit, &count) {
            let tokens = count(&text[piece.clone()]);
            match found.last_mut() {
                Some((last, used)) if *used + tokens <= limit => {
                    last.end = piece.end;
                    *used += tokens;
                }
                _ => found.push((piece, tokens)),
            }
        }
    }
    found
        .into_iter()
        .map(|(range, _)| range)
        .filter(|range| text[range.clone()].chars().any(char::is_alphanumeric))
        .collect()
}

/// A sentence, halved at word boundaries until its pieces fit.
fn pieces(at: usize, sentence: &str, limit: usize, count: &impl Fn(&str) -> usize) -> Vec<Range<usize>> {
    if count(sentence) <= limit {
        return std::iter::once(at..at + sentence.len()).collect();
    }
    let middle = sentence.len() / 2;
    let boundary = sentence
        .split_word_bound_indices()
        .map(|(offset, _)| offset)
        .filter(|offset| *offset > 0)
        .min_by_key(|offset| offset.abs_diff(middle))
        .or_else(|| {
            sentence
                .char_indices()
                .map(|(offset, _)| offset)
                .filter(|offset| *offset > 0)
                .min_by_key(|offset| offset.abs_diff(middle))
        });
    let Some(boundary) = boundary else {
        return std::iter::once(at..at + sentence.len()).collect();
    };
    let (left, right) = sentence.split_at(boundary);
    let mut found = pieces(at, left, limit, count);
    found.extend(pieces(at + boundary, right, limit, count));
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    #[test]
    fn a_short_turn_is_one_passage() {
        assert_eq!(
            passages("One. Two three.", 10, words),
            std::iter::once(0..15).collect::<Vec<_>>()
        );
    }

    #[test]
    fn passages_end_at_sentences() {
        let text = "One two three. Four five six. Seven.";
        let found: Vec<&str> = passages(text, 4, words).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["One two three. ", "Four five six. Seven."]);
    }

    #[test]
    fn a_turn_without_words_has_no_passage() {
        assert!(passages(" … ?!\n", 10, words).is_empty());
    }

    proptest! {
        #[test]
        fn passages_fit_ascend_and_lose_no_word(text in "[a-zA-Z0-9 .!?\\n]{0,200}", limit in 1_usize..20) {
            let found = passages(&text, limit, words);
            let mut last = 0;
            for range in &found {
                prop_assert!(range.start >= last);
                prop_assert!(words(&text[range.clone()]) <= limit.max(1));
                prop_assert!(!text[last..range.start].chars().any(char::is_alphanumeric));
                last = range.end;
            }
            prop_assert!(!text[last..].chars().any(char::is_alphanumeric));
        }
    }
}
