//! Characters that a text names instead of writing them, as HTML, URLs, JSON and programming languages do, escaped once or many times.

use unicode_normalization::UnicodeNormalization;

/// The character that is named at the beginning of `text`, and how many bytes its name takes. Of the names that begin with a backslash
/// only those of angle brackets count: our own escapes are written so.
pub(super) fn named(text: &str) -> Option<(char, usize)> {
    let first = text.chars().next().filter(|first| FIRST.contains(first))?;
    let mut cursor = Cursor { text, at: 0 };
    match cursor.bump() {
        Some('&') => in_html(&mut cursor),
        Some('%') => in_url(&mut cursor).map(|character| (character, cursor.at)),
        _ if matches!(first, '\\' | '＼' | '﹨') => in_code(&mut cursor).map(|character| (character, cursor.at)),
        _ => None,
    }
}

/// What names begin with, in every width.
const FIRST: [char; 9] = ['&', '＆', '﹠', '%', '％', '﹪', '\\', '＼', '﹨'];
/// Names in HTML of what is looked for.
const ENTITIES: [(&str, char); 26] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("shy", '\u{ad}'),
    ("nbsp", '\u{a0}'),
    ("micro", 'µ'),
    ("lsaquo", '‹'),
    ("rsaquo", '›'),
    ("lang", '⟨'),
    ("rang", '⟩'),
    ("langle", '⟨'),
    ("rangle", '⟩'),
    ("zwj", '\u{200d}'),
    ("zwnj", '\u{200c}'),
    ("hyphen", '-'),
    ("dash", '-'),
    ("lowbar", '_'),
    ("alpha", 'α'),
    ("iota", 'ι'),
    ("imath", 'ı'),
    ("mu", 'μ'),
    ("nu", 'ν'),
    ("omicron", 'ο'),
    ("tau", 'τ'),
];
/// How many of them may stand without a semicolon.
const BARE: usize = 8;
/// The longest of them.
const LONGEST: usize = 8;

/// Reads a text in small ASCII letters of the usual width, as far as there are any.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<(char, usize)> {
        let character = self.text.get(self.at..)?.chars().next()?;
        let plain = if character.is_ascii() { character } else { character.nfkc().next().unwrap_or(character) };
        Some((plain.to_ascii_lowercase(), character.len_utf8()))
    }

    fn next_if(&mut self, belongs: impl Fn(char) -> bool) -> Option<char> {
        let (character, length) = self.peek().filter(|(character, _)| belongs(*character))?;
        self.at += length;
        Some(character)
    }

    fn bump(&mut self) -> Option<char> {
        self.next_if(|_| true)
    }

    fn takes(&mut self, expected: char) -> bool {
        self.next_if(|character| character == expected).is_some()
    }

    /// Takes all of `expected`, or nothing.
    fn takes_all(&mut self, expected: &str) -> bool {
        let before = self.at;
        let all = expected.chars().all(|character| self.takes(character));
        if !all {
            self.at = before;
        }
        all
    }

    /// The number that is written here, one that is no character's if it is too large; `None` where no digit stands.
    fn number(&mut self, radix: u32) -> Option<u32> {
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|(character, _)| character.to_digit(radix)) {
            self.bump();
            let before: u32 = number.unwrap_or(0);
            number = Some(before.saturating_mul(radix).saturating_add(digit));
        }
        number
    }
}

/// What follows an ampersand. Where that names an ampersand, what follows belongs to it.
fn in_html(cursor: &mut Cursor<'_>) -> Option<(char, usize)> {
    let mut found = None;
    while let Some(character) = if cursor.takes('#') { by_number(cursor) } else { entity(cursor) } {
        found = Some((character, cursor.at));
        if character != '&' {
            break;
        }
    }
    found
}

fn by_number(cursor: &mut Cursor<'_>) -> Option<char> {
    let radix = if cursor.takes('x') { 16 } else { 10 };
    let number = cursor.number(radix)?;
    cursor.takes(';');
    match number {
        // What browsers make of these two.
        0x8b => Some('‹'),
        0x9b => Some('›'),
        number => char::from_u32(number),
    }
}

fn entity(cursor: &mut Cursor<'_>) -> Option<char> {
    let begin = cursor.at;
    let mut name = String::new();
    while name.len() < LONGEST
        && let Some(letter) = cursor.next_if(|character| character.is_ascii_alphabetic())
    {
        name.push(letter);
    }
    let whole = ENTITIES.iter().find(|(entity, _)| *entity == name).filter(|_| cursor.takes(';'));
    if let Some((_, character)) = whole {
        return Some(*character);
    }
    let (bare, character) = ENTITIES.iter().take(BARE).find(|(entity, _)| name.starts_with(entity))?;
    cursor.at = begin;
    cursor.takes_all(bare);
    Some(*character)
}

