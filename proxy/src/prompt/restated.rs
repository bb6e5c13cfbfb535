//! Whether a message says what a known turn said, but for a clock in it.
//!
//! Some clients write the date and the time into a message that they send again and again. It is one turn then. Whoever edits a
//! message says something else. It must not know where either of them stands.

use crate::memory::recall::dates;

/// Whether two texts differ, in one place, by nothing but a date or the time of day.
pub(super) fn is_restated(known: &str, new: &str) -> bool {
    let (known, new) = differing(known, new);
    [known, new].iter().all(|text| text.len() <= LONGEST_CLOCK && is_clock(text))
}

/// Bytes of the longest date and time.
const LONGEST_CLOCK: usize = 120;

/// What is left of two texts without the words with which both begin and end.
fn differing<'a>(one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    let same = |pair: &((usize, char), char)| pair.0.1 == pair.1;
    let head = one.char_indices().zip(other.chars()).take_while(same).last();
    let head = head.map_or(0, |((at, sign), _)| at + sign.len_utf8());
    let head = one.get(..head).map_or(0, |text| text.rfind(char::is_whitespace).map_or(0, |at| at + 1));
    let (one, other) = (one.get(head..).unwrap_or_default(), other.get(head..).unwrap_or_default());
    let back = one.chars().rev().zip(other.chars().rev()).take_while(|(left, right)| left == right);
    let tail: usize = back.map(|(sign, _)| sign.len_utf8()).sum();
    let end = one.get(one.len() - tail..).and_then(|text| text.find(char::is_whitespace));
    let tail = end.map_or(0, |at| tail - at);
    (one.get(..one.len() - tail).unwrap_or_default(), other.get(..other.len() - tail).unwrap_or_default())
}

/// Whether a text is a date or a time of day and nothing else.
fn is_clock(text: &str) -> bool {
    let mut tells = false;
    for word in text.split_whitespace() {
        let word = word.trim_matches(|sign: char| !sign.is_alphanumeric());
        if word.is_empty() {
            continue;
        }
        let of_time = is_time_of_day(word) || is_date(word);
        let of_calendar = dates::is_calendar_word(word);
        if !of_time && !of_calendar && !is_small_number(word) {
            return false;
        }
        tells |= of_time || of_calendar;
    }
    tells
}

/// `14:03`, `14:03:22.5Z`, `9:05pm`, `14:03:22-05:00`.
fn is_time_of_day(word: &str) -> bool {
    let end = word.find(|sign: char| sign.is_alphabetic() || matches!(sign, '+' | '-')).unwrap_or(word.len());
    let (digits, zone) = word.split_at(end);
    let parts: Vec<&str> = digits.split(':').collect();
    let is_number = |part: &&str| part.chars().next().is_some_and(|sign| sign.is_ascii_digit());
    zone.len() <= 6 && (2..=3).contains(&parts.len()) && parts.iter().all(is_number)
}

/// `2026-11-30`, `30.11.2026`, `2026年11月30日`, each perhaps with a time of day behind it.
fn is_date(word: &str) -> bool {
    let (date, time) = word.split_once(['T', '日', '일']).unwrap_or((word, ""));
    let parts: Vec<&str> =
        date.split(['-', '/', '.', '年', '月', '년', '월']).filter(|part| !part.is_empty()).collect();
    let numbers: Vec<u32> = parts.iter().filter_map(|part| part.parse().ok()).collect();
    let is_date = numbers.len() == 3 && parts.len() == 3 && numbers.iter().any(|number| (1900..2200).contains(number));
    is_date && (time.is_empty() || is_time_of_day(time))
}

/// A day or a year, perhaps as an ordinal.
fn is_small_number(word: &str) -> bool {
    let digits = word.trim_end_matches(char::is_alphabetic);
    let ending = word.len() - digits.len();
    !digits.is_empty() && digits.len() <= 4 && ending <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_whose_clock_has_gone_on_says_what_it_said() {
        for (known, new) in [
            ("It is 14:03. Where is the cat?", "It is 14:04. Where is the cat?"),
            (
                "Now: 2026-11-30T14:03:22Z\nYou are talking to Ann.",
                "Now: 2026-12-01T09:10:00Z\nYou are talking to Ann.",
            ),
            ("[Monday, 30 November 2026, 2:03 pm] hello there", "[Tuesday, 1 December 2026, 11:40 am] hello there"),
            ("Current time: 2026-11-30T14:03:22.51-05:00", "Current time: 2026-12-01T09:10:00.07-05:00"),
            ("Datum: 30.11.2026 14:03", "Datum: 01.12.2026 09:10"),
            ("現在 2026年11月30日14:03 です", "現在 2026年12月1日09:10 です"),
            ("Today is Nov 30th, 2026.", "Today is Dec 1st, 2026."),
        ] {
            assert!(is_restated(known, new), "{new}");
            assert!(is_restated(new, known), "{known}");
        }
    }

    #[test]
    fn an_edited_message_says_something_else() {
        for (known, new) in [
            ("My budget is 300 euros.", "My budget is 500 euros."),
            ("At 14:03 I met Bob.", "At 15:10 I saw Ann."),
            ("We use version 1.2.3.", "We use version 1.2.4."),
            ("It is 14:03.", "It is 14:03. And I like figs."),
            ("I like figs", "I like dates"),
            ("same", "same"),
        ] {
            assert!(!is_restated(known, new), "{new}");
        }
    }
}
