//! Names of topics: the words that say best what a topic is about and the others are not.
//!
//! It is class-based TF-IDF: a word counts by the share of the topic's main points that have it, times the logarithm of how much larger
//! that is than the share of all others' that have it, times the attention that it received. What is said everywhere in any language
//! has a logarithm near zero, so that no list of stop words is needed. It must not know how topics are found.

use std::collections::BTreeMap;

use crate::memory::main_point::Piece;
use crate::memory::script::{is_hiragana, is_wide};

/// Words of a name.
const MOST: usize = 5;
/// A name has so many words even if they say little.
const LEAST: usize = 3;
/// Most characters of a word.
const LONGEST: usize = 40;
/// Added to every count, so that what a few main points happen to have says little.
const SMOOTHING: f64 = 0.5;

/// Words in small letters, and how each appears.
type Seen = BTreeMap<String, Appearance>;

/// How a word appears in the main points of a topic.
#[derive(Debug, Default)]
struct Appearance {
    /// Main points that have it.
    points: usize,
    /// The attention that it received in each, summed.
    salience: f64,
    /// How often it is written how.
    spellings: BTreeMap<String, usize>,
}

/// The words of a topic's main points.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    points: usize,
    words: Seen,
}

impl Vocabulary {
    /// Takes in a main point.
    pub(super) fn add(&mut self, pieces: &[Piece<'_>]) {
        self.points += 1;
        let mut most_salient: BTreeMap<String, (f32, &str)> = BTreeMap::new();
        for piece in pieces {
            let words = mainpoint_engine::words(piece.text).into_iter().filter_map(|range| piece.text.get(range));
            for word in words.filter(|word| is_telling(word)) {
                let known = most_salient.entry(word.to_lowercase()).or_insert((piece.salience, word));
                known.0 = known.0.max(piece.salience);
            }
        }
        for (word, (salience, spelling)) in most_salient {
            let seen = self.words.entry(word).or_default();
            seen.points += 1;
            seen.salience += f64::from(salience);
            *seen.spellings.entry(spelling.to_owned()).or_default() += 1;
        }
    }

    fn points_with(&self, word: &str) -> usize {
        self.words.get(word).map_or(0, |seen| seen.points)
    }
}

/// The name of each topic: its most telling words, best first.
pub(super) fn names(topics: &[Vocabulary]) -> Vec<Vec<String>> {
    let all: usize = topics.iter().map(|topic| topic.points).sum();
    let mut everywhere: BTreeMap<&str, usize> = BTreeMap::new();
    for (word, seen) in topics.iter().flat_map(|topic| &topic.words) {
        *everywhere.entry(word).or_default() += seen.points;
    }
    let name = |topic: &Vocabulary| {
        let worth = |(word, seen): (&String, &Appearance)| {
            let own = share(seen.points, topic.points);
            let elsewhere = everywhere.get(word.as_str()).copied().unwrap_or_default().saturating_sub(seen.points);
            let contrast = match all.saturating_sub(topic.points) {
                // The only topic is told from nothing: what all of it has says nothing, as elsewhere.
                0 => -own.ln(),
                others => (own / share(elsewhere, others)).ln(),
            };
            own * contrast * seen.salience / count(seen.points).max(1.0)
        };
        chosen(topic, topic.words.iter().map(|word| (worth(word), word.0.as_str())).collect())
    };
    topics.iter().map(name).collect()
}

/// The best of a topic's words, none of which only lengthens another.
fn chosen(topic: &Vocabulary, mut words: Vec<(f64, &str)>) -> Vec<String> {
    let points = |word: &str| topic.points_with(word);
    words.sort_by(|(worth, word), (other_worth, other)| {
        other_worth.total_cmp(worth).then_with(|| points(other).cmp(&points(word))).then_with(|| word.cmp(other))
    });
    let mut chosen: Vec<&str> = Vec::with_capacity(MOST);
    for (worth, word) in words {
        let is_enough = chosen.len() >= MOST || (chosen.len() >= LEAST && worth <= 0.0);
        if is_enough {
            break;
        }
        if !chosen.iter().any(|known| known.starts_with(word) || word.starts_with(known)) {
            chosen.push(word);
        }
    }
    chosen.into_iter().map(|word| spelled(topic, word)).collect()
}

/// A word as it is written most often.
fn spelled(topic: &Vocabulary, word: &str) -> String {
    let spellings = topic.words.get(word).into_iter().flat_map(|seen| &seen.spellings);
    // Of several that are written as often, the first.
    let most = spellings.rev().max_by_key(|(_, times)| **times);
    most.map_or_else(|| word.to_owned(), |(spelling, _)| spelling.clone())
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

/// The share of `of` main points that `points` are, smoothed.
fn share(points: usize, of: usize) -> f64 {
    (count(points) + SMOOTHING) / (count(of) + 2.0 * SMOOTHING)
}

#[expect(clippy::cast_precision_loss, reason = "there are fewer main points than 2^52")]
fn count(points: usize) -> f64 {
    points as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vocabulary(points: &[&str]) -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        points.iter().for_each(|text| vocabulary.add(&[Piece { text, salience: 1.0 }]));
        vocabulary
    }

    fn named(topics: &[&[&str]]) -> Vec<Vec<String>> {
        names(&topics.iter().map(|points| vocabulary(points)).collect::<Vec<_>>())
    }

    const SEA: [&str; 3] =
        ["the heron in the pond", "a heron and the carp of the pond", "the pond is cold and the heron waits"];
    const TRAIN: [&str; 3] =
        ["the train to Ghent is late", "a ticket for the train and the bus", "the train of the morning in Ghent"];

    #[test]
    fn a_topic_is_named_by_what_it_has_and_the_others_have_not() {
        let names = named(&[&SEA, &TRAIN]);
        assert_eq!(names[0][..2], ["heron", "pond"]);
        assert_eq!(names[1][..2], ["train", "Ghent"]);
        assert!(names.iter().all(|name| (LEAST..=MOST).contains(&name.len())), "{names:?}");
        assert!(names.iter().flatten().all(|word| word != "the"), "{names:?}");
    }

    #[test]
    fn it_is_so_in_every_script() {
        for (one, other, words) in [
            (
                ["цапля стоит в пруду", "цапля и карп в пруду"],
                ["поезд в Гент опаздывает", "билет в поезд"],
                ["цапля", "поезд"],
            ),
            (
                ["المطبخ الجديد في البيت", "لون المطبخ في البيت"],
                ["القطار في المحطة", "تذكرة القطار في"],
                ["المطبخ", "القطار"],
            ),
            (["钢琴课在星期三", "我的钢琴老师姓林"], ["火车在早上出发", "我的火车票"], ["钢琴", "火车"]),
        ] {
            let names = named(&[&one, &other]);
            for (name, word) in names.iter().zip(words) {
                assert!(name.iter().any(|found| found.contains(word)), "{name:?} {word}");
            }
        }
    }

    #[test]
    fn what_received_more_attention_comes_first_and_what_only_lengthens_a_word_is_left_out() {
        let mut vocabulary = Vocabulary::default();
        vocabulary.add(&[
            Piece { text: "kettle", salience: 0.2 },
            Piece { text: "teapots", salience: 0.9 },
            Piece { text: "teapot", salience: 0.8 },
        ]);
        assert_eq!(names(&[vocabulary]), [["teapots", "kettle"]]);
    }

    #[test]
    fn numbers_and_letters_name_nothing_and_words_keep_their_capitals() {
        assert_eq!(named(&[&["7:15 on 7 May 2023, a Zürich B 31"]]), [["on", "Zürich"]]);
        assert!(is_telling("犬") && !is_telling("x") && !is_telling(&"a".repeat(41)));
        assert_eq!(named(&[&["Ghent", "ghent", "Ghent"]]), [["Ghent"]]);
    }

    #[test]
    fn nothing_has_no_name() {
        assert_eq!(names(&[]), Vec::<Vec<String>>::new());
        assert_eq!(named(&[&["42"], &[]]), [Vec::<String>::new(), Vec::new()]);
    }

    proptest! {
        #[test]
        fn names_are_few_words_of_the_topic_and_the_same_each_time(
            topics in prop::collection::vec(prop::collection::vec("\\PC{0,30}", 0..5), 0..5),
        ) {
            let vocabularies = || -> Vec<Vocabulary> {
                topics.iter().map(|points| vocabulary(&points.iter().map(String::as_str).collect::<Vec<_>>())).collect()
            };
            let found = names(&vocabularies());
            prop_assert_eq!(&names(&vocabularies()), &found);
            prop_assert_eq!(found.len(), topics.len());
            for (name, points) in found.iter().zip(&topics) {
                prop_assert!(name.len() <= MOST);
                prop_assert!(name.iter().all(|word| points.iter().any(|text| text.contains(word.as_str()))));
            }
        }
    }
}
