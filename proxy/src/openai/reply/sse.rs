//! Frames server-sent events from bytes: CR, LF and CRLF end a line, UTF-8 is decoded per complete line, sizes are capped.

/// Cuts bytes into events and hands over the data of each.
#[derive(Debug)]
pub(crate) struct Framer {
    line: Vec<u8>,
    data: String,
    has_data: bool,
    /// A line came that no empty line has followed yet.
    open: bool,
    /// The last byte was a CR: an LF that follows belongs to the same line end.
    after_cr: bool,
    at_start: bool,
    overflowed: bool,
    /// Most bytes of an event that are kept.
    most: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Self {
            line: Vec::new(),
            data: String::new(),
            has_data: false,
            open: false,
            after_cr: false,
            at_start: true,
            overflowed: false,
            most: LARGEST_EVENT,
        }
    }
}

impl Framer {
    /// Reads `bytes` and calls `on_event` with the data of every event that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8], mut on_event: impl FnMut(&str)) {
        let mut rest = bytes;
        while !self.overflowed && !rest.is_empty() {
            if self.after_cr {
                self.after_cr = false;
                if let Some(after) = rest.strip_prefix(b"\n") {
                    rest = after;
                    continue;
                }
            }
            let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.grow(rest);
                return;
            };
            let (head, tail) = rest.split_at(end);
            self.grow(head);
            self.after_cr = tail.first() == Some(&b'\r');
            rest = tail.get(1..).unwrap_or_default();
            self.end_line(&mut on_event);
        }
    }

    /// Reads an unfinished last line and hands over an event that no empty line closed.
    pub(crate) fn finish(&mut self, mut on_event: impl FnMut(&str)) {
        if !self.line.is_empty() {
            self.end_line(&mut on_event);
        }
        self.dispatch(&mut on_event);
    }

    /// Whether a line or an event was larger than is kept; nothing is read from then on.
    pub(crate) fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Whether the bytes so far end after a complete event.
    pub(crate) fn is_between_events(&self) -> bool {
        !self.overflowed && self.line.is_empty() && !self.open
    }

    /// From now on keeps little of an event.
    pub(super) fn keep_little(&mut self) {
        self.most = SMALL_EVENT;
    }

    /// How many bytes are kept.
    pub(super) fn held(&self) -> usize {
        self.line.len() + self.data.len()
    }

    fn grow(&mut self, bytes: &[u8]) {
        if self.line.len() + self.data.len() + bytes.len() > self.most {
            self.overflowed = true;
            self.line = Vec::new();
            self.data = String::new();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self, on_event: &mut impl FnMut(&str)) {
        let bytes = std::mem::take(&mut self.line);
        let mut line = String::from_utf8_lossy(&bytes);
        if std::mem::take(&mut self.at_start)
            && let Some(without_mark) = line.strip_prefix('\u{feff}')
        {
            line = without_mark.to_owned().into();
        }
        if line.is_empty() {
            self.dispatch(on_event);
            return;
        }
        self.open = true;
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        if field == "data" {
            if self.has_data {
                self.data.push('\n');
            }
            self.data.push_str(value.strip_prefix(' ').unwrap_or(value));
            self.has_data = true;
        }
    }

    fn dispatch(&mut self, on_event: &mut impl FnMut(&str)) {
        self.open = false;
        if std::mem::take(&mut self.has_data) {
            on_event(&self.data);
            self.data.clear();
        }
    }
}

const LARGEST_EVENT: usize = 1 << 20;
const SMALL_EVENT: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<String> {
        let mut framer = Framer::default();
        let mut found = Vec::new();
        for piece in pieces {
            framer.push(piece, |data| found.push(data.to_owned()));
        }
        framer.finish(|data| found.push(data.to_owned()));
        found
    }

    proptest! {
        #[test]
        fn any_bytes_frame_alike_in_one_piece_and_byte_by_byte(
            bytes in prop::collection::vec(prop::sample::select(b"data: x\r\n:\xc3\xa9\n".to_vec()), 0..80),
        ) {
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(events(&[&bytes]), events(&single));
        }
    }

    #[test]
    fn every_line_end_counts_and_data_lines_are_joined() {
        assert_eq!(events(&[b"data: a\rdata: b\r\rdata: c\r\n\r\ndata:d\n\n"]), ["a\nb", "c", "d"]);
        assert_eq!(events(&[b"\xef\xbb\xbfdata: first\n\n"]), ["first"]);
        assert_eq!(events(&[b"id: 1\nevent: x\n\n:comment\n\ndata\n\n"]), [""]);
        assert_eq!(events(&[b"data: unclosed"]), ["unclosed"]);
    }

    #[test]
    fn an_event_may_follow_where_an_empty_line_closed_the_last_one() {
        for (bytes, between) in [
            ("", true),
            ("data: a\n\n", true),
            ("data: a\r\r", true),
            (": comment\n\n", true),
            ("data: a\n", false),
            ("event: x\n", false),
            ("data: a\n\nda", false),
        ] {
            let mut framer = Framer::default();
            framer.push(bytes.as_bytes(), |_| {});
            assert_eq!(framer.is_between_events(), between, "{bytes:?}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_ends_the_reading_and_not_the_memory() {
        let mut framer = Framer::default();
        for _ in 0..40 {
            framer.push(&[b'x'; 65_536], |_| {});
        }
        assert!(framer.has_overflowed());
        assert!(framer.line.capacity() <= 2 * LARGEST_EVENT);
    }
}
