//! A disk in memory that fails as a seed says.
//!
//! Responsible for: files of which what was not synced may be gone after a power loss, sector by sector; errors, a full disk, and the
//! end of the process in the middle of an operation. The tables lie on it as well, since they are made durable together.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::commits::Commits;
use super::file::{File, PAGE};
use crate::records::{Point, Turn};

/// The disk, as one process sees it. Another process, after a crash, has another one of the same [`Platter`].
#[derive(Debug, Clone)]
pub(super) struct SimulatedDisk {
    platter: Arc<Mutex<Platter>>,
    life: u64,
}

/// What the disk holds, and what will go wrong.
#[derive(Debug)]
pub(super) struct Platter {
    pub(super) names: BTreeMap<PathBuf, u64>,
    pub(super) files: BTreeMap<u64, File>,
    pub(super) turns: Commits<Turn>,
    pub(super) points: Commits<Point>,
    pub(super) choice: fastrand::Rng,
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
    Failing {
        is_done: bool,
        is_forgotten: bool,
    },
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
        match platter.halted.take() {
            Some(Halt::PowerLoss) => platter.lose_power(),
            // Nobody knows of a sync that failed in a process that was killed before it could make that good.
            _ => platter.files.values_mut().for_each(|file| file.forgotten.clear()),
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

impl Platter {
    pub(super) fn named(&mut self, path: &Path) -> u64 {
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

fn off() -> io::Error {
    io::Error::other("the process has ended")
}

pub(super) fn full() -> io::Error {
    io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error())
}
