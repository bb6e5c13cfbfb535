//! Removing the files of old versions, and those that no version names.
//!
//! Responsible for: how a table is pruned. Must not know: which versions readers still need.

use std::io;
use std::sync::Arc;

use chrono::TimeDelta;
use lancedb::Table;
use lancedb::table::OptimizeAction;

use crate::directory::Directory;
use crate::error::StoreError;
use crate::lance::old_versions;
use crate::state::Shared;
use crate::trouble::one_line;

/// Which versions go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outdated {
    /// Those that no reader has any more.
    OlderThanAnHour,
    /// All of them, so that nothing of what was deleted is left.
    AllButTheNewest,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pruned {
    /// Versions.
    pub(super) versions: u64,
    /// Bytes of the files that only they named, or no version.
    pub(super) bytes: u64,
}

/// Removes old versions, the files that only they name and those that no version names. An old version that can't be read does not
/// keep the others. Only for who holds `maintenance` and `writer`: a file of a write under way is one that no version names yet.
///
/// # Errors
/// When Lance can't prune, and when files can't be removed.
pub(super) async fn prune(directory: &Directory, table: &Table, outdated: Outdated) -> Result<Pruned, StoreError> {
    directory.ensure_same()?;
    let (name, newest) = (table.name(), table.version().await.map_err(StoreError::lance("read a table's version"))?);
    let versions = match outdated {
        Outdated::OlderThanAnHour => 0,
        Outdated::AllButTheNewest => old_versions::remove_manifests(directory, name, newest).await?,
    };
    let removed = match clean_up(directory, table, outdated).await {
        Ok(removed) => removed,
        Err(failed) => {
            if old_versions::set_unreadable_aside(directory, name, newest).await? == 0 {
                return Err(failed);
            }
            clean_up(directory, table, outdated).await?
        }
    };
    old_versions::remove_unfinished(directory, name)?;
    Ok(Pruned { versions: versions + removed.versions, bytes: removed.bytes })
}

async fn clean_up(directory: &Directory, table: &Table, outdated: Outdated) -> Result<Pruned, StoreError> {
    let age = match outdated {
        Outdated::OlderThanAnHour => TimeDelta::hours(1),
        Outdated::AllButTheNewest => TimeDelta::zero(),
    };
    let action = OptimizeAction::Prune {
        older_than: Some(age),
        delete_unverified: Some(true),
        error_if_tagged_old_versions: Some(false),
    };
    let stats = table.optimize(action).await.map_err(StoreError::lance("prune a table"))?;
    let Some(removed) = stats.prune else {
        return Ok(Pruned::default());
    };
    if removed.failed_deletes > 0 {
        let failed = io::Error::other(format!("{} files are still there", removed.failed_deletes));
        return Err(StoreError::file("remove old files of", &directory.table(table.name()))(failed));
    }
    Ok(Pruned { versions: removed.old_versions, bytes: removed.bytes_removed })
}

/// Removes at once the files that no version needs but old ones, where a full disk lets nothing else be done. Only for who holds
/// `maintenance` and `writer`. What it cannot do maintenance does.
pub(super) async fn free_space(shared: &Arc<Shared>) {
    let open = shared.tables();
    let _no_readers = shared.gate.write().await;
    for table in [&open.turns, &open.points] {
        if let Err(error) = prune(&shared.directory, table, Outdated::AllButTheNewest).await {
            tracing::debug!(cause = one_line(&error), "old versions stay on the full disk");
        }
    }
}
