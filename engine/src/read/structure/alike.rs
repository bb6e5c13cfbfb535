//! Whether lines are records of one kind: rows of a table, or lines of a log.

/// What lines that are records have in common, as far as a line shows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Likeness {
    /// What parts the line, and how often.
    divided: Option<(u8, usize)>,
    /// What its first word looks like: digits for digits, letters for letters, signs as they are.
    begun: Option<[u8; SHAPE]>,
}

/// Characters of a first word that are looked at; runs of digits and of letters count as one.
const SHAPE: usize = 12;

impl Likeness {
    /// What can be seen of a line.
    pub(super) fn new(line: &str) -> Self {
        Self { divided: divided(line), begun: begun(line) }
    }

    /// What both have in common; `None` when that is nothing.
    pub(super) fn with(self, other: Self) -> Option<Self> {
        let both = Self {
            divided: self.divided.filter(|_| self.divided == other.divided),
            begun: self.begun.filter(|_| self.begun == other.begun),
        };
        (both != Self::default()).then_some(both)
    }
}

/// A tab parts columns; other signs that do so also stand in prose, where they come once.
fn divided(line: &str) -> Option<(u8, usize)> {
    let signs = [(b'\t', 1), (b'|', 2), (b';', 2), (b',', 2)];
    signs.into_iter().find_map(|(sign, least)| {
        let count = line.bytes().filter(|byte| *byte == sign).count();
        (count >= least).then_some((sign, count))
    })
}

/// The shape of a first word that has a digit or begins with a bracket, and has a sign: a date, a time, a place in a file.
fn begun(line: &str) -> Option<[u8; SHAPE]> {
    let word = line.split_whitespace().next()?;
    let mut shape = [0; SHAPE];
    let (mut length, mut last) = (0, 0);
    let (mut digit, mut sign) = (false, false);
    for byte in word.bytes() {
        let kind = match byte {
            b'0'..=b'9' => b'0',
            byte if byte.is_ascii_alphabetic() || !byte.is_ascii() => b'a',
            byte => byte,
        };
        digit |= kind == b'0';
        sign |= kind.is_ascii_punctuation();
        if kind == last && kind.is_ascii_alphanumeric() {
            continue;
        }
        last = kind;
        let Some(slot) = shape.get_mut(length) else {
            break;
        };
        *slot = kind;
        length += 1;
    }
    let is_bracket = word.starts_with(['[', '<', '{']);
    // The numbers of a list in prose.
    let is_numbered = shape.starts_with(b"0.\0") || shape.starts_with(b"0)\0") || shape.starts_with(b"0:\0");
    (sign && (digit || is_bracket) && !is_numbered).then_some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(one: &str, other: &str) -> bool {
        Likeness::new(one).with(Likeness::new(other)).is_some()
    }

    #[test]
    fn rows_and_lines_of_a_log_are_alike() {
        assert!(alike("2026-11-30 14:03:22 started", "2026-12-01 09:10:00 Stopped. It took long."));
        assert!(alike("[14:03] a", "[9:10] b"));
        assert!(alike("src/read/mod.rs:12: use x;", "src/read/mod.rs:140: mod y;"));
        assert!(alike("heron,north,3", "swan,south,14"));
        assert!(alike("| a | b |", "| c | d |"));
        assert!(alike("name\tvalue", "x\ty"));
    }

    #[test]
    fn sentences_and_numbered_points_are_not() {
        assert!(!alike("The heron waits.", "It waits long, and then it goes."));
        assert!(!alike("1. First, this.", "2. Then that."));
        assert!(!alike("- one thing", "- another thing"));
        assert!(!alike("Yes, we did.", "No, we did not, and never will."));
        assert!(!alike("", ""));
    }
}
