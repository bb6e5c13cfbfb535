//! Cutting a turn into passages that fit a pass: where its structure falls apart, and at sentence ends where there are any.

use std::ops::Range;

use super::sentences::sentences;
use super::structure::Seam;
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
/// What lies between two of the `seams` (ascending, within the text) is in one passage if it fits into one; else its passages
/// end at the seams within it, and where there are none, at the ends of sentences.
///
/// `weigh` gives the words that begin in a stretch of the text, ascending, their bytes counted from its start; those of a
/// longer stretch are those of its parts.
pub(crate) fn passages(
    text: &str,
    seams: &[Seam],
    limit: usize,
    weigh: impl Fn(Range<usize>) -> Vec<Word>,
) -> Vec<Range<usize>> {
    let mut packing = Packing { text, limit, weigh, found: Vec::new(), is_closed: false };
    packing.part(0..text.len(), seams);
    packing
        .found
        .into_iter()
        .filter(|piece| piece.tokens > 0)
        .map(|piece| piece.range)
        .filter(|range| text[range.clone()].chars().any(char::is_alphanumeric))
        .collect()
}

/// A text that is being put into passages.
struct Packing<'a, W> {
    text: &'a str,
    limit: usize,
    weigh: W,
    found: Vec<Piece>,
    /// Whether nothing is added to the last passage.
    is_closed: bool,
}

impl<W: Fn(Range<usize>) -> Vec<Word>> Packing<'_, W> {
    /// A part of the text, cut at the lowest seams within it.
    fn part(&mut self, range: Range<usize>, seams: &[Seam]) {
        let Some(level) = seams.iter().map(|seam| seam.level).min() else {
            return self.sentences(range);
        };
        let (mut start, mut from) = (range.start, 0);
        for (number, seam) in seams.iter().enumerate().filter(|(_, seam)| seam.level == level) {
            self.record(start..seam.at, seams.get(from..number).unwrap_or_default());
            (start, from) = (seam.at, number + 1);
        }
        self.record(start..range.end, seams.get(from..).unwrap_or_default());
    }

    /// What lies between two seams. One that does not fit into a passage begins with a new one, so that it has few.
    fn record(&mut self, range: Range<usize>, seams: &[Seam]) {
        match self.whole(&range) {
            Some(piece) => self.add(piece),
            None => {
                self.is_closed = true;
                self.part(range, seams);
            }
        }
    }

    /// A stretch in one piece, if it fits into a passage.
    fn whole(&self, range: &Range<usize>) -> Option<Piece> {
        if range.len() > PASSAGE_BYTES {
            return None;
        }
        let tokens = (self.weigh)(range.clone()).iter().map(|word| word.tokens).sum::<usize>();
        (tokens <= self.limit).then(|| Piece { range: range.clone(), tokens })
    }

    fn sentences(&mut self, range: Range<usize>) {
        let whole = self.text;
        let text = &whole[range.clone()];
        for sentence in sentences(text) {
            for stretch in segments(&text[sentence.clone()], STRETCH) {
                let start = range.start + sentence.start + stretch.start;
                let end = range.start + sentence.start + stretch.end;
                for piece in pieces(stretch.len(), &(self.weigh)(start..end), self.limit) {
                    let range = start + piece.range.start..start + piece.range.end;
                    self.add(Piece { range, ..piece });
                }
            }
        }
    }

    /// Adds what follows: to the last passage, if it fits into it.
    fn add(&mut self, piece: Piece) {
        let is_closed = std::mem::take(&mut self.is_closed);
        match self.found.last_mut() {
            Some(last)
                if !is_closed
                    && last.tokens + piece.tokens <= self.limit
                    && piece.range.end - last.range.start <= PASSAGE_BYTES =>
            {
                last.range.end = piece.range.end;
                last.tokens += piece.tokens;
            }
            _ => self.found.push(piece),
        }
    }
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
    use crate::any_text_for_tests::any_text;
    use crate::read::structure::seams;
    use crate::read::structure::tests::structured_text;

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
        passages(text, &[], limit, |range| words(&text[range]))
    }

    fn structured(text: &str, limit: usize) -> Vec<&str> {
        let found = passages(text, &seams(text), limit, |range| words(&text[range]));
        found.into_iter().map(|range| &text[range]).collect()
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

    #[test]
    fn records_that_fit_are_not_cut_and_a_long_one_is_cut_as_ever_and_begins_a_passage() {
        let short = |at: usize| format!("2026-11-30 1{at}:03 INFO it was so. Then more.\n");
        let long = format!("2026-11-30 15:03 ERROR {}\n", "It failed. ".repeat(12));
        let text = format!("{}{}{}{long}{}", short(1), short(2), short(3), short(4));
        let found = structured(&text, 30);
        assert_eq!(found.concat(), text);
        assert_eq!(found[..2], [format!("{}{}", short(1), short(2)), short(3)], "{found:?}");
        assert!(found[2].starts_with("2026-11-30 15:03 ERROR") && found[2].ends_with("It failed. "), "{found:?}");
        assert!(found.last().is_some_and(|last| last.ends_with(&short(4))), "{found:?}");
    }

    #[test]
    fn a_list_is_cut_between_its_records_whatever_they_say() {
        let record = |at: usize| format!(r#"{{"id": {at}, "note": "It waits. Then, it goes away again."}}"#);
        let text = format!(
            r#"{{"query": "the heron and what it does", "results": [{}, {}, {}]}}"#,
            record(1),
            record(2),
            record(3)
        );
        let found = structured(&text, 40);
        let is_begun = |passage: &str| passage.starts_with("\"results\"") || passage.starts_with("{\"id\"");
        assert_eq!(found.concat(), text);
        assert!(found.len() > 1 && found[1..].iter().all(|passage| is_begun(passage)), "{found:?}");
    }

    #[test]
    fn a_block_of_code_is_one_passage_beside_the_prose_around_it() {
        let code = "```\nfirst(); // One. Two.\nsecond(); // Three. Four.\n```\n";
        let text =
            format!("This is what you run, and this is why. It is quick.\n{code}It prints a number. That is all.\n");
        let found = structured(&text, 24);
        assert_eq!(found.concat(), text);
        assert!(found.iter().any(|passage| passage.contains(code)), "{found:?}");
    }

    proptest! {
        #[test]
        fn passages_fit_ascend_and_lose_no_word(
            text in prop_oneof![any_text(300), structured_text()], limit in 1_usize..40, is_cut: bool,
        ) {
            let seams = if is_cut { seams(&text) } else { Vec::new() };
            let found = passages(&text, &seams, limit, |range| words(&text[range]));
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

        #[test]
        fn passages_end_at_seams_unless_what_lies_between_two_does_not_fit(text in structured_text(), limit in 1_usize..60) {
            let seams = seams(&text);
            prop_assume!(!seams.is_empty());
            let edges: Vec<usize> =
                std::iter::once(0).chain(seams.iter().map(|seam| seam.at)).chain(std::iter::once(text.len())).collect();
            for range in passages(&text, &seams, limit, |range| words(&text[range])) {
                let Err(place) = edges.binary_search(&range.end) else { continue };
                let between = edges[place - 1]..edges[place];
                let tokens: usize = words(&text[between.clone()]).iter().map(|word| word.tokens).sum();
                prop_assert!(tokens > limit, "{:?} is cut at {}", &text[between], range.end);
            }
        }
    }
}
