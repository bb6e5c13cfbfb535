//! The words of a topic's main points: how many have each, with how much attention, and how it is written.
//!
//! What differs by capitals or by the s of a plural only is one word.

use std::collections::{BTreeMap, BTreeSet};

use super::small_words::SmallWords;
use crate::memory::main_point::Piece;
use crate::memory::script::{is_hiragana, is_wide};

/// Most characters of a word.
const LONGEST: usize = 40;
/// A word of fewer characters has no plural.
const SHORTEST_PLURAL: usize = 4;

/// How a word appears in the main points of a topic.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Appearance {
    /// Main points that have it.
    pub(super) points: usize,
    /// The attention that it received in each, summed.
    salience: f64,
    /// Main points that have it as a small word of their language.
    small: usize,
    /// How often it is written how.
    spellings: BTreeMap<String, usize>,
}

/// The words of a topic's main points.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Vocabulary {
    /// Main points.
    pub(super) points: usize,
    words: BTreeMap<String, Appearance>,
}

impl Appearance {
    /// The attention that it received on average.
    pub(super) fn salience(&self) -> f64 {
        self.salience / count(self.points).max(1.0)
    }

    /// Whether it is a small word in most of the main points that have it.
    pub(super) fn is_small(&self) -> bool {
        self.small * 2 >= self.points.max(1)
    }

    fn add(&mut self, other: &Self) {
        self.points += other.points;
        self.salience += other.salience;
        self.small += other.small;
        for (spelling, times) in &other.spellings {
            *self.spellings.entry(spelling.clone()).or_default() += times;
        }
    }
}

impl Vocabulary {
    /// Takes in a main point; `passage` is what it was said in, as far as that is kept.
    pub(super) fn add(&mut self, passage: &str, pieces: &[Piece<'_>]) {
        let small = SmallWords::of_text(&words(passage).map(lowercase).collect::<BTreeSet<_>>());
        self.points += 1;
        let mut found: BTreeMap<String, Appearance> = BTreeMap::new();
        for piece in pieces {
            for word in words(piece.text).filter(|word| is_telling(word)) {
                let (lowercase, key, salience) = (lowercase(word), folded(word), f64::from(piece.salience));
                let is_small = small.has(&lowercase) || small.has(&key);
                let seen = found.entry(key).or_insert_with(|| Appearance {
                    spellings: BTreeMap::from([(word.to_owned(), 1)]),
                    ..Appearance::default()
                });
                seen.points = 1;
                seen.salience = seen.salience.max(salience);
                seen.small = usize::from(is_small);
            }
        }
        self.absorb(&Self { points: 0, words: found });
    }

    /// Takes in the main points of another one.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.points += other.points;
        for (word, appearance) in &other.words {
            self.words.entry(word.clone()).or_default().add(appearance);
        }
    }

    /// Its words, as [`folded`] gives them.
    pub(super) fn words(&self) -> impl Iterator<Item = (&str, &Appearance)> {
        self.words.iter().map(|(word, appearance)| (word.as_str(), appearance))
    }

    /// A word as it is written most often.
    pub(super) fn spelled(&self, word: &str) -> String {
        let spellings = self.words.get(word).into_iter().flat_map(|seen| &seen.spellings);
        // Of several that are written as often, the first.
        let most = spellings.rev().max_by_key(|(_, times)| **times);
        most.map_or_else(|| word.to_owned(), |(spelling, _)| spelling.clone())
    }
}

/// A word without what makes no other word of it: capitals, and the s of a plural or a possessive.
pub(super) fn folded(word: &str) -> String {
    let word = lowercase(word);
    let owner = word.strip_suffix("'s").unwrap_or(&word);
    let is_plural = owner.chars().nth(SHORTEST_PLURAL - 1).is_some() && !owner.ends_with("ss");
    let singular = if is_plural { owner.strip_suffix('s') } else { None };
    singular.unwrap_or(owner).to_owned()
}

