//! What a long message asks, beside what was pasted into it: a log, code, an e-mail, the documents of a template.
//!
//! People ask before or behind what they paste, in any language. So the lines near to both ends are looked at: those
//! with a question mark ask, and where none has one, prose does that stands before or behind lines that are none. Where
//! there is none of either, the one line does that asks in between.

use std::borrow::Cow;

use crate::memory::features::QUESTION_MARKS;
use crate::memory::script::{is_of_word, is_wide};

/// What a long message asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asking {
    /// The lines that ask.
    pub(super) text: String,
    /// Whether the rest of the message may say what the question is about: prose, or a few lines of anything, such as
    /// an error that came before.
    pub(super) needs_rest: bool,
}

/// Bytes of prose that is short enough to be a question as a whole.
const SHORT: usize = 200;
/// Most bytes of a message with lines that are no prose whose rest is worth asking for.
const FEW_LINES: usize = 2 << 10;
/// Most bytes of the lines that ask; a longer line is no question.
const MOST: usize = 300;
/// So many lines at each end may ask.
const NEAR: usize = 4;
/// So many lines at each end tell whether a message is prose.
const SAMPLE: usize = 24;
/// So many lines are looked at for a question in between.
const LOOKED_AT: usize = 2000;
/// Bytes of a line that are looked at.
const LINE: usize = 400;
/// Of a hundred characters of prose so many are letters and spaces.
const LETTERS: usize = 88;
/// A question between pasted lines has at least so many: it may name a part, a ticket or a port.
const LETTERS_OF_A_QUESTION: usize = 70;
/// A question has so many words …
const WORDS: usize = 3;
/// … or so many letters of an alphabet; a character of a wide script says as much as three.
const SAID: usize = 12;

/// What a message asks; `None` where it is short prose, where no line of it stands out, or where there is little else in it.
pub(super) fn asking(message: &str) -> Option<Asking> {
    let message = message.trim();
    let is_prose = is_prose_mostly(message);
    if is_prose && message.len() <= SHORT {
        return None;
    }
    let (first, last) = (first_lines(message), last_lines(message));
    let asked = match (first.iter().position(Line::asks), last.iter().rposition(Line::asks)) {
        (None, None) if is_prose => None,
        (None, None) => stands_out(&first, &last).or_else(|| in_between(message)),
        (Some(at), None) => Some(beginning(&first, at)),
        (None, Some(at)) => Some(end(&last, at)),
        (Some(from_start), Some(at)) => Some(match from_start.cmp(&(last.len() - 1 - at)) {
            std::cmp::Ordering::Less => beginning(&first, from_start),
            std::cmp::Ordering::Greater => end(&last, at),
            std::cmp::Ordering::Equal => both(&beginning(&first, from_start), end(&last, at)),
        }),
    };
    let text = asked.filter(|asked| asked.len() * 2 <= message.len())?.into_owned();
    Some(Asking { text, needs_rest: is_prose || message.len() <= FEW_LINES })
}

/// A line with words, without the tags around it.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    /// Whether nothing stands in the line before it.
    begins: bool,
}

impl<'a> Line<'a> {
    /// `None` for one without words.
    fn new(line: &'a str) -> Option<Self> {
        let text = without_tags(line.trim());
        text.contains(char::is_alphanumeric).then_some(Self { text, begins: false })
    }

    /// Whether it asks something with a question mark.
    fn asks(&self) -> bool {
        self.may_ask() && has_question(self.text)
    }

    /// Whether it says something that may be a question without a mark; a label is none.
    fn tells(&self) -> bool {
        self.may_ask() && !self.text.ends_with([':', '：']) && is_prose(self.text)
    }

    /// Whether it is long enough for a question and not too long, and nobody is quoted in it.
    fn may_ask(&self) -> bool {
        self.text.len() <= MOST && !self.text.starts_with(['>', '|']) && says_enough(self.text)
    }
}

/// The first lines of a message, up to a block of code.
fn first_lines(message: &str) -> Vec<Line<'_>> {
    let lines = message.lines().take(SAMPLE).take_while(|line| !is_fence(line));
    lines.filter_map(Line::new).take(NEAR).collect()
}

/// The last lines of a message, in order, down to a block of code.
fn last_lines(message: &str) -> Vec<Line<'_>> {
    let mut found: Vec<Line<'_>> = Vec::new();
    for line in message.lines().rev().take(SAMPLE) {
        let is_gap = line.trim().is_empty() || is_fence(line);
        if let Some(below) = found.last_mut().filter(|_| is_gap) {
            below.begins = true;
        }
        if is_fence(line) || found.len() == NEAR {
            break;
        }
        found.extend(Line::new(line));
    }
    found.reverse();
    found
}

/// A question at a message's beginning, with the prose before it.
fn beginning<'a>(first: &[Line<'a>], at: usize) -> Cow<'a, str> {
    let before = first.get(..at).unwrap_or_default().iter().filter(|line| is_prose(line.text));
    joined(before.chain(first.get(at)))
}

/// A question at a message's end, with the prose of its paragraph before it, where that begins near to it.
fn end<'a>(last: &[Line<'a>], at: usize) -> Cow<'a, str> {
    let paragraph = last.get(..=at).unwrap_or_default();
    let begins = paragraph.iter().rposition(|line| line.begins).unwrap_or(at);
    let before = paragraph.get(begins..at).unwrap_or_default();
    if before.iter().all(|line| is_prose(line.text)) {
        return joined(before.iter().chain(last.get(at)));
    }
    joined(last.get(at).into_iter())
}

