//! Content words of texts. It must not know what they are compared with.

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
}
