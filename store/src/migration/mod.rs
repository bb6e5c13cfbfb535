//! A store of the layout version before this one gives way to one in which its turns were read again.
//!
//! Responsible for: where the new store is made, taking over what is no turn, putting it in the old one's place so that
//! a crash at any moment loses nothing.
//!
//! ```text
//! <directory>               the old store, and in the end the new one
//! <directory>.migrating     the new store while it is made; for a moment the old one
//! <directory>.version-2     the old store, for its owner to delete
//! ```

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt;
use lancedb::query::{ExecutableQuery, QueryBase, Select};

use crate::error::StoreError;
use crate::lance::columns;
use crate::lance::schema::column;
use crate::records::{ConversationId, Deletion, Extent, Scope};
use crate::state::Shared;
use crate::upkeep::{deletion, flush};
pub use old_store::OldStore;
use paths::{Paths, exchange, rename};

mod old_store;
mod paths;

/// What is to be done about the store in a directory.
pub enum Migration {
    /// Nothing: there is none, or it is of the layout version that is read here.
    Nothing,
    /// Nothing any more: an earlier migration had only its last step to do, which is done. The old store is kept here.
    Finished(PathBuf),
    /// The turns of an old store are to be read into a new one.
    Due(Box<OldStore>),
}

/// Looks at the store in a directory. Ends a migration that was interrupted at its last step.
///
/// # Errors
/// [`StoreError::InUse`], [`StoreError::MountPoint`], what keeps an old store from being read, [`StoreError::File`].
pub async fn begin_migration(directory: &Path) -> Result<Migration, StoreError> {
    let paths = Paths::new(directory);
    if !paths.live.exists() && paths.fresh.exists() && paths.backup.exists() {
        rename(&paths.fresh, &paths.live)?;
        return Ok(Migration::Finished(paths.backup));
    }
    if let Some(old) = OldStore::open(&paths.live).await? {
        paths.ensure_beside()?;
        return Ok(Migration::Due(Box::new(old)));
    }
    match OldStore::open(&paths.fresh).await? {
        Some(_old) if paths.live.exists() => {
            let backup = paths.free_backup();
            rename(&paths.fresh, &backup)?;
            Ok(Migration::Finished(backup))
        }
        _ => Ok(Migration::Nothing),
    }
}

impl OldStore {
    /// Where the new store is made. What an interrupted migration left there is gone on with.
    #[must_use]
    pub fn fresh(&self) -> PathBuf {
        Paths::new(self.directory().path()).fresh
    }

    /// Puts the new store, which is closed, in this one's place, and returns where this one is kept.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn give_way(self) -> Result<PathBuf, StoreError> {
        let paths = Paths::new(self.directory().path());
        let backup = paths.free_backup();
        if exchange(&paths.live, &paths.fresh)? {
            rename(&paths.fresh, &backup)?;
        } else {
            rename(&paths.live, &backup)?;
            rename(&paths.fresh, &paths.live)?;
        }
        Ok(backup)
    }
}

/// Refuses a directory that is not there because a migration was interrupted between its last two steps.
pub(crate) fn ensure_ended(directory: &Path) -> Result<(), StoreError> {
    let paths = Paths::new(directory);
    if !paths.live.exists() && paths.fresh.exists() && paths.backup.exists() {
        return Err(StoreError::Migrating { path: paths.live });
    }
    Ok(())
}

/// Takes over what an old store holds besides its turns, and deletes conversations that it no longer has.
pub(crate) async fn adopt(shared: &Arc<Shared>, old: &OldStore) -> Result<(), StoreError> {
    let lines = old.ledger().await?;
    shared.blocking(move |shared| shared.journal.adopt_ledger(&lines)).await?;
    flush::flush(shared).await?;
    for (scope, conversation) in conversations(shared).await? {
        if !old.has_conversation(&scope, conversation) {
            deletion::delete(shared, Deletion { scope, extent: Extent::Conversation(conversation) }).await?;
        }
    }
    Ok(())
}

/// Every conversation that has a turn.
async fn conversations(shared: &Arc<Shared>) -> Result<HashSet<(Scope, ConversationId)>, StoreError> {
    let failed = || StoreError::lance("list conversations");
    let accepted = shared.blocking(|shared| shared.journal.accepted()).await?;
    let mut found: HashSet<_> = accepted.into_iter().map(|turn| (turn.scope, turn.conversation)).collect();
    let _reading = shared.gate.read().await;
    let columns = Select::columns(&[column::SCOPE, column::CONVERSATION]);
    let query = shared.tables().turns.query().select(columns);
    let mut stream = query.execute().await.map_err(failed())?;
    while let Some(batch) = stream.try_next().await.map_err(failed())? {
        let scopes = columns::strings(&batch, column::SCOPE)?;
        let conversations = columns::identifiers_from(&batch, column::CONVERSATION)?;
        for (scope, conversation) in scopes.iter().flatten().zip(conversations) {
            found.insert((Scope::new(scope)?, conversation));
        }
    }
    Ok(found)
}
