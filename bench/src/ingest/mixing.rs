//! Conversations said again in other words, so that no two passages through the data are alike.
//!
//! It must not know where conversations come from nor who reads them.

use std::collections::BTreeMap;

use crate::recorded::Turn;

/// The same turns with the sentences of each speaker in another order. Every turn keeps its number of sentences and the
/// white space between them, every speaker all words.
#[must_use]
pub(super) fn mixed(turns: &[Turn], seed: u64) -> Vec<Turn> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut said: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for turn in turns {
        let sentences = sentences(&turn.text).into_iter().map(|(sentence, _)| sentence);
        said.entry(turn.speaker.as_str()).or_default().extend(sentences);
    }
    for sentences in said.values_mut() {
        random.shuffle(sentences);
    }
    let mut again = Vec::with_capacity(turns.len());
    for turn in turns {
        let mut text = String::with_capacity(turn.text.len());
        for (sentence, space) in sentences(&turn.text) {
            let another = said.get_mut(turn.speaker.as_str()).and_then(Vec::pop);
            text.push_str(another.unwrap_or(sentence));
            text.push_str(space);
        }
        again.push(Turn { text, ..turn.clone() });
    }
    again
}

/// The sentences of a text and the white space behind each; no sentence is blank.
fn sentences(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (sentence, _) = rest.split_at(end_of_sentence(rest));
        let sentence = sentence.trim_end();
        let (_, behind) = rest.split_at(sentence.len());
        let next = behind.trim_start();
        let (space, _) = behind.split_at(behind.len() - next.len());
        found.push((sentence, space));
        rest = next;
    }
    found
}

/// Where the first sentence ends: at a line break, or at white space behind a mark.
fn end_of_sentence(text: &str) -> usize {
    let mut before = ' ';
    for (at, character) in text.char_indices() {
        let is_after_mark = matches!(before, '.' | '!' | '?');
        if character == '\n' || (is_after_mark && character.is_whitespace()) {
            return at;
        }
        before = character;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn turn(speaker: &str, text: &str) -> Turn {
        Turn {
            speaker: speaker.to_owned(),
            role: "user",
            text: text.to_owned(),
            time: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn sentences_end_behind_marks_and_at_line_breaks() {
        assert_eq!(
            sentences(" We paid 3.50 there... Really?  Yes\n- a\n\n- b "),
            [
                ("We paid 3.50 there...", " "),
                ("Really?", "  "),
                ("Yes", "\n"),
                ("- a", "\n\n"),
                ("- b", "")
            ]
        );
        assert!(sentences(" \n ").is_empty());
    }

    #[test]
    fn sentences_stay_with_their_speaker() {
        let turns = [turn("Ann", "One. Two."), turn("Bo", "Three."), turn("Ann", "Four!")];
        for seed in 0..8 {
            let again = mixed(&turns, seed);
            assert_eq!(again[1].text, "Three.");
            assert!(["Four!", "One.", "Two."].contains(&again[2].text.as_str()));
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_turn_becomes_blank(
            texts in proptest::collection::vec("[ab.!? \n…é]{0,24}", 0..12),
            seed in 0_u64..1000,
        ) {
            let turns: Vec<Turn> = texts.iter().map(|text| turn("Ann", text)).collect();
            let again = mixed(&turns, seed);
            let bytes = |turns: &[Turn]| turns.iter().map(|turn| turn.text.trim().len()).sum::<usize>();
            prop_assert_eq!(bytes(&turns), bytes(&again));
            for (before, after) in turns.iter().zip(&again) {
                prop_assert_eq!(before.text.trim().is_empty(), after.text.trim().is_empty());
            }
        }

        #[test]
        fn sentences_and_what_is_between_them_make_the_text(text in "[ab.!? \n\t…é]{0,40}") {
            let pieces = sentences(&text);
            let joined: String = pieces.iter().flat_map(|(sentence, space)| [*sentence, *space]).collect();
            prop_assert_eq!(joined.as_str(), text.trim());
            prop_assert!(pieces.iter().all(|(sentence, _)| !sentence.trim().is_empty()));
        }
    }
}
