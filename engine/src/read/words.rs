//! Splitting a text into units that are never cut: words, and runs of words that form one number or date.

use std::ops::Range;

use icu_segmenter::WordSegmenter;
use icu_segmenter::options::WordBreakInvariantOptions;

/// Byte ranges of the text's units, ascending. Every unit has a letter or a digit, begins and ends
/// at a character boundary, and keeps numbers, times and dates such as `7 May 2023` in one piece.
pub fn units(text: &str) -> Vec<Range<usize>> {
    let words = words(text);
    let mut units: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    while let Some(word) = words.get(from) {
        let date = written_date(text, &words[from..]);
        let joins = from.checked_sub(1).is_some_and(|last| belongs_together(text, &words[last], word));
        let end = words[from + date - 1].end;
        match units.last_mut() {
            Some(unit) if joins => unit.end = end,
            _ => units.push(word.start..end),
        }
        from += date;
    }
    units
}

/// Of how many words the date consists that `words` begin with, such as `7 de mayo de 2023`, whatever the month is called; 1
/// if they begin with none.
fn written_date(text: &str, words: &[Range<usize>]) -> usize {
    let word = |index: usize| words.get(index).map_or("", |word| &text[word.clone()]);
    let behind_connector = |index: usize| index + usize::from(matches!(word(index), "de" | "del" | "di" | "of"));
    let is_number = |word: &str, digits: Range<usize>| {
        let number = word.trim_end_matches('.');
        digits.contains(&number.chars().count()) && number.chars().all(char::is_numeric)
    };
    let month = behind_connector(1);
    let year = behind_connector(month + 1);
    let is_date = is_number(word(0), 1..3)
        && !word(month).is_empty()
        && word(month).chars().all(|character| character.is_alphabetic() || character == '.')
        && is_number(word(year), 4..5)
        && words[0..=year].windows(2).all(|pair| text[pair[0].end..pair[1].start].trim_matches(['.', ',']) == " ");
    if is_date { year + 1 } else { 1 }
}

fn words(text: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    for (offset, run) in runs(text) {
        if run.chars().any(is_unspaced_script) {
            words.extend(dictionary_words(run).map(|word| offset + word.start..offset + word.end));
        } else if let Some(word) = trimmed(run) {
            words.push(offset + word.start..offset + word.end);
        }
    }
    words
}

/// The words of a run in a script that puts no spaces between them.
fn dictionary_words(run: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let segmenter = WordSegmenter::new_dictionary(WordBreakInvariantOptions::default());
    let mut start = 0;
    let words = segmenter.segment_str(run).map(move |end| {
        let word = start..end;
        start = end;
        word
    });
    words.filter(|word| run[word.clone()].chars().any(char::is_alphanumeric))
}

/// Stretches between white space and separators.
fn runs(text: &str) -> Vec<(usize, &str)> {
    let mut runs = Vec::new();
    let mut start = 0;
    let mut previous = ' ';
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map_or(' ', |(_, next)| *next);
        let inside_number = previous.is_numeric() && next.is_numeric();
        if character.is_whitespace() || (is_separator(character) && !inside_number) {
            if start < at {
                runs.push((start, &text[start..at]));
            }
            start = at + character.len_utf8();
        }
        previous = character;
    }
    if start < text.len() {
        runs.push((start, &text[start..]));
    }
    runs
}

/// The run without punctuation around it; currency and percent signs of a number stay.
fn trimmed(run: &str) -> Option<Range<usize>> {
    let kept = |character: char| character.is_alphanumeric() || is_sign(character);
    let start = run.find(kept)?;
    let end = run.rfind(kept).map(|at| at + run[at..].chars().next().map_or(1, char::len_utf8))?;
    run[start..end].chars().any(char::is_alphanumeric).then_some(start..end)
}

/// Whether two neighbouring words are parts of one number, time or date.
fn belongs_together(text: &str, left: &Range<usize>, right: &Range<usize>) -> bool {
    let gap = &text[left.end..right.start];
    let (left, right) = (&text[left.clone()], &text[right.clone()]);
    let has_digit = |word: &str| word.chars().any(char::is_numeric);
    match gap {
        "" => (has_digit(left) && is_counter(right)) || (is_counter(left) && has_digit(right)),
        " " | "\u{a0}" | ", " => {
            let part = |word: &str| has_digit(word) || is_date_word(word) || is_half_of_a_day(word);
            part(left) && !is_half_of_a_day(left) && part(right) && (has_digit(left) || has_digit(right))
        }
        _ => false,
    }
}

