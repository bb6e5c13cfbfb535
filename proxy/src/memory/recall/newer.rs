//! Finds what later turns tell otherwise than earlier ones, so that the newer fact comes first and the older one not without it.
//!
//! Two things that one user says are taken to be about the same when a sentence of one shares most of its words with a sentence of
//! the other, a word of the question among them; when the later one has what the earlier one has of the question; and when it is
//! nearly as likely to answer. A word counts by its letters, so that those that every sentence has count for nothing, in any
//! language; values count for nothing either, since they are what changes. The constants were chosen on LoCoMo, ranked by words alone,
//! and on those pairs of `bench/data/updates.json` that say so: they find many of the pairs and cost hardly any evidence. It must
//! not know how turns are found or quoted.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use icu_segmenter::SentenceSegmenter;
use icu_segmenter::options::SentenceBreakInvariantOptions;

use super::dates;
use crate::memory::features::{QUESTION_MARKS, speaker_of};
use crate::memory::script::{is_hiragana, is_wide};

/// A turn that was recalled, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DatedTurn<'a> {
    /// Who speaks, as the wire has it.
    pub role: &'a str,
    /// What would be quoted of it.
    pub text: &'a str,
    /// When it was said.
    pub time: DateTime<Utc>,
    /// How likely it is to answer, 0 to 1.
    pub chance: f32,
}

