//! The manifests of versions that are not the newest, and files that no version can name.
//!
//! Responsible for: removing them, moving aside what keeps Lance from pruning.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lance::index::DatasetIndexExt;

use super::inspection::{self, KNOWN_TO_WRITERS};
use super::manifest;
use crate::directory::{Directory, remove};
use crate::error::StoreError;
use crate::tasks::blocking;
use crate::trouble::one_line;

/// Removes the manifests of all versions but the newest, which has to be readable, and returns how many that were. What only they
/// named is removed by Lance then: whatever they say of themselves, none of them keeps anything.
///
/// # Errors
/// When the newest manifest can't be read, and when the system can't remove the others.
pub(crate) async fn remove_manifests(directory: &Directory, name: &str, newest: u64) -> Result<u64, StoreError> {
    let path = directory.table(name);
    read(&path, newest).await.map_err(StoreError::lance("read a table's newest manifest"))?;
    blocking(move || {
        let mut removed = 0;
        for (_, manifest) in older(&path, newest)? {
            remove(&manifest).map_err(StoreError::file("remove", &manifest))?;
            removed += 1;
        }
        Ok(removed)
    })
    .await
}

/// Moves the manifests of older versions aside that can't be read, and returns how many that were. Nothing depends on them.
///
/// # Errors
/// [`StoreError::File`] when they can't be listed or moved.
pub(crate) async fn set_unreadable_aside(directory: &Directory, name: &str, newest: u64) -> Result<usize, StoreError> {
    let path = directory.table(name);
    let mut moved = 0;
    let of_table = path.clone();
    for (version, manifest) in blocking(move || older(&of_table, newest)).await? {
        match read(&path, version).await {
            Ok(()) => continue,
            // What the system says passes, and is no word about what the file holds.
            Err(error) if inspection::is_of_system(&error) => continue,
            Err(error) => {
                let directory = directory.clone();
                let moved_to = blocking(move || directory.set_aside(&manifest)).await?;
                moved += 1;
                tracing::warn!(
                    table = name, version, cause = one_line(&error), moved_to = %moved_to.display(),
                    "the manifest of an old version can't be read; moved aside. Nothing depends on it"
                );
            }
        }
    }
    Ok(moved)
}

/// Removes the files beside those of rows that a write began under another name and did not end. Lance never looks at them.
///
/// # Errors
/// [`StoreError::File`] when they can't be listed or removed.
pub(crate) async fn remove_unfinished(directory: &Directory, name: &str) -> Result<usize, StoreError> {
    let path = directory.table(name).join("data");
    blocking(move || remove_all_but_rows(&path)).await
}

/// Blocking.
fn remove_all_but_rows(path: &Path) -> Result<usize, StoreError> {
    let failed = || StoreError::file("look through", path);
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries.map_err(failed())?,
    };
    let mut removed = 0;
    for entry in entries {
        let file = entry.map_err(failed())?.path();
        if file.is_file() && file.extension().is_none_or(|extension| extension != "lance") {
            remove(&file).map_err(StoreError::file("remove", &file))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The manifests of versions before the newest. Blocking.
fn older(table: &Path, newest: u64) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let mut found = manifest::list(table).map_err(StoreError::file("read the versions of", table))?;
    found.retain(|(version, _)| *version < newest);
    Ok(found)
}

/// Reads a version as it lies on the disk, whatever is known of it, and all that Lance reads of it when it prunes.
async fn read(table: &Path, version: u64) -> lance::Result<()> {
    let dataset = inspection::load(table, version, None).await?;
    if dataset.version_id() != version || dataset.manifest().writer_feature_flags & !KNOWN_TO_WRITERS != 0 {
        return Err(lance::Error::internal("it says what nobody writes"));
    }
    dataset.load_indices().await?;
    Ok(())
}
