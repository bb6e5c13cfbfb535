//! The store's directory on disk.
//!
//! Responsible for: where things lie in it, creating it (wholly or not at all), making it durable.
//!
//! ```text
//! <directory>/journal.redb          accepted turns and readings that LanceDB does not have yet; the ledger
//! <directory>/lance/turns.lance     LanceDB tables
//! <directory>/lance/points.lance
//! <directory>/model                 the model whose vectors lie here
//! <directory>/reserve               room for a deletion when the disk is full
//! <directory>/scratch.lance           while the vector index is built; safe to delete
//! <directory>/broken/…              what could not be read and was moved aside; safe to delete, and gone after a deletion
//! ```

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{StoreError, is_full};

/// The store's directory.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    path: PathBuf,
    /// The file system that it was on when it was opened.
    device: u64,
}

impl Directory {
    /// Creates the directory where it is missing and makes sure that files can be created in it.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`]; directories created by this call are gone again then.
    pub(crate) fn prepare(path: &Path) -> Result<Self, StoreError> {
        let missing: Vec<&Path> =
            path.ancestors().take_while(|part| !part.as_os_str().is_empty() && !part.exists()).collect();
        let prepare = || {
            // What people say is nobody else's business on this machine.
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            probe(path)?;
            Ok(fs::metadata(path)?.dev())
        };
        prepare().map(|device| Self { path: path.to_owned(), device }).map_err(|source| {
            for part in missing {
                // Only directories that this call created, and only while they are empty.
                let _ = fs::remove_dir(part);
            }
            StoreError::Unwritable { path: path.to_owned(), source }
        })
    }

    /// A directory that is there, as it is.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`] where the system does not let it be seen.
    pub(crate) fn existing(path: &Path) -> Result<Self, StoreError> {
        let found = fs::metadata(path);
        found
            .map(|found| Self { path: path.to_owned(), device: found.dev() })
            .map_err(|source| StoreError::Unwritable { path: path.to_owned(), source })
    }

    /// Whether anything of a store lies here.
    pub(crate) fn holds_a_store(&self) -> bool {
        self.is_old() || [self.journal(), self.tables(), self.path.join(MODEL)].iter().any(|part| part.exists())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that the directory, or what is left of the way to it, is on the file system that it was on. Nothing may be
    /// repaired in a directory that only waits for its file system to be mounted.
    ///
    /// # Errors
    /// [`StoreError::Elsewhere`].
    pub(crate) fn ensure_same(&self) -> Result<(), StoreError> {
        let there = self.path.ancestors().find_map(|part| fs::metadata(part).ok());
        if there.is_some_and(|part| part.dev() == self.device) {
            return Ok(());
        }
        Err(StoreError::Elsewhere { path: self.path.clone() })
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join("journal.redb")
    }

    pub(crate) fn tables(&self) -> PathBuf {
        self.path.join("lance")
    }

    /// Where room is kept for deletions.
    pub(crate) fn reserve(&self) -> PathBuf {
        self.path.join("reserve")
    }

    /// Gives up the room that is kept for deletions, where the store can't be opened without it; false if there is none. Blocking.
    pub(crate) fn release_reserve(&self) -> Result<bool, StoreError> {
        let path = self.reserve();
        let is_there = path.exists();
        remove(&path).map_err(StoreError::file("remove", &path))?;
        Ok(is_there)
    }

    /// Where a table can lie that is needed for a moment only.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.path.join("scratch.lance")
    }

    pub(crate) fn table(&self, name: &str) -> PathBuf {
        self.tables().join(format!("{name}.lance"))
    }

    /// Bytes of all files here. Blocking.
    pub(crate) fn bytes(&self) -> u64 {
        bytes_below(&self.path)
    }

    /// Whether a store of the layout version before this one left its mark here.
    pub(crate) fn is_old(&self) -> bool {
        self.path.join("embedder").exists()
    }

    /// Records the model whose vectors lie here, or compares it with the recorded one. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Model`] if it is another one.
    pub(crate) fn bind_model(&self, name: &str) -> Result<(), StoreError> {
        if self.is_of_model(name)? {
            return Ok(());
        }
        let path = self.path.join(MODEL);
        fs::write(&path, model_file(name)).map_err(StoreError::file("write", &path))?;
        self.sync()
    }

