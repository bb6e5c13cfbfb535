//! The file of recorded conversations, line by line.
//!
//! It must not know what a line holds.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::line::{BYTE_ORDER_MARK, Line};
use super::passed_over::PassedOver;
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
        let file = File::open(&self.path).map_err(|source| self.unreadable(source))?;
        Ok(Lines { history: self, reader: BufReader::new(file), number: 0 })
    }

    /// Says something of the file on standard error.
    pub(super) fn note(&self, text: &str) {
        Progress::StandardError.line(&format!("mainpoint: {}: {text}", self.name));
    }

    /// Why a line cannot be used.
    pub(super) fn refusal(&self, line: usize, reason: impl Into<String>) -> CliError {
        CliError::History { name: self.name.clone(), line, reason: reason.into() }
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

    #[test]
    fn a_file_of_which_every_message_is_passed_over_is_refused_as_wrong_data() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let history = History::at(file.path());
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
