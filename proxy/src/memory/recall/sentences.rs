//! The sentences of a long passage that share most with a question.

mod abbreviations;
mod best;
mod ends;
mod pieces;

use std::collections::BTreeSet;
use std::ops::Range;

use self::best::{Occurrence, best};
use self::pieces::{Piece, pieces};
use crate::memory::script::{is_of_word, is_without_spaces};

/// Most bytes of what is quoted of a passage, about a hundred tokens.
const MOST_BYTES: usize = 400;
/// Most bytes of a text that are looked at: about what the longest passage has.
const LOOKED_AT: usize = 8 << 10;
/// What a sequence that stands in one piece only is worth; one that stands in several is worth its part of that.
const WORTH: usize = 1 << 20;

/// Letters in a row, in a script without spaces two of them.
type Sequence = [char; 3];

/// What a question asks for, by its letters, with which any number of passages is compared.
pub(super) struct Sentences {
    /// In order.
    asked: Vec<Sequence>,
}

impl Sentences {
    /// Takes a question apart, once for all that is compared with it.
    pub(super) fn of(question: &str) -> Self {
        let asked: BTreeSet<Sequence> = sequences(question).map(|(sequence, _)| sequence).collect();
        Self { asked: asked.into_iter().collect() }
    }

    /// The sentences in a row, together at most [`MOST_BYTES`], that have most of the question's sequences of letters,
    /// rare ones before frequent ones; of equals the shortest. Of a sentence that is longer than that, such as a list
    /// or a line of JSON, so much around what is shared. `None` where the passage is no longer than that, or nothing is
    /// shared. Of a text that is longer than passages are, the beginning is looked at.
    pub(super) fn telling<'a>(&self, passage: &'a str) -> Option<&'a str> {
        let passage = passage.trim();
        if passage.len() <= MOST_BYTES {
            return None;
        }
        let looked_at = (0..=LOOKED_AT).rev().find_map(|end| passage.get(..end.min(passage.len())))?;
        let mut pieces = pieces(looked_at);
        if looked_at.len() < passage.len() {
            // Where the last one ends is not known.
            pieces.pop();
        }
        let shared = self.shared(looked_at);
        let worth = self.worth(&pieces, &shared);
        let telling = best(&pieces, &shared, |number| worth.get(number).copied().unwrap_or_default())?;
        passage.get(telling).map(str::trim)
    }

    /// Where the question's sequences stand in a text, each by its place in the question's.
    fn shared(&self, text: &str) -> Vec<Occurrence> {
        let found = sequences(text).filter_map(|(sequence, place)| {
            let number = self.asked.binary_search(&sequence).ok()?;
            Some(Occurrence { number, place })
        });
        found.collect()
    }

    /// What each of the question's sequences is worth: less, the more pieces it stands in.
    fn worth(&self, pieces: &[Piece], shared: &[Occurrence]) -> Vec<usize> {
        let mut standing: BTreeSet<(usize, usize)> = BTreeSet::new();
        for Occurrence { number, place } in shared {
            standing.insert((*number, pieces.partition_point(|piece| piece.place.end <= place.start)));
        }
        let mut counts = vec![0_usize; self.asked.len()];
        for (number, _) in standing {
            counts.get_mut(number).into_iter().for_each(|count| *count += 1);
        }
        counts.into_iter().map(|count| WORTH / count.max(1)).collect()
    }
}

/// Three letters in a row of each word, with the spaces around it, and two where a script has no spaces: they find a
/// word in its other forms as well. With each the bytes that it takes.
fn sequences(text: &str) -> impl Iterator<Item = (Sequence, Range<usize>)> {
    let parts = text.split_inclusive(|character| !is_of_word(character)).scan(0, |end, part| {
        *end += part.len();
        Some((*end - part.len(), part))
    });
    parts.flat_map(|(start, part)| of_word(part.trim_end_matches(|character| !is_of_word(character)), start))
}

