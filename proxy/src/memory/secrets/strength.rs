//! What a value has to look like to be a secret where its place alone does not say so: random, or chosen to be hard to guess; and no
//! code, no example and no words.

use std::ops::Range;

/// What a value is made of.
pub(super) struct Makeup {
    /// Bytes of other letters than those of ASCII among them.
    pub(super) lower: usize,
    pub(super) upper: usize,
    pub(super) digits: usize,
    /// What is neither a letter nor a digit nor joins words.
    pub(super) symbols: usize,
    /// Bits of Shannon's entropy that a byte has on average.
    pub(super) entropy: f32,
}

impl Makeup {
    pub(super) fn new(value: &[u8]) -> Self {
        let mut counts = [0_u32; 256];
        for byte in value {
            counts[usize::from(*byte)] += 1;
        }
        let of = |belongs: fn(&u8) -> bool| value.iter().filter(|byte| belongs(byte)).count();
        let all = value.len() as f32;
        let bits = |count: &u32| {
            let share = *count as f32 / all;
            -share * share.log2()
        };
        Self {
            lower: of(|byte| byte.is_ascii_lowercase() || !byte.is_ascii()),
            upper: of(u8::is_ascii_uppercase),
            digits: of(u8::is_ascii_digit),
            symbols: of(|byte| byte.is_ascii_punctuation() && !JOINERS.contains(byte)),
            entropy: counts.iter().filter(|count| **count > 0).map(bits).sum(),
        }
    }

    fn classes(&self) -> usize {
        [self.lower, self.upper, self.digits, self.symbols].iter().filter(|count| **count > 0).count()
    }
}

/// What joins the parts of names, paths and numbers.
const JOINERS: &[u8] = b"-_./:,";

/// Whether a key of some service was drawn at random, and is not made of words.
pub(super) fn is_random(value: &[u8]) -> bool {
    let makeup = Makeup::new(value);
    let is_mixed = makeup.digits > 0 || (makeup.lower > 0 && makeup.upper > 0);
    is_mixed && makeup.entropy >= 3.0
}

/// Bytes of a value that are looked at; what goes on behind them is part of it.
pub(super) const JUDGED: usize = 256;

/// The value that begins at `start`, in quotes of any kind or without; at most its beginning.
pub(super) fn value(text: &[u8], start: usize) -> Option<Range<usize>> {
    let rest = text.get(start..)?;
    let opening: usize = match rest {
        [b'b' | b'r' | b'u' | b'f', b'"' | b'\'', ..] | [b'\\', b'"' | b'\'', ..] => 2,
        [b'"' | b'\'' | b'`', ..] => 1,
        _ => 0,
    };
    let quote = opening.checked_sub(1).and_then(|at| rest.get(at));
    let opening = opening + guillemets(rest.get(opening..).unwrap_or_default());
    let inside = rest.get(opening..)?;
    let is_over = |at: &usize| {
        let after = inside.get(*at..).unwrap_or_default();
        match after.first() {
            Some(byte) if quote.is_some() => Some(byte) == quote || byte.is_ascii_whitespace(),
            Some(byte) => !belongs(byte) || begins_next(after),
            None => true,
        }
    };
    let length = (0..JUDGED).find(is_over).unwrap_or(JUDGED);
    // The quotes of `maxlength="50"` and `config['key']` are others than those of a value.
    let is_of_code = quote.is_none()
        && inside.get(length).is_some_and(|next| b"\"'`".contains(next))
        && inside.get(..length).and_then(<[u8]>::last).is_some_and(|last| b"=([{".contains(last));
    (!is_of_code).then_some(start + opening..start + opening + length)
}

/// Bytes of the guillemets that a value begins with, and of the space that French has behind them.
fn guillemets(value: &[u8]) -> usize {
    match value {
        [0xc2, 0xab | 0xbb, 0xc2, 0xa0, ..] => 4,
        [0xc2, 0xab | 0xbb, ..] => 2,
        _ => 0,
    }
}

/// Whether a byte can be part of a value without quotes. Scripts that put no spaces between words, and their marks, end it.
pub(super) fn belongs(byte: &u8) -> bool {
    !byte.is_ascii_whitespace() && !b"\"'`".contains(byte) && *byte < FIRST_OF_THREE
}

/// The first byte of three in UTF-8 is this or a greater one.
const FIRST_OF_THREE: u8 = 0xe0;

/// Whether another name and its value begin behind a separator, as in `token=a&key=b`.
fn begins_next(text: &[u8]) -> bool {
    let Some((b'&' | b',' | b';', rest)) = text.split_first() else { return false };
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let name = rest.iter().take(LONGEST_NAME).take_while(is_name).count();
    name > 0 && matches!(rest.get(name), Some(b'=' | b':'))
}

const LONGEST_NAME: usize = 32;

/// What of `value`, which was assigned to a name that secrets have, is a secret.
pub(super) fn assigned(value: &[u8]) -> Option<Range<usize>> {
    // Behind the value of an option stands another option.
    let secret = Some(trimmed(value)).filter(|_| !value.starts_with(b"--"))?;
    let value = value.get(secret.clone()).unwrap_or_default();
    let makeup = Makeup::new(value);
    let is_mixed = makeup.digits > 0 && makeup.lower + makeup.upper > 0 || makeup.symbols > 0 && makeup.classes() >= 3;
    let is_strong = value.len() >= SHORTEST && makeup.entropy >= 2.25 && is_mixed;
    (is_strong && !is_code(value) && !is_example(value)).then_some(secret)
}

