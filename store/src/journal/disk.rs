//! What the journal asks of the file system.
//!
//! Responsible for: opening the database, which file lies under a name, whether there is space, keeping some for deletions, writing a
//! file anew.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Builder, Database, DatabaseError};

use crate::directory::{self, Directory, keep_private};
use crate::error::StoreError;

/// Tells a file from another one that is put under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// Less space than this is no space: the next few transactions would fail again.
pub(crate) const SPACE: usize = 256 << 10;

/// Space that is kept for deletions: a transaction of the journal, and a version of each table.
pub(crate) const RESERVE: usize = 4 << 20;

/// The files of the journal.
pub(crate) trait Disk: Debug + Send + Sync {
    /// Opens the database in a file, or begins one there.
    fn database(&self, builder: &Builder, path: &Path) -> Result<Database, DatabaseError>;

    /// The first bytes of a file, up to so many.
    fn head(&self, path: &Path, bytes: usize) -> io::Result<Vec<u8>>;

    /// Which file lies under a name, and its length.
    fn identify(&self, path: &Path) -> io::Result<(FileIdentity, u64)>;

    /// Copies a file to where there may be another one. All of the copy is on the disk when this returns.
    fn copy(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Puts a file under another name, in the place of what lies there. It is there for good when this returns.
    fn put(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file if it is there.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Moves a file of a store out of the way, and says where it is now.
    fn set_aside(&self, directory: &Directory, path: &Path) -> Result<PathBuf, StoreError>;

    /// Makes a file of that many bytes, all of which are on the disk afterwards. Where it fails, part of the file may be there.
    fn fill(&self, path: &Path, bytes: usize) -> io::Result<()>;
}

/// The file system itself.
#[derive(Debug)]
pub(crate) struct FileSystem;

impl Disk for FileSystem {
    fn database(&self, builder: &Builder, path: &Path) -> Result<Database, DatabaseError> {
        builder.create(path).inspect(|_| keep_private(path))
    }

    fn head(&self, path: &Path, bytes: usize) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        File::open(path)?.take(bytes as u64).read_to_end(&mut head)?;
        Ok(head)
    }

    fn identify(&self, path: &Path) -> io::Result<(FileIdentity, u64)> {
        let file = fs::metadata(path)?;
        Ok((FileIdentity { device: file.dev(), inode: file.ino() }, file.len()))
    }

    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        directory::remove(to)?;
        fs::copy(from, to)?;
        File::open(to)?.sync_all()
    }

    fn put(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        to.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        directory::remove(path)
    }

    fn set_aside(&self, directory: &Directory, path: &Path) -> Result<PathBuf, StoreError> {
        directory.set_aside(path)
    }

    fn fill(&self, path: &Path, bytes: usize) -> io::Result<()> {
        let mut file = File::create(path)?;
        // A file system may compress what it holds, or keep what it has already only once.
        let mut noise = vec![0; bytes];
        fastrand::fill(&mut noise);
        file.write_all(&noise)?;
        file.sync_all()
    }
}

/// The space in a store's directory.
#[derive(Debug)]
pub(super) struct Space {
    directory: Directory,
    disk: Arc<dyn Disk>,
}

impl Space {
    /// That in this directory.
    pub(super) fn new(directory: &Directory, disk: Arc<dyn Disk>) -> Self {
        Self { directory: directory.clone(), disk }
    }

    /// Makes sure that there is a directory, and space for so many bytes in it.
    ///
    /// # Errors
    /// [`StoreError::Elsewhere`], or what the file system says.
    pub(super) fn ensure(&self, bytes: usize) -> Result<(), StoreError> {
        self.directory.ensure_same()?;
        let path = self.directory.path().join(".probe-space");
        let probed = fs::create_dir_all(self.directory.path()).and_then(|()| self.disk.fill(&path, bytes));
        let _ = self.disk.remove(&path);
        probed.map_err(StoreError::file("write to", self.directory.path()))
    }

