//! The journal's file.
//!
//! Responsible for: opening it, telling a damaged one from one that is only not ours to read, copying it.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use redb::TableHandle;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition, WriteTransaction};

use super::disk::Disk;
use super::rows::{
    ACCEPTED, BRANCHES, COMPLETED, DELETED, DELETIONS, LEDGER, NOTES, PLACES, PLAIN, POINTS, REPETITIONS, SEQUENCES,
};
use crate::directory::Directory;
use crate::error::StoreError;

/// The journal holds little; redb's default cache is 1 GiB.
pub(super) const CACHE_BYTES: usize = 16 << 20;

/// redb's header: the magic bytes, and the version of the file format at the head of each of the two commit slots.
const MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1a, 0x0a, 0xa9, 0x0d, 0x0a];
const SLOTS: [usize; 2] = [64, 192];
const HEADER: usize = 320;
/// The file format that is written here.
const FORMAT: u8 = 3;
/// Formats are counted up one by one; a byte above this is no format but damage.
const LAST_CONCEIVABLE_FORMAT: u8 = 63;

/// An open journal.
pub(super) struct Opened {
    pub(super) database: Database,
    /// Whether there was a file before that held nothing of use.
    pub(super) is_begun_anew: bool,
}

/// Opens the journal or begins one. What is provably damaged is moved aside; whatever else cannot be used stays as it is.
pub(super) fn open(directory: &Directory, disk: &dyn Disk) -> Result<Opened, StoreError> {
    let path = directory.journal();
    examine(directory, disk)?;
    let loss = Loss::find(directory, disk);
    let (database, is_begun_anew) = match create_or_leave_nothing(&path, disk) {
        Ok(database) => (database, loss.is_some()),
        Err(Fault::Damaged(reason)) => {
            let moved_to = disk.set_aside(directory, &path)?;
            tracing::error!(
                moved_to = %moved_to.display(), reason,
                "the journal is damaged; moved aside and begun anew. {LOST}"
            );
            (create_or_leave_nothing(&path, disk).map_err(|fault| refusal(directory, fault))?, true)
        }
        Err(fault) => return Err(refusal(directory, fault)),
    };
    create_tables(&database, &path)?;
    match loss {
        Some(Loss::Emptied) => {
            tracing::error!(journal = %path.display(), "the journal was an empty file; begun anew. {LOST}");
        }
        Some(Loss::Removed) => tracing::error!(
            journal = %path.display(),
            "there are memories and no journal beside them; it is begun anew. If it was moved, stop and put it back. {LOST}"
        ),
        None => {}
    }
    Ok(Opened { database, is_begun_anew })
}

/// What a journal that does not look damaged has lost all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// The file is there, and empty.
    Emptied,
    /// The tables are there, and it is not.
    Removed,
}

impl Loss {
    fn find(directory: &Directory, disk: &dyn Disk) -> Option<Self> {
        match disk.identify(&directory.journal()) {
            Ok((_, length)) => (length == 0).then_some(Self::Emptied),
            // Tables are only begun beside a journal.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                directory.tables().is_dir().then_some(Self::Removed)
            }
            Err(_) => None,
        }
    }
}

pub(super) fn refusal(directory: &Directory, fault: Fault) -> StoreError {
    match fault {
        Fault::Other(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch) => {
            StoreError::InUse { path: directory.path().to_owned() }
        }
        Fault::Other(DatabaseError::Storage(StorageError::Io(source))) => refused(directory, source),
        Fault::Other(error) => StoreError::journal("open")(error),
        Fault::Damaged(what) => StoreError::Unreadable { what },
    }
}

/// What the end of a journal means.
const LOST: &str = "What the tables hold stays. Turns that were not in them yet are read again when their client sends them; \
    what was put into earlier prompts is not repeated; a deletion that was under way has to be asked for again";

/// Looks at the file without changing anything.
///
/// # Errors
/// [`StoreError::Format`] for a file of another format, [`StoreError::Refused`] for one that cannot be read.
pub(super) fn examine(directory: &Directory, disk: &dyn Disk) -> Result<(), StoreError> {
    let path = directory.journal();
    let header = match disk.head(&path, HEADER) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(refused(directory, source)),
        Ok(header) => header,
    };
    match foreign_format(&header) {
        None => Ok(()),
        Some(format) => Err(StoreError::Format {
            path,
            found: format!("redb's file format {format}"),
            expected: format!("redb's file format {FORMAT}"),
        }),
    }
}

/// The file format that a header names, if it is whole and the format is not the one written here.
fn foreign_format(header: &[u8]) -> Option<u8> {
    if header.len() < HEADER || !header.starts_with(&MAGIC) {
        return None;
    }
    let formats = SLOTS.iter().filter_map(|slot| header.get(*slot).copied());
    let mut foreign = formats.filter(|format| *format != FORMAT && (1..=LAST_CONCEIVABLE_FORMAT).contains(format));
    foreign.next()
}

fn refused(directory: &Directory, source: io::Error) -> StoreError {
    StoreError::Refused { path: directory.journal(), directory: directory.path().to_owned(), source }
}

/// Why the file does not open.
pub(super) enum Fault {
    /// It provably does not hold what was written to it.
    Damaged(String),
    /// Anything else, which says nothing about the file.
    Other(DatabaseError),
}

/// The same. Of a file that could not be created nothing stays: half of one would look like a damaged journal.
fn create_or_leave_nothing(path: &Path, disk: &dyn Disk) -> Result<Database, Fault> {
    let existed = disk.identify(path).is_ok();
    create(path, disk).inspect_err(|_| {
        if !existed {
            let _ = disk.remove(path);
        }
    })
}

