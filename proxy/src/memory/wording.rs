//! The words of a text, whatever their case, the spaces between them and the punctuation: what says the same has the same; and
//! how a text begins.

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

/// A text in one line of at most so many characters, and an ellipsis where there is more of it.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default().trim_end()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_one_short_line() {
        assert_eq!(one_line(" a\n b ", 3), "a b");
        assert_eq!(one_line(&"é".repeat(100), 80), format!("{}…", "é".repeat(80)));
    }
}
