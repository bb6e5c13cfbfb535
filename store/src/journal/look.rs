//! Reading a journal without opening it.
//!
//! Responsible for: saying what opening it would find, and changing nothing.

use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe};

use redb::{
    Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase, ReadableTableMetadata, StorageError, TableHandle,
};

use super::disk::FileSystem;
use super::file::{CACHE_BYTES, Fault, KNOWN, examine, is_damage, refusal, unknown_table};
use super::rows::ACCEPTED;
use crate::directory::Directory;
use crate::error::StoreError;

/// What a look at a journal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JournalLook {
    /// There is none, or nothing of any caller's is in it.
    Empty,
    /// It holds turns, or what was put into prompts.
    Holds {
        /// Turns that were accepted and that nobody has read yet.
        waiting: u64,
    },
    /// It was not closed; whoever opens it puts it in order.
    Unknown,
    /// A process has it open.
    InUse,
    /// It is damaged; whoever opens it moves it aside.
    Damaged,
}

/// Reads the journal without opening it for anybody.
///
/// # Errors
/// As [`examine`], and [`StoreError::Format`] for a journal with tables that are not known here.
pub(super) fn look(directory: &Directory) -> Result<JournalLook, StoreError> {
    examine(directory, &FileSystem)?;
    let path = directory.journal();
    if fs::metadata(&path).is_ok_and(|file| file.len() == 0) {
        return Ok(JournalLook::Damaged);
    }
    let open = || Database::builder().set_cache_size(CACHE_BYTES).open_read_only(&path);
    let database = match panic::catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(database)) => database,
        Ok(Err(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch)) => {
            return Ok(JournalLook::InUse);
        }
        Ok(Err(DatabaseError::RepairAborted)) => return Ok(JournalLook::Unknown),
        Ok(Err(DatabaseError::Storage(StorageError::Io(error)))) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(JournalLook::Empty);
        }
        Ok(Err(error)) if is_damage(&error) => return Ok(JournalLook::Damaged),
        Ok(Err(error)) => return Err(refusal(directory, Fault::Other(error))),
        Err(_) => return Ok(JournalLook::Damaged),
    };
    let rows = rows_of(&database).map_err(StoreError::journal("read"))?;
    if let Some((name, _)) = rows.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
        return Err(unknown_table(&path, format!("a journal with a table {name:?}")));
    }
    if !rows.iter().any(|(name, rows)| OF_CALLERS.contains(&name.as_str()) && *rows > 0) {
        return Ok(JournalLook::Empty);
    }
    let waiting = rows.iter().find(|(name, _)| name == ACCEPTED.name());
    Ok(JournalLook::Holds { waiting: waiting.map_or(0, |(_, rows)| *rows) })
}

/// The names of all tables, and how many rows each has.
fn rows_of(database: &ReadOnlyDatabase) -> Result<Vec<(String, u64)>, redb::Error> {
    let transaction = database.begin_read()?;
    let mut rows = Vec::new();
    for table in transaction.list_tables()? {
        let name = table.name().to_owned();
        rows.push((name, transaction.open_untyped_table(table)?.len()?));
    }
    Ok(rows)
}

/// Tables with what belongs to callers.
const OF_CALLERS: [&str; 3] = ["accepted", "completed", "ledger"];
