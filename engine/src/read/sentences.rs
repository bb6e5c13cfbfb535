//! Where sentences end. The time this takes is proportional to the text's length, whatever the text is.

use std::ops::Range;

/// Byte ranges of the text's sentences, in order, each with the white space behind it; together they are the text. A line is
/// a sentence, too.
pub(crate) fn sentences(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut characters = text.char_indices().peekable();
    let mut start = 0;
    let mut ending = Ending::None;
    std::iter::from_fn(move || {
        for (at, character) in characters.by_ref() {
            let ended = ending.ends_before(character);
            ending = ending.behind(character);
            if ended && at > start {
                let sentence = start..at;
                start = at;
                return Some(sentence);
            }
        }
        let last = start..text.len();
        start = text.len();
        (!last.is_empty()).then_some(last)
    })
}

/// How far a sentence has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    None,
    /// Behind a full stop, which may also belong to an abbreviation.
    Stop {
        spaced: bool,
    },
    /// Behind a mark that ends sentences.
    Mark {
        spaced: bool,
    },
    /// Behind a mark of a script that puts no space behind it.
    Full,
    /// Behind a line break.
    Line,
}

impl Ending {
    /// Whether the sentence is over when `next` comes.
    fn ends_before(self, next: char) -> bool {
        match self {
            Self::Line => true,
            _ if next.is_whitespace() => false,
            Self::None | Self::Stop { spaced: false } | Self::Mark { spaced: false } => false,
            Self::Stop { spaced: true } => !next.is_lowercase(),
            Self::Mark { spaced: true } => true,
            Self::Full => !is_closing(next) && !is_full_mark(next),
        }
    }

    /// What holds behind `character`.
    fn behind(self, character: char) -> Self {
        match character {
            '\n' | '\u{2028}' | '\u{2029}' => Self::Line,
            '.' => Self::Stop { spaced: false },
            '!' | '?' | '…' | '؟' | '।' => Self::Mark { spaced: false },
            character if is_full_mark(character) => Self::Full,
            character if character.is_whitespace() => match self {
                Self::Stop { .. } => Self::Stop { spaced: true },
                Self::Mark { .. } => Self::Mark { spaced: true },
                Self::Full => Self::Full,
                Self::None | Self::Line => Self::None,
            },
            character
                if is_closing(character)
                    && !matches!(self, Self::Stop { spaced: true } | Self::Mark { spaced: true }) =>
            {
                if self == Self::Line { Self::None } else { self }
            }
            _ => Self::None,
        }
    }
}

fn is_full_mark(character: char) -> bool {
    matches!(character, '。' | '！' | '？' | '｡')
}

fn is_closing(character: char) -> bool {
    matches!(character, ')' | ']' | '}' | '"' | '\'' | '”' | '’' | '»' | '」' | '』' | '）' | '*' | '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::any_text_for_tests::any_text;

    fn texts(text: &str) -> Vec<&str> {
        sentences(text).map(|range| &text[range]).collect()
    }

    #[test]
    fn sentences_end_at_marks_and_lines() {
        assert_eq!(
            texts("It was 3.14 e.g. here. Then \"Stop!\" he said? Yes.\nNew line"),
            ["It was 3.14 e.g. here. ", "Then \"Stop!\" ", "he said? ", "Yes.\n", "New line"]
        );
        assert_eq!(texts("私は東京です。「はい。」そうです。"), ["私は東京です。", "「はい。」", "そうです。"]);
        assert!(texts("").is_empty());
    }

    proptest! {
        #[test]
        fn sentences_are_the_text_and_none_is_empty(text in any_text(300)) {
            let found: Vec<&str> = texts(&text);
            prop_assert!(found.iter().all(|sentence| !sentence.is_empty()));
            prop_assert_eq!(found.concat(), text);
        }
    }
}
