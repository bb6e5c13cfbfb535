//! The settings of a store.
//!
//! Responsible for: their meaning, defaults and ranges. Must not know: the configuration file they come from.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::StoreError;

/// How much of a turn's text is kept once its main points are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retain {
    /// The verbatim text.
    #[default]
    Turns,
    /// Only the spans of its main points, joined by ` … `. Until a turn is completed the journal holds its text,
    /// because it has yet to be read; the next maintenance overwrites that too.
    Spans,
}

/// The settings of a store.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where everything is kept. Created when missing.
    pub directory: PathBuf,
    /// Length of every vector, 1 to 65,536. Fixed for the life of a directory.
    pub vector_width: usize,
    /// The SHA-256 of the model whose vectors these are. Fixed for the life of a directory: those of another model cannot be
    /// compared with them, though they may be as long. Not checked where it is `None`.
    pub model: Option<String>,
    /// What is kept of a turn's text.
    pub retain: Retain,
    /// Completed turns reach LanceDB at the latest after this time.
    pub flush_interval: Duration,
    /// … or as soon as this many are waiting, at least 1.
    pub flush_turns: usize,
    /// Time between two maintenance runs.
    pub maintenance_interval: Duration,
    /// The ledger forgets a conversation when nothing was written to it for this time, at the next maintenance.
    pub ledger_age: Duration,
    /// Bytes of passages that are kept in memory because they were found lately, so that a conversation or a scope that is
    /// asked for again and again is not read from the disk each time. 0 keeps none.
    pub recent_bytes: usize,
    /// Threads that compaction and index building may use, at least 1.
    ///
    /// Lance's pool for scanning and scoring is sized once per process by the environment variable
    /// `LANCE_CPU_THREADS` (default: the machine's cores less 2, at least 1), which a library can't set safely; the
    /// binary's environment has to.
    pub cpu_threads: usize,
}

impl StoreConfig {
    /// A store in `directory` for vectors of `vector_width` numbers, everything else at its default.
    pub fn new(directory: impl Into<PathBuf>, vector_width: usize) -> Self {
        Self {
            directory: directory.into(),
            vector_width,
            model: None,
            retain: Retain::Turns,
            flush_interval: Duration::from_secs(10),
            flush_turns: 256,
            maintenance_interval: Duration::from_secs(600),
            ledger_age: Duration::from_secs(30 * 86_400),
            recent_bytes: 256 << 20,
            cpu_threads: 2,
        }
    }

    pub(crate) fn validate(&self) -> Result<(), StoreError> {
        let at_least_one = "at least 1";
        let over_zero = "more than 0 seconds";
        let invalid = |key, value: String, allowed| Err(StoreError::InvalidConfig { key, value, allowed });
        if !(1..=65_536).contains(&self.vector_width) {
            return invalid("vector_width", self.vector_width.to_string(), "1 to 65536");
        }
        if self.flush_turns == 0 {
            return invalid("flush_turns", "0".to_owned(), at_least_one);
        }
        if self.cpu_threads == 0 {
            return invalid("cpu_threads", "0".to_owned(), at_least_one);
        }
        if self.flush_interval.is_zero() {
            return invalid("flush_interval", "0".to_owned(), over_zero);
        }
        if self.maintenance_interval.is_zero() {
            return invalid("maintenance_interval", "0".to_owned(), over_zero);
        }
        if self.ledger_age.is_zero() {
            return invalid("ledger_age", "0".to_owned(), over_zero);
        }
        Ok(())
    }
}
