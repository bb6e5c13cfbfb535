//! The words of a text, as far as dates are made of them.

use chrono::Weekday;

use super::calendar::{Season, Unit};
use super::east_asian;
use super::east_asian::Part;
use super::months::{Needs, leads, month};
use super::numeric::exact;
use super::plain::plain;
use super::word::{Reading, Word, digits, is_year};

const NUMBERS: [&str; 12] =
    ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
const ORDINALS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];
const DASHES: [char; 3] = ['-', '–', '—'];

/// What is in French before a word that begins with a vowel.
const ELISIONS: [&str; 3] = ["d", "l", "qu"];
/// What a Russian number ends with, behind a dash.
const NUMBER_ENDINGS: [&str; 4] = ["го", "е", "м", "й"];

/// What makes a number behind it an inexact one, or a part of a larger one.
const VAGUE: [&str; 29] = [
    "about",
    "almost",
    "nearly",
    "roughly",
    "approximately",
    "approx",
    "circa",
    "maybe",
    "perhaps",
    "probably",
    "some",
    "like",
    "than",
    "least",
    "most",
    "or",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "hundred",
    "thousand",
    "million",
    "dozen",
    "another",
];

/// What stands before a word.
#[derive(Debug, Clone, Copy)]
struct Place {
    begins_sentence: bool,
    /// Whether a word of another language leads to a month.
    is_led: bool,
}

/// The words of a text in their order.
pub(super) fn words(text: &str, reading: Reading) -> Vec<Word> {
    let mut words = Vec::new();
    for line in plain(text).lines() {
        let mut place = Place { begins_sentence: true, is_led: false };
        for part in east_asian::parts(line, reading) {
            match part {
                Part::Text(text) => place = push_text(&mut words, text, place),
                Part::Words(found) => words.extend(found),
            }
        }
        words.push(Word::Break);
    }
    let words = without_dots(&words);
    let read = |at| read(&words, at, reading);
    (0..words.len()).filter_map(read).collect()
}

/// A word among others. What counts roughly is no date for certain: "a few years", and "weeks" without a number, as in "it may
/// last weeks".
fn read(words: &[Word], at: usize, reading: Reading) -> Option<Word> {
    let before = at.checked_sub(1).and_then(|before| words.get(before));
    let is_counted = matches!(before, Some(Word::Digits(_) | Word::Count(_)));
    Some(match words.get(at)? {
        Word::Units(unit) if reading == Reading::Likely || is_counted => Word::Unit(*unit),
        Word::Units(_) => Word::Other,
        Word::About(_) if reading == Reading::Certain => Word::Other,
        word => *word,
    })
}

fn push_text(words: &mut Vec<Word>, text: &str, mut place: Place) -> Place {
    for piece in text.split_whitespace() {
        let bare = piece.trim_end_matches(is_mark);
        let marks = piece.get(bare.len()..).unwrap_or_default();
        let bare = bare.trim_start_matches(is_mark);
        push_piece(words, bare, place);
        let last = words.last();
        let abbreviates = marks == "." && matches!(last, Some(Word::Month { needs, .. }) if *needs != Needs::Nothing);
        let counts = marks == "." && matches!(last, Some(Word::Digits(1..=31)));
        place.begins_sentence = marks.contains(['.', '?', '!', ':', ';']) && !abbreviates;
        place.is_led = marks.is_empty() && leads(&bare.to_lowercase());
        if counts {
            words.push(Word::Dot);
        } else if place.begins_sentence {
            words.push(Word::Break);
        } else if marks.contains(',') {
            words.push(Word::Comma);
        }
    }
    place
}

/// The words with a dot left out between a day and its month, and taken for the end of a sentence elsewhere. "I ran 7. March
/// was cold" has no date.
fn without_dots(words: &[Word]) -> Vec<Word> {
    let is_date = |at: usize| match words.get(at + 1) {
        Some(Word::Month { needs: Needs::Lead, .. }) => {
            matches!(words.get(at + 2), Some(Word::Digits(year)) if is_year(*year))
        }
        Some(Word::Month { .. }) => true,
        _ => false,
    };
    let places = words.iter().enumerate();
    let kept = places.filter(|(at, word)| **word != Word::Dot || !is_date(*at));
    kept.map(|(_, word)| if *word == Word::Dot { Word::Break } else { *word }).collect()
}

fn is_mark(character: char) -> bool {
    ".,;:?!…\"“”„'‘’`()[]{}*_¿¡«»".contains(character)
}

/// A piece without a space in it, such as `mid-May` or `2019-2021`.
fn push_piece(words: &mut Vec<Word>, piece: &str, mut place: Place) {
    let dates = exact(piece);
    if !dates.is_empty() {
        words.extend(dates.into_iter().map(Word::Exact));
        return;
    }
    if !piece.is_empty() && piece.chars().all(|character| DASHES.contains(&character)) {
        words.push(Word::To);
        return;
    }
    let mut follows_number = false;
    for part in piece.split(DASHES).filter(|part| !part.is_empty()) {
        if follows_number && NUMBER_ENDINGS.contains(&part) {
            continue;
        }
        let word = word(part, place);
        let is_number = matches!(word, Word::Digits(_));
        if follows_number && is_number {
            words.push(Word::To);
        }
        words.push(word);
        (place.begins_sentence, follows_number) = (false, is_number);
    }
}

