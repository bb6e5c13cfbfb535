//! The password that no option names: a word of a command by its place, or what one command says to another.
//!
//! It must not know which commands take a password so. Only so much of a command is looked at, whatever its length.

use std::ops::Range;

use super::{Argument, Words, is_cluster, rest_behind, value};

/// The word at this place, from 0 on, among those of a command that are no options, if some word begins with `beside`.
pub(super) fn operand(text: &[u8], start: usize, place: usize, beside: &str) -> Option<Range<usize>> {
    let words: Vec<Range<usize>> = words(text, start).collect();
    let said = |word: &Range<usize>| text.get(word.clone()).unwrap_or_default();
    words.iter().find(|word| beside.is_empty() || rest_behind(said(word), beside).is_some())?;
    let word = words.iter().filter(|word| !is_option(said(word))).nth(place)?;
    value(text, word.clone(), &Argument::Operand(place, ""))
}

/// What the command between `start` and `end` says, if the pipe behind it leads to one that reads a password.
pub(super) fn piped(text: &[u8], start: usize, end: usize) -> Option<Range<usize>> {
    let [b'|', next, ..] = text.get(end..)? else { return None };
    if *next == b'|' {
        return None;
    }
    let is_named = reads_password(text, end + 1)?;
    let said = |word: &Range<usize>| text.get(word.clone()).unwrap_or_default();
    let mut operands: Vec<Range<usize>> = words(text, start).filter(|word| !is_option(said(word))).collect();
    // What printf says first is how the others are written.
    if operands.len() > 1 && operands.first().is_some_and(|first| said(first).contains(&b'%')) {
        operands.remove(0);
    }
    let of_one = if is_named { Argument::Pair("", b':') } else { Argument::Piped };
    let found = match &operands[..] {
        [] => return None,
        [one] => value(text, one.clone(), &of_one)?,
        [first, .., last] => first.start..last.end,
    };
    let breaks = [&br"\r\n"[..], br"\n"];
    let length = breaks.iter().find_map(|end| said(&found).strip_suffix(*end)).map_or(found.len(), <[u8]>::len);
    Some(found.start..found.start + length)
}

/// Whether the command from `start` on reads a password from what it is given, and if so, whether a name and a colon stand
/// before it there.
fn reads_password(text: &[u8], start: usize) -> Option<bool> {
    let mut is_sudo = false;
    for word in words(text, start) {
        let word = text.get(word).unwrap_or_default();
        let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let is_of = |names: &[&str]| names.iter().any(|reader| reader.as_bytes() == name);
        match name {
            b"chpasswd" => return Some(true),
            b"sudo" => is_sudo = true,
            _ if is_of(&READERS) || is_of(&READING_OPTIONS) => return Some(false),
            _ if is_sudo && (is_cluster(word, b"-S") || word.starts_with(b"-S")) => return Some(false),
            _ => {}
        }
    }
    None
}

/// The first words of a command.
fn words(text: &[u8], start: usize) -> impl Iterator<Item = Range<usize>> {
    let end = start + MOST_BYTES;
    Words { text, at: start }.take(MOST_WORDS).take_while(move |word| word.start < end)
}

/// Whether a word of a command is an option, as shells of Unix or of Windows have them, or a redirection.
fn is_option(word: &[u8]) -> bool {
    match word {
        [b'-' | b'<' | b'>', ..] => true,
        [b'/', rest @ ..] => {
            let name = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            matches!(rest.get(name), None | Some(b':' | b'='))
        }
        _ => false,
    }
}

/// Words of a command that are looked at, and bytes in which they begin.
const MOST_WORDS: usize = 24;
const MOST_BYTES: usize = 512;

/// Commands that read a password from what they are given.
const READERS: [&str; 4] = ["kinit", "cryptsetup", "smbpasswd", "ecryptfs-add-passphrase"];

/// Options that make a command read one.
const READING_OPTIONS: [&str; 4] = ["--password-stdin", "--stdin", "--with-token", "--passphrase-fd"];
