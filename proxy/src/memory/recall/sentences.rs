//! The sentences of a long passage that share most with a question.
//!
//! It must not know how passages are found, nor how many tokens there are for them.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Range;

use icu_segmenter::SentenceSegmenter;
use icu_segmenter::options::SentenceBreakInvariantOptions;

use crate::memory::script::{is_of_word, is_without_spaces};

/// Most bytes of several sentences, about a hundred tokens.
const MOST_BYTES: usize = 400;
/// Most bytes of a text that are looked at: about what the longest passage has.
const LOOKED_AT: usize = 8 << 10;
/// What a sequence that stands in one sentence only is worth; one that stands in several is worth its part of that.
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
        Self { asked: sequences(question).into_iter().collect() }
    }

    /// The sentences in a row, together at most [`MOST_BYTES`] unless there is but one, that have most of the question's sequences of
    /// letters, rare ones before frequent ones; of equals the shortest. `None` where the passage is no longer than that, or nothing is
    /// shared. Of a text that is longer than passages are, the beginning is looked at.
    pub(super) fn telling<'a>(&self, passage: &'a str) -> Option<&'a str> {
        let passage = passage.trim();
        if passage.len() <= MOST_BYTES {
            return None;
        }
        let looked_at = (0..=LOOKED_AT).rev().find_map(|end| passage.get(..end.min(passage.len())))?;
        let mut sentences = sentences(looked_at);
        if looked_at.len() < passage.len() {
            // Where the last one ends is not known.
            sentences.pop();
        }
        let shared: Vec<Vec<usize>> = sentences.iter().map(|place| self.shared(looked_at.get(place.clone()))).collect();
        let mut saying = vec![0_usize; self.asked.len()];
        for number in shared.iter().flatten() {
            if let Some(count) = saying.get_mut(*number) {
                *count += 1;
            }
        }
        let worth: Vec<usize> = saying.into_iter().map(|count| WORTH / count.max(1)).collect();
        let mut best = (0, Reverse(0), Reverse(0..0));
        for (first, begin) in sentences.iter().enumerate() {
            let mut found: BTreeSet<usize> = BTreeSet::new();
            let mut all = 0;
            for (end, shared) in sentences.iter().zip(&shared).skip(first) {
                let length = end.end - begin.start;
                if end != begin && length > MOST_BYTES {
                    break;
                }
                let new = shared.iter().filter(|number| found.insert(**number));
                all += new.filter_map(|number| worth.get(*number)).sum::<usize>();
                if (all, Reverse(length)) > (best.0, best.1) {
                    best = (all, Reverse(length), Reverse(begin.start..end.end));
                }
            }
        }
        let (all, _, Reverse(place)) = best;
        let telling = passage.get(place)?.trim();
        (all > 0 && telling.len() < passage.len()).then_some(telling)
    }

    /// The places of the question's sequences that a sentence has.
    fn shared(&self, sentence: Option<&str>) -> Vec<usize> {
        let said = sequences(sentence.unwrap_or_default());
        said.iter().filter_map(|sequence| self.asked.binary_search(sequence).ok()).collect()
    }
}

/// Where sentences and lines stand.
fn sentences(text: &str) -> Vec<Range<usize>> {
    let segmenter = SentenceSegmenter::new(SentenceBreakInvariantOptions::default());
    let mut ends: Vec<usize> =
        segmenter.segment_str(text).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    ends.sort_unstable();
    ends.dedup();
    let places = ends.iter().zip(ends.iter().skip(1)).map(|(start, end)| *start..*end);
    places.filter(|place| text.get(place.clone()).is_some_and(|sentence| sentence.contains(is_of_word))).collect()
}

/// Three letters in a row of each word, with the spaces around it, and two where a script has no spaces: they find a word in its
/// other forms as well.
fn sequences(text: &str) -> BTreeSet<Sequence> {
    let mut found = BTreeSet::new();
    for word in text.split(|character| !is_of_word(character)).filter(|word| !word.is_empty()) {
        let small = word.chars().flat_map(char::to_lowercase);
        let letters: Vec<char> = std::iter::once(' ').chain(small).chain(std::iter::once(' ')).collect();
        if word.contains(is_without_spaces) {
            found.extend(letters.windows(2).filter_map(|pair| Some([*pair.first()?, *pair.last()?, '\0'])));
        } else {
            found.extend(letters.windows(3).filter_map(|letters| Sequence::try_from(letters).ok()));
        }
    }
    found
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
        assert_eq!(telling(&"word ".repeat(200), "word"), None, "one sentence is not cut");
    }

    #[test]
    fn of_a_text_that_is_longer_than_passages_the_beginning_is_looked_at() {
        let filler = "Nothing of that sort was said here. ".repeat(LOOKED_AT / 30);
        assert_eq!(telling(&format!("{filler}The zebra sleeps."), "zebra"), None);
        assert_eq!(telling(&format!("The zebra sleeps. {filler}"), "zebra"), Some("The zebra sleeps."));
        assert_eq!(telling(&"zebraß ".repeat(LOOKED_AT), "zebra"), None, "one sentence is not cut");
    }

    #[test]
    fn one_question_is_compared_with_any_number_of_passages() {
        let asked = Sentences::of("Who laid out the rose garden?");
        let found = asked.telling(PARKS);
        assert!(found.is_some());
        assert_eq!(asked.telling("The rose garden was laid out by Anna Berg."), None);
        assert_eq!(asked.telling(PARKS), found);
    }

    proptest! {
        #[test]
        fn what_is_given_is_a_shorter_stretch_of_the_passage(text in "([a-e]{1,9}[ .\n]){0,200}", question in "([a-e]{1,4} ){1,4}") {
            if let Some(told) = telling(&text, &question) {
                prop_assert!(text.contains(told));
                prop_assert!(!told.is_empty() && told.len() < text.trim().len());
            }
        }
    }
}
