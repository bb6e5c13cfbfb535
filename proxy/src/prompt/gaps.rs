//! Marks where a quote begins or ends in the middle of its turn.

/// Stands before words that do not begin where their turn does.
const BEFORE: &str = "… ";
/// Stands behind words that do not end where their turn does.
const BEHIND: &str = " …";

/// The words of a turn, or a stretch of them, with a mark where the turn has more, spaces apart. Where a stretch is not
/// found, as where less of a turn is kept than was said, it counts as one out of the middle.
pub(super) fn with_marks(turn: &str, words: &str) -> String {
    let (turn, words) = (turn.trim(), words.trim());
    let begins = turn.starts_with(words);
    let ends = turn == words || (!begins && turn.ends_with(words));
    format!("{}{words}{}", if begins { "" } else { BEFORE }, if ends { "" } else { BEHIND })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mark_stands_where_the_turn_has_more() {
        let turn = " One. Two. One.\n";
        for (words, marked) in [
            ("One. Two. One.", "One. Two. One."),
            (" One. Two. One.\n", "One. Two. One."),
            ("One. Two. ", "One. Two. …"),
            ("Two. One.", "… Two. One."),
            ("Two.", "… Two. …"),
            ("One.", "One. …"),
            ("Three.", "… Three. …"),
        ] {
            assert_eq!(with_marks(turn, words), marked);
        }
    }

    proptest! {
        #[test]
        fn marks_stand_around_a_stretch_and_change_nothing_of_it(
            turn in "[ab… \n]{0,20}", from in 0..20_usize, to in 0..20_usize,
        ) {
            let places: Vec<usize> = turn.char_indices().map(|(at, _)| at).chain([turn.len()]).collect();
            let place = |number: usize| places[number.min(places.len() - 1)];
            let words = &turn[place(from.min(to))..place(from.max(to))];
            let (marked, words) = (with_marks(&turn, words), words.trim());
            let is_with = |before: &str, behind: &str| marked == format!("{before}{words}{behind}");
            prop_assert_eq!(is_with("", ""), words == turn.trim());
            prop_assert!(["", BEFORE].iter().any(|before| is_with(before, "") || is_with(before, BEHIND)));
        }
    }
}
