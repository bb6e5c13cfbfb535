//! Walks through JSON text without making a tree of it: where values begin and end, and what is odd about them.
//!
//! `serde_json` refuses a whole text for one lone surrogate or one number out of range in it, and a tree takes many times the
//! text's size. Here only the structure has to be JSON's; what is odd inside of a value is reported with the value. Nothing is
//! allocated but one bit for every level. It must not know what the values mean.

use std::borrow::Cow;
use std::ops::Range;

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
    pub(crate) fn of(text: &[u8], range: &Range<usize>, names: [&'static str; N]) -> Option<Self> {
        let mut picked = Self {
            names,
            found: [const { None }; N],
            is_repeated: false,
        };
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
    let mut scanner = Scanner::at(
        text,
        if text.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        },
    );
    let span = scanner.value()?;
    scanner.space();
    if scanner.at == text.len() {
        Ok(span)
    } else {
        Err(Malformed)
    }
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
        scanner.take(bracket)?;
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
                    return Ok(Span {
                        range: start..self.at,
                        oddity,
                    });
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
        self.take(b':')
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
        self.take(b',')?;
        Ok(false)
    }

    /// Passes over a string.
    fn string(&mut self, oddity: &mut Option<Oddity>) -> Result<(), Malformed> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            let rest = self.text.get(self.at..).ok_or(Malformed)?;
            self.at += rest
                .iter()
                .position(|byte| STOPS[usize::from(*byte)])
                .ok_or(Malformed)?;
            match self.peek()? {
                b'"' => break,
                b'\\' => self.escape(oddity)?,
                _ => {
                    oddity.get_or_insert(Oddity::ControlCharacter);
                    self.at += 1;
                }
            }
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

    fn take(&mut self, expected: u8) -> Result<(), Malformed> {
        if self.peek()? != expected {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(())
    }
}

/// Bytes of an escape such as `\u00e9`.
const UNIT: usize = 6;

/// The bytes of a string at which a scanner has to look closer: quotes, backslashes and control characters.
const STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        stops[byte] = true;
        byte += 1;
    }
    stops[b'"' as usize] = true;
    stops[b'\\' as usize] = true;
    stops
};

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
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
            "\\PC{0,12}|[\"\\\\\n\t/]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,4}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn oddity(text: &str) -> Option<Oddity> {
        document(text.as_bytes()).unwrap().oddity
    }

    proptest! {
        #[test]
        fn whatever_serde_json_reads_is_sound_and_lies_where_it_was_written(
            values in prop::collection::vec(value(), 0..6), space in "[ \n\r\t]{0,3}", pretty: bool,
        ) {
            let write = |value: &Value| {
                if pretty { serde_json::to_string_pretty(value).unwrap() } else { value.to_string() }
            };
            let written: Vec<String> = values.iter().map(write).collect();
            let text = format!("{space}[{space}{}{space}]{space}", written.join(&format!("{space},{space}")));
            let whole = document(text.as_bytes()).unwrap();
            prop_assert_eq!(&whole.oddity.filter(|odd| *odd != Oddity::NullCharacter), &None);
            let mut found = Vec::new();
            elements::<Malformed>(text.as_bytes(), &whole.range, |span| {
                found.push(text[span.range].to_owned());
                Ok(())
            })
            .unwrap();
            prop_assert_eq!(&found, &written);
            for (value, text) in values.iter().zip(&written) {
                let mut fields = Vec::new();
                let outcome = members(text.as_bytes(), &(0..text.len()), |name, span| {
                    fields.push((name.into_owned(), serde_json::from_str::<Value>(&text[span.range]).unwrap()));
                });
                prop_assert_eq!(outcome.is_ok(), value.is_object());
                if let Value::Object(map) = value {
                    prop_assert_eq!(fields, map.clone().into_iter().collect::<Vec<_>>());
                }
            }
        }

        #[test]
        fn what_serde_json_refuses_is_odd_or_malformed(bytes in "[\\[\\]{}\":,0-9eEtrufalsn\\\\ \u{1}\u{e9}-]{0,16}") {
            let refused = serde_json::from_str::<Value>(&bytes).is_err();
            let sound = document(bytes.as_bytes()).is_ok_and(|span| span.oddity.is_none());
            prop_assert!(!(refused && sound), "{bytes}");
        }

        #[test]
        fn any_bytes_are_walked_through_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(span) = document(&bytes) {
                prop_assert!(span.range.end <= bytes.len());
            }
        }
    }

    #[test]
    fn what_is_odd_is_named_and_its_end_is_found() {
        for (text, expected) in [
            (r#""cut emoji \ud83d""#, Oddity::LoneSurrogate),
            (r#""\ude00 second half""#, Oddity::LoneSurrogate),
            (r#""\ud83d\u0041""#, Oddity::LoneSurrogate),
            (r#"{"a\udc00":1}"#, Oddity::LoneSurrogate),
            (r#""\u0000""#, Oddity::NullCharacter),
            ("\"a\nb\"", Oddity::ControlCharacter),
            (r#""\x41""#, Oddity::UnknownEscape),
            (r#""\u00g1""#, Oddity::UnknownEscape),
            ("[1e400]", Oddity::NumberOutOfRange),
            ("-1e999", Oddity::NumberOutOfRange),
            ("[NaN]", Oddity::NumberOutOfRange),
            ("-Infinity", Oddity::NumberOutOfRange),
            ("01", Oddity::NumberOutOfRange),
        ] {
            assert_eq!(oddity(text), Some(expected), "{text}");
        }
        let digits = "9".repeat(400);
        assert_eq!(oddity(&digits), Some(Oddity::NumberOutOfRange));
        for sound in [
            r#""\ud83d\ude00""#,
            "123456789012345678901234567890",
            "1E5",
            "-0.0e-3",
            "[[],{}]",
        ] {
            assert_eq!(oddity(sound), None, "{sound}");
        }
        assert_eq!(document(b"\"\xff\"").unwrap().oddity, Some(Oddity::NotUtf8));
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(oddity(&deep), Some(Oddity::TooDeep));
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_and_what_is_not_json_is_refused() {
        assert_eq!(document(b"\xEF\xBB\xBF {} ").unwrap().range, 4..6);
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "[1 2]",
            "{a:1}",
            "[}",
            "\"open",
            "{}x",
            "'a'",
            "\u{feff}",
        ] {
            assert_eq!(document(text.as_bytes()), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn the_last_of_two_fields_counts_and_the_repetition_is_told() {
        let text = br#"{"x":[1],"role":"a", "r\u006fle" :"b","content":null}"#;
        let picked = Picked::of(text, &(0..text.len()), ["role", "content", "name"]).unwrap();
        assert!(picked.is_repeated);
        assert_eq!(slice(text, &picked.get("role").unwrap().range), b"\"b\"");
        assert!(
            picked.get("content").is_some() && picked.set(text, "content").is_none() && picked.get("name").is_none()
        );
        assert!(Picked::of(b"[]", &(0..2), ["role"]).is_none());
    }
}
