//! Finds in a text what looks like a mark of a block or like a day above quotes, however it is spelled: in any case,
//! with blanks, invisible characters or line breaks in between, in full width, with letters of other scripts, with two letters that look
//! like one of ours, or with characters that are named instead of written.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

use super::references;

/// What something looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// A mark: the first letter of its name.
    Mark,
    /// A day above quotes: its bracket.
    Day,
}

/// The places of the characters without which nothing in `text` looks like a mark or a day above quotes, in order.
pub(super) fn likenesses(text: &str) -> Vec<(usize, Likeness)> {
    let mut found = Vec::new();
    let mut scan = Scan::default();
    for Shown { at, character, after } in shown(text) {
        let is_written = text.get(at..).is_some_and(|from| from.starts_with(character));
        if is_written && begins_day(character, after) {
            found.push((at, Likeness::Day));
        }
        let kind = Kind::new(character);
        match kind {
            Kind::Opening => scan = Scan { opened: true, ..Scan::default() },
            Kind::Closing => scan = Scan::default(),
            Kind::Joining if takes_no_place(character) => {}
            Kind::Joining => scan.half = None,
            Kind::Parting => (scan.parted, scan.half) = (true, None),
            Kind::Letter(_) | Kind::Letters(_) => {
                for name in kind.letters().filter_map(|letter| scan.letter(letter, at)) {
                    if name.is_marks(after) {
                        found.push((name.at, Likeness::Mark));
                    }
                }
            }
        }
    }
    // A name's place is found only at its end, and a head may stand within it.
    found.sort_unstable();
    found
}

/// The name that all marks begin with, after a bracket.
const NAME: [char; 9] = ['m', 'a', 'i', 'n', 'p', 'o', 'i', 'n', 't'];
/// Two letters that look like one of the name or of what follows it, as [`letter`] reads them: `rn`, `nn` and `cl`.
const PAIRS: [([char; 2], char); 3] = [(['r', 'n'], 'm'), (['n', 'n'], 'm'), (['c', 'i'], 'd')];
/// What follows it.
const BLOCKS: [&str; 3] = ["memory", "digest", "condensed"];
/// How many characters are looked at for the kind of a block.
const DRAWN_OUT: usize = 128;
/// The most digits of the number of a day, and of letters of a month's name.
const DAY_DIGITS: usize = 2;
const MONTH_LETTERS: RangeInclusive<usize> = 3..=9;
/// The digits of a year.
const YEAR_DIGITS: usize = 4;

/// A character of a text, named or written.
pub(super) struct Shown<'a> {
    /// Where it begins.
    pub(super) at: usize,
    /// What it is.
    pub(super) character: char,
    /// The text behind it.
    pub(super) after: &'a str,
}

/// The characters of a text, those in place of their names that are named.
pub(super) fn shown(text: &str) -> impl Iterator<Item = Shown<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let written = rest.chars().next()?;
        let (character, length) = references::named(rest).unwrap_or((written, written.len_utf8()));
        let from = at;
        at += length;
        Some(Shown { at: from, character, after: text.get(at..).unwrap_or_default() })
    })
}

/// How much of the name has been read.
#[derive(Default)]
struct Scan {
    letters: usize,
    name: Name,
    /// Whether an angle bracket stands before, with no letter since.
    opened: bool,
    /// Whether something stood between the letters of the name that parts words.
    parted: bool,
    /// The letter right before, which may be half of one.
    half: Option<Half>,
}

/// A letter that may be half of one.
struct Half {
    letter: char,
    at: usize,
    opened: bool,
}

/// A name that was read whole.
#[derive(Clone, Copy, Default)]
struct Name {
    /// Where it begins.
    at: usize,
    /// Whether a bracket stands before it.
    opened: bool,
    /// Whether something within it parts words.
    parted: bool,
}

