//! The directories of a migration.
//!
//! Responsible for: their names, exchanging and renaming them durably.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// The places of a migration.
pub(super) struct Paths {
    pub(super) live: PathBuf,
    pub(super) fresh: PathBuf,
    pub(super) backup: PathBuf,
}

impl Paths {
    pub(super) fn new(directory: &Path) -> Self {
        // Beside the directory itself, not beside a link to it.
        let live = directory.canonicalize().unwrap_or_else(|_| directory.components().collect());
        let beside = |ending: &str| {
            let mut name = live.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            live.with_file_name(name)
        };
        Self { fresh: beside(".migrating"), backup: beside(".version-2"), live }
    }

    /// Where the old store can lie without overwriting an earlier backup.
    pub(super) fn free_backup(&self) -> PathBuf {
        let numbered = |number: u32| {
            let mut name = self.backup.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        let names = std::iter::once(self.backup.clone()).chain((2..).map(numbered));
        names.into_iter().find(|path| !path.exists()).unwrap_or_else(|| self.backup.clone())
    }

    pub(super) fn ensure_beside(&self) -> Result<(), StoreError> {
        let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
        let parent = self.live.parent().unwrap_or(&self.live);
        let same = device(&self.live).and_then(|live| Ok(live == device(parent)?));
        match same.map_err(StoreError::file("look at", &self.live))? {
            true if self.live != parent => Ok(()),
            _ => Err(StoreError::MountPoint { path: self.live.clone() }),
        }
    }
}

/// Gives each of two directories the other's name at one stroke. False where the system cannot.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
pub(super) fn exchange(one: &Path, other: &Path) -> Result<bool, StoreError> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => {
            sync_beside(one)?;
            Ok(true)
        }
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => Ok(false),
        Err(error) => Err(StoreError::file("rename", one)(error.into())),
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
pub(super) fn exchange(_: &Path, _: &Path) -> Result<bool, StoreError> {
    Ok(false)
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(StoreError::file("rename", from))?;
    sync_beside(to)
}

/// Makes names in the directory of `path` durable.
fn sync_beside(path: &Path) -> Result<(), StoreError> {
    let parent = path.parent().unwrap_or(path);
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(StoreError::file("make durable", parent))
}
