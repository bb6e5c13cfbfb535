//! The open database behind the journal, and what is done when it fails.
//!
//! Responsible for: transactions, noticing that the file failed or is no longer where it was, closing, reopening and
//! replacing it.
//!
//! redb latches: after one error of the file every call fails until the database is closed and opened again. So the first
//! error closes it here, every later call is told so at once without touching the disk, and [`DatabaseHandle::repair`] opens it again.
//!
//! Where the disk is full, whoever looks after the file is woken at once and opens it again
//! ([`DatabaseHandle::reopen_for_reading`]), so that what it holds can be read. A deletion still works:
//! [`DatabaseHandle::make_room`] gives up the space that is kept for that, and nothing but deletions is written until there is space
//! again.
//!
//! A system that could not write what it had in memory says so once, to one sync, and may take it for written from then on: what is
//! read is there, the next sync succeeds, and a power failure shows that it is not on the disk. So of a file that was closed because of
//! an error a copy is written, and that is opened.
//!
//! A file that was removed or replaced under its name stays usable through the open handle, but what is written to it is gone
//! with the process. Then nothing more is acknowledged until what the handle holds has been written under the name again.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};
use tokio::sync::Notify;

use super::disk::{Disk, FileIdentity, RESERVE, SPACE, Space};
use super::faults::{FileFault, begin_trouble, say_working};
use super::file::{self, Opened};
use super::redb_calls::{caught, copy, is_of_the_file, is_usable, next_generation};
use super::repaired::{Repaired, Room};
use crate::directory::Directory;
use crate::error::StoreError;
use crate::trouble::{StorePart, Trouble, one_line};

/// The database, or why there is none.
#[derive(Debug)]
pub(super) struct DatabaseHandle {
    directory: Directory,
    disk: Arc<dyn Disk>,
    space: Space,
    state: RwLock<State>,
    /// Held while something is written, so that the file's length can be compared with what it was left at.
    length: Mutex<u64>,
    /// Held by whoever repairs or closes. Opening may take long, and meanwhile calls fail at once instead of waiting for `state`.
    repairing: Mutex<()>,
    /// Whether the system may take for written what it could not write, as it does once it has said so. Then the file is written anew
    /// before anything else is kept in it.
    is_doubtful: AtomicBool,
    /// Wakes whoever repairs.
    found_full: Arc<Notify>,
}

#[derive(Debug)]
enum State {
    Open(Open),
    /// Closed because of an error; opened again by [`DatabaseHandle::repair`].
    Down(Trouble),
    Closed,
}

#[derive(Debug)]
struct Open {
    database: Database,
    /// Counts how often a database was put here, so that a late error of an earlier one does not close a later one.
    generation: u64,
    identity: FileIdentity,
    /// Set when the file is no longer under its name.
    detached: Option<Trouble>,
    /// Set while only deletions are written, in the space that was kept for them.
    short: Option<Trouble>,
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To keep something.
    Keeping,
    /// To delete something, which works in the space that is kept for it.
    Deleting,
}

impl DatabaseHandle {
    pub(super) fn open(directory: &Directory, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let Opened { database, .. } = file::open(directory, &*disk)?;
        let (open, length) = Open::new(database, directory, &*disk)?;
        let (state, length) = (RwLock::new(State::Open(open)), Mutex::new(length));
        let space = Space::new(directory, Arc::clone(&disk));
        Ok(Self {
            directory: directory.clone(),
            disk,
            space,
            state,
            length,
            repairing: Mutex::default(),
            is_doubtful: AtomicBool::new(false),
            found_full: Arc::default(),
        })
    }

