//! Where JSON falls apart: between values one after the other, and between the members and elements within them.
//!
//! A text that ends before its JSON does is JSON all the same, and so is what Python prints of lists and dictionaries.

use super::{Found, Seam};

/// More brackets than this within each other are no data.
const DEEPEST: usize = 256;

/// The seams of a text that is nothing but JSON; `None` when it is not.
pub(super) fn seams(text: &str) -> Option<Vec<Seam>> {
    let bytes = text.as_bytes();
    let mut scan = Scan { bytes, open: Vec::new(), values: 0, follows: false, found: Found::default() };
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => at + 1,
            _ => scan.pass(at, *byte)?,
        };
    }
    (scan.values > 0).then_some(scan.found.seams)
}

struct Scan<'a> {
    bytes: &'a [u8],
    /// The brackets that are to be closed, the innermost last.
    open: Vec<u8>,
    /// How many values have begun outside of all brackets.
    values: usize,
    /// Whether a comma stands before, so that what comes is a further element.
    follows: bool,
    found: Found,
}

impl Scan<'_> {
    /// Passes what begins at `at`, and gives the place behind it; `None` when it is no JSON.
    fn pass(&mut self, at: usize, byte: u8) -> Option<usize> {
        let is_outside = self.open.is_empty();
        if std::mem::take(&mut self.follows) && !matches!(byte, b'}' | b']') {
            self.found.add(at, self.open.len());
        }
        match byte {
            b'{' | b'[' => {
                if is_outside {
                    if self.values > 0 {
                        self.found.add(at, 0);
                    }
                    self.values += 1;
                }
                if self.open.len() == DEEPEST || !self.opens(at, byte) {
                    return None;
                }
                self.open.push(if byte == b'{' { b'}' } else { b']' });
            }
            b'}' | b']' => {
                self.open.pop().filter(|open| *open == byte)?;
            }
            _ if is_outside => return None,
            b',' => self.follows = true,
            b'"' | b'\'' => return Some(self.behind_string(at, byte)),
            b':' | b'+' | b'-' | b'.' => {}
            other if other.is_ascii_alphanumeric() => {}
            _ => return None,
        }
        Some(at + 1)
    }

    /// Whether what stands behind a bracket may stand there.
    fn opens(&self, at: usize, byte: u8) -> bool {
        let behind = self.bytes.get(at + 1..).unwrap_or_default().trim_ascii_start();
        let Some(first) = behind.first() else {
            return true;
        };
        match (byte, first) {
            (b'{', b'}') | (b'[', b']' | b'{' | b'[' | b'-' | b'0'..=b'9') | (_, b'"' | b'\'') => true,
            (b'[', _) => WORDS.iter().any(|word| behind.starts_with(word.as_bytes())),
            _ => false,
        }
    }

    /// The place behind the string that begins at `at`.
    fn behind_string(&self, at: usize, quote: u8) -> usize {
        let mut place = at + 1;
        while let Some(byte) = self.bytes.get(place) {
            match byte {
                b'\\' => place += 2,
                byte if *byte == quote => return place + 1,
                _ => place += 1,
            }
        }
        self.bytes.len()
    }
}

/// The words of JSON, and of what Python prints.
const WORDS: [&str; 6] = ["true", "false", "null", "True", "False", "None"];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    /// The pieces of a text, cut at every seam up to a level.
    fn pieces(text: &str, level: usize) -> Option<Vec<&str>> {
        let mut found = Vec::new();
        let mut start = 0;
        for seam in seams(text)?.into_iter().filter(|seam| seam.level <= level) {
            found.push(&text[start..seam.at]);
            start = seam.at;
        }
        found.push(&text[start..]);
        Some(found)
    }

    #[test]
    fn a_list_falls_apart_into_its_elements_and_these_into_theirs() {
        let one = r#"{"id": 1, "text": "a comma, a brace } and a quote \" in it"}"#;
        let two = r#"{"id": 2, "text": "and another one, as long", "more": [1, 2]}"#;
        let text = format!("[{one}, {two}]");
        assert_eq!(pieces(&text, 0).unwrap(), [&text[..]]);
        assert_eq!(pieces(&text, 1).unwrap(), [format!("[{one}, "), format!("{two}]")]);
        assert_eq!(pieces(&text, 2).unwrap().len(), 3, "a member begins at least 32 bytes behind the one before");
    }

    #[test]
    fn the_members_of_an_object_are_told_apart_and_so_are_values_that_follow_each_other() {
        let text = "{\"query\": \"where the heron waits now\",\n \"results\": []}\n{\"query\": \"x\"}\n";
        let expected = ["{\"query\": \"where the heron waits now\",\n ", "\"results\": []}\n", "{\"query\": \"x\"}\n"];
        assert_eq!(pieces(text, 1).unwrap(), expected);
        assert_eq!(pieces(text, 0).unwrap(), [expected[..2].concat(), expected[2].to_owned()]);
        let lines = format!("{0}\n{0}\n", r#"{"name": "a record that is long enough"}"#);
        assert_eq!(pieces(&lines, 0).unwrap().len(), 2);
    }

    #[test]
    fn what_is_cut_off_and_what_python_prints_are_data_too() {
        assert!(seams("[{\"a\": \"it ends within a str").is_some());
        assert!(seams("{'a': None, 'b': [True, 1.5e-3]}").is_some());
    }

    #[test]
    fn what_only_begins_with_a_bracket_is_none() {
        for text in [
            "[INFO] started",
            "[note that this is prose]",
            "{placeholder} and more",
            "[1] Smith, 2001. [2] Jones.",
            "[1, 2}",
            "plain",
            "",
            "\"a string\"",
            "[1], [2]",
        ] {
            assert_eq!(seams(text), None, "{text}");
        }
    }
}
