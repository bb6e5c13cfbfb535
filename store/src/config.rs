//! The settings of a store.
//!
//! Responsible for: their meaning and ranges.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::StoreError;
use crate::records::QuotedTurns;

/// How much of a turn's text is kept once its main points are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retain {
    /// The verbatim text.
    Turns,
    /// Only the spans of its main points, joined by ` … `. Until a turn is completed the journal holds its text,
    /// because it has yet to be read; the next maintenance overwrites that too.
    Spans,
}

/// How much each cache of a store may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSizes {
    /// Bytes of passages that were found lately; 0 keeps none.
    pub passages: usize,
    /// Bytes of sketches, over all scopes.
    pub sketches: usize,
    /// Bytes of opened indices.
    pub indices: usize,
    /// Bytes of what LanceDB knows about its files.
    pub metadata: usize,
    /// Turns whose ids are kept, over all scopes; those of the scope that is asked about are kept however many they are.
    pub turns: usize,
    /// Turns whose points' rows are kept.
    pub rows: usize,
}

impl CacheSizes {
    /// The caches of a store in a process that may take so many bytes: 512 MiB of sketches and the like in one of 4 GiB.
    #[must_use]
    pub const fn shares_of(bytes: usize) -> Self {
        Self {
            passages: bytes / 16,
            sketches: bytes / 8,
            indices: bytes / 16,
            metadata: bytes / 128,
            turns: bytes / 4096,
            rows: bytes / 10_240,
        }
    }

    /// Bytes that all of them take together when they are full.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        let kept = self.passages + self.sketches + self.indices + self.metadata;
        kept + (self.turns + self.rows) * BYTES_OF_A_TURN
    }
}

/// What a turn takes of which the id or the rows are kept.
const BYTES_OF_A_TURN: usize = 100;

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
    /// Turns that were said last longer ago go at the next maintenance, as if they had been deleted; `None` keeps them for ever.
    /// It is counted from the beginning of the day in UTC, so that the disk is cleared of such turns once a day.
    pub retain_for: Option<Duration>,
    /// Tells which turns an entry of the ledger quotes, so that it goes with them.
    pub quoted: QuotedTurns,
    /// The ledger forgets a conversation when nothing was written to it for this time, at the next maintenance.
    pub ledger_age: Duration,
    /// How much is kept in memory, so that what is asked for again and again is not read from the disk each time.
    pub caches: CacheSizes,
    /// Threads that compaction and index building may use, at least 1.
    ///
    /// Lance's pool for scanning and scoring is sized once per process by the environment variable
    /// `LANCE_CPU_THREADS` (default: the machine's cores less 2, at least 1), which a library can't set safely; the
    /// binary's environment has to.
    pub cpu_threads: usize,
}

impl StoreConfig {
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
        if self.retain_for.is_some_and(|age| age.is_zero()) {
            return invalid("retain_for", "0".to_owned(), over_zero);
        }
        if self.ledger_age.is_zero() {
            return invalid("ledger_age", "0".to_owned(), over_zero);
        }
        Ok(())
    }
}

#[cfg(test)]
impl StoreConfig {
    /// A store in which nothing happens by itself.
    pub(crate) fn idle(directory: &std::path::Path, vector_width: usize) -> Self {
        const NEVER: Duration = Duration::from_secs(3600);
        Self {
            directory: directory.to_owned(),
            vector_width,
            model: None,
            retain: Retain::Turns,
            flush_interval: NEVER,
            flush_turns: 256,
            maintenance_interval: NEVER,
            retain_for: None,
            quoted: |_, _| Some(Vec::new()),
            ledger_age: NEVER,
            caches: CacheSizes { passages: 1 << 20, ..CacheSizes::shares_of(4 << 30) },
            cpu_threads: 2,
        }
    }
}
