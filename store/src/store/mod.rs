//! The handle to a store.
//!
//! Responsible for: the public operations, their contracts, opening and closing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::config::StoreConfig;
use crate::directory::{Directory, MODEL, model_file};
use crate::error::StoreError;
use crate::journal::Journal;
use crate::lance::opening::Inspected;
use crate::migration::{self, OldStore};
use crate::state::Shared;
use crate::status::StoreStatus;
use crate::tasks::blocking;
use crate::trouble::Trouble;
use crate::upkeep::maintenance::{self, MaintenanceReport};
use crate::upkeep::{flush, repair, schedule, watch};

mod deletions;
mod examination;
mod intake;
mod queries;
mod retain;

pub use examination::Examination;

/// A store of turns and their main points in one directory. Cheap to clone; all clones are the same store.
///
/// Every operation gives [`StoreError::Closed`] after [`Store::close`], and [`StoreError::Journal`],
/// [`StoreError::Lance`] or [`StoreError::File`] when the disk fails. Writes run to their end even if the caller stops
/// waiting for them (a deadline), so they are never left half done.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

impl Store {
    /// Opens the store in `config.directory`, creating it where there is none, replays the journal and starts two
    /// tasks: one flushes and maintains, the other one looks at the files. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`StoreError::InvalidConfig`], [`StoreError::Unwritable`] (nothing is left half created then),
    /// [`StoreError::InUse`], [`StoreError::Version`], [`StoreError::Migrating`], [`StoreError::Format`], [`StoreError::Refused`],
    /// [`StoreError::TableRefused`], [`StoreError::VectorWidth`], [`StoreError::Model`]. What is damaged is no error: it is
    /// moved aside, and the log says so. A full disk is none either, as long as nothing has to be written;
    /// [`StoreError::is_of_full_disk`] tells where something has, and that opening may be tried again.
    pub async fn open(config: StoreConfig) -> Result<Self, StoreError> {
        let store = Self::open_without_room(config).await?;
        store
            .shared
            .blocking(|shared| {
                shared.journal.keep_reserve();
                Ok(())
            })
            .await?;
        Ok(store)
    }

    /// The same for who is going to delete something and then to have the store maintained. Where the disk is full, the room
    /// that is kept for deletions is given up first, and kept again by maintenance.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreError::Full`] where the disk is full and no room was kept.
    pub async fn open_for_deletion(config: StoreConfig) -> Result<Self, StoreError> {
        let path = config.directory.clone();
        Self::open_without_room(config).await.map_err(|error| error.or_full(&path))
    }

    /// Opens without keeping room for deletions again; on a full disk that room is given up first.
    async fn open_without_room(config: StoreConfig) -> Result<Self, StoreError> {
        config.validate()?;
        match Self::open_once(config.clone()).await {
            Err(failed) if failed.is_of_full_disk() && release_reserve(&config).await => Self::open_once(config).await,
            opened => opened,
        }
    }

    async fn open_once(config: StoreConfig) -> Result<Self, StoreError> {
        let path = config.directory.clone();
        // Everything is looked at before anything is changed.
        let directory = blocking(move || {
            migration::ensure_ended(&path)?;
            let directory = Directory::prepare(&path)?;
            Journal::examine(&directory)?;
            Ok(directory)
        })
        .await?;
        let inspected = Inspected::new(&directory, &config).await?;
        let of_journal = directory.clone();
        let (journal, on_disk) = blocking(move || {
            let journal = Journal::open(&of_journal)?;
            let on_disk = journal.versions()?;
            Ok((journal, on_disk))
        })
        .await?;
        let opened = inspected.open(&directory, &config, on_disk).await?;
        if let Some(model) = config.model.clone() {
            let directory = directory.clone();
            blocking(move || directory.bind_model(&model)).await?;
        }
        let shared = Shared::new(config, directory, journal, opened.tables);
        if let Some(model) = &shared.config.model {
            shared.kept_files.keep(MODEL, model_file(model).as_bytes());
        }
        shared.losses.store(u64::from(opened.rows_lost), Ordering::Release);
        let store = Self { shared: Arc::new(shared) };
        repair::replay(&store.shared, opened.rows_lost).await?;
        tokio::spawn(schedule::background(Arc::downgrade(&store.shared)));
        tokio::spawn(watch::background(Arc::downgrade(&store.shared)));
        Ok(store)
    }

