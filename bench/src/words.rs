//! Content words of turns, how rare they are, and baseline choices among them.
//!
//! It must not know about models: these are the baselines that a model's choice is held against.

use std::collections::{HashMap, HashSet};

/// Byte ranges of the runs of letters and digits in a text.
#[must_use]
pub fn content_words(text: &str) -> Vec<(usize, usize)> {
    let mut words: Vec<(usize, usize)> = Vec::new();
    for (start, character) in text.char_indices().filter(|(_, character)| character.is_alphanumeric()) {
        let end = start + character.len_utf8();
        match words.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => words.push((start, end)),
        }
    }
    words
}

/// How rare every word of a conversation is.
#[derive(Debug, Clone, Default)]
pub struct Rarity {
    turns: usize,
    turns_with: HashMap<String, usize>,
}

impl Rarity {
    /// Counts in how many of the texts each word occurs, whatever its case.
    #[must_use]
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut rarity = Self::default();
        for text in texts {
            rarity.turns += 1;
            let words: HashSet<String> = content_words(text)
                .into_iter()
                .map(|(start, end)| text[start..end].to_lowercase())
                .collect();
            for word in words {
                *rarity.turns_with.entry(word).or_insert(0) += 1;
            }
        }
        rarity
    }

    /// The inverse document frequency of a word, ln(texts / texts with it), and 0 for what is no word.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of turns are small")]
    pub fn of_word(&self, word: &str) -> f32 {
        if !word.chars().any(char::is_alphanumeric) {
            return 0.0;
        }
        let with = self.turns_with.get(&word.to_lowercase()).copied().unwrap_or(1);
        (self.turns.max(1) as f32 / with as f32).ln()
    }

    /// The rarest `percent` of the content words of a text, earlier words first among equals; at
    /// least one if there is any. In the order of the text.
    #[must_use]
    pub fn rarest(&self, text: &str, percent: usize) -> Vec<(usize, usize)> {
        let mut words = content_words(text);
        let wanted = share(words.len(), percent);
        words.sort_by(|left, right| {
            self.of_word(&text[right.0..right.1])
                .total_cmp(&self.of_word(&text[left.0..left.1]))
                .then(left.cmp(right))
        });
        words.truncate(wanted);
        words.sort_unstable();
        words
    }
}

/// `percent` of the content words of a text, drawn by `random`; at least one if there is any.
#[must_use]
pub fn random_words(text: &str, percent: usize, random: &mut fastrand::Rng) -> Vec<(usize, usize)> {
    let mut words = content_words(text);
    let wanted = share(words.len(), percent);
    random.shuffle(&mut words);
    words.truncate(wanted);
    words.sort_unstable();
    words
}

/// The first `percent` of the content words of a text; at least one if there is any.
#[must_use]
pub fn leading_words(text: &str, percent: usize) -> Vec<(usize, usize)> {
    let mut words = content_words(text);
    words.truncate(share(words.len(), percent));
    words
}

/// `percent` of `count`, rounded, at least 1.
fn share(count: usize, percent: usize) -> usize {
    ((count * percent + 50) / 100).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(text: &'a str, ranges: &[(usize, usize)]) -> Vec<&'a str> {
        ranges.iter().map(|(start, end)| &text[*start..*end]).collect()
    }

    #[test]
    fn content_words_are_runs_of_letters_and_digits() {
        let text = "Hé, it's 7 May!";
        assert_eq!(texts(text, &content_words(text)), ["Hé", "it", "s", "7", "May"]);
        assert!(content_words("?! …").is_empty());
    }

    #[test]
    fn a_word_in_every_text_has_no_weight_and_a_rare_one_has_most() {
        let rarity = Rarity::of(["the cat", "The dog", "the cat", "the bird the bird"]);
        assert!(rarity.of_word("The").abs() < 1e-6);
        assert!((rarity.of_word("cat") - 2.0_f32.ln()).abs() < 1e-6);
        assert!((rarity.of_word("bird") - 4.0_f32.ln()).abs() < 1e-6);
        assert!(rarity.of_word("?").abs() < 1e-6);
    }

    #[test]
    fn the_rarest_share_is_taken_in_the_order_of_the_text() {
        let rarity = Rarity::of(["the cat saw", "the dog", "the cat"]);
        let text = "dog the saw cat";
        assert_eq!(texts(text, &rarity.rarest(text, 50)), ["dog", "saw"]);
        assert_eq!(texts("the", &rarity.rarest("the", 25)), ["the"]);
        assert!(rarity.rarest("…", 25).is_empty());
    }

    #[test]
    fn random_choices_have_the_right_size_and_repeat_with_their_seed() {
        let text = "one two three four five six seven eight nine ten";
        let draw = |seed| random_words(text, 25, &mut fastrand::Rng::with_seed(seed));
        assert_eq!(draw(1).len(), 3);
        assert_eq!(draw(1), draw(1));
        assert!((2..20).any(|seed| draw(seed) != draw(1)));
    }

    #[test]
    fn leading_words_come_from_the_start() {
        assert_eq!(texts("a b c d", &leading_words("a b c d", 50)), ["a", "b"]);
        assert!(leading_words("", 50).is_empty());
    }
}
