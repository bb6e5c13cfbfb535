//! Names of topics: the words that say best what a topic is about and the others are not.
//!
//! It is class-based TF-IDF: a word counts by the share of the topic's main points that have it, times the logarithm of
//! how much larger that is than the share of the others' that have it, times the attention that it received. The shares
//! are drawn towards that of all main points, as Monroe, Colaresi and Quinn (2008) do, so that what a few happen to
//! have says little. A word that the others have about as often names nothing, in any language. Where a topic is the
//! only one in its language that does not help, and small words are left out by lists.

use std::collections::{BTreeMap, BTreeSet};

use super::vocabulary::{Appearance, Vocabulary, count, folded};

/// Words of a name.
const MOST: usize = 5;
/// Names with so many words in common, more than half of a whole one, are of one topic.
const IN_COMMON: usize = 3;
/// Main points that draw the share of a word towards that of all.
const PRIOR: f64 = 1.0;
/// A word that a topic has not more than so many times as often as the others is one of theirs, too. Small words are
/// seldom spread less evenly.
const LEAST_RATIO: f64 = 2.0;
/// Being more than so many times as often makes no difference: it says only that the others are many.
const MOST_RATIO: f64 = 16.0;

/// How the main points of all topics have a word.
#[derive(Debug, Default)]
struct Spread {
    points: usize,
    /// The shares of the topics that have it.
    shares: Vec<f64>,
}

/// What topics are told from.
struct Background<'a> {
    topics: usize,
    points: usize,
    knows_small_words: bool,
    words: BTreeMap<&'a str, Spread>,
}

/// A word that may name a topic.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate<'a> {
    word: &'a str,
    worth: f64,
    points: usize,
}

/// The name of each topic: its most telling words, best first. It has none where no word tells the topic from the
/// others.
pub(super) fn names(topics: &[&Vocabulary]) -> Vec<Vec<String>> {
    let background = Background::new(topics);
    let name = |topic: &&Vocabulary| {
        let candidate = |(word, seen)| background.candidate(topic, word, seen);
        let candidates = topic.words().filter_map(candidate).collect();
        chosen(candidates).into_iter().map(|word| topic.spelled(word)).collect()
    };
    topics.iter().map(name).collect()
}

/// The first two of these names that are of one topic, those with most words in common before others.
pub(super) fn alike(names: &[Vec<String>]) -> Option<(usize, usize)> {
    let names: Vec<BTreeSet<String>> =
        names.iter().map(|name| name.iter().map(|word| folded(word)).collect()).collect();
    let numbered = || names.iter().enumerate();
    let pairs = numbered().flat_map(|(at, one)| {
        numbered().skip(at + 1).map(move |(behind, other)| (one.intersection(other).count(), at, behind))
    });
    let best = pairs.filter(|(common, ..)| *common >= IN_COMMON);
    best.min_by_key(|(common, ..)| MOST.saturating_sub(*common)).map(|(_, at, behind)| (at, behind))
}

impl<'a> Background<'a> {
    fn new(topics: &[&'a Vocabulary]) -> Self {
        let topics: Vec<&'a Vocabulary> = topics.iter().copied().filter(|topic| topic.points > 0).collect();
        let mut words: BTreeMap<&'a str, Spread> = BTreeMap::new();
        let mut knows_small_words = false;
        for topic in &topics {
            for (word, seen) in topic.words() {
                knows_small_words |= seen.is_small();
                let spread = words.entry(word).or_default();
                spread.points += seen.points;
                spread.shares.push(share(seen.points, topic.points));
            }
        }
        words.values_mut().for_each(|spread| spread.shares.sort_by(f64::total_cmp));
        Self { topics: topics.len(), points: topics.iter().map(|topic| topic.points).sum(), knows_small_words, words }
    }

    /// A word of a topic, unless it is a small one or the others have it about as often.
    fn candidate<'b>(&self, topic: &Vocabulary, word: &'b str, seen: &Appearance) -> Option<Candidate<'b>> {
        if seen.is_small() {
            return None;
        }
        let contrast = if self.topics > 1 {
            self.contrast(word, seen.points, topic.points)?
        } else {
            self.telling_alone(seen.points, topic.points)
        };
        let worth = share(seen.points, topic.points) * contrast * seen.salience();
        Some(Candidate { word, worth, points: seen.points })
    }

    /// The logarithm of how many times as often a topic of `of` main points, `points` with the word, has it as the
    /// others; `None` where that is hardly more often.
    fn contrast(&self, word: &str, points: usize, of: usize) -> Option<f64> {
        let spread = self.words.get(word)?;
        let common = share(spread.points, self.points);
        let drawn = |points: usize, of: usize| (count(points) + PRIOR * common) / (count(of) + PRIOR);
        let others = drawn(spread.points.saturating_sub(points), self.points.saturating_sub(of));
        let ratio = drawn(points, of) / others.max(self.middle_elsewhere(spread, share(points, of)));
        (ratio > LEAST_RATIO).then(|| ratio.min(MOST_RATIO).ln())
    }

    /// The share of the middle one of the other topics, of two in the middle of the lower. So a large topic without the
    /// word does not hide that the others have it.
    fn middle_elsewhere(&self, spread: &Spread, own: f64) -> f64 {
        let mut others = spread.shares.clone();
        if let Some(place) = others.iter().position(|share| share.total_cmp(&own).is_eq()) {
            others.remove(place);
        }
        let without = self.topics.saturating_sub(spread.shares.len());
        let middle = (self.topics.saturating_sub(2) / 2).checked_sub(without);
        middle.and_then(|middle| others.get(middle)).copied().unwrap_or_default()
    }

    /// What a word counts in the only topic, which is told from nothing. Where no small words are known, what all of it
    /// has says little, as it does elsewhere.
    fn telling_alone(&self, points: usize, of: usize) -> f64 {
        if self.knows_small_words { 1.0 } else { ((count(of) + PRIOR) / (count(points) + PRIOR / 2.0)).ln() }
    }
}

