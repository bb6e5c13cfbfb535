//! Finds the password among the arguments of a command, as a shell would take it.
//!
//! A command is read up to the end of its line or up to a pipe.

mod operands;

use std::ops::Range;

use super::plausible::typed;
use super::strength;

/// How a command takes a password.
#[derive(Debug, Clone, Copy)]
pub(super) enum Argument {
    /// As the word behind this option.
    Separate(&'static str),
    /// The same, of a program whose options are words behind one hyphen, so that `-dump` ends in no `-p`.
    Sole(&'static str),
    /// As what is written to this option without a space.
    Attached(&'static str),
    /// As what follows the first such byte in the word behind this option or written to it, to a long one with `=`:
    /// `user:password`.
    Pair(&'static str, u8),
    /// As what stands behind one of these names, up to a comma, in the list behind this option or written to it:
    /// `user=bob,password=bluebird`.
    Listed(&'static str, &'static [&'static str]),
    /// As the word at this place, from 0 on, among those that are no options, if some word begins with this or, where this
    /// is empty, if no sentence goes on behind it. This is the only way in which such a command takes one.
    Operand(usize, &'static str),
    /// As what it says, where that goes to another command that reads a password from there; the only way, too.
    Piped,
}

/// The first password that is among the arguments from `start` on; nothing at the end of what was looked at if there is
/// none, so that a caller knows how far that is. Only the beginning of a command may be read twice, where a place or a
/// pipe tells.
pub(super) fn password(text: &[u8], start: usize, arguments: &[Argument]) -> Range<usize> {
    let is_password = |value: &Range<usize>| text.get(value.clone()).and_then(typed).is_some();
    if let [Argument::Operand(place, beside)] = arguments {
        return operands::operand(text, start, *place, beside).filter(is_password).unwrap_or(start..start);
    }
    if let [Argument::Piped] = arguments {
        let (said, end) = operands::piped(text, start);
        return said.filter(is_password).unwrap_or(end..end);
    }
    let mut words = Words { text, at: start };
    let mut option = None;
    for word in words.by_ref() {
        if let Some(argument) = option.take().or_else(|| attached(text, &word, arguments))
            && let Some(value) = value(text, word.clone(), argument)
            && is_password(&value)
        {
            return value;
        }
        let word = text.get(word).unwrap_or_default();
        option = arguments.iter().find(|argument| is_separate(word, argument));
    }
    words.at..words.at
}

/// The first further password of a command behind one that ends at `end`, likewise; `None` where a command takes no more than one.
pub(super) fn further(text: &[u8], end: usize, arguments: &[Argument]) -> Option<Range<usize>> {
    if matches!(arguments, [Argument::Operand(..) | Argument::Piped]) {
        return None;
    }
    let rest = text.get(end..)?;
    let behind = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
    Some(password(text, end + behind, arguments))
}

/// The argument that is written to its option in this word.
fn attached<'a>(text: &[u8], word: &Range<usize>, arguments: &'a [Argument]) -> Option<&'a Argument> {
    let word = text.get(word.clone())?;
    let word = word.get(opening(word).len()..)?;
    arguments.iter().find(|argument| match argument {
        Argument::Attached(option) => rest_behind(word, option).is_some_and(|rest| {
            let is_long = || *option == "-p" && LONG_FORMS.iter().any(|form| rest.starts_with(form));
            !rest.is_empty() && !PORTS.contains(&rest) && !is_long()
        }),
        Argument::Pair(option, _) | Argument::Listed(option, _) => rest_behind(word, option)
            .is_some_and(|rest| if option.starts_with("--") { rest.starts_with(b"=") } else { !rest.is_empty() }),
        Argument::Separate(_) | Argument::Sole(_) | Argument::Operand(..) | Argument::Piped => false,
    })
}

/// Whether the word behind this one is the argument. Several options of one letter may be one word.
fn is_separate(word: &[u8], argument: &Argument) -> bool {
    let (Argument::Separate(option) | Argument::Pair(option, _) | Argument::Listed(option, _)) = argument else {
        return matches!(argument, Argument::Sole(option) if rest_behind(word, option).is_some_and(<[u8]>::is_empty));
    };
    rest_behind(word, option).is_some_and(<[u8]>::is_empty) || is_cluster(word, option.as_bytes())
}

/// Whether a word is options of one letter each, of which this is the last one.
fn is_cluster(word: &[u8], option: &[u8]) -> bool {
    match (word, option) {
        ([b'-', letters @ .., last], [b'-', letter]) => {
            last == letter && letters.len() <= MOST_CLUSTERED && letters.iter().all(u8::is_ascii_alphabetic)
        }
        _ => false,
    }
}

/// What stands in a word behind an option, whose letters may be capital ones where it is no single letter.
fn rest_behind<'w>(word: &'w [u8], option: &str) -> Option<&'w [u8]> {
    let (start, rest) = word.split_at_checked(option.len())?;
    let start_is = |option: &[u8]| if option.len() > 2 { start.eq_ignore_ascii_case(option) } else { start == option };
    start_is(option.as_bytes()).then_some(rest)
}

/// The value in a word, without quotes.
fn value(text: &[u8], word: Range<usize>, argument: &Argument) -> Option<Range<usize>> {
    let mut start = word.start;
    let bytes = |start: usize| text.get(start..word.end).unwrap_or_default();
    let mut quote: &[u8] = b"";
    if let Argument::Attached(option) | Argument::Pair(option, _) | Argument::Listed(option, _) = argument {
        let outer = opening(bytes(start));
        if let Some(rest) = rest_behind(bytes(start + outer.len()), option) {
            start = word.end - rest.len() + usize::from(rest.starts_with(b"="));
            quote = outer;
        }
    }
    if quote.is_empty() {
        quote = opening(bytes(start));
        start += quote.len();
    }
    if let Argument::Pair(_, separator) = argument {
        let bytes = bytes(start);
        let at = bytes.iter().position(|byte| byte == separator)?;
        // The name may end in a quote of its own.
        if bytes.iter().take(at).any(|byte| quote.last() == Some(byte)) {
            quote = b"";
        }
        start += at + 1;
    }
    if let Argument::Listed(_, names) = argument {
        start += behind_name(bytes(start), names)?;
        quote = b"";
    }
    if quote.is_empty() {
        quote = opening(bytes(start));
        start += quote.len();
    }
    let separates = |byte: &u8| matches!(argument, Argument::Listed(..)) && *byte == b',';
    let end =
        |byte: &u8| quote.last().map_or_else(|| !strength::belongs(byte), |quote| byte == quote) || separates(byte);
    let length = bytes(start).iter().take(strength::JUDGED).position(end).unwrap_or(bytes(start).len());
    Some(start..start + length.min(strength::JUDGED))
}

/// Bytes of a list up to what stands behind the first of these names in it.
fn behind_name(list: &[u8], names: &[&str]) -> Option<usize> {
    let mut at = 0;
    list.split(|byte| *byte == b',').find_map(|part| {
        let start = at;
        at += part.len() + 1;
        let name = names.iter().find(|name| part.starts_with(name.as_bytes()))?;
        Some(start + name.len())
    })
}

/// The quote that a word begins with.
fn opening(word: &[u8]) -> &[u8] {
    match word {
        [b'\\', b'"' | b'\'', ..] => word.get(..2).unwrap_or_default(),
        [b'"' | b'\'', ..] => word.get(..1).unwrap_or_default(),
        _ => b"",
    }
}

/// The words of a command.
struct Words<'t> {
    text: &'t [u8],
    at: usize,
}

impl Iterator for Words<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.text.get(self.at..)? {
                [b' ' | b'\t', ..] => self.at += 1,
                [b'\\', b'\n', ..] => self.at += 2,
                [b'\\', b'\r', b'\n', ..] => self.at += 3,
                _ => break,
            }
        }
        let rest = self.text.get(self.at..)?;
        let start = self.at;
        self.at += length(rest);
        (self.at > start).then_some(start..self.at)
    }
}