/// The sequences of a word, which begins at a place of a text.
fn of_word(word: &str, start: usize) -> Vec<(Sequence, Range<usize>)> {
    let end = start + word.len();
    let small = word.char_indices().flat_map(|(at, letter)| {
        let place = start + at..start + at + letter.len_utf8();
        letter.to_lowercase().map(move |small| (small, place.clone()))
    });
    let letters: Vec<(char, Range<usize>)> =
        std::iter::once((' ', start..start)).chain(small).chain(std::iter::once((' ', end..end))).collect();
    let length = if word.contains(is_without_spaces) { 2 } else { 3 };
    let in_a_row = letters.windows(length).filter_map(|letters| {
        let (first, last) = letters.first().zip(letters.last())?;
        let mut sequence = ['\0'; 3];
        sequence.iter_mut().zip(letters).for_each(|(place, (letter, _))| *place = *letter);
        Some((sequence, first.1.start..last.1.end))
    });
    in_a_row.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn telling<'a>(passage: &'a str, question: &str) -> Option<&'a str> {
        Sentences::of(question).telling(passage)
    }

    const PARKS: &str = "The city has many green places, and all of them are open from morning to night. The rose garden was laid \
        out by Anna Berg in 1903. In summer there are concerts on its lawn, and on Sundays a band plays in the pavilion. The \
        zoo keeps otters and wolves, which are fed at three in the afternoon. Dogs are not allowed anywhere near the animals. \
        The harbour park is new: it was opened last year on the site of the old shipyard, with a playground and a ferry.";

    #[test]
    fn the_sentences_that_share_most_with_the_question_are_given_in_a_row() {
        let who = telling(PARKS, "Who laid out the rose garden?").unwrap_or_default();
        assert!(who.contains("The rose garden was laid out by Anna Berg in 1903."), "{who}");
        assert!(who.len() <= MOST_BYTES && !who.contains("shipyard"), "{who}");
        let when = telling(PARKS, "When are the wolves and the otters fed?").unwrap_or_default();
        assert!(when.contains("fed at three in the afternoon"), "{when}");
    }

    #[test]
    fn sentences_of_a_script_without_spaces_are_told_apart() {
        let text = format!(
            "{}図書館は来週の月曜日に閉まります。{}",
            "天気の話をしました。".repeat(12),
            "昼食は麺でした。".repeat(12)
        );
        let told = telling(&text, "図書館はいつ閉まりますか？").unwrap_or_default();
        assert!(told.contains("図書館は来週の月曜日に閉まります。"), "{told}");
        assert!(told.len() <= MOST_BYTES, "{told}");
    }

    #[test]
    fn a_short_passage_and_one_that_shares_nothing_are_left_whole() {
        assert_eq!(telling("The rose garden was laid out by Anna Berg.", "Who laid it out?"), None);
        assert_eq!(telling(PARKS, "?!"), None);
        assert_eq!(telling(PARKS, "ξυ"), None);
    }

    #[test]
    fn of_a_text_that_is_longer_than_passages_the_beginning_is_looked_at() {
        let filler = "Nothing of that sort was said here. ".repeat(LOOKED_AT / 30);
        assert_eq!(telling(&format!("{filler}The zebra sleeps."), "zebra"), None);
        assert_eq!(telling(&format!("The zebra sleeps. {filler}"), "zebra"), Some("The zebra sleeps."));
        let zebras = "zebraß ".repeat(LOOKED_AT);
        let told = telling(&zebras, "zebra").unwrap_or_default();
        assert!(told.len() <= MOST_BYTES && told.ends_with("zebraß"), "{told}");
    }

    #[test]
    fn a_long_text_without_sentences_is_given_around_what_it_shares() {
        let with =
            |number: usize| if number == 170 { "the zebra of the shed".to_owned() } else { format!("item {number}") };
        for (before, separator) in [("", ", "), ("", "; "), ("", " "), ("", "\n"), ("{\"list\":\"", "\",\"")] {
            let items: Vec<String> = (0..400).map(with).collect();
            let text = format!("{before}{}", items.join(separator));
            let told = telling(&text, "Where is the zebra?").unwrap_or_default();
            assert!(text.contains(told) && told.len() <= MOST_BYTES, "{told}");
            assert!(
                told.contains("item 165") && told.contains("the zebra of the shed") && told.contains("item 175"),
                "{told}"
            );
        }
    }

    #[test]
    fn a_quote_begins_and_ends_with_whole_sentences_where_these_have_abbreviations() {
        let filler = "Nothing of that sort was said here. ".repeat(12);
        let said =
            "On Monday, i.e. the 3. Mai, Dr. J. R. Smith met the zebra, approx. No. 7 of them, etc. The end came.";
        let text = format!("{filler}{said} {filler}");
        assert_eq!(telling(&text, "met the zebra"), Some(said));
    }

    #[test]
    fn one_question_is_compared_with_any_number_of_passages() {
        let asked = Sentences::of("Who laid out the rose garden?");
        let found = asked.telling(PARKS);
        assert!(found.is_some());
        assert_eq!(asked.telling("The rose garden was laid out by Anna Berg."), None);
        assert_eq!(asked.telling(PARKS), found);
    }

    /// Of words, sentences, abbreviations, scripts without spaces and anything else.
    const UNITS: &str = "[a-e]{1,9}[ .\n,]?|[A-E][a-e]{2} |z\\. B\\. |[0-9]{1,4}\\. |図書館|สวัสดี|e\u{301}|\\PC";

    proptest! {
        #[test]
        fn what_is_given_is_a_short_stretch_of_the_passage(
            units in prop::collection::vec(UNITS, 0..60),
            times in 1..30_usize, question in "([a-e]{1,4} ){1,4}|図書",
        ) {
            let text = units.concat().repeat(times);
            let told = telling(&text, &question);
            if let Some(told) = told {
                prop_assert!(text.contains(told));
                prop_assert!(!told.is_empty() && told.len() <= MOST_BYTES);
            }
        }
    }
}