/// The best words, none of which only lengthens another.
fn chosen(mut candidates: Vec<Candidate<'_>>) -> Vec<&str> {
    candidates.sort_by(|one, other| {
        let worth = other.worth.total_cmp(&one.worth);
        worth.then_with(|| other.points.cmp(&one.points)).then_with(|| one.word.cmp(other.word))
    });
    let mut chosen: Vec<&str> = Vec::with_capacity(MOST);
    for Candidate { word, .. } in candidates {
        if chosen.len() >= MOST {
            break;
        }
        if !chosen.iter().any(|known| known.starts_with(word) || word.starts_with(known)) {
            chosen.push(word);
        }
    }
    chosen
}

fn share(points: usize, of: usize) -> f64 {
    count(points) / count(of).max(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::memory::main_point::Piece;
    use crate::memory::topics::vocabulary::tests::vocabulary;

    fn named(topics: &[&[&str]]) -> Vec<Vec<String>> {
        let topics: Vec<Vocabulary> = topics.iter().map(|points| vocabulary(points)).collect();
        names(&topics.iter().collect::<Vec<_>>())
    }

    const SEA: [&str; 3] =
        ["the heron in the pond", "a heron and the carp of the pond", "the pond is cold and the heron waits"];
    const TRAIN: [&str; 3] =
        ["the train to Ghent is late", "a ticket for the train and the bus", "the train of the morning in Ghent"];
    const KITCHEN: [&str; 3] = [
        "die Küche wird am Montag gestrichen und der Herd wird geliefert",
        "der neue Herd in der Küche ist zu laut",
        "wir haben die Küche und den Herd gekauft",
    ];

    #[test]
    fn a_topic_is_named_by_what_it_has_and_the_others_have_not() {
        let names = named(&[&SEA, &TRAIN]);
        assert_eq!(names[0][..2], ["heron", "pond"]);
        assert_eq!(names[1][..2], ["train", "Ghent"]);
        assert!(names.iter().all(|name| name.len() <= MOST), "{names:?}");
        let small = ["the", "is", "in", "and", "of", "to", "for"];
        assert!(names.iter().flatten().all(|word| !small.contains(&word.as_str())), "{names:?}");
    }

    #[test]
    fn small_words_name_nothing_though_only_one_topic_is_in_their_language() {
        let names = named(&[&KITCHEN, &SEA, &TRAIN]);
        assert_eq!(names[0][..2], ["Herd", "Küche"]);
        let small = ["die", "wird", "am", "und", "der", "in", "ist", "zu", "wir", "haben", "den"];
        assert!(names[0].iter().all(|word| !small.contains(&word.as_str())), "{names:?}");
    }

    #[test]
    fn the_only_topic_is_named_by_what_most_of_it_has_but_small_words() {
        assert_eq!(named(&[&SEA])[0][..2], ["heron", "pond"]);
        assert_eq!(named(&[&KITCHEN])[0][..2], ["Herd", "Küche"]);
    }

    #[test]
    fn small_words_of_a_language_without_a_list_name_nothing_where_several_topics_have_them() {
        let names = named(&[
            &["qo heron", "qo pond heron", "qo carp"],
            &["qo train", "qo ticket train", "qo bus"],
            &["qo oven", "qo kettle oven", "qo kitchen"],
        ]);
        assert!(names.iter().flatten().all(|word| word != "qo"), "{names:?}");
        let best: Vec<&str> = names.iter().filter_map(|name| name.first()).map(String::as_str).collect();
        assert_eq!(best, ["heron", "train", "oven"]);
    }

    #[test]
    fn a_large_topic_without_a_word_does_not_hide_that_all_others_have_it() {
        let large = ["lorem ipsum"; 40];
        let names = named(&[&large, &["qo heron"], &["qo train"], &["qo oven"]]);
        assert_eq!(names[1..], [["heron"], ["train"], ["oven"]]);
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
            (
                ["ピアノの練習は水曜日です", "新しいピアノを買った"],
                ["電車は朝に出る", "電車の切符を買った"],
                ["ピアノ", "電車"],
            ),
        ] {
            let names = named(&[&one, &other]);
            for (name, (word, said)) in names.iter().zip(words.into_iter().zip([one, other])) {
                assert!(name.iter().any(|found| found.contains(word)), "{name:?} {word}");
                assert!(name.iter().all(|found| said.iter().any(|text| text.contains(found.as_str()))), "{name:?}");
            }
        }
    }

    #[test]
    fn what_received_more_attention_comes_first_and_what_only_lengthens_a_word_is_left_out() {
        let pieces = [("kettle", 0.2), ("teapots", 0.9), ("teapot", 0.8), ("teapotful", 0.7)];
        let pieces = pieces.map(|(text, salience)| Piece { text, salience });
        let mut vocabulary = Vocabulary::default();
        vocabulary.add("", &pieces);
        assert_eq!(names(&[&vocabulary]), [["teapots", "kettle"]]);
    }

    #[test]
    fn words_keep_their_capitals() {
        assert_eq!(named(&[&["Ghent", "ghent", "Ghent"]]), [["Ghent"]]);
        assert_eq!(named(&[&["7:15 on 7 May 2023, a Zürich B 31"]]), [["Zürich"]]);
    }

    #[test]
    fn nothing_has_no_name() {
        assert_eq!(names(&[]), Vec::<Vec<String>>::new());
        assert_eq!(named(&[&["42"], &[]]), [Vec::<String>::new(), Vec::new()]);
    }

    #[test]
    fn names_with_most_words_in_common_are_of_one_topic() {
        let name = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let names =
            ["guitar chord string lesson", "oven kettle", "Strings guitars chord", "lesson chord guitar strings"];
        let names = names.map(name);
        assert_eq!(alike(&names), Some((0, 3)));
        assert_eq!(alike(&names[..3]), Some((0, 2)));
        assert_eq!(alike(&names[1..3]), None);
    }

    proptest! {
        #[test]
        fn names_are_few_words_of_the_topic_and_the_same_each_time(
            topics in prop::collection::vec(prop::collection::vec("\\PC{0,30}", 0..5), 0..5),
        ) {
            let texts: Vec<Vec<&str>> =
                topics.iter().map(|points| points.iter().map(String::as_str).collect()).collect();
            let texts: Vec<&[&str]> = texts.iter().map(Vec::as_slice).collect();
            let found = named(&texts);
            prop_assert_eq!(&named(&texts), &found);
            prop_assert_eq!(found.len(), topics.len());
            for (name, points) in found.iter().zip(&topics) {
                prop_assert!(name.len() <= MOST);
                prop_assert!(name.iter().all(|word| points.iter().any(|text| text.contains(word.as_str()))));
            }
        }

        #[test]
        fn a_word_that_every_main_point_has_names_none_of_several_topics(
            topics in prop::collection::vec(prop::collection::vec("[a-e]{2,4}( [a-e]{2,4}){0,3}", 1..6), 2..6),
        ) {
            let texts: Vec<Vec<String>> =
                topics.iter().map(|points| points.iter().map(|text| format!("{text} qo")).collect()).collect();
            let texts: Vec<Vec<&str>> =
                texts.iter().map(|points| points.iter().map(String::as_str).collect()).collect();
            let names = named(&texts.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert!(names.iter().flatten().all(|word| word != "qo"), "{:?}", names);
        }

        #[test]
        fn topics_have_the_same_names_in_any_order(
            topics in prop::collection::vec(prop::collection::vec("[a-e]{2,4}( [a-e]{2,4}){0,3}", 1..6), 1..6),
        ) {
            let texts: Vec<Vec<&str>> =
                topics.iter().map(|points| points.iter().map(String::as_str).collect()).collect();
            let mut texts: Vec<&[&str]> = texts.iter().map(Vec::as_slice).collect();
            let mut names = named(&texts);
            texts.reverse();
            names.reverse();
            prop_assert_eq!(named(&texts), names);
        }
    }
}
