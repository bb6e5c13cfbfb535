//! Looking at a store without opening it.
//!
//! Responsible for: saying beforehand whether opening would be refused, and changing nothing.

use std::path::Path;

use super::Store;
use crate::config::StoreConfig;
use crate::directory::Directory;
use crate::error::StoreError;
use crate::journal::{Journal, JournalLook};
use crate::lance::opening::Inspected;
use crate::lance::schema;
use crate::migration;
use crate::tasks::blocking;

/// What a look at a store that can be opened says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Examination {
    /// The version of its layout.
    pub layout: u32,
    /// Turns in its tables; the journal may hold more.
    pub turns: u64,
    /// Turns that were accepted and that nobody has read yet; 0 while the journal cannot be read, as when it is in use.
    pub turns_waiting: u64,
    /// Whether there are memories, or what was put into prompts, as far as can be seen.
    pub holds_memories: bool,
    /// Whether a process has it open at the moment.
    pub is_in_use: bool,
    /// Whether opening moves damaged files aside.
    pub is_damaged: bool,
}

impl Store {
    /// Whether anything of a store lies in a directory. Changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Migrating`] where a migration has left it without its last step.
    pub fn is_there(directory: &Path) -> Result<bool, StoreError> {
        migration::ensure_ended(directory)?;
        Ok(directory.is_dir() && Directory::existing(directory)?.holds_a_store())
    }

    /// The model whose vectors the store in a directory holds, by the name that [`StoreConfig::model`] gave it; `None` where none
    /// is named. Changes nothing. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`] and [`StoreError::File`] where the system does not let it be read.
    pub fn model(directory: &Path) -> Result<Option<String>, StoreError> {
        let model = Directory::existing(directory)?.model()?;
        Ok(Some(model).filter(|model| !model.is_empty()))
    }

    /// Whether a process has the store in a directory open, which is found out without looking at more. Changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`], and those of a journal that cannot be used.
    pub async fn is_in_use(directory: &Path) -> Result<bool, StoreError> {
        let path = directory.to_owned();
        blocking(move || Ok(path.is_dir() && Journal::look(&Directory::existing(&path)?)? == JournalLook::InUse)).await
    }

    /// Looks at the store in `config.directory` and changes nothing; `None` where there is none, which opening would create.
    ///
    /// # Errors
    /// Those of [`Store::open`] that say that a store is there and cannot be used. One that a process has open is no error.
    pub async fn examine(config: &StoreConfig) -> Result<Option<Examination>, StoreError> {
        config.validate()?;
        let path = config.directory.clone();
        let model = config.model.clone();
        let found = blocking(move || {
            if !Self::is_there(&path)? {
                return Ok(None);
            }
            let directory = Directory::existing(&path)?;
            let journal = Journal::look(&directory)?;
            Ok(Some((directory, journal)))
        });
        let Some((directory, journal)) = found.await? else {
            return Ok(None);
        };
        let inspected = Inspected::new(&directory, config).await?;
        if let Some(model) = model {
            let directory = directory.clone();
            blocking(move || directory.is_of_model(&model)).await?;
        }
        let (turns, is_damaged) = inspected.turns().await?;
        let (turns_waiting, journal_holds) = match journal {
            JournalLook::Holds { waiting } => (waiting, true),
            _ => (0, false),
        };
        Ok(Some(Examination {
            layout: schema::VERSION,
            turns,
            turns_waiting,
            holds_memories: turns > 0 || journal_holds,
            is_in_use: journal == JournalLook::InUse,
            is_damaged: is_damaged || journal == JournalLook::Damaged,
        }))
    }
}
