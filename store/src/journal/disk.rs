//! What the journal asks of the file system.
//!
//! Responsible for: which file lies under a name, whether there is space. Must not know: what is in the file.

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

/// Removes a file if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