/// What of `value`, which was called a secret in a sentence, is one.
pub(super) fn said(value: &[u8]) -> Option<Range<usize>> {
    let secret = assigned(value)?;
    let value = value.get(secret.clone()).unwrap_or_default();
    let makeup = Makeup::new(value);
    let is_chosen = makeup.classes() >= 3;
    let is_drawn = value.len() >= 16 && makeup.digits >= 3 && makeup.entropy >= 3.25;
    (is_chosen || is_drawn).then_some(secret)
}

/// Whether a password in a URL is one, and not where one would stand.
pub(super) fn is_url_password(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let is_usual = USUAL_EXAMPLES.iter().any(|example| example.as_bytes() == lower);
    let is_port = value.iter().all(u8::is_ascii_digit) && value.len() <= 5;
    !is_usual
        && !is_port
        && !is_variable(value)
        && !lower.windows(3).any(|three| three == b"***" || three == b"xxx" || three == b"...")
}

/// Bytes of the shortest value that counts.
const SHORTEST: usize = 8;

/// A value without what ends sentences, markup and statements.
pub(super) fn trimmed(value: &[u8]) -> Range<usize> {
    let tag = value.windows(2).position(|two| two == b"</");
    let mut kept = value.get(..tag.unwrap_or(value.len())).unwrap_or_default();
    loop {
        kept = match kept {
            [
                start @ ..,
                b'.' | b',' | b';' | b':' | b')' | b']' | b'}' | b'>' | b'*' | b'`' | b'\'' | b'"' | b'\\',
            ] => start,
            // Guillemets and the space that French has before them.
            [start @ .., 0xc2, 0xab | 0xbb | 0xa0] => start,
            _ => return 0..kept.len(),
        };
    }
}

/// Whether a value is a variable's name with what languages write before it, or a template: `$PASSWORD`, `${PASSWORD}`, `%(password)s`.
fn is_variable(value: &[u8]) -> bool {
    match value {
        [b'<' | b'[' | b'{', ..] | [b'$', b'{' | b'(', ..] | [b'%', b'(', ..] => true,
        [b'$' | b'&' | b'@' | b'*' | b'%', name @ ..] => {
            let name = name.strip_suffix(b"%").unwrap_or(name);
            let is_name = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.*".contains(byte));
            is_name && Makeup::new(name).classes() < 3
        }
        _ => false,
    }
}

/// Whether a value is an expression, a name, an address or a type, such as `os.environ["KEY"]`.
pub(super) fn is_code(value: &[u8]) -> bool {
    let is_address = value.windows(3).any(|three| three == b"://");
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_.$:>-?!".contains(byte);
    let name = value.iter().take_while(is_name).count();
    let is_plain =
        !value.iter().take(name).any(u8::is_ascii_digit) || value.iter().take(name).any(|byte| *byte == b'.');
    let is_call = name > 0 && is_plain && matches!(value.get(name), Some(b'(' | b'[' | b'{'));
    is_variable(value) || is_address || is_call || is_path(value)
}

/// Whether a value is names with dots, slashes or arrows between them, such as `config.auth.key2`.
fn is_path(value: &[u8]) -> bool {
    let parts = || value.split(|byte| b"./\\".contains(byte)).filter(|part| !part.is_empty());
    let is_word = |part: &[u8]| {
        let makeup = Makeup::new(part);
        makeup.symbols == 0 && makeup.digits <= 2 && (makeup.upper <= 2 || makeup.lower == 0)
    };
    parts().count() > 1 && parts().all(is_word)
}

/// Whether a value says that a secret would stand there.
pub(super) fn is_example(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let has = |word: &&str| lower.windows(word.len()).any(|part| part == word.as_bytes());
    EXAMPLES.iter().any(has) || USUAL_EXAMPLES.iter().any(|example| example.as_bytes() == lower)
}

/// Words of values that nobody has as a secret.
const EXAMPLES: &[&str] = &[
    "your",
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "dummy",
    "sample",
    "redacted",
    "replace",
    "insert",
    "xxxx",
    "****",
    "....",
    "\u{2026}",
    "process.env",
    "environ",
    "getenv",
    "undefined",
    "[secret:",
];

/// What stands for a password in the examples of manuals.
pub(super) const USUAL_EXAMPLES: &[&str] = &[
    "pass",
    "password",
    "passwd",
    "pwd",
    "pw",
    "secret",
    "mysecret",
    "mysecretpassword",
    "mypassword",
    "password123",
    "password1",
    "changeme",
    "user",
    "username",
    "admin",
    "root",
    "guest",
    "test",
    "example",
    "token",
    "postgres",
    "mysql",
    "mongodb",
    "redis",
    "rabbitmq",
    "foo",
    "bar",
    "passw0rd",
    "p@ssw0rd",
    "12345678",
    "letmein",
    "dbpassword",
    "db_password",
    "dbpass",
    "user_password",
    "hunter2",
];