/// Both, if there is room for them; else what stands at the end.
fn both<'a>(beginning: &str, end: Cow<'a, str>) -> Cow<'a, str> {
    if beginning == end || beginning.len() + end.len() >= MOST {
        return end;
    }
    Cow::Owned(format!("{beginning}\n{end}"))
}

/// Of the prose that a message begins with and that it ends with, the longer one.
fn stands_out<'a>(first: &[Line<'a>], last: &[Line<'a>]) -> Option<Cow<'a, str>> {
    let telling = first.iter().position(|line| !line.tells()).unwrap_or(first.len());
    let before = joined(first.get(..telling).unwrap_or_default().iter());
    let behind = last.iter().rposition(|line| !line.tells()).map_or(0, |at| at + 1);
    let behind = joined(last.get(behind..).unwrap_or_default().iter());
    let longer = if said(&before) > said(&behind) { before } else { behind };
    (!longer.is_empty()).then_some(longer)
}

/// The only line outside of blocks of code that asks with a question mark and is made of words, for the most part.
fn in_between(message: &str) -> Option<Cow<'_, str>> {
    let mut is_code = false;
    let outside = message.lines().take(LOOKED_AT).filter(|line| {
        let fence = is_fence(line);
        is_code ^= fence;
        !is_code && !fence
    });
    let asks = |line: &Line<'_>| line.asks() && letters_in_a_hundred(line.text) >= LETTERS_OF_A_QUESTION;
    let mut asking = outside.filter_map(Line::new).filter(asks).map(|line| line.text);
    let first = asking.next()?;
    asking.all(|other| other == first).then_some(Cow::Borrowed(first))
}

/// As many of these lines as there is room for, the last ones before the others.
fn joined<'a: 'b, 'b>(lines: impl DoubleEndedIterator<Item = &'b Line<'a>>) -> Cow<'a, str> {
    let mut text: Cow<'a, str> = Cow::Borrowed("");
    for line in lines.rev() {
        if text.is_empty() {
            text = Cow::Borrowed(line.text);
        } else if line.text.len() + text.len() < MOST {
            text = Cow::Owned(format!("{}\n{text}", line.text));
        } else {
            break;
        }
    }
    text
}

/// Whether a text has a question mark that ends a sentence, or one of a script that has it nowhere else. An ASCII one
/// may also stand in a path, in code, or for a letter that was lost.
fn has_question(text: &str) -> bool {
    let is_question = |(at, mark): (usize, &str)| {
        let behind = text.get(at + mark.len()..).unwrap_or_default();
        let rest = behind.trim_start_matches(CLOSING);
        mark != "?" || rest.is_empty() || (rest.starts_with(char::is_whitespace) && is_behind_word(text, at))
    };
    text.match_indices(QUESTION_MARKS).any(is_question)
}

/// What may stand between a sentence's end and the space behind it.
const CLOSING: [char; 13] = ['?', '!', '.', '"', '\'', '”', '’', '»', '」', '』', ')', '*', '_'];

fn is_behind_word(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    before.chars().next_back().is_some_and(|character| !character.is_whitespace())
}

/// Whether a line says more than "Any ideas?".
fn says_enough(line: &str) -> bool {
    line.split_whitespace().filter(|word| word.contains(char::is_alphabetic)).nth(WORDS - 1).is_some()
        || said(line) >= SAID
}

fn said(text: &str) -> usize {
    let letters = text.chars().filter(|character| character.is_alphabetic());
    letters.map(|character| if is_wide(character) { 3 } else { 1 }).sum()
}

/// Whether most lines near to a message's ends are prose.
fn is_prose_mostly(message: &str) -> bool {
    let lines = message.lines().take(SAMPLE).chain(message.lines().rev().take(SAMPLE));
    let (mut all, mut prose) = (0_usize, 0_usize);
    for line in lines.filter(|line| !line.trim().is_empty()) {
        all += 1;
        prose += usize::from(is_prose(line));
    }
    prose * 2 > all
}

/// Whether nearly all characters of a line, or of the beginning of a long one, are letters and spaces.
fn is_prose(line: &str) -> bool {
    letters_in_a_hundred(line) >= LETTERS
}

/// How many of a hundred characters of a line, or of the beginning of a long one, are letters and spaces.
fn letters_in_a_hundred(line: &str) -> usize {
    let line = line.get(..line.floor_char_boundary(LINE)).unwrap_or_default().trim();
    let (mut all, mut letters) = (0_usize, 0_usize);
    for character in line.chars() {
        all += 1;
        let is_letter = is_of_word(character) && !character.is_numeric();
        letters += usize::from(is_letter || character.is_whitespace());
    }
    (letters * 100).checked_div(all).unwrap_or(0)
}

fn is_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

/// A line without the tags that it begins and ends with.
fn without_tags(mut line: &str) -> &str {
    while let Some((_, behind)) = line.strip_prefix('<').and_then(|line| line.split_once('>')) {
        line = behind.trim_start();
    }
    while let Some((before, _)) = line.strip_suffix('>').and_then(|line| line.rsplit_once("</")) {
        line = before.trim_end();
    }
    line
}

#[cfg(test)]
#[path = "asking_tests.rs"]
mod tests;