impl Scan {
    /// Reads on; the name when this was its last letter.
    fn letter(&mut self, letter: char, at: usize) -> Option<Name> {
        let before = self.half.replace(Half { letter, at, opened: self.opened });
        let drawn = before.and_then(|half| Some((paired(half.letter, letter)?, half.at, half.opened)));
        let (letter, at, opened) = drawn.unwrap_or((letter, at, self.opened));
        if NAME.get(self.letters) == Some(&letter) && self.letters > 0 {
            self.letters += 1;
        } else if NAME.first() == Some(&letter) {
            self.letters = 1;
            self.parted = false;
            self.name = Name { at, opened, parted: false };
        } else {
            self.letters = 0;
        }
        self.opened = false;
        let parted = self.parted;
        (self.letters == NAME.len()).then(|| {
            self.letters = 0;
            Name { parted, ..self.name }
        })
    }
}

/// What two letters look like together.
fn paired(one: char, other: char) -> Option<char> {
    PAIRS.iter().find(|(pair, _)| *pair == [one, other]).map(|(_, letter)| *letter)
}

/// Letters as they look, where two may look like one.
pub(super) fn drawn(letters: &str) -> String {
    PAIRS.iter().fold(letters.to_owned(), |drawn, (pair, letter)| {
        drawn.replace(&String::from_iter(pair), letter.encode_utf8(&mut [0; 4]))
    })
}

impl Name {
    /// Whether it is a mark's, also from what stands after it.
    fn is_marks(self, after: &str) -> bool {
        self.opened || (!self.parted && names_a_block(after))
    }
}

/// What a character is to the name of a mark.
pub(super) enum Kind {
    /// Opens a mark.
    Opening,
    /// Closes a mark.
    Closing,
    /// May stand within a word without being seen as its end.
    Joining,
    /// Parts words.
    Parting,
    /// A letter, or what looks like one.
    Letter(char),
    /// What looks like these letters together.
    Letters(&'static str),
}

impl Kind {
    pub(super) fn new(character: char) -> Self {
        match character {
            '<' | '＜' | '﹤' | '‹' | '«' | '〈' | '《' | '⟨' | '⟪' | '\u{2329}' | '❬' | '❮' | '❰' | '˂' | 'ᐸ'
            | '⧼' => Self::Opening,
            '>' | '＞' | '﹥' | '›' | '»' | '〉' | '》' | '⟩' | '⟫' | '\u{232a}' | '❭' | '❯' | '❱' | '˃' | 'ᐳ'
            | '⧽' => Self::Closing,
            '-' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '﹘' | '﹣' | '－' | '＿' => Self::Joining,
            _ if is_invisible(character) => Self::Joining,
            _ => match (letter(character), confusable(character)) {
                (looks_like, _) if looks_like.is_ascii_alphabetic() => Self::Letter(looks_like),
                (_, Some("<")) => Self::Opening,
                (_, Some(">")) => Self::Closing,
                (_, Some("-")) => Self::Joining,
                (_, Some(letters)) => Self::Letters(letters),
                (looks_like, None) if character.is_alphanumeric() => Self::Letter(looks_like),
                (_, None) => Self::Parting,
            },
        }
    }

    /// The letters that it is, or looks like.
    fn letters(&self) -> impl Iterator<Item = char> + use<> {
        let (one, several) = match self {
            Self::Letter(letter) => (Some(*letter), ""),
            Self::Letters(letters) => (None, *letters),
            Self::Opening | Self::Closing | Self::Joining | Self::Parting => (None, ""),
        };
        one.into_iter().chain(several.chars())
    }
}

/// What a character that [`letter`] does not know looks like: small Latin letters, or one of `<`, `>` and `-`.
fn confusable(character: char) -> Option<&'static str> {
    if character.is_ascii() { None } else { CONFUSABLE.get(&character).map(String::as_str) }
}

/// What Unicode lists as confusable with our letters and brackets, and what it takes for other forms of them.
static CONFUSABLE: LazyLock<HashMap<char, String>> = LazyLock::new(|| {
    let characters = WITH_CONFUSABLES.into_iter().flatten();
    characters.filter_map(|character| looks(character).map(|looks| (character, looks))).collect()
});

/// Where such characters are. The others, such as most of those of Chinese and Korean, are not looked at one by one.
const WITH_CONFUSABLES: [RangeInclusive<char>; 8] = [
    '\u{80}'..='\u{33ff}',
    '\u{4e00}'..='\u{4e3f}',
    '\u{a000}'..='\u{abff}',
    '\u{d7b0}'..='\u{d7ff}',
    '\u{f900}'..='\u{ffff}',
    '\u{10000}'..='\u{11fff}',
    '\u{16000}'..='\u{16fff}',
    '\u{1c000}'..='\u{1ffff}',
];

