//! Everything that can go wrong in a benchmark, in words, with its causes kept.

use std::path::Path;

/// A benchmark failure.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct BenchError {
    what: String,
    #[source]
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Says what was being done when something failed, with the error as its cause.
pub(crate) trait Failing<T>: Sized {
    fn because(self, what: impl Into<String>) -> Result<T, BenchError>;

    fn in_engine(self, doing: &str) -> Result<T, BenchError> {
        self.because(format!("the engine failed in {doing}"))
    }

    fn in_store(self, doing: &str) -> Result<T, BenchError> {
        self.because(format!("the store failed in {doing}"))
    }

    fn when_reading(self, path: impl AsRef<Path>) -> Result<T, BenchError> {
        self.because(format!("cannot read {}", path.as_ref().display()))
    }

    fn when_writing(self, path: impl AsRef<Path>) -> Result<T, BenchError> {
        self.because(format!("cannot write {}", path.as_ref().display()))
    }

    fn when_asking(self, url: &str) -> Result<T, BenchError> {
        self.because(format!("a request to {url} failed"))
    }
}

impl<T, E: std::error::Error + Send + Sync + 'static> Failing<T> for Result<T, E> {
    fn because(self, what: impl Into<String>) -> Result<T, BenchError> {
        self.map_err(|error| BenchError { what: what.into(), cause: Some(Box::new(error)) })
    }
}

impl BenchError {
    /// Something of which no other error is the cause.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), cause: None }
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
        let error = Err::<(), _>(std::io::Error::other("the disk is on fire")).when_reading("somewhere").unwrap_err();
        assert_eq!(error.with_causes(), "cannot read somewhere: the disk is on fire");
    }
}