fn word(text: &str, place: Place) -> Word {
    let stem = text.strip_suffix("'s").or_else(|| text.strip_suffix("’s"));
    match bare_word(stem.unwrap_or(text), place) {
        Word::Other if stem.is_some() => Word::Particular,
        word => word,
    }
}

fn bare_word(text: &str, place: Place) -> Word {
    let lower = text.to_lowercase();
    // A capital is a sign of a name only inside a sentence, and only if the word is not all in capitals.
    let is_name =
        !place.begins_sentence && text.starts_with(char::is_uppercase) && !text.chars().skip(1).any(char::is_uppercase);
    number(&lower)
        .or_else(|| joined(&lower))
        .or_else(|| month(&lower, is_name, place.is_led).map(|(number, needs)| Word::Month { number, needs }))
        .or_else(|| weekday(&lower).map(Word::Weekday))
        .unwrap_or_else(|| simple(&lower))
}

/// A month or number with another word before its apostrophe, as in French, or an ending behind it, as in Turkish.
fn joined(lower: &str) -> Option<Word> {
    let (before, after) = lower.split_once(['\'', '’'])?;
    let own = if ELISIONS.contains(&before) { after } else { before };
    number(own).or_else(|| month(own, false, true).map(|(number, needs)| Word::Month { number, needs }))
}

fn number(lower: &str) -> Option<Word> {
    if let Some(digits) = digits(lower, 4) {
        return Some(Word::Digits(digits));
    }
    let suffixes = ["st", "nd", "rd", "th", "er", "re", "º", "ª", ".º"];
    let stem = suffixes.iter().find_map(|suffix| lower.strip_suffix(suffix));
    if let Some(ordinal) = stem.and_then(|stem| digits(stem, 2)) {
        return Some(Word::Ordinal(ordinal));
    }
    if let Some(count) = place(&NUMBERS, lower) {
        return Some(Word::Count(count));
    }
    place(&ORDINALS, lower).map(Word::Ordinal)
}

fn weekday(lower: &str) -> Option<Weekday> {
    // Short names are left out: most of them are other words.
    Some(match lower {
        "monday" => Weekday::Mon,
        "tuesday" => Weekday::Tue,
        "wednesday" => Weekday::Wed,
        "thursday" => Weekday::Thu,
        "friday" => Weekday::Fri,
        "saturday" => Weekday::Sat,
        "sunday" => Weekday::Sun,
        _ => return None,
    })
}

fn simple(lower: &str) -> Word {
    match lower {
        "a" | "an" => Word::Count(1),
        "couple" => Word::About(2),
        "few" => Word::About(3),
        "spring" => Word::Season(Season::Spring),
        "summer" => Word::Season(Season::Summer),
        "autumn" | "fall" => Word::Season(Season::Autumn),
        "winter" => Word::Season(Season::Winter),
        "day" => Word::Unit(Unit::Day),
        "week" => Word::Unit(Unit::Week),
        "weekend" => Word::Unit(Unit::Weekend),
        "month" => Word::Unit(Unit::Month),
        "year" => Word::Unit(Unit::Year),
        "days" => Word::Units(Unit::Day),
        "weeks" => Word::Units(Unit::Week),
        "weekends" => Word::Units(Unit::Weekend),
        "months" => Word::Units(Unit::Month),
        "years" => Word::Units(Unit::Year),
        "morning" | "afternoon" | "evening" | "night" => Word::PartOfDay,
        "today" | "tonight" => Word::Today,
        "heute" | "hoy" | "hoje" | "oggi" | "aujourd'hui" | "сегодня" | "bugün" | "आज" | "আজ" => {
            Word::Today
        }
        "yesterday" | "gestern" | "ayer" | "ontem" | "ieri" | "вчера" | "dün" | "أمس" | "গতকাল" => {
            Word::Yesterday
        }
        "ago" => Word::Ago,
        "this" | "current" => Word::This,
        "last" | "previous" => Word::Last,
        "past" => Word::Past,
        "next" | "upcoming" | "every" | "each" => Word::Open,
        "my" | "our" | "your" | "his" | "her" | "its" | "their" | "whose" | "at" | "long" => Word::Particular,
        "l'altro" | "l’altro" | "altro" | "أول" | "اول" | "الأول" | "الاول" | "değil" => {
            Word::Farther
        }
        "antes" => Word::EarlierThan,
        other if VAGUE.contains(&other) => Word::Vague,
        "early" | "beginning" | "start" => Word::Third(0),
        "mid" | "middle" => Word::Third(1),
        "late" | "end" => Word::Third(2),
        "half" => Word::Half,
        "since" => Word::Since,
        "before" => Word::Before,
        "after" => Word::After,
        "between" => Word::Between,
        "and" => Word::And,
        "to" => Word::To,
        "until" | "till" | "through" => Word::Until,
        "of" => Word::Of,
        "de" | "del" | "di" => Word::De,
        "in" | "on" | "by" | "during" | "for" | "around" | "over" => Word::In,
        "the" => Word::The,
        _ => Word::Other,
    }
}

/// Where a word stands in a list, from 1.
fn place(words: &[&str], word: &str) -> Option<u16> {
    (1..).zip(words).find(|(_, known)| **known == word).map(|(place, _)| place)
}