/// What follows a percent sign: bytes of UTF-8, or the number of a character behind a `u`.
fn in_url(cursor: &mut Cursor<'_>) -> Option<char> {
    if cursor.takes('u') {
        return digits(cursor, 4).and_then(char::from_u32);
    }
    let first = byte(cursor)?;
    let length = match first {
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    let mut bytes = vec![first];
    while bytes.len() < length {
        bytes.push(if cursor.takes('%') { byte(cursor)? } else { return None });
    }
    std::str::from_utf8(&bytes).ok()?.chars().next()
}

/// A byte behind a percent sign, which may itself be written so, many times.
fn byte(cursor: &mut Cursor<'_>) -> Option<u8> {
    while cursor.takes_all("25") {}
    digits(cursor, 2).and_then(|byte| u8::try_from(byte).ok())
}

/// So many hexadecimal digits.
fn digits(cursor: &mut Cursor<'_>, count: usize) -> Option<u32> {
    (0..count).try_fold(0, |number, _| {
        let digit = cursor.bump()?.to_digit(16)?;
        Some(number * 16 + digit)
    })
}

/// What follows a backslash, if it names an angle bracket.
fn in_code(cursor: &mut Cursor<'_>) -> Option<char> {
    if cursor.takes_all("n{less-than sign}") {
        return Some('<');
    }
    let begin = cursor.at;
    if ["74", "074"].iter().any(|octal| cursor.takes_all(octal)) {
        return Some('<');
    }
    cursor.at = begin;
    let is_long = cursor.text.get(begin..).is_some_and(|code| code.starts_with('U'));
    let count = match (cursor.takes('u'), cursor.takes('x')) {
        (true, _) if is_long => Some(8),
        (true, _) => Some(4),
        (false, true) => Some(2),
        (false, false) => None,
    };
    let number = match count {
        _ if cursor.takes('{') => cursor.number(16).filter(|_| cursor.takes('}'))?,
        Some(count) => digits(cursor, count)?,
        None => cursor.number(16)?,
    };
    let character = char::from_u32(number)?;
    matches!(character, '<' | '>' | '‹' | '›' | '＜' | '＞' | '〈' | '〉' | '⟨' | '⟩' | '«' | '»').then_some(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bracket_is_found_in_every_way_of_naming_it() {
        for name in [
            "&lt;",
            "&LT;",
            "&lt",
            "&#60;",
            "&#60",
            "&#0060;",
            "&#00000000060",
            "&#x3c;",
            "&#X003C;",
            "&amp;lt;",
            "&amp;amp;#0060;",
            "&#38;#60;",
            "&#x26;lt;",
            "&amplt;",
            "＆ｌｔ；",
            "&＃６０；",
            "%3c",
            "%3C",
            "%253C",
            "%25253c",
            "%u003c",
            "\\u003c",
            "\\U0000003C",
            "\\x3c",
            "\\u{3c}",
            "\\u{00003C}",
            "\\74",
            "\\074",
            "\\3c",
            "\\N{LESS-THAN SIGN}",
        ] {
            assert_eq!(named(&format!("{name}/mainpoint")), Some(('<', name.len())), "{name}");
        }
        for (name, character) in [
            ("&lsaquo;", '‹'),
            ("&#8249;", '‹'),
            ("&#139;", '‹'),
            ("%E2%80%B9", '‹'),
            ("%25E2%2580%25b9", '‹'),
            ("&#109;", 'm'),
            ("%6d", 'm'),
            ("&amp;", '&'),
            ("&zwnj;", '\u{200c}'),
        ] {
            assert_eq!(named(name), Some((character, name.len())), "{name}");
        }
    }

    #[test]
    fn what_names_nothing_is_left() {
        for text in [
            "",
            "a",
            "& b",
            "&copy;",
            "&#;",
            "&#x;",
            "&#99999999999;",
            "100% sure",
            "%zz",
            "%C0%BC",
            "\\n",
            "\\u006d",
            "\\u00003c",
            "\\",
            "&zwnj",
        ] {
            assert_eq!(named(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_named_is_a_beginning_of_the_text(text in "[&%\\\\＆％]([#x＃amplt0-9a-f;uU{}%&ß𝟞]|amp;|25|%){0,12}.{0,3}") {
            if let Some((_, length)) = named(&text) {
                prop_assert!(length > 0 && text.is_char_boundary(length));
            }
        }
    }
}
