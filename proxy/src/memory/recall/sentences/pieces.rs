//! Cuts a text into the pieces that a quote has whole or not at all: its sentences, and what a sentence falls into that
//! is too long.
//!
//! The time this takes is about proportional to the text's length.

use std::ops::Range;

use icu_segmenter::GraphemeClusterSegmenter;

use super::MOST_BYTES;
use super::ends::{is_ended, sentences};
use crate::memory::script::is_of_word;

/// A stretch of a text with a letter or a digit, at most [`MOST_BYTES`] long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where it stands, in bytes.
    pub(super) place: Range<usize>,
    /// Whether it is a sentence or the first piece of one.
    pub(super) begins_sentence: bool,
}

/// The pieces of a text, in its order.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let is_said = |place: &Range<usize>| text.get(place.clone()).is_some_and(|said| said.contains(is_of_word));
    let of_sentence = |sentence: Range<usize>| {
        let places = if sentence.len() > MOST_BYTES { shorter(text, sentence) } else { vec![sentence] };
        let said = places.into_iter().filter(is_said).enumerate();
        said.map(|(number, place)| Piece { place, begins_sentence: number == 0 })
    };
    sentences(text).into_iter().flat_map(of_sentence).collect()
}

/// Where a text may be cut.
type Cuts = fn(&str) -> Vec<usize>;

/// The places where a sentence may be cut, the best ones first. What is short enough is cut at no worse one.
const CUTS: [Cuts; 7] = [lines, marks, semicolons, commas, spaces, words, characters];

/// A sentence cut into pieces that are short enough.
fn shorter(text: &str, sentence: Range<usize>) -> Vec<Range<usize>> {
    let said = text.get(sentence.clone()).unwrap_or_default();
    let graphemes = GraphemeClusterSegmenter::new().segment_str(said).map(|at| sentence.start + at);
    cut(text, sentence.clone(), &graphemes.collect::<Vec<_>>(), &CUTS)
}

/// A stretch cut at the first of these places, and what is too long then at the next ones, always between graphemes,
/// whose ends are given in order. A grapheme that is too long itself is cut between its characters.
fn cut(text: &str, place: Range<usize>, graphemes: &[usize], cuts: &[Cuts]) -> Vec<Range<usize>> {
    if place.len() <= MOST_BYTES {
        return vec![place];
    }
    let stretch = text.get(place.clone()).unwrap_or_default();
    let Some((cuts, weaker)) = cuts.split_first() else {
        return stretch
            .char_indices()
            .map(|(at, letter)| place.start + at..place.start + at + letter.len_utf8())
            .collect();
    };
    let is_between_graphemes = |end: &usize| graphemes.binary_search(end).is_ok();
    let ends = cuts(stretch).into_iter().map(|at| place.start + at).filter(is_between_graphemes);
    let mut start = place.start;
    let stretches = ends.chain([place.end]).map(|end| std::mem::replace(&mut start, end)..end);
    stretches.filter(|stretch| !stretch.is_empty()).flat_map(|stretch| cut(text, stretch, graphemes, weaker)).collect()
}

fn lines(text: &str) -> Vec<usize> {
    behind(text, |letter| letter == '\n')
}

/// What ends sentences, before a small letter too: some people write no large ones.
fn marks(text: &str) -> Vec<usize> {
    let is_ended = |at: &usize| text.split_at_checked(*at).is_some_and(|(said, next)| is_ended(said.trim_end(), next));
    spaces(text).into_iter().filter(is_ended).collect()
}

fn semicolons(text: &str) -> Vec<usize> {
    behind(text, |letter| matches!(letter, ';' | '；' | '؛'))
}

/// Not those in numbers.
fn commas(text: &str) -> Vec<usize> {
    let is_in_number = |at: usize| {
        let (before, next) = text.split_at_checked(at).unwrap_or_default();
        next.starts_with(char::is_numeric) && before.chars().rev().nth(1).is_some_and(char::is_numeric)
    };
    let mut found = behind(text, |letter| matches!(letter, ',' | '，' | '、' | '،'));
    found.retain(|at| !is_in_number(*at));
    found
}

fn spaces(text: &str) -> Vec<usize> {
    let mut found = behind(text, char::is_whitespace);
    found.retain(|at| !text.get(*at..).unwrap_or_default().starts_with(char::is_whitespace));
    found
}