/// What stands behind a time, never in front of one.
fn is_half_of_a_day(word: &str) -> bool {
    ["am", "pm", "a.m", "p.m"].iter().any(|half| word.eq_ignore_ascii_case(half))
}

/// What stands behind a number in dates, times and amounts of scripts without spaces.
fn is_counter(word: &str) -> bool {
    const COUNTERS: &str = "年月日号號時时点點分秒半万萬億亿円元圆块塊％%歳岁才個个人回度階层層番";
    word.chars().count() == 1 && COUNTERS.contains(word)
}

fn is_date_word(word: &str) -> bool {
    const WORDS: &[&str] = &[
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
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
        "hundred",
        "thousand",
        "million",
        "billion",
    ];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn is_separator(character: char) -> bool {
    matches!(character, ',' | ';' | '!' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '"' | '|' | '—' | '…' | '“' | '”')
}

fn is_sign(character: char) -> bool {
    matches!(character, '$' | '€' | '£' | '¥' | '₹' | '%' | '°' | '+' | '#')
}

/// Scripts that are written without spaces between words.
pub(crate) fn is_unspaced_script(character: char) -> bool {
    matches!(character, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        units(text).into_iter().map(|unit| &text[unit]).collect()
    }

    #[test]
    fn words_lose_their_punctuation() {
        assert_eq!(texts("Hey Mel! How's it (really) going?"), ["Hey", "Mel", "How's", "it", "really", "going"]);
    }

    #[test]
    fn numbers_times_and_dates_stay_whole() {
        assert_eq!(
            texts("Meet on 7 May 2023 at 3:30 pm, pay $1,200.50 or 15%."),
            ["Meet", "on", "7 May 2023", "at", "3:30 pm", "pay", "$1,200.50", "or", "15%"]
        );
        assert_eq!(texts("July 4, 2024 it is"), ["July 4, 2024", "it", "is"]);
        assert_eq!(texts("call +44 20 7946 0958 now"), ["call", "+44 20 7946 0958", "now"]);
    }

    #[test]
    fn scripts_without_spaces_are_split_into_words() {
        assert_eq!(texts("私は東京に住んでいます")[..4], ["私", "は", "東京", "に"]);
        assert_eq!(texts("ผมชอบกินข้าว"), ["ผม", "ชอบ", "กิน", "ข้าว"]);
        assert_eq!(texts("我们在北京见面。"), ["我们", "在", "北京", "见面"]);
    }

    #[test]
    fn dates_of_other_languages_stay_whole() {
        assert_eq!(texts("el 7 de mayo de 2023 en Lima"), ["el", "7 de mayo de 2023", "en", "Lima"]);
        assert_eq!(texts("am 7. Mai 2023 in Ulm"), ["am", "7. Mai 2023", "in", "Ulm"]);
        assert_eq!(texts("встреча 7 мая 2023"), ["встреча", "7 мая 2023"]);
        assert_eq!(texts("2023年5月7日に会う")[0], "2023年5月7日");
        assert_eq!(texts("we ate 3 pies"), ["we", "ate", "3", "pies"]);
    }

    proptest! {
        #[test]
        fn units_ascend_on_character_boundaries_and_hold_something(text in "\\PC{0,80}") {
            let mut last = 0;
            for unit in units(&text) {
                prop_assert!(unit.start >= last && unit.start < unit.end);
                prop_assert!(text[unit.clone()].chars().any(char::is_alphanumeric));
                last = unit.end;
            }
        }

        #[test]
        fn a_run_of_digits_is_never_cut(text in "[a-z ,.!0-9:/-]{0,60}") {
            let found = units(&text);
            let bytes = text.as_bytes();
            for unit in found {
                if unit.start > 0 {
                    prop_assert!(!(bytes[unit.start - 1].is_ascii_digit() && bytes[unit.start].is_ascii_digit()));
                }
                if unit.end < bytes.len() {
                    prop_assert!(!(bytes[unit.end].is_ascii_digit() && bytes[unit.end - 1].is_ascii_digit()));
                }
            }
        }
    }
}
