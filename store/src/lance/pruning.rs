//! Removing the files of old versions, and those that no version names.
//!
//! Responsible for: how a table is pruned.

use std::io;

use chrono::TimeDelta;
use lance::Dataset;

use super::old_versions;
use crate::directory::Directory;
use crate::error::StoreError;

/// What goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outdated {
    /// Versions that no reader has any more, and the files that only they name. Others may be written meanwhile.
    OlderThanAnHour,
    /// The same, and the files that no version names. Only for who holds `writer`: those of a write under way are such files.
    OlderThanAnHourAndLeftovers,
    /// All versions but the newest and the files that it does not name, so that nothing of what was deleted is left. Only for who holds
    /// `writer` and has made the newest version durable.
    AllButTheNewest,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// Versions.
    pub(crate) versions: u64,
    /// Bytes of the files that only they named, or no version.
    pub(crate) bytes: u64,
}

/// Removes what is outdated of a table, seen from a version of it, which stays with all that came after it. An old version that
/// can't be read does not keep the others. Only for who holds `maintenance`.
///
/// # Errors
/// When Lance can't prune, and when files can't be removed.
pub(crate) async fn prune(
    directory: &Directory,
    name: &str,
    newest: &Dataset,
    outdated: Outdated,
) -> Result<Pruned, StoreError> {
    directory.ensure_same()?;
    let version = newest.version_id();
    let versions = match outdated {
        Outdated::OlderThanAnHour | Outdated::OlderThanAnHourAndLeftovers => 0,
        Outdated::AllButTheNewest => old_versions::remove_manifests(directory, name, version).await?,
    };
    let removed = match clean_up(directory, name, newest, outdated).await {
        Ok(removed) => removed,
        Err(failed) => {
            if old_versions::set_unreadable_aside(directory, name, version).await? == 0 {
                return Err(failed);
            }
            clean_up(directory, name, newest, outdated).await?
        }
    };
    if outdated != Outdated::OlderThanAnHour {
        old_versions::remove_unfinished(directory, name).await?;
    }
    Ok(Pruned { versions: versions + removed.versions, bytes: removed.bytes })
}

async fn clean_up(
    directory: &Directory,
    name: &str,
    newest: &Dataset,
    outdated: Outdated,
) -> Result<Pruned, StoreError> {
    let age = match outdated {
        Outdated::OlderThanAnHour | Outdated::OlderThanAnHourAndLeftovers => TimeDelta::hours(1),
        Outdated::AllButTheNewest => TimeDelta::zero(),
    };
    let leftovers = outdated != Outdated::OlderThanAnHour;
    let removed = newest.cleanup_old_versions(age, Some(leftovers), Some(false)).await;
    let removed = removed.map_err(StoreError::lance("prune a table"))?;
    if removed.failed_deletes > 0 {
        let failed = io::Error::other(format!("{} files are still there", removed.failed_deletes));
        return Err(StoreError::file("remove old files of", &directory.table(name))(failed));
    }
    Ok(Pruned { versions: removed.old_versions, bytes: removed.bytes_removed })
}
