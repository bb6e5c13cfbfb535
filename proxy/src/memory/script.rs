//! What characters are in their scripts: parts of words, written without spaces, as wide as two letters.
//!
//! Whole blocks of Unicode are enough for what forms and dates need.

/// Whether a character is part of a word: a letter, a digit, or a sign that a script of India or South-East Asia joins to
/// them, which Unicode does not count among letters.
pub(super) fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || is_joined(character)
}

/// Whether a script writes its words without spaces between them.
pub(super) fn is_without_spaces(character: char) -> bool {
    is_east_asian(character)
        || matches!(character,
            '\u{e00}'..='\u{eff}' // Thai, Lao
            | '\u{1000}'..='\u{109f}' // Burmese
            | '\u{1780}'..='\u{17ff}' // Khmer
        )
}

/// Whether a character is as wide as two letters, and says more than one: Chinese, Japanese, Korean.
pub(super) fn is_wide(character: char) -> bool {
    is_east_asian(character) || matches!(character, '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7af}')
}

/// Whether a character is hiragana, which writes what the words of a Japanese sentence have to do with each other.
pub(super) fn is_hiragana(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{309f}')
}

/// Chinese characters and kana.
fn is_east_asian(character: char) -> bool {
    matches!(character,
        '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30fa}'
        | '\u{30fc}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}'
    )
}

/// Signs between letters, such as the virama, in the blocks of these scripts; their full stops are none.
fn is_joined(character: char) -> bool {
    let is_stop = matches!(
        character,
        '\u{964}' | '\u{965}' | '\u{e2f}' | '\u{e5a}' | '\u{e5b}' | '\u{104a}' | '\u{104b}' | '\u{17d4}'..='\u{17d6}'
    );
    let is_in_block = matches!(
        character,
        '\u{300}'..='\u{36f}' | '\u{900}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17dd}' | '\u{200c}'..='\u{200d}'
    );
    is_in_block && !is_stop
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_whole_in_scripts_that_join_signs_to_letters() {
        for word in ["प्रिया", "ফেব্রুয়ারি", "สวัสดี", "cafe\u{301}", "Özlem", "東京"]
        {
            assert!(word.chars().all(is_of_word), "{word}");
        }
        for mark in "।॥。，、?؟ -".chars() {
            assert!(!is_of_word(mark), "{mark:?}");
        }
    }

    #[test]
    fn korean_has_spaces_and_wide_characters_and_thai_neither() {
        let all = |text: &str, is: fn(char) -> bool| text.chars().all(is);
        assert!(all("안녕", is_wide) && !all("안녕", is_without_spaces));
        assert!(all("ไทย", is_without_spaces) && !all("ไทย", is_wide));
        assert!(all("漢字かなカナ", is_wide) && all("漢字かなカナ", is_without_spaces));
        assert!(!"Straße, улица".chars().any(|character| is_wide(character) || is_without_spaces(character)));
    }
}