/// Also those of scripts that put no spaces between them.
fn words(text: &str) -> Vec<usize> {
    mainpoint_engine::words(text).into_iter().map(|word| word.start).collect()
}

fn characters(text: &str) -> Vec<usize> {
    behind(text, |_| true)
}

/// The places behind such characters.
fn behind(text: &str, is_such: impl Fn(char) -> bool) -> Vec<usize> {
    let such = text.char_indices().filter(|(_, letter)| is_such(*letter));
    such.map(|(at, letter)| at + letter.len_utf8()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        pieces(text).into_iter().map(|piece| text[piece.place].trim()).collect()
    }

    /// As many bytes of words as one piece may nearly have.
    fn filler() -> String {
        "Aa ".repeat(MOST_BYTES / 3 - 5)
    }

    #[test]
    fn sentences_that_fit_are_not_cut() {
        let text = format!("One, two; three. {}. - Four!", filler().trim());
        let begins: Vec<bool> = pieces(&text).iter().map(|piece| piece.begins_sentence).collect();
        assert_eq!(texts(&text)[0], "One, two; three.");
        assert!(begins.into_iter().all(|begins| begins));
    }

    #[test]
    fn a_sentence_that_is_too_long_is_cut_at_the_best_places_that_are_enough() {
        let long = filler();
        let long = long.trim();
        for (text, expected) in [
            (format!("{long}\nb, c. d; {long}"), vec![long.to_owned(), format!("b, c. d; {long}")]),
            (format!("{long}. b, c; approx. d {long}"), vec![format!("{long}."), format!("b, c; approx. d {long}")]),
            (format!("{long}, b; c, d {long}"), vec![format!("{long}, b;"), format!("c, d {long}")]),
            (format!("{long} 1,5, c {long}"), vec![format!("{long} 1,5,"), format!("c {long}")]),
        ] {
            assert_eq!(texts(&text), expected);
        }
        let words = texts(&"word ".repeat(100)).len();
        assert_eq!(words, 100);
    }

    #[test]
    fn minified_json_is_cut_at_its_commas() {
        let fields: Vec<String> = (0..100).map(|number| format!("\"field{number}\":{number}")).collect();
        let text = format!("{{{}}}", fields.join(","));
        assert_eq!(texts(&text)[1], "\"field1\":1,");
    }

    #[test]
    fn only_the_first_piece_of_a_sentence_begins_it() {
        let text = format!("Before. A {}. Behind.", "b, ".repeat(MOST_BYTES));
        let found = pieces(&text);
        let begins = found.iter().filter(|piece| piece.begins_sentence).map(|piece| text[piece.place.clone()].trim());
        assert_eq!(begins.collect::<Vec<_>>(), ["Before.", "A b,", "Behind."]);
    }

    #[test]
    fn a_text_without_spaces_is_cut_between_words_and_else_between_graphemes() {
        let library = "図書館は月曜日に閉まり".repeat(20);
        assert!(texts(&library).iter().all(|word| word.chars().count() < 9), "{:?}", texts(&library));
        let letters = format!("{}e\u{301}", "x".repeat(MOST_BYTES));
        assert_eq!(texts(&letters).last(), Some(&"e\u{301}"));
        let accents = format!("e{}", "\u{301}".repeat(MOST_BYTES));
        assert_eq!(texts(&accents).len(), MOST_BYTES + 1, "one grapheme");
    }

    const UNITS: &str = "[a-c]{1,9}|[0-9]{1,5}|[ ,;.\n]|図書館|สวัสดี|e\u{301}|\\PC";

    proptest! {
        #[test]
        fn pieces_are_short_stretches_with_all_letters_of_the_text_in_their_order(
            units in prop::collection::vec(UNITS, 0..60), times in 1..40_usize,
        ) {
            let text = units.concat().repeat(times);
            let found = pieces(&text);
            prop_assert!(found.iter().all(|piece| !piece.place.is_empty() && piece.place.len() <= MOST_BYTES));
            prop_assert!(found.windows(2).all(|pair| pair[0].place.end <= pair[1].place.start));
            let letters = |text: &str| text.chars().filter(|letter| is_of_word(*letter)).collect::<String>();
            let kept: String = found.iter().map(|piece| &text[piece.place.clone()]).collect();
            prop_assert_eq!(letters(&kept), letters(&text));
        }
    }
}
