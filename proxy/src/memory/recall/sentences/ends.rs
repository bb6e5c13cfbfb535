//! Where sentences end.
//!
//! The time this takes is about proportional to the text's length.

use std::ops::Range;

use icu_segmenter::SentenceSegmenter;
use icu_segmenter::options::SentenceBreakInvariantOptions;

use super::abbreviations::goes_on_behind;

/// The stretches of a text, in order, that are a sentence each, with the white space behind it; together they are the
/// text. A line is one, too, unless the next one begins with a small letter.
pub(super) fn sentences(text: &str) -> Vec<Range<usize>> {
    let segmenter = SentenceSegmenter::new(SentenceBreakInvariantOptions::default());
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for end in segmenter.segment_str(text).filter(|end| *end > 0) {
        let next = text.get(start..end).unwrap_or_default();
        let goes_on = |last: &&mut Range<usize>| goes_on(text.get(last.start..last.end).unwrap_or_default(), next);
        match found.last_mut().filter(goes_on) {
            Some(last) => last.end = end,
            None => found.push(start..end),
        }
        start = end;
    }
    found
}

/// Whether a text ends as sentences do, the space behind it left out: with a mark that does not belong to an
/// abbreviation. `next` is what follows.
pub(super) fn is_ended(text: &str, next: &str) -> bool {
    text.ends_with(MARKS) && !goes_on_behind(text, first(next))
}

/// What ends sentences in lines that have several.
const MARKS: [char; 10] = ['.', '!', '?', '…', '؟', '।', '։', '。', '！', '？'];
/// What ends a line, as Unicode has it.
const LINE_ENDS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
/// What may stand before the first word of a sentence.
const OPENING: [char; 14] = ['"', '\'', '“', '”', '„', '‘', '’', '«', '»', '‹', '›', '(', '[', '¿'];

/// Whether what was said goes on with what comes next, though Unicode's rules (UAX #29), which know no abbreviations,
/// end a sentence between both. Between paragraphs all sentences end.
fn goes_on(last: &str, next: &str) -> bool {
    let said = last.trim_end();
    if said.is_empty() || next.trim_start().is_empty() {
        return false;
    }
    let is_line = last.ends_with(LINE_ENDS);
    goes_on_behind(said, first(next)) || (first(next).is_some_and(is_small) && !(is_line && said.ends_with(MARKS)))
}

/// The first character that is not before the first word.
fn first(text: &str) -> Option<char> {
    text.chars().find(|character| !character.is_whitespace() && !OPENING.contains(character))
}

/// Whether a letter is small beside others that are large: in Georgian sentences all are what Unicode calls small.
fn is_small(letter: char) -> bool {
    letter.is_lowercase() && !matches!(letter, '\u{10d0}'..='\u{10ff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|place| &text[place]).collect()
    }

    #[test]
    fn sentences_go_on_behind_abbreviations_in_many_languages() {
        for (text, expected) in [
            (
                "It takes approx. 5 minutes. Dr. Smith waits, e.g. this one. Then No. 7 Main Street. End.",
                vec![
                    "It takes approx. 5 minutes. ",
                    "Dr. Smith waits, e.g. this one. ",
                    "Then No. 7 Main Street. ",
                    "End.",
                ],
            ),
            ("J. R. R. Tolkien wrote it. She read it.", vec!["J. R. R. Tolkien wrote it. ", "She read it."]),
            (
                "Wir treffen uns am 3. Mai im Park. Das ist z. B. Montag usw. Und dann? Ja.",
                vec!["Wir treffen uns am 3. Mai im Park. ", "Das ist z. B. Montag usw. Und dann? ", "Ja."],
            ),
            ("M. Dupont et Mme. Curie sont là. Bien.", vec!["M. Dupont et Mme. Curie sont là. ", "Bien."]),
            ("La Sra. Ruiz vive en EE. UU. Vale.", vec!["La Sra. Ruiz vive en EE. UU. Vale."]),
            ("Il sig. Rossi abita qui. Bene.", vec!["Il sig. Rossi abita qui. ", "Bene."]),
            ("Мы живём на ул. Ленина. Да.", vec!["Мы живём на ул. Ленина. ", "Да."]),
        ] {
            assert_eq!(texts(text), expected);
        }
    }

    #[test]
    fn a_year_ends_a_sentence() {
        assert_eq!(texts("It was 1903. In summer it rained."), ["It was 1903. ", "In summer it rained."]);
    }

    #[test]
    fn a_sentence_goes_on_with_a_small_letter_but_not_in_a_script_without_large_ones() {
        assert_eq!(texts("\"Stop!\" he said. Who? (me?) Yes."), ["\"Stop!\" he said. ", "Who? (me?) ", "Yes."]);
        assert_eq!(texts("დიახ! არა!"), ["დიახ! ", "არა!"]);
        assert_eq!(texts("네. 그렇습니다."), ["네. ", "그렇습니다."]);
    }

    #[test]
    fn a_line_goes_on_in_the_next_one_if_that_begins_with_a_small_letter() {
        assert_eq!(
            texts("The garden\nwas laid out. It\r\nis new.\n\nand more\n- milk\n- eggs"),
            ["The garden\nwas laid out. ", "It\r\nis new.\n", "\n", "and more\n", "- milk\n", "- eggs"]
        );
        assert_eq!(texts("i like tea.\nmy cat is tom."), ["i like tea.\n", "my cat is tom."]);
        assert_eq!(texts("It takes approx.\nFive days."), ["It takes approx.\nFive days."]);
    }

    const UNITS: &str = "([A-Ca-c]{1,3}|z\\. B\\.|[0-9]{1,4}|[.!?\r\n 。„)]|\\PC){0,60}";

    proptest! {
        #[test]
        fn sentences_are_the_text_and_none_is_empty(text in UNITS) {
            let found = texts(&text);
            prop_assert!(found.iter().all(|sentence| !sentence.is_empty()));
            prop_assert_eq!(found.concat(), text);
        }
    }
}
