//! A disk in memory that fails as a seed says.
//!
//! Responsible for: files of which what was not synced may be gone after a power loss, sector by sector; errors, a full disk, and the
//! end of the process in the middle of an operation. The tables lie on it as well, since they are made durable together.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{Builder, Database, DatabaseError, StorageBackend};
use rustix::io::Errno;

use super::commits::Commits;
use crate::directory::Directory;
use crate::error::StoreError;
use crate::journal::disk::{Disk, FileIdentity};
use crate::records::{Point, Turn};

const SECTOR: usize = 512;
const PAGE: u64 = 4096;

type Page = Box<[u8; PAGE as usize]>;

/// The disk, as one process sees it. Another process, after a crash, has another one of the same [`Platter`].
#[derive(Debug, Clone)]
pub(super) struct SimulatedDisk {
    platter: Arc<Mutex<Platter>>,
    life: u64,
}

/// What the disk holds, and what will go wrong.
#[derive(Debug)]
pub(super) struct Platter {
    names: BTreeMap<PathBuf, u64>,
    files: BTreeMap<u64, File>,
    pub(super) turns: Commits<Turn>,
    pub(super) points: Commits<Point>,
    choice: fastrand::Rng,
    /// The process that runs, counted.
    life: u64,
    pub(super) fault: Option<(u64, Fault)>,
    /// Pages that may be used, where there are not enough.
    pub(super) room: Option<u64>,
    /// Set when the process has ended in the middle of something.
    halted: Option<Halt>,
    pub(super) planted: Option<Planted>,
    /// How often the journal was taken for damaged.
    pub(super) set_aside: usize,
    /// A sum over all that was written, where and in which order: the same of two runs that are the same.
    pub(super) trace: u64,
    /// What went wrong, for the story.
    pub(super) told: Vec<String>,
}

/// What goes wrong at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Halt(Halt),
    /// The operation fails; a write may be done in part, a commit of the tables wholly.
    Error,
    /// A sync fails, and the system takes for written what it could not write. Other operations just fail.
    ForgottenSync,
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// What was written stays.
    Kill,
    /// What was not synced may be gone.
    PowerLoss,
}

/// A mistake that the simulation has to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planted {
    /// What the tables hold is taken for durable before it is: the journal is trimmed before they are synced.
    TrimBeforeSync,
    /// A transaction of the journal is acknowledged before it is on the disk.
    AcknowledgedBeforeCommit,
    /// A flush does not look for what a flush before it has written.
    FlushedTwice,
    /// A deletion says that the tables have carried it out before they have.
    DeletedInJournalAlone,
}

#[derive(Debug, Default)]
struct File {
    length: u64,
    pages: BTreeMap<u64, Page>,
    /// What pages held before each write since the last sync, oldest first.
    unsynced: BTreeMap<u64, Vec<Page>>,
    /// What is on the disk of pages that a sync could not write and that no later one writes, unless they are written again.
    forgotten: BTreeMap<u64, Page>,
    /// The lengths before each change of it since then.
    lengths: Vec<u64>,
}

/// An operation on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Write,
    Sync,
    Commit,
    Rename,
    Other,
}

/// How an operation goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Goes {
    Well,
    /// It fails, and is done in part or wholly, or not at all.
    Failing { is_done: bool, is_forgotten: bool },
}

impl SimulatedDisk {
    pub(super) fn new(seed: u64) -> Self {
        let platter = Platter {
            names: BTreeMap::new(),
            files: BTreeMap::new(),
            turns: Commits::default(),
            points: Commits::default(),
            choice: fastrand::Rng::with_seed(seed),
            life: 0,
            fault: None,
            room: None,
            halted: None,
            planted: None,
            set_aside: 0,
            trace: 0,
            told: Vec::new(),
        };
        Self { platter: Arc::new(Mutex::new(platter)), life: 0 }
    }

