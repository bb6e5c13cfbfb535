//! The fsynced journal in front of LanceDB.
//!
//! Responsible for: turns and readings that LanceDB does not have durably yet, deletions under way, the ledger,
//! conversations, all in one redb file where every call is one durable transaction. All calls block.
//!
//! After an error of the file every call fails at once with [`StoreError::JournalDown`] until [`Journal::repair`] has opened the
//! file again (`journal/database.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::directory::Directory;
use crate::error::StoreError;
use crate::trouble::Trouble;

pub(crate) use conversations::MeetingPoint;
use database::DatabaseHandle;
pub(crate) use deletions::Purge;
use departures::Departures;
use disk::{Disk, FileSystem};
pub(crate) use ledger::{Quotes, quoted_by};
pub(crate) use look::JournalLook;
pub(crate) use repaired::{Repaired, Room};
pub(crate) use said_times::Standing;

mod alignment;
pub(crate) mod continuation;
mod conversations;
#[cfg(test)]
mod conversations_tests;
mod database;
#[cfg(test)]
mod database_tests;
mod deletions;
mod departures;
pub(crate) mod disk;
mod expiry;
mod faults;
mod file;
mod ledger;
mod lineage;
mod look;
mod meetings;
mod places;
mod plain;
mod redb_calls;
mod removal;
mod repaired;
mod repetitions;
#[cfg(test)]
mod repetitions_tests;
#[cfg(test)]
mod room_tests;
mod rows;
mod said_before;
mod said_times;
mod turns;
mod waiting;

/// The journal.
#[derive(Debug)]
pub(crate) struct Journal {
    database: DatabaseHandle,
    /// Whether the file may hold bytes of what was removed from it.
    stale: AtomicBool,
    departures: Departures,
}

impl Journal {
    /// Looks at the file of a journal without changing anything.
    pub(crate) fn examine(directory: &Directory) -> Result<(), StoreError> {
        file::examine(directory, &FileSystem)
    }

    /// Reads the journal without changing anything, whoever has it open.
    pub(crate) fn look(directory: &Directory) -> Result<JournalLook, StoreError> {
        look::look(directory)
    }

    /// Opens or creates the journal. A file that is damaged is moved aside and a new one begun.
    pub(crate) fn open(directory: &Directory) -> Result<Self, StoreError> {
        Self::open_on(directory, Arc::new(FileSystem))
    }

    /// The same, where its files are on this disk.
    pub(crate) fn open_on(directory: &Directory, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let existed = disk.identify(&directory.journal()).is_ok();
        let database = DatabaseHandle::open(directory, disk)?;
        Ok(Self { database, stale: AtomicBool::new(existed), departures: Departures::default() })
    }

    /// What is wrong with the journal at the moment.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.database.trouble()
    }

    /// Whether the file is still the one that was opened, under its name and as long as it was left; notes it where not.
    pub(crate) fn check_file(&self) {
        self.database.check_file();
    }

    /// Makes good what [`Journal::trouble`] names, if it can be made good now.
    ///
    /// # Errors
    /// Why it cannot; try again later.
    pub(crate) fn repair(&self, room: Room) -> Result<Repaired, StoreError> {
        let repaired = self.database.repair(room)?;
        self.note(repaired);
        Ok(repaired)
    }

    /// Makes room for a deletion that failed, and says what changed by that: it can be tried again. `None` where it did not fail for
    /// want of room. Until [`Journal::repair`] finds space again only deletions are written.
    ///
    /// # Errors
    /// [`StoreError::Full`] where the disk is full and nothing is left to be given up.
    pub(crate) fn make_room(&self, failed: &StoreError) -> Result<Option<Repaired>, StoreError> {
        let made = self.database.make_room(failed)?;
        if let Some(repaired) = made {
            self.note(repaired);
        }
        Ok(made)
    }

    /// Opens the file again for who reads or deletes, if it is closed. Others wait for [`Journal::repair`] to find space.
    ///
    /// # Errors
    /// Why it can't be opened.
    pub(crate) fn reopen_for_reading(&self) -> Result<Repaired, StoreError> {
        self.database.reopen_for_reading().inspect(|repaired| self.note(*repaired))
    }

    /// Tells when the file was closed because the disk is full, and [`Journal::reopen_for_reading`] helps.
    pub(crate) fn found_full(&self) -> Arc<Notify> {
        self.database.found_full()
    }

    /// Whether room is kept for deletions.
    pub(crate) fn has_reserve(&self) -> bool {
        self.database.has_reserve()
    }

    /// Keeps room for deletions on a full disk, where it is not kept yet. Says in the log if it cannot.
    pub(crate) fn keep_reserve(&self) {
        self.database.keep_reserve();
    }

    /// A file that was opened again may hold bytes of what was removed from it.
    fn note(&self, repaired: Repaired) {
        if matches!(repaired, Repaired::Reopened | Repaired::BegunAnew) {
            self.stale.store(true, Ordering::Release);
        }
    }

    /// Writes what the journal holds into a new file that replaces the old one, so that nothing removed is left in
    /// free pages. Returns false when there was nothing to clear.
    pub(crate) fn rewrite(&self) -> Result<bool, StoreError> {
        if !self.stale.swap(false, Ordering::AcqRel) {
            return Ok(false);
        }
        self.database.rewrite().inspect_err(|_| self.stale.store(true, Ordering::Release))?;
        Ok(true)
    }

    /// Closes the file and releases its lock; later calls give [`StoreError::Closed`].
    pub(crate) fn close(&self) {
        self.database.close();
    }
}
