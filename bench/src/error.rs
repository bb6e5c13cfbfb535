//! Everything that can go wrong in a benchmark, in words, with its causes kept.

use std::path::Path;

use mainpoint_engine::EngineError;
use mainpoint_store::StoreError;

/// A benchmark failure.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct BenchError {
    what: String,
    #[source]
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl BenchError {
    /// Something of which no other error is the cause.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), cause: None }
    }

    /// For `map_err`: what failed, with the error that is its cause.
    pub fn because<E>(what: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        move |error| Self { what: what.into(), cause: Some(Box::new(error)) }
    }

    /// For `map_err`: an engine failure in `doing`.
    pub fn engine(doing: &str) -> impl FnOnce(EngineError) -> Self + use<> {
        Self::because(format!("the engine failed in {doing}"))
    }

    /// For `map_err`: a store failure in `doing`.
    pub fn store(doing: &str) -> impl FnOnce(StoreError) -> Self + use<> {
        Self::because(format!("the store failed in {doing}"))
    }

    /// For `map_err`: a file or directory that cannot be read.
    pub fn reading(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let what = format!("cannot read {}", path.as_ref().display());
        move |error| Self::because(what)(error)
    }

    /// For `map_err`: a file or directory that cannot be written.
    pub fn writing(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let what = format!("cannot write {}", path.as_ref().display());
        move |error| Self::because(what)(error)
    }

    /// For `map_err`: a request that did not get through.
    pub fn request(url: &str) -> impl FnOnce(reqwest::Error) -> Self + use<> {
        Self::because(format!("a request to {url} failed"))
    }

    /// A file that holds something else than expected.
    pub fn data(path: impl AsRef<Path>, reason: impl std::fmt::Display) -> Self {
        Self::new(format!("{}: {reason}", path.as_ref().display()))
    }

    /// A program that cannot be used.
    pub fn program(program: &str, reason: impl std::fmt::Display) -> Self {
        Self::new(format!("{program}: {reason}"))
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
