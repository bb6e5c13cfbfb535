//! The password that no option names: a word of a command by its place, or what one command says to another.
//!
//! Only so much of a command is looked at, whatever its length.

use std::ops::Range;

use super::strength::{JUDGED, Makeup};
use super::{Argument, Words, opening, rest_behind, value};

/// The word at this place, from 0 on, among those of a command that are no options, if some word begins with `beside`.
/// Without that it has to be the last one or to look like a password, since a sentence may name a command as well.
pub(super) fn operand(text: &[u8], start: usize, place: usize, beside: &str) -> Option<Range<usize>> {
    let words: Vec<Range<usize>> = words(text, start).collect();
    let said = |word: &Range<usize>| text.get(word.clone()).unwrap_or_default();
    words.iter().find(|word| beside.is_empty() || rest_behind(said(word), beside).is_some())?;
    let (at, word) = words.iter().enumerate().filter(|(_, word)| !is_option(said(word))).nth(place)?;
    let next = words.get(at + 1).map(said).unwrap_or_default();
    let value = value(text, word.clone(), &Argument::Operand(place, ""))?;
    // As in `doesn't`, where the quote of another such word may end this one.
    let is_cut = value.start == word.start
        && matches!(text.get(value.end..), Some([b'\'', letter, ..]) if letter.is_ascii_alphabetic());
    let is_said = !beside.is_empty() || !is_cut && (!goes_on(next) || is_telling(said(word)));
    is_said.then_some(value)
}

/// Whether this word, which stands behind a password, would go on with a sentence.
fn goes_on(next: &[u8]) -> bool {
    next.get(opening(next).len()..)
        .and_then(<[u8]>::first)
        .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'(')
        || next.first().is_some_and(|byte| !byte.is_ascii())
}

/// Whether a word is written as those of sentences are not: in quotes, with a digit or a sign, or as the end of a command
/// within another one.
fn is_telling(word: &[u8]) -> bool {
    let sentence = |byte: &u8| b".,;:!?".contains(byte);
    let word = word.split_last().filter(|(last, _)| sentence(last)).map_or(word, |(_, start)| start);
    let makeup = Makeup::new(word.strip_prefix(b"(").map_or(word, |word| word.strip_suffix(b")").unwrap_or(word)));
    makeup.digits + makeup.symbols > 0
}

/// What the command from `start` on says, if the pipe behind it leads to one that reads a password, and up to where
/// nothing else has to be looked for: its end, if that is near.
pub(super) fn piped(text: &[u8], start: usize) -> (Option<Range<usize>>, usize) {
    let near = near(text, start);
    let mut words = Words { text: near, at: start };
    let said = |word: &Range<usize>| text.get(word.clone()).unwrap_or_default();
    let all: Vec<Range<usize>> = words.by_ref().take(MOST_WORDS).collect();
    if all.len() == MOST_WORDS || words.at >= start + MOST_BYTES {
        return (None, start);
    }
    let end = words.at;
    let named = match near.get(end..) {
        Some([b'|', next, ..]) if *next != b'|' => reads_password(text, end + 1),
        _ => None,
    };
    let operands = all.into_iter().filter(|word| !is_option(said(word))).collect();
    (named.and_then(|named| said_by(text, operands, named)), end)
}

/// What these words of a command say, less the user's name that may stand beside it.
fn said_by(text: &[u8], mut operands: Vec<Range<usize>>, named: Named) -> Option<Range<usize>> {
    let said = |word: &Range<usize>| text.get(word.clone()).unwrap_or_default();
    // What printf says first is how the others are written.
    if operands.len() > 1 && operands.first().is_some_and(|first| said(first).contains(&b'%')) {
        operands.remove(0);
    }
    let of_one = match named {
        Named::Beside => Argument::Pair("", b':'),
        Named::Alone => Argument::Piped,
    };
    let found = match &operands[..] {
        [] => return None,
        [one] => value(text, one.clone(), &of_one)?,
        [first, .., last] => first.start..last.end,
    };
    let breaks = [&br"\r\n"[..], br"\n"];
    let length = breaks.iter().find_map(|end| said(&found).strip_suffix(*end)).map_or(found.len(), <[u8]>::len);
    Some(found.start..found.start + length)
}

/// How a command reads a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    /// With a user's name and a colon before it.
    Beside,
    Alone,
}

/// What the next word of a command may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A program, behind options.
    Program,
    /// The same, where the options are those of sudo.
    Sudo,
    /// A program, or an argument of what runs it.
    Anything,
    Argument,
}

