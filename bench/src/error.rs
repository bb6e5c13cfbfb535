//! Everything that can go wrong in a benchmark, with its causes kept.

use std::path::PathBuf;

use mainpoint_engine::EngineError;
use mainpoint_store::StoreError;

/// A benchmark failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file or directory cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file holds something else than expected.
    #[error("{}: {reason}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A conversation was asked for that the file does not have.
    #[error("--conversations {name}: the file has {known}")]
    Conversation {
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The engine failed.
    #[error("the engine failed in {doing}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: EngineError,
    },
    /// The store failed.
    #[error("the store failed in {doing}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The proxy of the demo could not be started or asked.
    #[error("the proxy: {0}")]
    Proxy(String),
    /// A request of the demo did not get through.
    #[error("a request to {url} failed")]
    Request {
        /// Where it went.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// A program that a benchmark needs cannot be used.
    #[error("{program}: {reason}")]
    Program {
        /// Its name.
        program: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl BenchError {
    /// For `map_err`: an engine failure in `doing`.
    pub fn engine(doing: &'static str) -> impl FnOnce(EngineError) -> Self {
        move |source| Self::Engine { doing, source }
    }

    /// For `map_err`: a store failure in `doing`.
    pub fn store(doing: &'static str) -> impl FnOnce(StoreError) -> Self {
        move |source| Self::Store { doing, source }
    }

    /// For `map_err`: a file or directory that cannot be read.
    pub fn reading(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Read {
            path: path.into(),
            source,
        }
    }

    /// For `map_err`: a file or directory that cannot be written.
    pub fn writing(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Write {
            path: path.into(),
            source,
        }
    }

    /// A program that cannot be used.
    pub fn program(program: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Program {
            program: program.into(),
            reason: reason.into(),
        }
    }

    /// The failure and its causes in one line.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_causes_follow_the_failure_in_one_line() {
        let error = BenchError::reading("somewhere")(std::io::Error::other("the disk is on fire"));
        assert_eq!(error.with_causes(), "cannot read somewhere: the disk is on fire");
    }
}
