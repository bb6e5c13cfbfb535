//! The journal's file.
//!
//! Responsible for: opening it, telling a damaged one from others, copying it. Must not know: what the rows mean.

use std::io;
use std::path::Path;

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition, WriteTransaction};

use super::ledger::LEDGER;
use super::records::{ACCEPTED, COMPLETED, DELETIONS, NOTES, POINTS};
use crate::error::StoreError;

/// The journal holds little; redb's default cache is 1 GiB.
const CACHE_BYTES: usize = 16 << 20;

pub(super) fn open_database(path: &Path) -> Result<Database, DatabaseError> {
    Database::builder()
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true)
        .create(path)
}

pub(super) fn is_damaged(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::Storage(StorageError::Corrupted(_)) => true,
        DatabaseError::Storage(StorageError::Io(error)) => error.kind() == io::ErrorKind::InvalidData,
        _ => false,
    }
}

pub(super) fn create_tables(database: &Database) -> Result<(), StoreError> {
    let create = || -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        transaction.open_table(ACCEPTED)?;
        transaction.open_table(COMPLETED)?;
        transaction.open_table(POINTS)?;
        transaction.open_table(DELETIONS)?;
        transaction.open_table(NOTES)?;
        transaction.open_table(LEDGER)?;
        transaction.commit()?;
        Ok(())
    };
    create().map_err(StoreError::journal("open"))
}

pub(super) fn copy_tables(old: &Database, fresh: &Database) -> Result<(), redb::Error> {
    let (from, to) = (old.begin_read()?, fresh.begin_write()?);
    copy_table(&from, &to, ACCEPTED)?;
    copy_table(&from, &to, COMPLETED)?;
    copy_table(&from, &to, POINTS)?;
    copy_table(&from, &to, DELETIONS)?;
    copy_table(&from, &to, NOTES)?;
    copy_table(&from, &to, LEDGER)?;
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
