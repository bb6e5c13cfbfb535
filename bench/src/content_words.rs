//! The words of a text that say what it is about.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Words without content, one a line.
static STOP_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("../data/stop-words.txt").lines().collect());

/// The content words of a text, runs of letters and digits, lower-cased: no stop words and no single letters, but every number.
pub(crate) fn content_words(text: &str) -> impl Iterator<Item = String> + '_ {
    let runs = text.split(|character: char| !character.is_alphanumeric());
    runs.map(str::to_lowercase).filter(|word| is_content(word))
}

fn is_content(word: &str) -> bool {
    let number = word.chars().any(char::is_numeric);
    number || (word.chars().nth(1).is_some() && !STOP_WORDS.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_and_single_letters_say_nothing_and_numbers_do() {
        let words: Vec<String> = content_words("The cat is a CAT with 9 lives: x = 20").collect();
        assert_eq!(words, ["cat", "cat", "9", "lives", "20"]);
    }
}
