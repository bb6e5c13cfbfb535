//! The words of a text, as far as dates are made of them.
//!
//! It must not know what they name together.

use chrono::{NaiveDate, Weekday};

use super::Period;
use super::calendar::{Season, Unit};

/// A word, or a mark that parts words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// A number of one to four digits.
    Digits(u16),
    /// A number in words, `a` and `few` among them.
    Count(u16),
    /// `3rd` or `third`.
    Ordinal(u16),
    /// A date in digits alone, such as `2023-05-07`.
    Exact(Period),
    Month {
        /// From 1.
        number: u32,
        /// Whether it is one without a date beside it; `may` and abbreviations are not.
        is_sure: bool,
    },
    Season(Season),
    Weekday(Weekday),
    Unit(Unit),
    /// `morning`, `night` and the like.
    PartOfDay,
    Today,
    Yesterday,
    Ago,
    This,
    Last,
    Past,
    /// What follows is ahead, or comes back all the time: `next`, `every`.
    Open,
    /// One of three parts, from 0: `early`, `middle`, `end`.
    Third(i64),
    Half,
    Since,
    Before,
    After,
    Between,
    And,
    /// `to`, or a dash between dates.
    To,
    Until,
    Of,
    /// `in`, `on`, `by` and other words before a time.
    In,
    The,
    Comma,
    /// The end of a sentence or of a line.
    Break,
    Other,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// Months that are verbs, too.
const VERBS: [&str; 2] = ["march", "may"];
const NUMBERS: [&str; 12] = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
];
const ORDINALS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];
const DASHES: [char; 3] = ['-', '–', '—'];

/// The words of a text in their order.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    for line in text.lines() {
        let mut begins_sentence = true;
        for piece in line.split_whitespace() {
            let bare = piece.trim_end_matches(is_mark);
            let marks = piece.get(bare.len()..).unwrap_or_default();
            let bare = bare.trim_start_matches(is_mark);
            push_piece(&mut words, bare, begins_sentence);
            let abbreviates = marks == "." && matches!(words.last(), Some(Word::Month { is_sure: false, .. }));
            begins_sentence = marks.contains(['.', '?', '!', ':', ';']) && !abbreviates;
            if begins_sentence {
                words.push(Word::Break);
            } else if marks.contains(',') {
                words.push(Word::Comma);
            }
        }
        words.push(Word::Break);
    }
    words
}

/// Whether a number is taken for a year.
pub(super) fn is_year(number: u16) -> bool {
    (1900..=2099).contains(&number)
}

fn is_mark(character: char) -> bool {
    ".,;:?!…\"“”„'‘’`()[]{}*_".contains(character)
}

/// A piece without a space in it, such as `mid-May` or `2019-2021`.
fn push_piece(words: &mut Vec<Word>, piece: &str, begins_sentence: bool) {
    if let Some(period) = exact(piece) {
        words.push(Word::Exact(period));
        return;
    }
    if !piece.is_empty() && piece.chars().all(|character| DASHES.contains(&character)) {
        words.push(Word::To);
        return;
    }
    let (mut begins, mut follows_number) = (begins_sentence, false);
    for part in piece.split(DASHES).filter(|part| !part.is_empty()) {
        let word = word(part, begins);
        let is_number = matches!(word, Word::Digits(_));
        if follows_number && is_number {
            words.push(Word::To);
        }
        words.push(word);
        (begins, follows_number) = (false, is_number);
    }
}

fn word(text: &str, begins_sentence: bool) -> Word {
    let text = text
        .strip_suffix("'s")
        .or_else(|| text.strip_suffix("’s"))
        .unwrap_or(text);
    let lower = text.to_lowercase();
    // A capital is a sign of a name only inside a sentence, and only if the word is not all in capitals.
    let is_name =
        !begins_sentence && text.starts_with(char::is_uppercase) && !text.chars().skip(1).any(char::is_uppercase);
    number(&lower)
        .or_else(|| month(&lower, is_name))
        .or_else(|| weekday(&lower).map(Word::Weekday))
        .unwrap_or_else(|| simple(&lower))
}