    /// What is wrong at the moment.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        match &*self.state() {
            State::Open(open) => open.detached.as_ref().or(open.short.as_ref()).cloned(),
            State::Down(trouble) => Some(trouble.clone()),
            State::Closed => None,
        }
    }

    /// One durable transaction.
    pub(super) fn write<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        self.transact(Purpose::Keeping, action, work)
    }

    /// One durable transaction that deletes, or notes what became of a deletion.
    pub(super) fn write_deletion<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        self.transact(Purpose::Deleting, action, work)
    }

    fn transact<T>(
        &self,
        purpose: Purpose,
        action: &'static str,
        work: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let state = self.state();
        let open = state.open(purpose)?;
        let mut length = self.length();
        if let Some(fault) = self.fault_of_file(open, *length) {
            let generation = open.generation;
            drop((length, state));
            self.note_fault(generation, fault);
            return Err(self.down());
        }
        let generation = open.generation;
        let done = caught(|| {
            let transaction = open.database.begin_write()?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        });
        if let Ok((_, now)) = self.disk.identify(&self.directory.journal()) {
            *length = now;
        }
        drop((length, state));
        self.concluded(action, generation, done)
    }

    pub(super) fn read<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let state = self.state();
        let open = state.readable()?;
        let generation = open.generation;
        let done = caught(|| work(&open.database.begin_read()?));
        drop(state);
        self.concluded(action, generation, done)
    }

    /// Compares the file with what it should be, if nothing is being written at the moment.
    pub(super) fn check_file(&self) {
        let state = self.state();
        let State::Open(open) = &*state else { return };
        let Ok(length) = self.length.try_lock() else { return };
        let generation = open.generation;
        if open.detached.is_some() {
            return;
        }
        let fault = self.fault_of_file(open, *length);
        drop((length, state));
        if let Some(fault) = fault {
            self.note_fault(generation, fault);
        }
    }

    /// Makes good what is wrong, if that is possible now. What was released for deletions is for them alone until it is kept again,
    /// also where the file was closed in between.
    pub(super) fn repair(&self, room: Room) -> Result<Repaired, StoreError> {
        let _nobody_else = self.repairing();
        self.repair_alone(room)
    }

    /// Only for who holds `repairing`.
    fn repair_alone(&self, room: Room) -> Result<Repaired, StoreError> {
        let mut state = self.state_mut();
        let trouble = match &mut *state {
            State::Closed => return Err(StoreError::Closed),
            State::Open(open) if open.detached.is_none() => {
                return match room {
                    Room::Keep => self.relieve(open),
                    Room::Leave => Ok(Repaired::Nothing),
                };
            }
            State::Open(_) => {
                self.space.ensure(SPACE)?;
                self.replace(&mut state)?;
                tracing::warn!(
                    "the journal's file was removed or replaced while it was open; written anew, nothing is lost"
                );
                return Ok(Repaired::Replaced);
            }
            State::Down(trouble) => trouble.clone(),
        };
        drop(state);
        match self.space.ensure(SPACE) {
            // What the file holds can be read all the same, and be deleted.
            Err(full) if full.is_of_full_disk() => return self.reopen(Some(trouble)),
            ensured => ensured?,
        }
        let has_room = match room {
            Room::Keep => self.space.keep_reserve().and_then(|()| self.space.ensure(SPACE)).is_ok(),
            Room::Leave => self.space.has_reserve(),
        };
        if has_room {
            let repaired = self.reopen(None)?;
            say_working(&trouble);
            return Ok(repaired);
        }
        self.reopen(Some(trouble))
    }

    /// Opens a file again that was closed, for who reads or deletes: they need not wait for space.
    pub(super) fn reopen_for_reading(&self) -> Result<Repaired, StoreError> {
        let _nobody_else = self.repairing();
        let trouble = match &*self.state() {
            State::Down(trouble) => trouble.clone(),
            State::Open(_) | State::Closed => return Ok(Repaired::Nothing),
        };
        self.directory.ensure_same()?;
        self.reopen(Some(trouble))
    }

    /// Makes room for a deletion that failed, and says what changed by that; `None` where it did not fail for want of room. That is so
    /// where its error says it, and where there is less than a deletion needs.
    ///
    /// # Errors
    /// [`StoreError::Full`] where the disk is full and nothing is left to be given up.
    pub(super) fn make_room(&self, failed: &StoreError) -> Result<Option<Repaired>, StoreError> {
        self.directory.ensure_same()?;
        let _nobody_else = self.repairing();
        if !failed.is_of_full_disk() {
            match self.space.ensure(RESERVE) {
                Ok(()) => {
                    let repaired = self.repair_alone(Room::Leave)?;
                    // It may have been opened again since.
                    let was_down = matches!(failed, StoreError::JournalDown { .. });
                    return Ok((was_down || repaired != Repaired::Nothing).then_some(repaired));
                }
                Err(error) if error.is_of_full_disk() => {}
                Err(error) => return Err(error),
            }
        }
        let mut state = self.state_mut();
        if !self.space.release_reserve()? {
            drop(state);
            // Something else may have made room by now.
            self.space.ensure(RESERVE).map_err(|error| error.or_full(self.directory.path()))?;
            return self.repair_alone(Room::Leave).map(Some);
        }
        tracing::warn!("the disk is full; the room that is kept for deletions is given up for one");
        let trouble = match &mut *state {
            State::Closed => return Err(StoreError::Closed),
            State::Open(open) => {
                open.short.get_or_insert_with(|| Trouble::new(StorePart::Journal, "the disk is full".to_owned()));
                return Ok(Some(Repaired::Nothing));
            }
            State::Down(trouble) => trouble.clone(),
        };
        drop(state);
        self.reopen(Some(trouble)).map(Some)
    }

    /// Tells when the file was closed because the disk is full, so that it can be opened again.
    pub(super) fn found_full(&self) -> Arc<Notify> {
        Arc::clone(&self.found_full)
    }

    /// Whether room is kept for deletions.
    pub(super) fn has_reserve(&self) -> bool {
        self.space.has_reserve()
    }

    /// Keeps room for deletions, if there is any.
    pub(super) fn keep_reserve(&self) {
        let state = self.state();
        if let State::Open(Open { detached: None, short: None, .. }) = &*state
            && let Err(error) = self.space.keep_reserve()
        {
            tracing::warn!(
                cause = one_line(&error),
                "no room can be kept for deletions; on a full disk they will fail"
            );
        }
    }

    /// Writes everything again, if there is space for it and for the next deletion.
    fn relieve(&self, open: &mut Open) -> Result<Repaired, StoreError> {
        if open.short.is_none() {
            return Ok(Repaired::Nothing);
        }
        self.space.keep_reserve()?;
        self.space.ensure(SPACE)?;
        if let Some(trouble) = open.short.take() {
            say_working(&trouble);
        }
        Ok(Repaired::Relieved)
    }

    /// Opens the file again, with what it is short of. Only for who holds `repairing`, while there is no database: nobody else makes one.
    fn reopen(&self, short: Option<Trouble>) -> Result<Repaired, StoreError> {
        // redb would write to it as soon as it opens it.
        if self.is_doubtful.load(Ordering::Acquire) {
            self.space.write_anew()?;
            self.is_doubtful.store(false, Ordering::Release);
        }
        let Opened { database, is_begun_anew } = file::open(&self.directory, &*self.disk)?;
        let (open, length) = Open::new(database, &self.directory, &*self.disk)?;
        let mut state = self.state_mut();
        *self.length() = length;
        *state = State::Open(Open { short, ..open });
        Ok(if is_begun_anew { Repaired::BegunAnew } else { Repaired::Reopened })
    }

    /// Writes what the database holds into a new file in its place.
    pub(super) fn rewrite(&self) -> Result<(), StoreError> {
        let mut state = self.state_mut();
        state.open(Purpose::Keeping)?;
        self.replace(&mut state)
    }

    pub(super) fn close(&self) {
        let _nobody_else = self.repairing();
        let before = std::mem::replace(&mut *self.state_mut(), State::Closed);
        let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(before)));
    }

    fn replace(&self, state: &mut State) -> Result<(), StoreError> {
        let State::Open(open) = state else {
            return Err(StoreError::Closed);
        };
        let short = open.short.clone();
        let path = self.directory.journal();
        let fresh_path = path.with_extension("redb.new");
        let file_error = |source| StoreError::file("replace", &path)(source);
        self.disk.remove(&fresh_path).map_err(file_error)?;
        let fresh = match copy(&open.database, &fresh_path, &*self.disk) {
            Ok(fresh) => fresh,
            Err(error) => {
                // Half a copy would only take the space that there is none of.
                let _ = self.disk.remove(&fresh_path);
                if is_of_the_file(&error) && !is_usable(&open.database) {
                    self.is_doubtful.store(true, Ordering::Release);
                    *state = State::Down(begin_trouble(one_line(&error)));
                }
                return Err(StoreError::journal("rewrite")(error));
            }
        };
        let in_the_way = self.disk.identify(&path).is_ok_and(|(identity, _)| identity != open.identity);
        if in_the_way {
            let moved_to = self.disk.set_aside(&self.directory, &path)?;
            tracing::warn!(moved_to = %moved_to.display(), "another file was in the journal's place; moved aside");
        }
        self.disk.put(&fresh_path, &path).map_err(file_error)?;
        let (open, length) = Open::new(fresh, &self.directory, &*self.disk)?;
        *self.length() = length;
        *state = State::Open(Open { short, ..open });
        Ok(())
    }

    fn concluded<T>(
        &self,
        action: &'static str,
        generation: u64,
        done: Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        done.map_err(|error| {
            let is_of_the_file = is_of_the_file(&error);
            let error = StoreError::journal(action)(error);
            if is_of_the_file {
                let reason = one_line(&error);
                let is_full = error.is_of_full_disk();
                self.note_fault(generation, if is_full { FileFault::Full(reason) } else { FileFault::Failed(reason) });
            }
            error
        })
    }

    /// Whether the file is no longer what was opened. Asked while nothing is written.
    fn fault_of_file(&self, open: &Open, length: u64) -> Option<FileFault> {
        match self.disk.identify(&self.directory.journal()) {
            Ok((identity, now)) if identity == open.identity => (now < length)
                .then(|| FileFault::Failed(format!("its file was cut from {length} to {now} bytes by something else"))),
            Ok(_) => Some(FileFault::Gone("another file was put in its place".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Some(FileFault::Gone("its file was removed".to_owned()))
            }
            // What cannot be looked at now says nothing about the file.
            Err(_) => None,
        }
    }

    /// Takes the database out of use, or marks it, if it is still the one in which the fault was found.
    fn note_fault(&self, generation: u64, fault: FileFault) {
        let mut state = self.state_mut();
        let State::Open(open) = &mut *state else { return };
        if open.generation != generation || open.detached.is_some() {
            return;
        }
        match fault {
            FileFault::Gone(reason) => open.detached = Some(begin_trouble(reason)),
            FileFault::Failed(reason) => {
                self.is_doubtful.store(true, Ordering::Release);
                Self::take_down(&mut state, reason);
            }
            FileFault::Full(reason) => {
                Self::take_down(&mut state, reason);
                self.found_full.notify_one();
            }
        }
    }

    fn take_down(state: &mut State, reason: String) {
        let before = std::mem::replace(state, State::Down(begin_trouble(reason)));
        // Also what redb panicked at has to let go of the file.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(before)));
    }

    fn down(&self) -> StoreError {
        match self.trouble() {
            Some(trouble) => trouble.into(),
            None => StoreError::Closed,
        }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn repairing(&self) -> MutexGuard<'_, ()> {
        self.repairing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn length(&self) -> MutexGuard<'_, u64> {
        self.length.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// A database that has just been opened, and the length of its file.
    fn new(database: Database, directory: &Directory, disk: &dyn Disk) -> Result<(Self, u64), StoreError> {
        let path = directory.journal();
        let (identity, length) = disk.identify(&path).map_err(StoreError::file("look at", &path))?;
        let open = Self { database, generation: next_generation(), identity, detached: None, short: None };
        Ok((open, length))
    }
}

impl State {
    /// The database to write to.
    fn open(&self, purpose: Purpose) -> Result<&Open, StoreError> {
        let open = self.readable()?;
        let short = open.short.as_ref().filter(|_| purpose == Purpose::Keeping);
        match open.detached.as_ref().or(short) {
            None => Ok(open),
            Some(trouble) => Err(trouble.clone().into()),
        }
    }

    /// The database to read from.
    fn readable(&self) -> Result<&Open, StoreError> {
        match self {
            Self::Open(open) => Ok(open),
            Self::Down(trouble) => Err(trouble.clone().into()),
            Self::Closed => Err(StoreError::Closed),
        }
    }
}