/// How many, as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "there are fewer main points than 2^52")]
pub(super) fn count(points: usize) -> f64 {
    points as f64
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    mainpoint_engine::words(text).into_iter().filter_map(move |range| text.get(range))
}

fn lowercase(word: &str) -> String {
    word.to_lowercase().replace('’', "'")
}

/// Whether a word can say what something is about: no number, no date, no single letter, nothing encoded.
fn is_telling(word: &str) -> bool {
    let mut letters = word.chars().filter(|letter| letter.is_alphabetic());
    let says_enough = |letter| is_wide(letter) && !is_hiragana(letter);
    let is_long_enough = letters.next().is_some_and(says_enough) || letters.next().is_some();
    is_long_enough
        && word.starts_with(char::is_alphabetic)
        && !word.contains(char::is_whitespace)
        && word.chars().nth(LONGEST).is_none()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The words of a topic with these main points, each worth as much.
    pub(in crate::memory::topics) fn vocabulary(points: &[&str]) -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        points.iter().for_each(|text| vocabulary.add(text, &[Piece { text, salience: 1.0 }]));
        vocabulary
    }

    fn shown(vocabulary: &Vocabulary) -> Vec<(&str, usize)> {
        vocabulary.words().map(|(word, seen)| (word, seen.points)).collect()
    }

    #[test]
    fn what_differs_by_capitals_or_by_an_s_is_one_word_as_it_is_written_most_often() {
        let found = vocabulary(&["Trains", "the trains of Ghent", "a train", "Ghent's trains and a TRAIN"]);
        assert_eq!(shown(&found), [("and", 1), ("ghent", 2), ("of", 1), ("the", 1), ("train", 4)]);
        assert_eq!((found.spelled("train"), found.spelled("ghent")), ("trains".to_owned(), "Ghent".to_owned()));
    }

    #[test]
    fn a_word_is_no_plural_because_it_ends_like_one() {
        for (word, key) in [
            ("Glass", "glass"),
            ("bus", "bus"),
            ("Anna’s", "anna"),
            ("kettles", "kettle"),
            ("s", "s"),
            ("'s", ""),
            ("ÉTÉS", "été"),
            ("犬", "犬"),
        ] {
            assert_eq!(folded(word), key, "{word}");
        }
    }

    #[test]
    fn a_word_is_small_where_most_that_is_said_with_it_has_it_as_one() {
        let found = vocabulary(&["the war was long and cold", "der Krieg war lang", "the war in the north of it"]);
        let small: Vec<&str> = found.words().filter(|(_, seen)| seen.is_small()).map(|(word, _)| word).collect();
        for (words, is_small) in [(["the", "der", "was"], true), (["war", "krieg", "north"], false)] {
            assert!(words.iter().all(|word| small.contains(word) == is_small), "{words:?}: {small:?}");
        }
    }

    #[test]
    fn numbers_and_single_letters_are_no_words() {
        assert_eq!(shown(&vocabulary(&["7:15 on 7 May 2023, a Zürich B 31"])), [("on", 1), ("zürich", 1)]);
        assert!(is_telling("犬") && !is_telling("x") && !is_telling(&"a".repeat(41)));
    }

    proptest! {
        #[test]
        fn two_together_are_as_one_of_all_their_main_points(
            one in prop::collection::vec("\\PC{0,30}", 0..5), other in prop::collection::vec("[a-cA-Cs ]{0,12}", 0..5),
        ) {
            let (one, other): (Vec<&str>, Vec<&str>) =
                (one.iter().map(String::as_str).collect(), other.iter().map(String::as_str).collect());
            let mut both = vocabulary(&one);
            both.absorb(&vocabulary(&other));
            prop_assert_eq!(both, vocabulary(&[one, other].concat()));
        }

        #[test]
        fn a_word_and_its_plural_are_one_in_any_capitals(word in "[a-rt-z]{3,9}") {
            let plural = format!("{word}s");
            prop_assert_eq!(folded(&plural), folded(&word));
            prop_assert_eq!(folded(&plural.to_uppercase()), folded(&word));
        }
    }
}