/// Of each turn the place of the newest one that tells otherwise what it tells; `None` for one that nothing newer is about. What
/// a place stands for has none itself. A question that names a time asks for what was said then, whatever was said since.
#[must_use]
pub fn newer(question: &str, asked: DateTime<Utc>, turns: &[DatedTurn<'_>]) -> Vec<Option<usize>> {
    let mut found = vec![None; turns.len()];
    let question_words = words_of(question);
    if turns.len() < 2 || question_words.is_empty() || !dates::periods(question, asked).is_empty() {
        return found;
    }
    let statements: Vec<Option<Statement<'_>>> =
        turns.iter().map(|turn| Statement::of(turn, &question_words)).collect();
    let mut places: Vec<usize> = (0..turns.len()).collect();
    places.sort_by_key(|place| std::cmp::Reverse(turns.get(*place).map(|turn| turn.time)));
    let mut newest: Vec<(usize, &Statement<'_>)> = Vec::new();
    for place in places {
        let Some(statement) = statements.get(place).and_then(Option::as_ref) else { continue };
        let later = newest.iter().find(|(_, later)| later.tells_otherwise(statement)).map(|(later, _)| *later);
        match found.get_mut(place).filter(|_| later.is_some()) {
            Some(slot) => *slot = later,
            None => newest.push((place, statement)),
        }
    }
    found
}

/// The places of turns, best first, so that none stands before the newer one that [`newer`] found for it; where one would, that
/// comes right before it.
#[must_use]
pub fn newest_first(newer: &[Option<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(newer.len());
    let mut is_placed = vec![false; newer.len()];
    for (place, later) in newer.iter().enumerate() {
        for place in later.iter().copied().chain([place]) {
            if let Some(is_placed) = is_placed.get_mut(place).filter(|is_placed| !**is_placed) {
                *is_placed = true;
                order.push(place);
            }
        }
    }
    order
}

/// Words with what each counts.
type Words = BTreeMap<String, usize>;

/// What a user states.
struct Statement<'a> {
    speaker: Option<&'a str>,
    time: DateTime<Utc>,
    chance: f32,
    /// The words of each sentence that has a word of the question.
    sentences: Vec<Words>,
    /// Those words of theirs that the question has.
    asked: Words,
}

/// A later turn has to be as likely to answer as this share of the earlier one.
const LEAST_CHANCE: f32 = 0.5;
/// Of a hundred parts of the question's words in the earlier turn the later one has to have so many.
const COVERED: usize = 60;
/// What these words have to count: more than one short word.
const LEAST_COVERED: usize = 3;
/// Of a hundred parts of the words of the sentence with fewer words, so many have to be in the other one.
const SHARED: usize = 35;
/// What these words have to count: a long word, or two of six letters.
const LEAST_SHARED: usize = 5;

impl<'a> Statement<'a> {
    /// What a turn states about the question; nothing for one that is not the user's or has no word of the question.
    fn of(turn: &DatedTurn<'a>, question: &Words) -> Option<Self> {
        if turn.role != "user" {
            return None;
        }
        let (speaker, said) = speaker_of(turn.text).map_or((None, turn.text), |(name, said)| (Some(name), said));
        let stated = sentences(said).filter(|sentence| states(sentence)).map(words_of);
        let is_about = |sentence: &Words| sentence.keys().any(|word| question.contains_key(word));
        let sentences: Vec<Words> = stated.filter(is_about).collect();
        let mut asked = Words::new();
        for (word, count) in sentences.iter().flatten().filter(|(word, _)| question.contains_key(*word)) {
            asked.insert(word.clone(), *count);
        }
        (!sentences.is_empty()).then_some(Self { speaker, time: turn.time, chance: turn.chance, sentences, asked })
    }

    /// Whether this was said later than an `earlier` statement by the same speaker about the same.
    fn tells_otherwise(&self, earlier: &Self) -> bool {
        let covered = shared(&earlier.asked, &self.asked);
        self.time > earlier.time
            && !self.is_another_speaker(earlier)
            && self.chance >= earlier.chance * LEAST_CHANCE
            && covered >= LEAST_COVERED
            && covered * 100 >= weight(&earlier.asked) * COVERED
            && earlier.sentences.iter().any(|then| self.sentences.iter().any(|now| self.is_same(then, now)))
    }

    /// Whether both are known by name and are not the same; a name may be a mere heading ("Update: …") where people have none.
    fn is_another_speaker(&self, other: &Self) -> bool {
        self.speaker.zip(other.speaker).is_some_and(|(own, other)| own != other)
    }

    /// Whether two sentences are about the same, a word of the question among what they share.
    fn is_same(&self, then: &Words, now: &Words) -> bool {
        let common = shared(then, now);
        common >= LEAST_SHARED
            && common * 100 >= weight(then).min(weight(now)) * SHARED
            && self.asked.keys().any(|word| then.contains_key(word) && now.contains_key(word))
    }
}

fn weight(words: &Words) -> usize {
    words.values().sum()
}

/// What the words that both have count.
fn shared(one: &Words, other: &Words) -> usize {
    one.iter().filter_map(|(word, count)| other.get(word).map(|own| own.min(count))).sum()
}

/// The sentences of a text; a line ends one, too.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let segmenter = SentenceSegmenter::new(SentenceBreakInvariantOptions::default());
    text.lines().flat_map(move |line| {
        let ends = segmenter.segment_str(line).skip(1);
        ends.scan(0, move |start, end| line.get(std::mem::replace(start, end)..end))
    })
}

/// Whether a sentence states something: a question does where it brings along a value ("remember that I pay 40?").
fn states(sentence: &str) -> bool {
    !sentence.contains(QUESTION_MARKS) || sentence.contains(char::is_numeric)
}

/// The words that count, by their beginnings, so that a word is the same in its other forms.
fn words_of(text: &str) -> Words {
    let mut words = Words::new();
    for range in mainpoint_engine::words(text) {
        let word = text.get(range).unwrap_or_default();
        let worth = worth(word);
        if worth > 0 {
            let known = words.entry(beginning(word)).or_default();
            *known = worth.max(*known);
        }
    }
    words
}

/// Letters that a word has to have more than, before it counts.
const SHORT: usize = 3;
/// Letters from which on a word counts no more.
const LONG: usize = 8;
/// A character of a wide script says as much as so many letters of an alphabet; hiragana mostly writes what every sentence has.
const LETTERS_PER_WIDE: usize = 3;
/// Characters of a word's beginning, in an alphabet and in a wide script.
const BEGINNING: usize = 5;
const WIDE_BEGINNING: usize = 2;

/// What a word counts; nothing for one with digits, which is a value.
fn worth(word: &str) -> usize {
    if word.contains(char::is_numeric) {
        return 0;
    }
    let says_more = |letter: char| is_wide(letter) && !is_hiragana(letter);
    let letters = |letter| if says_more(letter) { LETTERS_PER_WIDE } else { 1 };
    let letters: usize = word.chars().filter(|letter| letter.is_alphabetic()).map(letters).sum();
    letters.min(LONG).saturating_sub(SHORT)
}

fn beginning(word: &str) -> String {
    let length = if word.contains(is_wide) { WIDE_BEGINNING } else { BEGINNING };
    word.chars().flat_map(char::to_lowercase).take(length).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    /// What a user told on one day after the other, all equally likely to answer.
    fn told<'a>(texts: &[&'a str]) -> Vec<DatedTurn<'a>> {
        let one = |(day, text): (i64, &&'a str)| DatedTurn {
            role: "user",
            text,
            time: DateTime::UNIX_EPOCH + TimeDelta::days(day),
            chance: 0.1,
        };
        (0..).zip(texts).map(one).collect()
    }

    fn found(question: &str, told: &[DatedTurn<'_>]) -> Vec<Option<usize>> {
        newer(question, DateTime::UNIX_EPOCH + TimeDelta::days(1000), told)
    }

    const QUESTION: &str = "When is the weekly planning meeting with the Lisbon team?";
    const THEN: &str = "Our weekly planning meeting with the Lisbon team is on Tuesdays at nine.";
    const NOW: &str = "Dinner was great. The planning meeting with the Lisbon team has moved to Thursday afternoons!";

    #[test]
    fn what_was_told_later_stands_for_what_was_told_before_in_any_order() {
        assert_eq!(found(QUESTION, &told(&[THEN, NOW])), [Some(1), None]);
        let mut turned = told(&[THEN, NOW]);
        turned.reverse();
        assert_eq!(found(QUESTION, &turned), [None, Some(0)]);
    }

    #[test]
    fn the_newest_of_several_stands_for_all_of_them() {
        let last = "We gave up on that. Now the planning meeting with the Lisbon team is on Mondays.";
        assert_eq!(found(QUESTION, &told(&[THEN, NOW, last])), [Some(2), Some(2), None]);
    }

    #[test]
    fn it_is_found_in_every_language() {
        for (question, then, now) in [
            (
                "Was kostet mein Stromtarif je Kilowattstunde?",
                "Mein Stromtarif kostet 34 Cent je Kilowattstunde.",
                "Mein Stromtarif kostet jetzt 28 Cent je Kilowattstunde.",
            ),
            (
                "¿Cuál es el presupuesto para la cocina?",
                "El presupuesto para reformar la cocina es de 8.000 euros.",
                "Hemos decidido subir el presupuesto de la cocina a 11.500 euros.",
            ),
            (
                "Когда у нас занятия по керамике?",
                "Наши занятия по керамике проходят в понедельник вечером.",
                "Теперь наши занятия по керамике проходят в пятницу утром.",
            ),
            ("钢琴课是什么时候？", "我们的钢琴课是每周三晚上，老师姓林。", "钢琴课改到每周六上午了，老师还是姓林。"),
            (
                "娘の水泳教室は何曜日ですか。",
                "娘は毎週土曜日に水泳教室に通っています。",
                "娘の水泳教室は来月から毎週水曜日になります。",
            ),
            (
                "우리 회의는 무슨 요일이야?",
                "우리 기획 회의는 화요일 아침이야.",
                "우리 기획 회의가 목요일 아침으로 바뀌었어.",
            ),
        ] {
            assert_eq!(found(question, &told(&[then, now])), [Some(1), None], "{question}");
        }
    }

    #[test]
    fn a_value_in_a_question_is_told_and_a_mere_question_tells_nothing() {
        let question = "For what amount was I pre-approved by Wells Fargo?";
        let then = "I got pre-approved for $350,000 from Wells Fargo.";
        let now = "Do you remember when I got pre-approved for $400,000 from Wells Fargo?";
        assert_eq!(found(question, &told(&[then, now])), [Some(1), None]);
        let asked = "Was I pre-approved by Wells Fargo, and for how much?";
        assert_eq!(found(question, &told(&[then, asked])), [None, None]);
    }

    #[test]
    fn what_lacks_a_word_of_the_question_or_is_about_something_else_stands_for_nothing() {
        let none = [None, None];
        let brother = "My brother Tomas lives in Ghent with two cats.";
        let sister = "My sister Paula lives in Lyon with two cats.";
        for question in ["Where does my brother Tomas live?", "Does my brother Tomas have two cats?"] {
            assert_eq!(found(question, &told(&[brother, sister])), none);
        }
        assert_eq!(found(QUESTION, &told(&[THEN, "The Lisbon team has planted an enormous lemon tree."])), none);
        assert_eq!(found("Which dog do I have?", &told(&[THEN, NOW])), none, "the question is about neither");
        assert_eq!(found("", &told(&[THEN, NOW])), none);
    }

    #[test]
    fn others_do_not_speak_for_the_user_nor_what_is_unlikely_for_what_is_likely() {
        let none = [None, None];
        let (then, now) = (told(&[THEN, NOW])[0], told(&[THEN, NOW])[1]);
        assert_eq!(found(QUESTION, &[then, DatedTurn { role: "assistant", ..now }]), none);
        assert_eq!(found(QUESTION, &[then, DatedTurn { chance: 0.02, ..now }]), none);
        assert_eq!(found(QUESTION, &[then, DatedTurn { time: then.time, ..now }]), none, "neither is newer");
        let named = |name: &str, text: &str| format!("{name}: {text}");
        let (ann, bo, later) = (named("Ann", THEN), named("Bo", NOW), named("Ann", NOW));
        assert_eq!(found(QUESTION, &told(&[&ann, &bo])), none);
        assert_eq!(found(QUESTION, &told(&[&ann, &later])), [Some(1), None]);
        assert_eq!(found(QUESTION, &told(&[THEN, &named("Update", NOW)])), [Some(1), None]);
    }

    #[test]
    fn a_question_that_names_a_time_asks_for_what_was_said_then() {
        let question = "On which day was the planning meeting with the Lisbon team in March 1971?";
        assert_eq!(found(question, &told(&[THEN, NOW])), [None, None]);
    }

    #[test]
    fn the_newer_one_comes_right_before_the_first_that_it_stands_for() {
        assert_eq!(newest_first(&[None, Some(4), None, Some(4), None]), [0, 4, 1, 2, 3]);
        assert_eq!(newest_first(&[None, Some(0), None]), [0, 1, 2]);
        assert_eq!(newest_first(&[Some(7)]), [0], "a place that there is not is passed over");
    }

    #[test]
    fn words_count_by_their_letters_and_values_not_at_all() {
        let words = words_of("The meetings met at 14:30, a Meeting");
        assert_eq!(words.into_iter().collect::<Vec<_>>(), [("meeti".to_owned(), 5)]);
        assert_eq!(worth("です"), 0);
        assert_eq!((worth("水泳"), worth("犬"), worth("회의")), (3, 0, 3));
    }

    proptest! {
        #[test]
        fn what_stands_for_others_is_newer_and_has_nothing_newer_itself(
            texts in prop::collection::vec("(Lisbon|team|planning|meeting|moved|cello|[a-z]{4,6}| |[.?] ){0,9}", 0..9),
            days in prop::collection::vec(0_i64..5, 9),
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let mut all = told(&texts);
            all.iter_mut().zip(&days).for_each(|(one, day)| one.time = DateTime::UNIX_EPOCH + TimeDelta::days(*day));
            let newer = found(QUESTION, &all);
            prop_assert_eq!(newer.len(), all.len());
            for (place, later) in newer.iter().enumerate() {
                if let Some(later) = later {
                    prop_assert!(all[*later].time > all[place].time);
                    prop_assert_eq!(newer[*later], None);
                }
            }
            let order = newest_first(&newer);
            let rank = |place: usize| order.iter().position(|other| *other == place);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..all.len()).collect::<Vec<_>>());
            for (place, later) in newer.iter().enumerate() {
                prop_assert!(later.is_none_or(|later| rank(later) < rank(place)));
            }
            let moved = |place: &usize| newer.contains(&Some(*place));
            let others: Vec<usize> = order.iter().copied().filter(|place| !moved(place)).collect();
            prop_assert!(others.is_sorted(), "all others keep their order");
        }
    }
}
