//! How the program ends: its exit statuses, after `sysexits.h`, and an error as the one line that is shown.

use std::error::Error;
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// The command line is wrong.
    Usage = 64,
    /// The data are wrong, such as a corrupt model file.
    Data = 65,
    /// An input is missing, such as a model or the configuration file.
    NoInput = 66,
    /// Something that is needed is not available, such as a port in use or an unreachable source.
    Unavailable = 69,
    /// A defect of the program itself.
    Software = 70,
    /// A file or directory cannot be created.
    CannotCreate = 73,
    /// Reading or writing failed.
    InputOutput = 74,
    /// Permission was refused.
    NoPermission = 77,
    /// The configuration is wrong.
    Config = 78,
}

impl ExitStatus {
    /// The status as a number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

/// An error with its causes on one line; a cause whose text is in the line already is not repeated.
#[must_use]
pub fn one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
