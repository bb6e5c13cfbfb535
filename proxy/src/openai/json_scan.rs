//! Walks through JSON text without making a tree of it: where values begin and end, and what is odd about them.
//!
//! `serde_json` refuses a whole text for one lone surrogate or one number out of range in it, and a tree takes many
//! times the text's size. Here only the structure has to be JSON's; what is odd inside of a value is reported with the
//! value. Nothing is allocated but one bit for every level.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

use super::oddity::Oddity;

/// The text's structure is not JSON's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A value and where it lies in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its bytes, without white space around them.
    pub(crate) range: Range<usize>,
    /// What is odd about it, or about something in it; the first such thing.
    pub(crate) oddity: Option<Oddity>,
}

/// The fields of an object that are wanted; of others only that they are there. When a name comes twice the last one counts,
/// as with most parsers.
#[derive(Debug)]
pub(crate) struct Picked<const N: usize> {
    names: [&'static str; N],
    found: [Option<Span>; N],
    /// Whether a wanted name came twice.
    pub(crate) is_repeated: bool,
}

impl<const N: usize> Picked<N> {
    /// Looks for the fields `names` of the object at `range`; `None` when there is no object.
    pub(crate) fn new(text: &[u8], range: &Range<usize>, names: [&'static str; N]) -> Option<Self> {
        let mut picked = Self { names, found: [const { None }; N], is_repeated: false };
        members(text, range, |name, span| {
            let wanted = names.iter().position(|wanted| *wanted == name);
            if let Some(slot) = wanted.and_then(|at| picked.found.get_mut(at)) {
                picked.is_repeated |= slot.replace(span).is_some();
            }
        })
        .ok()?;
        Some(picked)
    }

    /// The field `name`, which is one of the wanted.
    pub(crate) fn get(&self, name: &str) -> Option<&Span> {
        let at = self.names.iter().position(|wanted| *wanted == name)?;
        self.found.get(at)?.as_ref()
    }

    /// The field `name`, unless it is null.
    pub(crate) fn set(&self, text: &[u8], name: &str) -> Option<&Span> {
        self.get(name).filter(|span| slice(text, &span.range) != b"null")
    }
}

/// The only value of a text that may begin with a byte order mark.
///
/// # Errors
/// When the text is anything else.
pub(crate) fn document(text: &[u8]) -> Result<Span, Malformed> {
    let mut scanner = Scanner::at(text, if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 });
    let span = scanner.value()?;
    scanner.space();
    if scanner.at == text.len() { Ok(span) } else { Err(Malformed) }
}

/// Hands every element of the array at `range` to `each`, which may end the walk with an error of its own.
///
/// # Errors
/// When there is no array, or `each` fails.
pub(crate) fn elements<E: From<Malformed>>(
    text: &[u8],
    range: &Range<usize>,
    mut each: impl FnMut(Span) -> Result<(), E>,
) -> Result<(), E> {
    let mut scanner = Scanner::inside(text, range, b'[')?;
    if scanner.closes(b']')? {
        return Ok(());
    }
    loop {
        each(scanner.value()?)?;
        if scanner.ends(b']')? {
            return Ok(());
        }
    }
}

/// Hands every name and value of the object at `range` to `each`. A name that is no text is empty.
///
/// # Errors
/// When there is no object.
pub(crate) fn members<'a>(
    text: &'a [u8],
    range: &Range<usize>,
    mut each: impl FnMut(Cow<'a, str>, Span),
) -> Result<(), Malformed> {
    let mut scanner = Scanner::inside(text, range, b'{')?;
    if scanner.closes(b'}')? {
        return Ok(());
    }
    loop {
        scanner.space();
        let start = scanner.at;
        let mut oddity = None;
        scanner.string(&mut oddity)?;
        let name = decoded(slice(text, &(start..scanner.at))).unwrap_or_default();
        scanner.colon()?;
        let mut span = scanner.value()?;
        span.oddity = span.oddity.or(oddity);
        each(name, span);
        if scanner.ends(b'}')? {
            return Ok(());
        }
    }
}

/// What a JSON string says; `None` when `raw` is none, or an odd one.
pub(crate) fn decoded(raw: &[u8]) -> Option<Cow<'_, str>> {
    let inside = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if inside.contains(&b'\\') {
        return serde_json::from_slice::<String>(raw).ok().map(Cow::Owned);
    }
    let is_sound = inside.iter().all(|byte| *byte >= b' ');
    std::str::from_utf8(inside).ok().filter(|_| is_sound).map(Cow::Borrowed)
}

/// The bytes at `range`.
pub(crate) fn slice<'a>(text: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    text.get(range.clone()).unwrap_or_default()
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// What is nested deeper than this is odd. Parsers that make trees allow about 128 levels for a whole body.
const MOST_LEVELS: usize = 100;

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

/// Open brackets, a bit each, so that nesting takes an eighth of the text at most.
#[derive(Default)]
struct Brackets {
    bits: Vec<u64>,
    levels: usize,
}

impl<'a> Scanner<'a> {
    fn at(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
    }

    /// Behind the bracket that opens the value at `range`.
    fn inside(text: &'a [u8], range: &Range<usize>, bracket: u8) -> Result<Self, Malformed> {
        let mut scanner = Self::at(text, range.start);
        scanner.consume(bracket)?;
        Ok(scanner)
    }