    /// Whether space is kept for deletions.
    pub(super) fn has_reserve(&self) -> bool {
        self.disk.identify(&self.directory.reserve()).is_ok_and(|(_, length)| length == RESERVE as u64)
    }

    /// Makes sure that space is kept for deletions.
    ///
    /// # Errors
    /// What the file system says; nothing is kept then.
    pub(super) fn keep_reserve(&self) -> Result<(), StoreError> {
        if self.has_reserve() {
            return Ok(());
        }
        let path = self.directory.reserve();
        let kept = self.disk.fill(&path, RESERVE);
        if kept.is_err() {
            // Half of it is of no use to anybody.
            let _ = self.disk.remove(&path);
        }
        kept.map_err(StoreError::file("keep room in", self.directory.path()))
    }

    /// Puts a copy in the place of a journal that may not be on the disk as it reads.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn write_anew(&self) -> Result<(), StoreError> {
        let path = self.directory.journal();
        let fresh_path = path.with_extension("redb.new");
        let copied = match self.disk.copy(&path, &fresh_path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            copied => copied.and_then(|()| self.disk.put(&fresh_path, &path)),
        };
        copied.map_err(|source| {
            // Half a copy would only take space.
            let _ = self.disk.remove(&fresh_path);
            StoreError::file("copy", &path)(source)
        })
    }

    /// Gives up the space that is kept for deletions; false if there is none.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn release_reserve(&self) -> Result<bool, StoreError> {
        let path = self.directory.reserve();
        let is_there = self.disk.identify(&path).is_ok();
        self.disk.remove(&path).map_err(StoreError::file("remove", &path))?;
        Ok(is_there)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    fn space_in(root: &Path) -> Space {
        Space::new(&Directory::prepare(root).unwrap(), Arc::new(FileSystem))
    }

    #[test]
    fn space_is_kept_once_and_given_up_once() {
        let root = tempfile::tempdir().unwrap();
        let space = space_in(root.path());
        let reserve = space.directory.reserve();
        assert!(!space.release_reserve().unwrap());
        space.keep_reserve().unwrap();
        let written = fs::metadata(&reserve).unwrap().modified().unwrap();
        space.keep_reserve().unwrap();
        assert_eq!(fs::metadata(&reserve).unwrap().modified().unwrap(), written);
        assert!(space.has_reserve());
        assert!(space.release_reserve().unwrap() && !reserve.exists() && !space.has_reserve());
        fs::write(&reserve, "half").unwrap();
        assert!(!space.has_reserve());
        space.keep_reserve().unwrap();
        assert_eq!(space.directory.bytes(), RESERVE as u64);
    }

    #[test]
    fn what_only_takes_space_cannot_be_compressed_nor_shared_with_what_took_it_before() {
        let root = tempfile::tempdir().unwrap();
        let space = space_in(root.path());
        let kept = || {
            space.keep_reserve().unwrap();
            let bytes = fs::read(space.directory.reserve()).unwrap();
            space.release_reserve().unwrap();
            bytes
        };
        let (one, other) = (kept(), kept());
        let mut counts = [0_usize; 256];
        one.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
        let mean = RESERVE / 256;
        assert!(counts.iter().all(|count| count.abs_diff(mean) < mean / 10), "every byte is as common as any other");
        let blocks = |bytes: &[u8]| bytes.chunks(4096).map(<[u8]>::to_vec).collect::<std::collections::HashSet<_>>();
        assert_eq!(blocks(&one).len(), RESERVE / 4096, "no block comes twice");
        assert!(blocks(&one).is_disjoint(&blocks(&other)));
    }

    #[test]
    fn a_probe_for_space_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let space = space_in(root.path());
        space.ensure(SPACE).unwrap();
        space.ensure(RESERVE).unwrap();
        assert_eq!(space.directory.bytes(), 0);
    }
}