/// What a character looks like, as [`confusable`] says.
fn looks(character: char) -> Option<String> {
    let own = character.to_string();
    let small = character.to_lowercase().to_string();
    let compatible: String = own.nfkd().collect();
    let by_form = (compatible != own).then(|| looks_of(&compatible)).flatten();
    by_form.or_else(|| {
        let known_as = [own.as_str(), small.as_str(), compatible.as_str()].into_iter();
        known_as.map(|form| (form, skeleton(form).collect::<String>())).find_map(|(form, skeleton)| {
            // Unicode lists an m as an r and an n.
            (skeleton != form).then(|| looks_of(&skeleton.replace("rn", "m"))).flatten()
        })
    })
}

/// What a text of known characters looks like; `None` where no letter and none of the other characters is in it.
fn looks_of(form: &str) -> Option<String> {
    let sign = ['<', '>', '-'].into_iter().find(|sign| form.contains(*sign));
    let letters = || form.chars().map(letter).filter(char::is_ascii_alphabetic).collect::<String>();
    Some(sign.map_or_else(letters, String::from)).filter(|looks| !looks.is_empty())
}

/// Control characters, line breaks, and what takes no place of its own: joiners, marks of direction, combining accents.
fn is_invisible(character: char) -> bool {
    (character.is_control() && character != '\t')
        || matches!(character,
            '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}'
            | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{20d0}'..='\u{20ff}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether what stands on both sides of a character is seen side by side.
pub(super) fn takes_no_place(character: char) -> bool {
    is_invisible(character) && !character.is_control()
}

/// The small Latin letter that a character looks like; the character itself, in lower case, when it looks like none.
fn letter(character: char) -> char {
    let small = character.to_lowercase().next().unwrap_or(character);
    match small {
        'a'..='z' if small != 'l' => small,
        'ａ'..='ｚ' => nth(small, 'ａ'),
        '\u{1d400}'..='\u{1d6a3}' => from_a((u32::from(small) - 0x1d400) % 26),
        '\u{249c}'..='\u{24b5}' => nth(small, '\u{249c}'),
        '\u{24d0}'..='\u{24e9}' => nth(small, '\u{24d0}'),
        '\u{1f130}'..='\u{1f149}' => nth(small, '\u{1f130}'),
        '\u{1f150}'..='\u{1f169}' => nth(small, '\u{1f150}'),
        '\u{1f170}'..='\u{1f189}' => nth(small, '\u{1f170}'),
        '\u{1f1e6}'..='\u{1f1ff}' => nth(small, '\u{1f1e6}'),
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' | 'ạ' | 'ᴀ' | 'ᵃ' | 'ɑ' | 'α' | 'а' | 'ɐ' | 'ɒ' | '4' | '@' => {
            'a'
        }
        'ϲ' | 'с' | 'ç' | 'ć' | 'č' | 'ⅽ' => 'c',
        'ď' | 'đ' | 'ᴅ' | 'ᵈ' | 'ԁ' | 'ⅾ' | 'ⅆ' | 'ɗ' => 'd',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' | 'ẹ' | 'ᴇ' | 'ᵉ' | 'ε' | 'е' | 'ℯ' | 'ⅇ' | 'ǝ' | 'ə' | '3' => {
            'e'
        }
        'ĝ' | 'ğ' | 'ġ' | 'ģ' | 'ɡ' | 'ɢ' | 'ᵍ' | 'ℊ' | '9' => 'g',
        'ì'..='ï'
        | 'ĩ'
        | 'ī'
        | 'ĭ'
        | 'į'
        | 'ı'
        | 'ị'
        | 'ɩ'
        | 'ɪ'
        | 'ι'
        | 'і'
        | 'ӏ'
        | 'ⁱ'
        | 'ℹ'
        | 'ⅈ'
        | 'ⅰ'
        | '\u{1d6a4}'
        | 'l'
        | 'ⅼ'
        | 'ǀ'
        | 'ᴉ'
        | '1'
        | '|' => 'i',
        'ᴍ' | 'ᵐ' | 'ⅿ' | 'ℳ' | 'м' | 'μ' | 'µ' | 'ṁ' | 'ṃ' | 'ɯ' | 'ɰ' | 'ʍ' | 'ꟽ' | 'ꟿ' => 'm',
        'ᴎ' | 'ñ' | 'ń' | 'ņ' | 'ň' | 'ɴ' | 'ⁿ' | 'η' | 'ν' | 'п' | 'ո' | 'ṅ' | 'ṇ' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'ọ' | 'ᴏ' | 'ᵒ' | 'ο' | 'о' | 'օ' | 'ℴ' | '0' => 'o',
        'ᴘ' | 'ᵖ' | 'ρ' | 'р' | 'ṗ' | 'þ' | 'ꟼ' => 'p',
        'ɹ' | 'ŕ' | 'ř' | 'ŗ' | 'ʀ' | 'ʳ' | 'г' => 'r',
        'ś' | 'ş' | 'š' | 'ș' | 'ꜱ' | 'ˢ' | 'ѕ' | '5' | '$' => 's',
        'ţ' | 'ť' | 'ț' | 'ŧ' | 'ᴛ' | 'ᵗ' | 'τ' | 'т' | 'ʇ' | '7' => 't',
        'ʎ' | 'ý' | 'ÿ' | 'ŷ' | 'ʏ' | 'ʸ' | 'у' | 'ү' | 'γ' | 'υ' => 'y',
        _ => small,
    }
}