/// How the command from `start` on reads a password from what it is given, if it does.
fn reads_password(text: &[u8], start: usize) -> Option<Named> {
    let (mut place, mut program) = (Place::Program, &b""[..]);
    let mut words = words(text, start);
    while let Some(word) = words.next() {
        let word = text.get(word).unwrap_or_default();
        let is_reading = |(name, option): &(&str, &str)| {
            name.as_bytes() == program && word.split(|byte| *byte == b'=').next() == Some(option.as_bytes())
        };
        if word == b"--password-stdin" || READING_OPTIONS.iter().any(is_reading) {
            return Some(Named::Alone);
        }
        if let [b'-', ..] = word {
            match option_of_sudo(word) {
                _ if place != Place::Sudo => {}
                SudoOption::Reads => return Some(Named::Alone),
                SudoOption::TakesNext => drop(words.next()),
                SudoOption::Other => {}
            }
            continue;
        }
        if place == Place::Argument || is_assignment(word) {
            continue;
        }
        let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let is_of = |names: &[&str]| names.iter().any(|one| one.as_bytes() == name);
        if READING_OPTIONS.iter().any(|(program, _)| program.as_bytes() == name) {
            program = name;
        }
        place = match name {
            b"chpasswd" => return Some(Named::Beside),
            _ if is_of(&READERS) => return Some(Named::Alone),
            b"sudo" => Place::Sudo,
            _ if place == Place::Anything || is_of(&RUNNING) => Place::Anything,
            _ if is_of(&LEADING) => Place::Program,
            _ => Place::Argument,
        };
    }
    None
}

/// What an option of sudo does.
enum SudoOption {
    /// It makes sudo read the password.
    Reads,
    /// The next word is its value.
    TakesNext,
    Other,
}

fn option_of_sudo(word: &[u8]) -> SudoOption {
    if let [b'-', b'-', name @ ..] = word {
        return match name {
            b"stdin" => SudoOption::Reads,
            _ if SUDO_LONG_VALUES.iter().any(|option| option.as_bytes() == name) => SudoOption::TakesNext,
            _ => SudoOption::Other,
        };
    }
    let letters = word.get(1..).unwrap_or_default();
    let Some(at) = letters.iter().position(|letter| *letter == b'S' || SUDO_VALUES.contains(letter)) else {
        return SudoOption::Other;
    };
    match letters.get(at..) {
        Some([b'S', ..]) => SudoOption::Reads,
        Some([_]) => SudoOption::TakesNext,
        _ => SudoOption::Other,
    }
}

/// Whether a word sets a variable for the command behind it.
fn is_assignment(word: &[u8]) -> bool {
    let name = word.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    name > 0 && word.get(name) == Some(&b'=')
}

/// The first words of a command.
fn words(text: &[u8], start: usize) -> impl Iterator<Item = Range<usize>> {
    let end = start + MOST_BYTES;
    Words { text: near(text, start), at: start }.take(MOST_WORDS).take_while(move |word| word.start < end)
}

/// A text up to where the words that begin near `start` end, if they are no longer than what is judged.
fn near(text: &[u8], start: usize) -> &[u8] {
    text.get(..text.len().min(start + MOST_BYTES + JUDGED)).unwrap_or_default()
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
const READING_OPTIONS: [(&str, &str); 6] = [
    ("passwd", "--stdin"),
    ("glab", "--stdin"),
    ("gh", "--with-token"),
    ("gpg", "--passphrase-fd"),
    ("gpg2", "--passphrase-fd"),
    ("gpgsm", "--passphrase-fd"),
];

/// Commands whose first word that is no option is a program that they run.
const LEADING: [&str; 8] = ["command", "doas", "env", "exec", "nohup", "setsid", "stdbuf", "time"];

/// Commands that run a program that stands somewhere behind them.
const RUNNING: [&str; 14] = [
    "arch-chroot",
    "chroot",
    "docker",
    "kubectl",
    "lxc",
    "nerdctl",
    "nice",
    "nsenter",
    "oc",
    "podman",
    "runuser",
    "ssh",
    "timeout",
    "wsl",
];

/// Options of sudo that have a value.
const SUDO_VALUES: &[u8] = b"CDRTUaghprtu";
const SUDO_LONG_VALUES: [&str; 11] = [
    "chdir",
    "chroot",
    "close-from",
    "command-timeout",
    "group",
    "host",
    "other-user",
    "prompt",
    "role",
    "type",
    "user",
];
