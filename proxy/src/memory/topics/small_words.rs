//! Small words: those that a language has in everything that is said in it, such as articles and pronouns.
//!
//! The lists are those of the crate `stop-words`. Which language a text is in is told by its small words themselves, as
//! Grefenstette (1995) tells it, since a small word of one language names things in another: "war", "die", "son".

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

/// Languages, a bit each.
type Languages = u128;

/// The small words of the language that a text is in; none where that cannot be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SmallWords(Languages);

/// Two languages in one, with English words of any kind.
const LEFT_OUT: &str = "hinglish";
/// A text is in a language of which it has so many small words. A single one may be a word of another language that
/// names something.
const FEWEST: u32 = 2;

static LANGUAGES: LazyLock<HashMap<&'static str, Languages>> = LazyLock::new(|| {
    let mut languages: HashMap<&'static str, Languages> = HashMap::new();
    let known = stop_words::available_languages().iter().filter(|language| **language != LEFT_OUT);
    for (language, bit) in known.zip(0..Languages::BITS) {
        for word in stop_words::lookup(language).into_iter().flatten() {
            *languages.entry(word).or_default() |= 1 << bit;
        }
    }
    languages
});

impl SmallWords {
    /// Those of a text with these words, in small letters.
    pub(super) fn of_text(words: &BTreeSet<String>) -> Self {
        let mut counts = [0_u32; Languages::BITS as usize];
        for languages in words.iter().filter_map(|word| LANGUAGES.get(word.as_str())) {
            for bit in bits(*languages) {
                if let Some(count) = counts.get_mut(bit) {
                    *count += 1;
                }
            }
        }
        let most = counts.iter().copied().max().unwrap_or_default();
        if most < FEWEST {
            return Self::default();
        }
        // Of several languages with as many, any.
        let found = (0..Languages::BITS).zip(counts).filter(|(_, count)| *count == most);
        Self(found.fold(0, |languages, (bit, _)| languages | (1 << bit)))
    }

    /// Whether a word in small letters is one of them.
    pub(super) fn has(self, word: &str) -> bool {
        LANGUAGES.get(word).is_some_and(|languages| languages & self.0 != 0)
    }
}

fn bits(languages: Languages) -> impl Iterator<Item = usize> {
    (0..Languages::BITS as usize).filter(move |bit| (languages >> bit) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn small(text: &str) -> Vec<&str> {
        let small = SmallWords::of_text(&text.split(' ').map(str::to_owned).collect());
        text.split(' ').filter(|word| small.has(word)).collect()
    }

    #[test]
    fn a_text_has_the_small_words_of_its_language() {
        assert_eq!(small("the museum of the war is in that street"), ["the", "of", "the", "is", "in", "that"]);
        assert_eq!(small("der hund war nicht in dem garten und die katze auch nicht").len(), 9);
        assert_eq!(small("le chat de ma voisine est dans le jardin"), ["le", "de", "ma", "est", "dans", "le"]);
        assert_eq!(small("цапля и карп в пруду"), ["и", "в"]);
    }

    #[test]
    fn a_single_small_word_tells_no_language_and_a_text_without_any_has_none() {
        assert!(small("cold war memorial").is_empty());
        assert!(small("heron pond").is_empty() && small("").is_empty());
    }

    #[test]
    fn every_language_has_a_bit_of_its_own() {
        assert!(stop_words::available_languages().len() <= Languages::BITS as usize);
        assert!(stop_words::available_languages().contains(&LEFT_OUT));
    }

    proptest! {
        #[test]
        fn what_is_small_is_so_whatever_the_order_of_the_words(
            words in prop::collection::btree_set("(der|und|is|the|de|la|[a-z]{1,8})", 0..20),
        ) {
            let small = SmallWords::of_text(&words);
            let all = words.iter().filter(|word| small.has(word)).count();
            prop_assert!(all == 0 || all >= FEWEST as usize);
        }
    }
}