/// The Latin letter that stands where `character` does in an alphabet that begins with `first`.
fn nth(character: char, first: char) -> char {
    from_a(u32::from(character) - u32::from(first))
}

/// As [`letter`] has it, an `l` looks like an `i`.
fn from_a(place: u32) -> char {
    match char::from_u32(u32::from('a') + place).unwrap_or('a') {
        'l' => 'i',
        other => other,
    }
}

/// Whether the name of a kind of block follows, with nothing before it that parts words.
fn names_a_block(after: &str) -> bool {
    let kinds = shown(after).take(DRAWN_OUT).map(|shown| Kind::new(shown.character));
    let kinds = kinds.filter(|kind| !matches!(kind, Kind::Joining));
    let word = kinds.take_while(|kind| matches!(kind, Kind::Letter(_) | Kind::Letters(_)));
    let longest = BLOCKS.map(str::len).into_iter().max().unwrap_or_default();
    let read: String = word.flat_map(|kind| kind.letters()).take(2 * longest).collect();
    let read = drawn(&read);
    BLOCKS.iter().any(|block| read.starts_with(block))
}

fn is_square(character: char) -> bool {
    matches!(character, '[' | '［' | '【' | '〔' | '⟦' | '〚' | '❲' | '﹝' | '⁅')
}

/// Whether a bracket and a day begin here, in a text as it came or as it is quoted: what would be escaped in between parts
/// them.
pub(super) fn begins_day(character: char, after: &str) -> bool {
    let escaped = |character: char| character != '\n' && super::breaks_lines(character);
    let passed_over =
        |character: &char| !escaped(*character) && (character.is_whitespace() || is_invisible(*character));
    let mut shown = after.chars().filter(|character| !passed_over(character)).peekable();
    let mut run = |most: usize, belongs: fn(char) -> bool| {
        let mut length = 0;
        while length < most && shown.next_if(|character| belongs(*character)).is_some() {
            length += 1;
        }
        length
    };
    is_square(character)
        && (1..=DAY_DIGITS).contains(&run(DAY_DIGITS, char::is_numeric))
        && MONTH_LETTERS
            .contains(&run(MONTH_LETTERS.end() + 1, |character| character.is_alphabetic() && !character.is_numeric()))
        && run(YEAR_DIGITS, char::is_numeric) == YEAR_DIGITS
        && shown.next().is_some_and(closes_square)
}

fn closes_square(character: char) -> bool {
    matches!(character, ']' | '］' | '】' | '〕' | '⟧' | '〛' | '❳' | '﹞' | '⁆')
}
