//! The words of a text, whatever their case, the spaces between them and the punctuation: what says the same has the same.
//!
//! It must not know what is compared with what.

/// The words of a text in small letters, a space after each; empty where there are none.
pub(crate) fn words_of(text: &str) -> String {
    let mut words = String::with_capacity(text.len() + 1);
    for word in text.split(|letter: char| !letter.is_alphanumeric()) {
        if !word.is_empty() {
            words.extend(word.chars().flat_map(char::to_lowercase));
            words.push(' ');
        }
    }
    words
}
