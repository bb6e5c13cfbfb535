//! The file of recorded conversations, line by line.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use bytes::Bytes;

use super::line::{BYTE_ORDER_MARK, Line};
use super::passed_over::PassedOver;
use super::source::{Pass, Source};
use crate::cli::{CliError, conversation};
use crate::terminal::Progress;

/// A file of conversations; read anew for every pass, so that it may be larger than memory.
pub(super) struct History {
    source: Source,
    name: String,
}

/// A pass over the lines of the file that hold anything.
pub(super) struct RawLines<'a> {
    history: &'a History,
    reader: BufReader<Pass>,
    number: usize,
}

/// A line as it stands there, and its number, counted from 1.
pub(super) struct RawLine {
    pub(super) number: usize,
    pub(super) bytes: Vec<u8>,
}

/// A pass over the conversations in the file.
pub(super) struct Lines<'a>(RawLines<'a>);

/// A line and its number, counted from 1.
pub(super) struct Numbered {
    pub(super) number: usize,
    pub(super) line: Line,
}

impl History {
    /// That in the file at `path`, or on standard input for `-`.
    ///
    /// # Errors
    /// [`CliError::Read`].
    pub(super) fn at(path: &Path) -> Result<Self, CliError> {
        let name = conversation::name(path);
        match Source::open(path) {
            Ok(source) => Ok(Self { source, name }),
            Err(source) => Err(CliError::Read { name, source }),
        }
    }

    /// Reads every line. Says which messages are passed over.
    ///
    /// # Errors
    /// [`CliError::Read`], or [`CliError::History`] for the first line that is no conversation, for a file without any, and for one
    /// of which every message is passed over.
    pub(super) fn check(&self) -> Result<(), CliError> {
        let (mut conversations, mut passed_over) = (0_usize, PassedOver::default());
        for line in self.lines()? {
            let Numbered { number, line } = line?;
            passed_over.add(number, &line);
            conversations += 1;
        }
        if conversations == 0 {
            return Err(
                self.refusal(1, "there is no conversation; expected a JSON object with \"messages\" on each line")
            );
        }
        for note in passed_over.notes() {
            self.note(&note);
        }
        if passed_over.is_everything() {
            return Err(CliError::NothingUsable { name: self.name.clone() });
        }
        Ok(())
    }

    /// Begins a pass.
    ///
    /// # Errors
    /// [`CliError::Read`].
    pub(super) fn lines(&self) -> Result<Lines<'_>, CliError> {
        self.raw_lines().map(Lines)
    }

    /// Begins a pass over lines, whatever they hold.
    ///
    /// # Errors
    /// [`CliError::Read`].
    pub(super) fn raw_lines(&self) -> Result<RawLines<'_>, CliError> {
        Ok(RawLines { history: self, reader: self.open(), number: 0 })
    }

    /// The whole file, without a byte order mark, in pieces.
    ///
    /// # Errors
    /// [`CliError::Read`].
    pub(super) fn pieces(&self) -> Result<impl Iterator<Item = io::Result<Bytes>> + Send + use<>, CliError> {
        let mut reader = self.open();
        if reader.fill_buf().map_err(|source| self.unreadable(source))?.starts_with(BYTE_ORDER_MARK) {
            reader.consume(BYTE_ORDER_MARK.len());
        }
        let next = move || {
            let piece = reader.fill_buf().map(Bytes::copy_from_slice);
            reader.consume(piece.as_ref().map_or(0, Bytes::len));
            Some(piece).filter(|piece| !piece.as_ref().is_ok_and(Bytes::is_empty))
        };
        Ok(std::iter::from_fn(next))
    }

    fn open(&self) -> BufReader<Pass> {
        BufReader::with_capacity(BUFFER, self.source.pass())
    }

    /// Says something of the file on standard error.
    pub(super) fn note(&self, text: &str) {
        Progress::StandardError.line(&format!("mainpoint: {}: {text}", self.name));
    }

    /// Why a line cannot be used.
    pub(super) fn refusal(&self, line: usize, reason: impl Into<String>) -> CliError {
        CliError::History { name: self.name.clone(), line, reason: reason.into() }
    }

    fn unreadable(&self, source: io::Error) -> CliError {
        CliError::Read { name: self.name.clone(), source }
    }
}

impl RawLines<'_> {
    fn read(&mut self) -> Result<Option<RawLine>, CliError> {
        loop {
            let mut bytes = Vec::new();
            let count = self.reader.read_until(b'\n', &mut bytes).map_err(|source| self.history.unreadable(source))?;
            if count == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.number == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
                bytes.drain(..BYTE_ORDER_MARK.len());
            }
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            return Ok(Some(RawLine { number: self.number, bytes }));
        }
    }
}

impl Iterator for RawLines<'_> {
    type Item = Result<RawLine, CliError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Numbered, CliError>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.0.next()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        let RawLine { number, bytes } = line;
        let line = Line::parse(Bytes::from(bytes)).map_err(|reason| self.0.history.refusal(number, reason));
        Some(line.map(|line| Numbered { number, line }))
    }
}

/// Bytes of the file that are read at once.
const BUFFER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    #[test]
    fn a_byte_order_mark_and_empty_lines_are_passed_over() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
        std::fs::write(file.path(), [BYTE_ORDER_MARK, b"\n", line.as_bytes(), b"\n \n"].concat()).unwrap();
        let history = History::at(file.path()).unwrap();
        history.check().unwrap();
        let numbers: Vec<usize> = history.lines().unwrap().map(|line| line.unwrap().number).collect();
        assert_eq!(numbers, [2]);
        std::fs::write(file.path(), [line.as_bytes(), b"\n", BYTE_ORDER_MARK, line.as_bytes()].concat()).unwrap();
        assert!(history.check().is_err(), "it belongs to the beginning alone");
    }

    #[test]
    fn a_file_of_which_every_message_is_passed_over_is_refused_as_wrong_data() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let history = History::at(file.path()).unwrap();
        let odd = r#"{"messages":[{"role":"critic","content":"No."}]}"#;
        std::fs::write(file.path(), format!("{odd}\n{odd}\n")).unwrap();
        let refused = history.check().unwrap_err();
        assert_eq!(refused.exit_status().code(), 65, "{refused}");
        assert!(refused.to_string().contains("every message is passed over"), "{refused}");
        let instruction = r#"{"messages":[{"role":"system","content":"Be brief."}]}"#;
        std::fs::write(file.path(), format!("{odd}\n{instruction}\n")).unwrap();
        history.check().unwrap();
    }
}
