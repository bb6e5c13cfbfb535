//! What can be wrong with a configuration, said so that it can be put right.
//!
//! It must not hold secrets: a literal secret is named by its key only.

use std::fmt;
use std::path::PathBuf;

use crate::exit::ExitStatus;

/// Why a configuration was refused. The text names the place, the key, the value and what is allowed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{}: cannot read the configuration: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why it could not be read.
        source: std::io::Error,
    },
    /// The text is not TOML.
    #[error("{place}: not valid TOML: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser says; never the line itself.
        message: String,
    },
    /// A key that does not exist.
    #[error("{place}: unknown key `{key}`{}; known here: {}", suggest(suggestion.as_deref()), known.join(", "))]
    UnknownKey {
        /// Where.
        place: Place,
        /// The key's full path.
        key: String,
        /// The nearest key that does exist.
        suggestion: Option<String>,
        /// Every key of the section.
        known: Vec<String>,
    },
    /// A key that an earlier version had.
    #[error("{place}: unknown key `{key}`: {fate}")]
    RemovedKey {
        /// Where.
        place: Place,
        /// The key's full path.
        key: String,
        /// What became of it.
        fate: &'static str,
    },
    /// A value of the wrong type or out of its range.
    #[error("{place}: {key} = {value}: expected {allowed}")]
    Value {
        /// Where.
        place: Place,
        /// The key's full path.
        key: String,
        /// The value as it was written.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A secret written into the file. The value is not shown.
    #[error(
        "{place}: {key} holds a secret (not shown): secrets do not belong in the configuration; put it into an \
         environment variable and name that variable with {}",
        names_secret(key)
    )]
    LiteralSecret {
        /// Where.
        place: Place,
        /// The key's full path.
        key: String,
    },
    /// An environment variable that the file names cannot be used. Its value is not shown.
    #[error("{place}: {key} names the environment variable {variable}, {problem}")]
    Variable {
        /// Where.
        place: Place,
        /// The key's full path.
        key: String,
        /// The variable.
        variable: String,
        /// What is wrong with it, and what to do.
        problem: &'static str,
    },
}

impl ConfigError {
    /// The exit status of a program that stops for this reason.
    #[must_use]
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Read { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => ExitStatus::NoInput,
                std::io::ErrorKind::PermissionDenied => ExitStatus::NoPermission,
                _ => ExitStatus::InputOutput,
            },
            _ => ExitStatus::Config,
        }
    }
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of a file, or of a text without a file.
    Line {
        /// The file, if there is one.
        file: Option<PathBuf>,
        /// The line, counted from 1.
        line: usize,
    },
    /// A flag of the command line, such as `--listen`.
    Flag(&'static str),
    /// Nowhere: the default.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file: Some(file), line } => write!(formatter, "{}:{line}", file.display()),
            Self::Line { file: None, line } => write!(formatter, "line {line}"),
            Self::Flag(flag) => write!(formatter, "{flag}"),
            Self::Default => write!(formatter, "configuration"),
        }
    }
}

/// How the variable of a secret is named in the section of `key`.
fn names_secret(key: &str) -> &'static str {
    if key.starts_with("server.") {
        "server.admin_token_env, such as admin_token_env = \"MAINPOINT_ADMIN_TOKEN\""
    } else {
        "upstream.api_key_env, such as api_key_env = \"OPENAI_API_KEY\""
    }
}

fn suggest(suggestion: Option<&str>) -> String {
    suggestion.map(|key| format!(" (did you mean `{key}`?)")).unwrap_or_default()
}