    /// The model whose vectors lie here; empty where none is named yet. Blocking.
    pub(crate) fn model(&self) -> Result<String, StoreError> {
        let path = self.path.join(MODEL);
        match fs::read_to_string(&path) {
            Ok(found) => Ok(found.trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(StoreError::file("read", &path)(error)),
        }
    }

    /// Whether this is the model whose vectors lie here; false where none is named yet. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Model`] if it is another one.
    pub(crate) fn is_of_model(&self, name: &str) -> Result<bool, StoreError> {
        let found = self.model()?;
        if found.is_empty() || found == name {
            return Ok(found == name);
        }
        Err(StoreError::Model { path: self.path.clone(), found, expected: name.to_owned() })
    }

    /// Moves a file or directory of the store into `broken/` under a name that is not taken, and returns it.
    pub(crate) fn set_aside(&self, path: &Path) -> Result<PathBuf, StoreError> {
        let broken = self.path.join(BROKEN);
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let move_aside = || -> io::Result<PathBuf> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&broken)?;
            let free = |number: &usize| !broken.join(format!("{seconds}-{number}-{name}")).exists();
            let number = (0..).find(free).unwrap_or_default();
            let target = broken.join(format!("{seconds}-{number}-{name}"));
            fs::rename(path, &target)?;
            Ok(target)
        };
        move_aside().map_err(StoreError::file("move aside", path))
    }

    /// Whether anything was moved aside.
    pub(crate) fn has_set_aside(&self) -> bool {
        fs::read_dir(self.path.join(BROKEN)).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Removes what was moved aside, and returns how many files and directories that were. Blocking.
    pub(crate) fn remove_set_aside(&self) -> Result<usize, StoreError> {
        let broken = self.path.join(BROKEN);
        let count = fs::read_dir(&broken).map_or(0, Iterator::count);
        match fs::remove_dir_all(&broken) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::file("remove", &broken)(error)),
            _ => Ok(count),
        }
    }

    /// Returns once everything written below the directory has reached the disk. Blocking.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        let synced = File::open(&self.path).and_then(|directory| sync_file_system(&directory, &self.path));
        synced.map_err(StoreError::file("make durable", &self.path))
    }
}

/// Takes a file or a directory of the store from everybody but its owner. Where the system does not let that be done, as on a
/// file system without owners, it stays as it is.
pub(crate) fn keep_private(path: &Path) {
    let make_private = || {
        let found = fs::metadata(path)?;
        let owners = found.mode() & 0o700;
        if found.mode() & 0o777 != owners {
            fs::set_permissions(path, fs::Permissions::from_mode(owners))?;
        }
        io::Result::Ok(())
    };
    if let Err(error) = make_private() {
        tracing::debug!(%error, path = %path.display(), "who else may read it stays as it is");
    }
}

/// The file that names the model.
pub(crate) const MODEL: &str = "model";

/// What the file that names the model holds.
pub(crate) fn model_file(name: &str) -> String {
    format!("{name}\n")
}

/// Where what can't be used is moved to.
const BROKEN: &str = "broken";

/// Bytes of all files below a directory; files that come or go meanwhile may be left out.
fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    let bytes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

/// Creates, writes and removes a file. A full disk says nothing against the directory: what lies there can be read.
fn probe(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".probe-{}", std::process::id()));
    let written = fs::write(&path, b"mainpoint");
    let removed = remove(&path);
    match written {
        Err(error) if is_full(&error) => {
            tracing::warn!(directory = %directory.display(), cause = %error, "the disk of the store is full");
            Ok(())
        }
        written => written.and(removed),
    }
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn sync_file_system(directory: &File, _: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(directory)?)
}

/// Where there is no `syncfs`, every file and directory below is synced by itself.
#[cfg(not(target_os = "linux"))]
fn sync_file_system(directory: &File, path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        let opened = match File::open(&entry) {
            // Maintenance may have removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        if entry.is_dir() {
            sync_file_system(&opened, &entry)?;
        } else {
            opened.sync_all()?;
        }
    }
    directory.sync_all()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn a_directory_weighs_what_its_files_do() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::prepare(root.path()).unwrap();
        fs::create_dir(root.path().join("inner")).unwrap();
        fs::write(root.path().join("inner").join("one"), "12345").unwrap();
        fs::write(root.path().join("two"), "678").unwrap();
        assert_eq!(directory.bytes(), 8);
        fs::remove_dir_all(root.path()).unwrap();
        assert_eq!(directory.bytes(), 0);
    }
}
