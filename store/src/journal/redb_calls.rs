//! Calls of redb, with its panics as errors.
//!
//! Responsible for: telling errors of the file from others, copying a database, telling one database from the next.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::Database;

use super::disk::Disk;
use super::file::{self, Fault};

/// Runs work on a database; a panic of redb is an error as any other.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, redb::Error> {
    let panicked = |_| Err(redb::Error::Corrupted("redb panicked".to_owned()));
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked)
}

/// Whether an error says that the file, not the request, is at fault. After such a one redb does nothing more.
pub(super) fn is_of_the_file(error: &redb::Error) -> bool {
    matches!(
        error,
        redb::Error::Io(_)
            | redb::Error::Backend(_)
            | redb::Error::Corrupted(_)
            | redb::Error::DatabaseClosed
            | redb::Error::PreviousIo
            | redb::Error::LockPoisoned(_)
    )
}

/// Whether redb has not latched: the error was then of another file.
pub(super) fn is_usable(database: &Database) -> bool {
    let begun = caught(|| {
        drop(database.begin_write()?);
        Ok(())
    });
    begun.is_ok()
}

/// Copies every table into a new file.
pub(super) fn copy(database: &Database, fresh_path: &Path, disk: &dyn Disk) -> Result<Database, redb::Error> {
    let fresh = file::create(fresh_path, disk).map_err(|fault| match fault {
        Fault::Damaged(what) => redb::Error::Corrupted(what),
        Fault::Other(error) => error.into(),
    })?;
    caught(|| {
        file::make_tables(&fresh)?;
        file::copy_tables(database, &fresh)
    })?;
    Ok(fresh)
}

/// Counts the databases of this process.
pub(super) fn next_generation() -> u64 {
    static GENERATION: AtomicU64 = AtomicU64::new(1);
    GENERATION.fetch_add(1, Ordering::Relaxed)
}
