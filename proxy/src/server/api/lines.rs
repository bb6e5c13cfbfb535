//! The lines of a body while it comes.

use bytes::{Buf, Bytes, BytesMut};

use crate::error::ProxyError;
use crate::room::Held;

/// What has come of a body and is not a whole line yet.
#[derive(Debug)]
pub(super) struct Lines {
    waiting: BytesMut,
    /// So much of it is known to hold no end of a line.
    searched: usize,
    number: usize,
    most_bytes: usize,
    /// What a line may take without asking for more.
    held: Held,
}

/// A line with something in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Counted from 1, empty ones too.
    pub(super) number: usize,
    /// Without its end.
    pub(super) bytes: Bytes,
}

impl Lines {
    /// No line may be longer than this. What is longer than what is held holds more.
    pub(super) fn of_at_most(most_bytes: usize, held: Held) -> Self {
        Self { waiting: BytesMut::new(), searched: 0, number: 0, most_bytes, held }
    }

    /// More of the body.
    ///
    /// # Errors
    /// [`ProxyError::BodyTooLarge`] for a line that is too long, [`ProxyError::NoRoom`] for one that there is no room for.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), ProxyError> {
        // A line is there as it came, and as a turn.
        let wanted = 2 * (self.waiting.len() + bytes.len());
        if wanted > self.held.bytes() && !self.held.try_grow_to(2 * wanted) {
            return Err(ProxyError::NoRoom);
        }
        self.waiting.extend_from_slice(bytes);
        let has_end = bytes.contains(&b'\n');
        if !has_end && self.waiting.len() > self.most_bytes {
            return Err(ProxyError::BodyTooLarge { limit: self.most_bytes });
        }
        Ok(())
    }

    /// The next line that is whole.
    pub(super) fn next(&mut self) -> Option<Line> {
        loop {
            let unsearched = self.waiting.get(self.searched..).unwrap_or_default();
            let Some(end) = unsearched.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.waiting.len();
                return None;
            };
            let line = self.waiting.split_to(self.searched + end).freeze();
            self.waiting.advance(1);
            self.searched = 0;
            if let Some(line) = self.line(line) {
                return Some(line);
            }
        }
    }

    /// What came behind the last end of a line, when nothing more comes.
    pub(super) fn last(&mut self) -> Option<Line> {
        let rest = self.waiting.split().freeze();
        self.searched = 0;
        self.line(rest)
    }

    fn line(&mut self, bytes: Bytes) -> Option<Line> {
        self.number += 1;
        let is_empty = bytes.trim_ascii().is_empty();
        (!is_empty).then_some(Line { number: self.number, bytes })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;
    use crate::room::Room;

    proptest! {
        #[test]
        fn however_a_body_comes_its_lines_are_the_same(
            text in "[ab \n]{0,60}", cuts in prop::collection::vec(0..60_usize, 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut lines = Lines::of_at_most(100, Room::of(1 << 10).try_take(1 << 10).unwrap());
            let mut found = Vec::new();
            for pair in cuts.windows(2) {
                lines.push(&text.as_bytes()[pair[0]..pair[1]]).unwrap();
                found.extend(std::iter::from_fn(|| lines.next()));
            }
            found.extend(lines.last());
            let found: Vec<(usize, String)> =
                found.into_iter().map(|line| (line.number, String::from_utf8(line.bytes.to_vec()).unwrap())).collect();
            let numbered = (1..).zip(text.split('\n')).map(|(number, line)| (number, line.to_owned()));
            let expected: Vec<(usize, String)> = numbered.filter(|(_, line)| !line.trim().is_empty()).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_before_its_end_has_come() {
        let mut lines = Lines::of_at_most(5, Room::of(1 << 10).try_take(1 << 10).unwrap());
        lines.push(b"abcde").unwrap();
        assert_eq!(lines.push(b"f").unwrap_err().refusal().status, 413);
    }
}