/// Bytes of the word that a command goes on with; 0 at its end.
fn length(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'"' | b'\'' => {
                let quoted = rest.get(at + 1..).unwrap_or_default();
                let mut line = quoted.iter().take(strength::JUDGED).take_while(|byte| !b"\r\n".contains(byte));
                // A quote that is not closed ends what quotes the command.
                match line.position(|inside| inside == byte) {
                    Some(length) => at += length + 2,
                    None if at == 0 => return 0,
                    None => return at,
                }
            }
            b' ' | b'\t' | b'\r' | b'\n' | b'|' | b';' | b'`' => return at,
            b'&' if rest.get(at + 1) == Some(&b'&') => return at,
            _ => at += 1,
        }
    }
    at
}

/// Options of more letters that begin with the letter of an option: `-port` is none of `-p`.
const LONG_FORMS: [&[u8]; 3] = [b"ort", b"ass", b"rotocol"];
/// Well-known ports of databases, which people write to `-p` where `-P` is meant.
const PORTS: [&[u8]; 11] =
    [b"3306", b"3307", b"3308", b"3309", b"33060", b"6033", b"6446", b"6447", b"5432", b"6379", b"27017"];
/// Letters that may stand before the last one in a word of options.
const MOST_CLUSTERED: usize = 5;
