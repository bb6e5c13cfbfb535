//! The file of recorded conversations, line by line.
//!
//! It must not know what a line holds.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::line::{BYTE_ORDER_MARK, Line};
use crate::cli::CliError;
use crate::terminal::Progress;

/// A file of conversations; read anew for every pass, so that it may be larger than memory.
pub(super) struct History {
    path: PathBuf,
    name: String,
}

/// A pass over the file.
pub(super) struct Lines<'a> {
    history: &'a History,
    reader: BufReader<File>,
    number: usize,
}

/// A line and its number, counted from 1.
pub(super) struct Numbered {
    pub(super) number: usize,
    pub(super) line: Line,
}

impl History {
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), name: path.display().to_string() }
    }

    /// Reads every line.
    ///
    /// # Errors
    /// [`CliError::Read`], or [`CliError::History`] for the first line that is no conversation, and for a file without any.
    pub(super) fn check(&self) -> Result<(), CliError> {
        let mut conversations = 0_usize;
        for line in self.lines()? {
            line?;
            conversations += 1;
        }
        if conversations == 0 {
            return Err(
                self.refusal(1, "there is no conversation; expected a JSON object with \"messages\" on each line")
            );
        }
        Ok(())
    }

    /// Begins a pass.
    ///
    /// # Errors
    /// [`CliError::Read`].
    pub(super) fn lines(&self) -> Result<Lines<'_>, CliError> {
        let file = File::open(&self.path).map_err(|source| self.unreadable(source))?;
        Ok(Lines { history: self, reader: BufReader::new(file), number: 0 })
    }

    /// Why a line cannot be used.
    pub(super) fn refusal(&self, line: usize, reason: impl Into<String>) -> CliError {
        CliError::History { name: self.name.clone(), line, reason: reason.into() }
    }

    /// Says something of a line that can be used.
    pub(super) fn note(&self, line: usize, text: &str) {
        Progress::StandardError.line(&format!("mainpoint: {}: line {line}: {text}", self.name));
    }

    fn unreadable(&self, source: std::io::Error) -> CliError {
        CliError::Read { name: self.name.clone(), source }
    }
}

impl Lines<'_> {
    fn read(&mut self) -> Result<Option<Numbered>, CliError> {
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
            let line = Line::parse(Bytes::from(bytes));
            let line = line.map_err(|reason| self.history.refusal(self.number, reason))?;
            let number = self.number;
            return Ok(Some(Numbered { number, line }));
        }
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Numbered, CliError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    #[test]
    fn a_byte_order_mark_and_empty_lines_are_passed_over() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
        std::fs::write(file.path(), [BYTE_ORDER_MARK, b"\n", line.as_bytes(), b"\n \n"].concat()).unwrap();
        let history = History::at(file.path());
        history.check().unwrap();
        let numbers: Vec<usize> = history.lines().unwrap().map(|line| line.unwrap().number).collect();
        assert_eq!(numbers, [2]);
        std::fs::write(file.path(), [line.as_bytes(), b"\n", BYTE_ORDER_MARK, line.as_bytes()].concat()).unwrap();
        assert!(history.check().is_err(), "it belongs to the beginning alone");
    }
}