    /// Passes over one value.
    fn value(&mut self) -> Result<Span, Malformed> {
        self.space();
        let start = self.at;
        let mut oddity = None;
        let mut open = Brackets::default();
        loop {
            self.space();
            match self.peek()? {
                bracket @ (b'{' | b'[') => {
                    self.at += 1;
                    let is_object = bracket == b'{';
                    if !self.closes(if is_object { b'}' } else { b']' })? {
                        open.push(is_object);
                        if open.levels > MOST_LEVELS {
                            oddity.get_or_insert(Oddity::TooDeep);
                        }
                        if is_object {
                            self.name(&mut oddity)?;
                        }
                        continue;
                    }
                }
                b'"' => self.string(&mut oddity)?,
                _ => self.word(&mut oddity)?,
            }
            // A value has ended, and with it whatever it was the last of.
            loop {
                let Some(is_object) = open.innermost() else {
                    return Ok(Span { range: start..self.at, oddity });
                };
                if !self.ends(if is_object { b'}' } else { b']' })? {
                    if is_object {
                        self.name(&mut oddity)?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// Passes over a name and its colon.
    fn name(&mut self, oddity: &mut Option<Oddity>) -> Result<(), Malformed> {
        self.space();
        self.string(oddity)?;
        self.colon()
    }

    fn colon(&mut self) -> Result<(), Malformed> {
        self.space();
        self.consume(b':')
    }

    /// Whether the bracket `closing` comes next; if so, passes over it.
    fn closes(&mut self, closing: u8) -> Result<bool, Malformed> {
        self.space();
        let closes = self.peek()? == closing;
        self.at += usize::from(closes);
        Ok(closes)
    }

    /// Whether the value ends here with the bracket `closing`, rather than going on behind a comma; passes over either.
    fn ends(&mut self, closing: u8) -> Result<bool, Malformed> {
        if self.closes(closing)? {
            return Ok(true);
        }
        self.consume(b',')?;
        Ok(false)
    }

    /// Passes over a string.
    fn string(&mut self, oddity: &mut Option<Oddity>) -> Result<(), Malformed> {
        self.consume(b'"')?;
        let start = self.at;
        loop {
            let rest = self.text.get(self.at..).ok_or(Malformed)?;
            let plain = memchr2(b'"', b'\\', rest).ok_or(Malformed)?;
            if rest.iter().take(plain).fold(false, |found, byte| found | (*byte < b' ')) {
                oddity.get_or_insert(Oddity::ControlCharacter);
            }
            self.at += plain;
            if self.peek()? == b'"' {
                break;
            }
            self.escape(oddity)?;
        }
        if std::str::from_utf8(slice(self.text, &(start..self.at))).is_err() {
            oddity.get_or_insert(Oddity::NotUtf8);
        }
        self.at += 1;
        Ok(())
    }

    /// Passes over an escape, and over the second half of a surrogate pair with the first.
    fn escape(&mut self, oddity: &mut Option<Oddity>) -> Result<(), Malformed> {
        let kind = *self.text.get(self.at + 1).ok_or(Malformed)?;
        let found = match kind {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => None,
            b'u' => match self.unit(self.at) {
                None => Some(Oddity::UnknownEscape),
                Some(0) => Some(Oddity::NullCharacter),
                Some(0xD800..=0xDBFF) => {
                    if matches!(self.unit(self.at + UNIT), Some(0xDC00..=0xDFFF)) {
                        self.at += UNIT;
                        None
                    } else {
                        Some(Oddity::LoneSurrogate)
                    }
                }
                Some(0xDC00..=0xDFFF) => Some(Oddity::LoneSurrogate),
                Some(_) => None,
            },
            _ => Some(Oddity::UnknownEscape),
        };
        if let Some(found) = found {
            oddity.get_or_insert(found);
        }
        self.at += if self.unit(self.at).is_some() { UNIT } else { 2 };
        Ok(())
    }

    /// The number behind `\u` at `at`.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + UNIT)?.strip_prefix(b"\\u")?;
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
        u16::from_str_radix(digits, 16).ok()
    }

    /// Passes over a number, `true`, `false` or `null`, or whatever stands in the place of one, such as `NaN`.
    fn word(&mut self, oddity: &mut Option<Oddity>) -> Result<(), Malformed> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_');
        let rest = self.text.get(self.at..).ok_or(Malformed)?;
        let length = rest.iter().take_while(|byte| is_part(byte)).count();
        let word = rest.get(..length).filter(|word| !word.is_empty()).ok_or(Malformed)?;
        self.at += length;
        let is_short_number = length <= 15 && word.iter().all(u8::is_ascii_digit) && (length == 1 || word[0] != b'0');
        if !is_short_number && !matches!(word, b"true" | b"false" | b"null") {
            let number = serde_json::from_slice::<f64>(word);
            if !number.is_ok_and(f64::is_finite) {
                oddity.get_or_insert(Oddity::NumberOutOfRange);
            }
        }
        Ok(())
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Result<u8, Malformed> {
        self.text.get(self.at).copied().ok_or(Malformed)
    }

    fn consume(&mut self, expected: u8) -> Result<(), Malformed> {
        if self.peek()? != expected {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(())
    }
}

/// Bytes of an escape such as `\u00e9`.
const UNIT: usize = 6;

impl Brackets {
    fn push(&mut self, is_object: bool) {
        let (word, bit) = (self.levels / 64, self.levels % 64);
        if word == self.bits.len() {
            self.bits.push(0);
        }
        if let Some(bits) = self.bits.get_mut(word) {
            *bits = *bits & !(1 << bit) | u64::from(is_object) << bit;
        }
        self.levels += 1;
    }

    fn pop(&mut self) {
        self.levels = self.levels.saturating_sub(1);
    }

    /// Whether the innermost bracket opened an object; `None` when all are closed.
    fn innermost(&self) -> Option<bool> {
        let last = self.levels.checked_sub(1)?;
        self.bits.get(last / 64).map(|bits| bits >> (last % 64) & 1 == 1)
    }
}

#[cfg(test)]
#[path = "json_scan_tests.rs"]
mod tests;
