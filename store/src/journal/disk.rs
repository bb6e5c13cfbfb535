//! What the journal asks of the file system.
//!
//! Responsible for: which file lies under a name, whether there is space, keeping some for deletions. Must not know: what is in the file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::directory::Directory;
use crate::error::StoreError;

/// Tells a file from another one that is put under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
}

/// Less space than this is no space: the next few transactions would fail again.
const SPACE: usize = 256 << 10;

/// Space that is kept for deletions: a transaction of the journal, and a version of each table.
const RESERVE: usize = 4 << 20;

/// Which file lies under a name, and its length.
pub(super) fn identify(path: &Path) -> Result<(FileIdentity, u64), StoreError> {
    let file = fs::metadata(path).map_err(StoreError::file("look at", path))?;
    let identity = FileIdentity { device: file.dev(), inode: file.ino() };
    Ok((identity, file.len()))
}

/// Makes sure that there is a directory, and space in it.
pub(super) fn ensure_space(directory: &Directory) -> Result<(), StoreError> {
    directory.ensure_same()?;
    let path = directory.path().join(".probe-space");
    let probe = || {
        fs::create_dir_all(directory.path())?;
        let mut file = File::create(&path)?;
        file.write_all(&vec![1; SPACE])?;
        file.sync_all()
    };
    let probed = probe();
    let _ = remove(&path);
    probed.map_err(StoreError::file("write to", directory.path()))
}

/// Makes sure that space is kept for deletions.
pub(super) fn keep_reserve(directory: &Directory) -> Result<(), StoreError> {
    let path = directory.reserve();
    if fs::metadata(&path).is_ok_and(|file| file.len() == RESERVE as u64) {
        return Ok(());
    }
    let keep = || {
        let mut file = File::create(&path)?;
        file.write_all(&vec![1; RESERVE])?;
        file.sync_all()
    };
    let kept = keep();
    if kept.is_err() {
        // Half of it is of no use to anybody.
        let _ = remove(&path);
    }
    kept.map_err(StoreError::file("keep room in", directory.path()))
}

/// Gives up the space that is kept for deletions; false if there is none.
pub(super) fn release_reserve(directory: &Directory) -> Result<bool, StoreError> {
    let path = directory.reserve();
    let is_there = path.exists();
    remove(&path).map_err(StoreError::file("remove", &path))?;
    Ok(is_there)
}

/// Removes a file if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn space_is_kept_once_and_given_up_once() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::prepare(root.path()).unwrap();
        assert!(!release_reserve(&directory).unwrap());
        keep_reserve(&directory).unwrap();
        let written = fs::metadata(directory.reserve()).unwrap().modified().unwrap();
        keep_reserve(&directory).unwrap();
        assert_eq!(fs::metadata(directory.reserve()).unwrap().modified().unwrap(), written);
        assert!(release_reserve(&directory).unwrap() && !directory.reserve().exists());
        fs::write(directory.reserve(), "half").unwrap();
        keep_reserve(&directory).unwrap();
        assert_eq!(directory.bytes(), RESERVE as u64);
    }
}
