//! What to do about a LanceDB table that does not open.
//!
//! Responsible for: moving broken manifests (or a whole broken table) aside, newest first, until the table opens.
//! Nothing is deleted. Must not know: how a table is opened, what it holds.
//!
//! The journal is trimmed only after LanceDB's files are on disk, so whatever a torn newest manifest had committed is
//! still in the journal and is written again by the next flush.

use std::fs;
use std::path::{Path, PathBuf};

use crate::directory::Directory;
use crate::error::StoreError;

/// Every manifest ends with these bytes.
const MAGIC: &[u8] = b"LANC";

/// Moves manifests that are torn (cut short, empty, zeroed) aside, before anything tries to read them. Returns how
/// many.
///
/// # Errors
/// [`StoreError::File`] when one can't be read or moved.
pub(crate) fn set_torn_manifests_aside(directory: &Directory, table: &str) -> Result<usize, StoreError> {
    let mut moved = 0;
    for path in manifests(&directory.table(table))? {
        if is_whole(&path)? {
            break;
        }
        set_aside(directory, table, &path)?;
        moved += 1;
    }
    Ok(moved)
}

/// Moves the newest manifest of a table that does not open aside. False when there is none.
///
/// # Errors
/// [`StoreError::File`] when it can't be read (then the fault lies elsewhere and nothing is moved) or moved.
pub(crate) fn roll_back(directory: &Directory, table: &str) -> Result<bool, StoreError> {
    let Some(newest) = manifests(&directory.table(table))?.into_iter().next() else {
        return Ok(false);
    };
    is_whole(&newest)?;
    set_aside(directory, table, &newest)?;
    Ok(true)
}

/// Moves what is left of a table without any manifest aside, so that it can be created anew. False when there is
/// nothing.
pub(crate) fn set_remains_aside(directory: &Directory, table: &str) -> Result<bool, StoreError> {
    let path = directory.table(table);
    if !path.exists() {
        return Ok(false);
    }
    let moved_to = directory.set_aside(&path)?;
    tracing::error!(table, moved_to = %moved_to.display(), "a table has no readable version left; begun anew");
    Ok(true)
}

fn set_aside(directory: &Directory, table: &str, manifest: &Path) -> Result<(), StoreError> {
    let moved_to = directory.set_aside(manifest)?;
    // Lance's note of the newest version only saves it a listing.
    let _ = fs::remove_file(manifest.with_file_name("latest_version_hint.json"));
    tracing::error!(
        table, manifest = %manifest.display(), moved_to = %moved_to.display(),
        "a table's newest manifest can't be read; moved aside and rolled back one version. The journal writes again what it has"
    );
    Ok(())
}

fn is_whole(manifest: &Path) -> Result<bool, StoreError> {
    let bytes = fs::read(manifest).map_err(file_error("read", manifest))?;
    Ok(bytes.len() >= 16 && bytes.ends_with(MAGIC))
}

/// The manifests of a table, newest first.
fn manifests(table: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let versions = table.join("_versions");
    if !versions.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&versions).map_err(file_error("list", &versions))? {
        let path = entry.map_err(file_error("list", &versions))?.path();
        if let Some(version) = version_of(&path) {
            found.push((version, path));
        }
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Lance names manifests `{u64::MAX - version}.manifest` with 20 digits, in older tables `{version}.manifest`.
fn version_of(path: &Path) -> Option<u64> {
    let number = path.file_name()?.to_str()?.strip_suffix(".manifest")?;
    let value: u64 = number.parse().ok()?;
    Some(if number.len() == 20 { u64::MAX - value } else { value })
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File { action, path, source }
}