    /// Writes everything completed into LanceDB, waits until it is on disk and trims the journal.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.shared.ensure_open()?;
        flush::flush(&self.shared).await
    }

    /// Deletes what is older than [`StoreConfig::retain_for`], flushes, then compacts, indexes and prunes; clears the disk of what was
    /// deleted, and the ledger of conversations to which nothing was written for [`StoreConfig::ledger_age`].
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn maintain(&self) -> Result<MaintenanceReport, StoreError> {
        self.shared.ensure_open()?;
        maintenance::maintain(&self.shared).await
    }

    /// Builds the vector index now, however few points there are (at least 256), and returns the share of exact neighbours
    /// that it finds, 0 to 1. Maintenance does so by itself once a table is large, and keeps the index only if it is good.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn build_vector_index(&self) -> Result<f32, StoreError> {
        self.shared.ensure_open()?;
        maintenance::build_vector_index(&self.shared).await
    }

    /// Flushes, stops the background tasks and releases the directory. The second call does nothing.
    ///
    /// # Errors
    /// See [`Store`]; the store is closed all the same, and the journal keeps what could not be flushed.
    pub async fn close(&self) -> Result<(), StoreError> {
        if self.shared.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.shared.wake.notify_one();
        let flushed = flush::flush(&self.shared).await;
        self.shared
            .blocking(|shared| {
                shared.journal.close();
                Ok(())
            })
            .await?;
        flushed
    }

    /// How the store is doing, without waiting.
    pub fn status(&self) -> StoreStatus {
        let turn_index = self.shared.turn_index();
        StoreStatus {
            alive: !self.shared.closed.load(Ordering::Acquire),
            unread_turns: turn_index.unread_len(),
            unflushed_turns: turn_index.unflushed_len(),
            turns: self.shared.stored_turns.load(Ordering::Relaxed),
            points: self.shared.stored_points.load(Ordering::Relaxed),
            losses: self.shared.losses.load(Ordering::Acquire),
            deletions: self.shared.deletions.load(Ordering::Acquire),
        }
    }

    /// Puts a small file of the caller's in the store's directory back as it is now, whenever it is removed or changed while the store is
    /// open. Counted by [`StoreStatus::losses`].
    pub fn keep_file(&self, name: &str, bytes: &[u8]) {
        self.shared.kept_files.keep(name, bytes);
    }

    /// Bytes of all files in the store's directory.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn bytes_on_disk(&self) -> Result<u64, StoreError> {
        self.shared.ensure_open()?;
        self.shared.blocking(|shared| Ok(shared.directory.bytes())).await
    }

    /// What does not work at the moment, without waiting. Each of it is tried again by itself.
    #[must_use]
    pub fn troubles(&self) -> Vec<Trouble> {
        let journal = self.shared.journal.trouble();
        journal.into_iter().chain(self.shared.troubles.all()).collect()
    }

    /// Whether nothing at all is kept: no turn, read or not, and no entry of the ledger.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        self.shared.ensure_open()?;
        let status = self.status();
        if status.turns + status.points > 0 || status.unread_turns + status.unflushed_turns > 0 {
            return Ok(false);
        }
        self.shared.blocking(|shared| shared.journal.has_no_ledger()).await
    }

    /// Takes over what an old store holds besides its turns: its ledger, but for marks of turns that could not be read, since
    /// they are tried again. Deletes conversations that it no longer has, which an earlier attempt may have read from it.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn adopt(&self, old: &OldStore) -> Result<(), StoreError> {
        self.shared.ensure_open()?;
        migration::adopt(&self.shared, old).await
    }

    #[cfg(test)]
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// Gives up the room that is kept for deletions, for the store to be opened in; false if there was none.
async fn release_reserve(config: &StoreConfig) -> bool {
    let path = config.directory.clone();
    let released = blocking(move || Directory::existing(&path)?.release_reserve()).await;
    let is_released = matches!(released, Ok(true));
    if is_released {
        tracing::warn!("the disk is full; the room that is kept for deletions is given up for opening the store");
    }
    is_released
}