    pub(super) fn platter(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The versions of both tables.
    pub(super) fn table_versions(&self) -> (u64, u64) {
        let platter = self.platter();
        (platter.turns.version(), platter.points.version())
    }

    /// Ends the process from outside, if it has not ended.
    pub(super) fn halt(&self, how: Halt) {
        self.platter().halted.get_or_insert(how);
    }

    pub(super) fn is_halted(&self) -> bool {
        let platter = self.platter();
        platter.halted.is_some() || platter.life != self.life
    }

    /// The disk as the next process finds it. Nothing goes wrong with it before that is said again.
    pub(super) fn restart(&self) -> Self {
        let mut platter = self.platter();
        platter.life += 1;
        (platter.fault, platter.room) = (None, None);
        if platter.halted.take() == Some(Halt::PowerLoss) {
            platter.lose_power();
        }
        Self { platter: Arc::clone(&self.platter), life: platter.life }
    }

    /// Tells how an operation goes.
    ///
    /// # Errors
    /// Where the process has ended, or ends now.
    pub(super) fn begin(&self, operation: Operation) -> io::Result<(MutexGuard<'_, Platter>, Goes)> {
        let mut platter = self.platter();
        if platter.life != self.life || platter.halted.is_some() {
            return Err(off());
        }
        let goes = platter.next(operation);
        if let Some(how) = platter.halted {
            if operation != Operation::Write {
                return Err(off());
            }
            platter.told.push(format!("{how:?} in the middle of a write"));
        }
        Ok((platter, goes))
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// What goes wrong.
    pub(super) fn sync_all(&self) -> io::Result<()> {
        let (mut platter, goes) = self.begin(Operation::Sync)?;
        if goes == Goes::Well {
            let is_skipped = platter.planted == Some(Planted::TrimBeforeSync);
            platter.files.values_mut().for_each(File::sync);
            if !is_skipped {
                platter.turns.sync();
                platter.points.sync();
            }
        } else {
            platter.forget(&goes);
        }
        goes.result()
    }
}

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

impl Platter {
    fn named(&mut self, path: &Path) -> u64 {
        let next = self.files.keys().next_back().map_or(1, |last| last + 1);
        let inode = *self.names.entry(path.to_owned()).or_insert(next);
        self.files.entry(inode).or_default();
        inode
    }

    /// Counts an operation, and tells whether it is the one that goes wrong.
    fn next(&mut self, operation: Operation) -> Goes {
        let Some((left, fault)) = &mut self.fault else { return Goes::Well };
        if *left > 0 {
            *left -= 1;
            return Goes::Well;
        }
        let fault = *fault;
        self.fault = None;
        self.told.push(format!("{fault:?} at {operation:?}"));
        if let Fault::Halt(how) = fault {
            self.halted = Some(how);
        }
        Goes::Failing { is_done: self.choice.bool(), is_forgotten: fault == Fault::ForgottenSync }
    }

    /// Pages that a file takes, or that are kept free by one that only takes space.
    fn used_pages(&self) -> u64 {
        let pages = |file: &File| if file.pages.is_empty() { file.length / PAGE } else { file.pages.len() as u64 };
        self.files.values().map(pages).sum()
    }

    pub(super) fn free_pages(&self) -> u64 {
        self.room.map_or(u64::MAX, |room| room.saturating_sub(self.used_pages()))
    }

    /// From here on there is so little room.
    pub(super) fn leave_room(&mut self, pages: u64) {
        self.room = Some(self.used_pages() + pages);
    }

    /// After a sync that failed: where the system takes for written what it could not write, a later one does not write it either.
    fn forget(&mut self, goes: &Goes) {
        if let Goes::Failing { is_forgotten: true, .. } = goes {
            self.files.values_mut().for_each(File::forget);
        }
    }

    fn lose_power(&mut self) {
        let style = self.choice.u8(0..4);
        let mut choice = self.choice.fork();
        let mut pick = |versions: usize| match style {
            0 => 0,
            1 => versions,
            _ => choice.usize(0..=versions),
        };
        let mut lost = 0;
        for file in self.files.values_mut() {
            lost += file.lose(&mut pick);
        }
        let commits = self.turns.lose(&mut pick) + self.points.lose(&mut pick);
        self.told.push(format!("power lost: {lost} sectors of files and {commits} commits of tables are gone"));
    }
}

impl File {
    fn read(&self, offset: u64, out: &mut [u8]) {
        let mut at = 0;
        while at < out.len() {
            let place = offset + at as u64;
            let (page, within) = (place / PAGE, (place % PAGE) as usize);
            let count = (PAGE as usize - within).min(out.len() - at);
            match self.pages.get(&page) {
                Some(bytes) => out[at..at + count].copy_from_slice(&bytes[within..within + count]),
                None => out[at..at + count].fill(0),
            }
            at += count;
        }
    }

    fn keep_page(&mut self, page: u64) {
        let before = self.pages.get(&page).cloned().unwrap_or_else(empty);
        let forgotten = self.forgotten.remove(&page);
        self.unsynced.entry(page).or_default().extend(forgotten.into_iter().chain([before]));
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        (offset / PAGE..(offset + bytes.len() as u64).div_ceil(PAGE)).for_each(|page| self.keep_page(page));
        self.put(offset, bytes);
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let place = offset + at as u64;
            let (page, within) = (place / PAGE, (place % PAGE) as usize);
            let count = (PAGE as usize - within).min(bytes.len() - at);
            let target = self.pages.entry(page).or_insert_with(empty);
            target[within..within + count].copy_from_slice(&bytes[at..at + count]);
            at += count;
        }
    }

    fn set_length(&mut self, length: u64) {
        self.lengths.push(self.length);
        if length < self.length {
            let gone: Vec<u64> = self.pages.range(length.div_ceil(PAGE)..).map(|(page, _)| *page).collect();
            for page in gone {
                self.keep_page(page);
                self.pages.remove(&page);
            }
        }
        self.length = length;
    }

    fn sync(&mut self) {
        self.unsynced.clear();
        self.lengths.clear();
    }

    /// What was not synced is not synced by the next sync either.
    fn forget(&mut self) {
        for (page, versions) in std::mem::take(&mut self.unsynced) {
            self.forgotten.extend(versions.into_iter().next().map(|oldest| (page, oldest)));
        }
    }

    /// Puts sectors and the length back to what `pick` chooses of their versions; how many sectors are not the newest.
    fn lose(&mut self, pick: &mut impl FnMut(usize) -> usize) -> usize {
        let mut lost = 0;
        for (page, before) in std::mem::take(&mut self.forgotten) {
            self.unsynced.insert(page, vec![before]);
        }
        for (page, versions) in std::mem::take(&mut self.unsynced) {
            let target = self.pages.entry(page).or_insert_with(empty);
            for (sector, bytes) in target.chunks_mut(SECTOR).enumerate() {
                if let Some(version) = versions.get(pick(versions.len())) {
                    let from = sector * SECTOR;
                    bytes.copy_from_slice(&version[from..from + SECTOR]);
                    lost += 1;
                }
            }
        }
        let lengths = std::mem::take(&mut self.lengths);
        if let Some(length) = lengths.get(pick(lengths.len())) {
            self.length = *length;
        }
        self.pages.retain(|page, _| page * PAGE < self.length);
        lost
    }
}

/// An open file.
#[derive(Debug)]
struct Handle {
    disk: SimulatedDisk,
    file: u64,
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

impl Goes {
    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Well | Self::Failing { is_done: true, .. })
    }

    pub(super) fn result(&self) -> io::Result<()> {
        match self {
            Self::Well => Ok(()),
            Self::Failing { .. } => Err(io::Error::from_raw_os_error(Errno::IO.raw_os_error())),
        }
    }
}

fn empty() -> Page {
    Box::new([0; PAGE as usize])
}

fn off() -> io::Error {
    io::Error::other("the process has ended")
}

pub(super) fn full() -> io::Error {
    io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error())
}