pub(super) fn create(path: &Path, disk: &dyn Disk) -> Result<Database, Fault> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    let open = || disk.database(&builder, path);
    // A file that redb did not foresee may make it panic; that tells no other tale than its own error would.
    match panic::catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(error)) if is_damage(&error) => Err(Fault::Damaged(error.to_string())),
        Ok(Err(error)) => Err(Fault::Other(error)),
        Err(_) => Err(Fault::Damaged("redb could not make sense of it".to_owned())),
    }
}

pub(super) fn is_damage(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::Storage(StorageError::Corrupted(_)) => true,
        // Not a redb file, and a file that ends before it should.
        DatabaseError::Storage(StorageError::Io(error)) => {
            matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}

/// Makes the tables that are missing.
pub(super) fn make_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    open_tables(&transaction)?;
    transaction.commit()?;
    Ok(())
}

/// Makes the tables that are missing, unless some are there that are not known here: a newer mainpoint made them, and they
/// would be lost at the next rewriting.
fn create_tables(database: &Database, path: &Path) -> Result<(), StoreError> {
    let create = || -> Result<Option<String>, redb::Error> {
        let transaction = database.begin_write()?;
        let before = transaction.list_tables()?.count();
        open_tables(&transaction)?;
        let mut names = transaction.list_tables()?.map(|table| table.name().to_owned());
        let unknown = names.find(|name| !KNOWN.contains(&name.as_str()));
        drop(names);
        match unknown {
            // Nothing is written where there is nothing to write, so that a journal opens on a full disk.
            None if before == KNOWN.len() => transaction.abort()?,
            None => transaction.commit()?,
            Some(_) => {}
        }
        Ok(unknown)
    };
    let foreign = |found| unknown_table(path, found);
    match create() {
        Ok(None) => Ok(()),
        Ok(Some(name)) => Err(foreign(format!("a journal with a table {name:?}"))),
        Err(error @ (redb::Error::TableTypeMismatch { .. } | redb::Error::TypeDefinitionChanged { .. })) => {
            Err(foreign(format!("a journal with other tables ({error})")))
        }
        Err(error) => Err(StoreError::journal("open")(error)),
    }
}

pub(super) fn unknown_table(path: &Path, found: String) -> StoreError {
    StoreError::Format { path: path.to_owned(), found, expected: "a journal as it writes it".to_owned() }
}

fn open_tables(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(ACCEPTED)?;
    transaction.open_table(COMPLETED)?;
    transaction.open_table(POINTS)?;
    transaction.open_table(DELETIONS)?;
    transaction.open_table(DELETED)?;
    transaction.open_table(NOTES)?;
    transaction.open_table(LEDGER)?;
    transaction.open_table(SEQUENCES)?;
    transaction.open_table(PLACES)?;
    transaction.open_table(BRANCHES)?;
    transaction.open_table(REPETITIONS)?;
    transaction.open_table(PLAIN)?;
    Ok(())
}

/// The names of the tables above.
pub(super) const KNOWN: [&str; 12] = [
    "accepted",
    "completed",
    "points",
    "deletions",
    "deleted",
    "notes",
    "ledger",
    "sequences",
    "places",
    "branches",
    "repetitions",
    "plain",
];

pub(super) fn copy_tables(old: &Database, fresh: &Database) -> Result<(), redb::Error> {
    let (from, to) = (old.begin_read()?, fresh.begin_write()?);
    copy_table(&from, &to, ACCEPTED)?;
    copy_table(&from, &to, COMPLETED)?;
    copy_table(&from, &to, POINTS)?;
    copy_table(&from, &to, DELETIONS)?;
    copy_table(&from, &to, DELETED)?;
    copy_table(&from, &to, NOTES)?;
    copy_table(&from, &to, LEDGER)?;
    copy_table(&from, &to, SEQUENCES)?;
    copy_table(&from, &to, PLACES)?;
    copy_table(&from, &to, BRANCHES)?;
    copy_table(&from, &to, REPETITIONS)?;
    copy_table(&from, &to, PLAIN)?;
    to.commit()?;
    Ok(())
}

fn copy_table<K: redb::Key + 'static, V: redb::Value + 'static>(
    from: &redb::ReadTransaction,
    to: &WriteTransaction,
    definition: TableDefinition<K, V>,
) -> Result<(), redb::Error> {
    let mut target = to.open_table(definition)?;
    for entry in from.open_table(definition)?.iter()? {
        let (key, value) = entry?;
        target.insert(key.value(), value.value())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use std::fs;

    use super::*;
    use crate::journal::disk::FileSystem;

    #[test]
    fn a_journal_that_is_missing_beside_tables_or_empty_is_a_loss_and_a_fresh_one_is_none() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::prepare(&root.path().join("data")).unwrap();
        assert_eq!(Loss::find(&directory, &FileSystem), None);
        assert!(!open(&directory, &FileSystem).unwrap().is_begun_anew);
        fs::create_dir(directory.tables()).unwrap();
        assert_eq!(Loss::find(&directory, &FileSystem), None, "the journal is beside them");
        fs::remove_file(directory.journal()).unwrap();
        assert_eq!(Loss::find(&directory, &FileSystem), Some(Loss::Removed));
        assert!(open(&directory, &FileSystem).unwrap().is_begun_anew);
        fs::write(directory.journal(), "").unwrap();
        assert_eq!(Loss::find(&directory, &FileSystem), Some(Loss::Emptied));
    }
}