fn number(lower: &str) -> Option<Word> {
    if let Some(digits) = digits(lower, 4) {
        return Some(Word::Digits(digits));
    }
    let suffixes = ["st", "nd", "rd", "th"];
    let stem = suffixes.iter().find_map(|suffix| lower.strip_suffix(suffix));
    if let Some(ordinal) = stem.and_then(|stem| digits(stem, 2)) {
        return Some(Word::Ordinal(ordinal));
    }
    if let Some(count) = place(&NUMBERS, lower) {
        return Some(Word::Count(count));
    }
    place(&ORDINALS, lower).map(Word::Ordinal)
}

fn month(lower: &str, is_name: bool) -> Option<Word> {
    if let Some(number) = place(&MONTHS, lower) {
        return Some(Word::Month {
            number: number.into(),
            is_sure: is_name || !VERBS.contains(&lower),
        });
    }
    let short = if lower == "sept" { "sep" } else { lower };
    let number = (1_u32..).zip(MONTHS).find(|(_, month)| month.get(..3) == Some(short));
    number.map(|(number, _)| Word::Month { number, is_sure: false })
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
        "couple" => Word::Count(2),
        "few" => Word::Count(3),
        "spring" => Word::Season(Season::Spring),
        "summer" => Word::Season(Season::Summer),
        "autumn" | "fall" => Word::Season(Season::Autumn),
        "winter" => Word::Season(Season::Winter),
        "day" | "days" => Word::Unit(Unit::Day),
        "week" | "weeks" => Word::Unit(Unit::Week),
        "weekend" | "weekends" => Word::Unit(Unit::Weekend),
        "month" | "months" => Word::Unit(Unit::Month),
        "year" | "years" => Word::Unit(Unit::Year),
        "morning" | "afternoon" | "evening" | "night" => Word::PartOfDay,
        "today" | "tonight" => Word::Today,
        "yesterday" => Word::Yesterday,
        "ago" => Word::Ago,
        "this" | "current" => Word::This,
        "last" | "previous" => Word::Last,
        "past" => Word::Past,
        "next" | "upcoming" | "every" | "each" => Word::Open,
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
        "in" | "on" | "by" | "during" | "for" | "around" | "over" => Word::In,
        "the" => Word::The,
        _ => Word::Other,
    }
}

/// A date in digits alone: year first, or year last where only one of the others can be the month.
fn exact(text: &str) -> Option<Period> {
    let date = text.split('T').next().unwrap_or_default();
    let separator = if date.contains('/') { '/' } else { '-' };
    let parts: Vec<&str> = date.split(separator).collect();
    let numbers = parts.iter().map(|part| digits(part, 4)).collect::<Option<Vec<u16>>>()?;
    let widths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let (year, month, day) = match (numbers.as_slice(), widths.as_slice()) {
        ([year, month, day], [4, ..]) => (*year, *month, *day),
        ([year, month], [4, 2]) if separator == '-' => {
            let first = NaiveDate::from_ymd_opt((*year).into(), (*month).into(), 1);
            return first
                .filter(|_| is_year(*year))
                .and_then(|first| Unit::Month.around(first));
        }
        ([month, day, year], [.., 4]) if separator == '/' && (day == month || *day > 12) => (*year, *month, *day),
        ([day, month, year], [.., 4]) if separator == '/' && *day > 12 => (*year, *month, *day),
        _ => return None,
    };
    let day = NaiveDate::from_ymd_opt(year.into(), month.into(), day.into());
    day.filter(|_| is_year(year)).and_then(|day| Unit::Day.around(day))
}

/// The number that a text of at most so many digits is.
fn digits(text: &str, most: usize) -> Option<u16> {
    let is_number = text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Where a word stands in a list, from 1.
fn place(words: &[&str], word: &str) -> Option<u16> {
    (1..)
        .zip(words)
        .find(|(_, known)| **known == word)
        .map(|(place, _)| place)
}
