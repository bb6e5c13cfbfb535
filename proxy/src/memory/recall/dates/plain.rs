//! Brings a text's digits and marks into one form, so that dates of all scripts are read alike.

use crate::memory::script::is_wide;

/// The digit 0 of the scripts that have digits of their own: Arabic, Persian and Urdu, N'Ko, Devanagari, Bengali, Gurmukhi,
/// Gujarati, Oriya, Tamil, Telugu, Kannada, Malayalam, Thai, Lao, Tibetan, Burmese, Khmer, Mongolian, full width.
const ZEROS: [char; 19] = [
    '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}', '\u{c66}',
    '\u{ce6}', '\u{d66}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}', '\u{17e0}', '\u{1810}', '\u{ff10}',
];

/// The text with ASCII digits, and with the marks of other scripts as their ASCII counterparts, parted from what follows by a
/// space where their scripts have none, as numbers are.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if is_joint(plain.chars().next_back(), character) {
            plain.push(' ');
        }
        let joined = match character {
            '，' | '、' | '､' | '،' => ", ",
            '。' | '｡' | '।' | '॥' | '۔' => ". ",
            '？' | '؟' => "? ",
            '！' => "! ",
            '：' => ": ",
            '；' | '؛' => "; ",
            '「' | '」' | '『' | '』' | '（' | '）' | '《' | '》' | '〈' | '〉' | '【' | '】' => " ",
            '～' | '〜' => " – ",
            '／' => "/",
            '．' => ".",
            '－' | '\u{2010}' | '\u{2011}' => "-",
            '\u{200e}' | '\u{200f}' | '\u{61c}' => "",
            other => {
                plain.push(digit(other).unwrap_or(other));
                continue;
            }
        };
        plain.push_str(joined);
    }
    plain
}

/// Whether a number begins or ends between two characters of a script without spaces.
fn is_joint(before: Option<char>, after: char) -> bool {
    before.is_some_and(|before| {
        (before.is_ascii_digit() && is_wide(after))
            || (is_wide(before) && digit(after).unwrap_or(after).is_ascii_digit())
    })
}

/// The ASCII digit that a digit of another script is.
fn digit(character: char) -> Option<char> {
    let value = |zero: &char| u32::from(character).checked_sub(u32::from(*zero)).filter(|value| *value < 10);
    ZEROS.iter().find_map(value).and_then(|value| char::from_digit(value, 10))
}

/// A word as names of months are compared: in small letters, without accents, with one spelling of letters that have several.
pub(super) fn folded(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for character in word.chars().flat_map(char::to_lowercase) {
        folded.push(match character {
            'á' | 'à' | 'â' | 'ã' | 'ä' => 'a',
            'é' | 'è' | 'ê' => 'e',
            'í' | 'ì' | 'ı' => 'i',
            'ó' | 'ò' | 'ô' | 'õ' | 'ö' => 'o',
            'ú' | 'ù' | 'û' | 'ü' => 'u',
            'ç' => 'c',
            'ğ' => 'g',
            'ş' => 's',
            'ё' => 'е',
            'أ' | 'إ' | 'آ' => 'ا',
            // Letters of India with a dot, in one character.
            '\u{95e}' => 'फ',
            '\u{9df}' => 'য',
            // Combining accents, the dot of Indian letters, the Arabic lengthening stroke.
            '\u{300}'..='\u{36f}' | '\u{93c}' | '\u{9bc}' | '\u{640}' => continue,
            other => other,
        });
    }
    folded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digits_and_marks_of_other_scripts_become_ascii() {
        assert_eq!(plain("٧/٥/٢٠٢٣"), "7/5/2023");
        assert_eq!(plain("७ मई २०२३।"), "7 मई 2023. ");
        assert_eq!(plain("２０２３／０５／０７？"), "2023/05/07? ");
        assert_eq!(plain("৭ মে"), "7 মে");
    }

    #[test]
    fn accents_and_capitals_do_not_matter() {
        for (one, other) in [("MÄRZ", "marz"), ("Août", "aout"), ("Kasım", "kasim"), ("أبريل", "ابريل")] {
            assert_eq!(folded(one), other);
        }
        assert_eq!(folded("फ़रवरी"), folded("\u{95e}रवरी"));
    }

    proptest! {
        #[test]
        fn what_is_plain_stays_as_it_is(text in "\\PC{0,60}") {
            let once = plain(&text);
            prop_assert_eq!(plain(&once), once);
        }

        #[test]
        fn every_digit_keeps_its_value(number in 0_u32..100_000_000, script in 0..ZEROS.len()) {
            let zero = u32::from(ZEROS[script]);
            let own = number.to_string();
            let written: String = own.bytes().filter_map(|digit| char::from_u32(zero + u32::from(digit - b'0'))).collect();
            prop_assert_eq!(plain(&written), own);
        }
    }
}
