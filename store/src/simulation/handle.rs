//! The simulated disk as the journal uses it, and its open files as redb does.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use redb::{Builder, Database, DatabaseError, StorageBackend};

use super::disk::{Goes, Operation, Planted, SimulatedDisk, full};
use super::file::{File, PAGE, SECTOR};
use crate::directory::Directory;
use crate::error::StoreError;
use crate::journal::disk::{Disk, FileIdentity};

impl Disk for SimulatedDisk {
    fn database(&self, builder: &Builder, path: &Path) -> Result<Database, DatabaseError> {
        let file = {
            let (mut platter, goes) = self.begin(Operation::Other).map_err(redb::StorageError::Io)?;
            goes.result().map_err(redb::StorageError::Io)?;
            platter.named(path)
        };
        builder.create_with_backend(Handle { disk: self.clone(), file })
    }

    fn head(&self, path: &Path, bytes: usize) -> io::Result<Vec<u8>> {
        let platter = self.platter();
        let file = platter.names.get(path).and_then(|name| platter.files.get(name)).ok_or(ErrorKind::NotFound)?;
        let mut head = vec![0; bytes.min(usize::try_from(file.length).unwrap_or(bytes))];
        file.read(0, &mut head);
        Ok(head)
    }

    fn identify(&self, path: &Path) -> io::Result<(FileIdentity, u64)> {
        let platter = self.platter();
        let inode = *platter.names.get(path).ok_or(ErrorKind::NotFound)?;
        let length = platter.files.get(&inode).map_or(0, |file| file.length);
        Ok((FileIdentity { device: 0, inode }, length))
    }

    fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (mut platter, goes) = self.begin(Operation::Other)?;
        goes.result()?;
        let copy =
            platter.names.get(from).and_then(|inode| platter.files.get(inode)).ok_or(ErrorKind::NotFound)?.copy();
        if platter.free_pages() < copy.pages.len() as u64 {
            return Err(full());
        }
        let inode = platter.named(to);
        platter.files.insert(inode, copy);
        Ok(())
    }

    fn put(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (mut platter, goes) = self.begin(Operation::Rename)?;
        if goes == Goes::Well || (goes.is_done() && platter.choice.bool()) {
            let inode = platter.names.remove(from).ok_or(ErrorKind::NotFound)?;
            if let Some(before) = platter.names.insert(to.to_owned(), inode) {
                platter.files.remove(&before);
            }
        }
        goes.result()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let (mut platter, goes) = self.begin(Operation::Other)?;
        goes.result()?;
        if let Some(inode) = platter.names.remove(path) {
            platter.files.remove(&inode);
        }
        Ok(())
    }

    fn set_aside(&self, _: &Directory, path: &Path) -> Result<PathBuf, StoreError> {
        let mut platter = self.platter();
        platter.set_aside += 1;
        platter.told.push("the journal was moved aside".to_owned());
        platter.names.remove(path);
        Ok(path.to_owned())
    }

    fn fill(&self, path: &Path, bytes: usize) -> io::Result<()> {
        let (mut platter, goes) = self.begin(Operation::Other)?;
        goes.result()?;
        let inode = platter.named(path);
        let pages = bytes as u64 / PAGE;
        if platter.free_pages() < pages {
            return Err(full());
        }
        // What only takes space need not be there.
        let file = platter.files.entry(inode).or_default();
        *file = File { length: bytes as u64, ..File::default() };
        Ok(())
    }
}

/// An open file.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) disk: SimulatedDisk,
    pub(super) file: u64,
}

impl Handle {
    /// Works on the file, if it is there still; one that was replaced is nobody's.
    fn with<T>(&self, work: impl FnOnce(&mut File) -> T) -> io::Result<T> {
        self.disk.platter().files.get_mut(&self.file).map(work).ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        self.with(|file| file.length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|file| {
            if offset + out.len() as u64 > file.length {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            file.read(offset, out);
            Ok(())
        })?
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let (mut platter, goes) = self.disk.begin(Operation::Other)?;
        goes.result()?;
        platter.files.entry(self.file).or_default().set_length(length);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let (mut platter, goes) = self.disk.begin(Operation::Sync)?;
        let is_skipped = platter.planted == Some(Planted::AcknowledgedBeforeCommit);
        match (&goes, platter.files.get_mut(&self.file)) {
            (Goes::Well, Some(file)) if !is_skipped => file.sync(),
            (Goes::Failing { is_forgotten: true, .. }, Some(file)) => file.forget(),
            _ => {}
        }
        goes.result()
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut platter, goes) = self.disk.begin(Operation::Write)?;
        let fresh = platter.files.get(&self.file).map_or(0, |file| {
            let pages = offset / PAGE..(offset + bytes.len() as u64).div_ceil(PAGE);
            pages.filter(|page| !file.pages.contains_key(page)).count() as u64
        });
        if platter.free_pages() < fresh {
            return Err(full());
        }
        let done = if goes == Goes::Well {
            bytes.len()
        } else {
            // Whole sectors of it.
            platter.choice.usize(0..=bytes.len() / SECTOR) * SECTOR
        };
        platter.trace = platter.trace.wrapping_mul(31).wrapping_add(offset + done as u64);
        if let Some(file) = platter.files.get_mut(&self.file) {
            file.length = file.length.max(offset + done as u64);
            file.write(offset, &bytes[..done]);
        }
        goes.result()
    }
}
