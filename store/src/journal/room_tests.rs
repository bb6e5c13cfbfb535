//! Deletions on a full disk: what is kept for them is given up for one, and kept again afterwards.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs::{self, File};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::disk::{FileIdentity, RESERVE, SPACE};
use super::*;
use crate::records::samples_for_tests::turn;
use crate::records::{Removal, TurnKey};

/// The file system with a few bytes for files that only take space. Others need none of them.
#[derive(Debug)]
struct SmallDisk {
    capacity: Arc<AtomicUsize>,
    reserve: PathBuf,
}

impl Disk for SmallDisk {
    fn database(&self, builder: &redb::Builder, path: &Path) -> Result<redb::Database, redb::DatabaseError> {
        FileSystem.database(builder, path)
    }

    fn head(&self, path: &Path, bytes: usize) -> std::io::Result<Vec<u8>> {
        FileSystem.head(path, bytes)
    }

    fn identify(&self, path: &Path) -> std::io::Result<(FileIdentity, u64)> {
        FileSystem.identify(path)
    }

    fn copy(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        FileSystem.copy(from, to)
    }

    fn put(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        FileSystem.put(from, to)
    }

    fn remove(&self, path: &Path) -> std::io::Result<()> {
        FileSystem.remove(path)
    }

    fn set_aside(&self, directory: &Directory, path: &Path) -> Result<PathBuf, StoreError> {
        FileSystem.set_aside(directory, path)
    }

    fn fill(&self, path: &Path, bytes: usize) -> std::io::Result<()> {
        let file = File::create(path)?;
        let kept = fs::metadata(&self.reserve).map_or(0, |file| file.len());
        if usize::try_from(kept).unwrap() + bytes > self.capacity.load(Ordering::Relaxed) {
            return Err(ErrorKind::StorageFull.into());
        }
        file.set_len(bytes as u64)
    }
}

/// A journal on a disk that has room for deletions and little else.
struct OnSmallDisk {
    directory: tempfile::TempDir,
    capacity: Arc<AtomicUsize>,
    journal: Journal,
}

impl OnSmallDisk {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::prepare(root.path()).unwrap();
        let capacity = Arc::new(AtomicUsize::new(RESERVE + SPACE));
        let disk = SmallDisk { capacity: Arc::clone(&capacity), reserve: directory.reserve() };
        let journal = Journal::open_on(&directory, Arc::new(disk)).unwrap();
        journal.keep_reserve();
        let disk = Self { directory: root, capacity, journal };
        assert!(disk.has_reserve());
        disk
    }

    fn set_capacity(&self, bytes: usize) {
        self.capacity.store(bytes, Ordering::Relaxed);
    }

    fn has_reserve(&self) -> bool {
        self.directory.path().join("reserve").exists()
    }

    fn accept(&self, number: u8) -> Result<Vec<TurnKey>, StoreError> {
        self.journal.accept(&[turn(number.into(), &format!("turn number {number}"))], &[], |_, _| false)
    }

    fn delete(&self, number: u8) -> Result<Vec<TurnKey>, StoreError> {
        let turn = turn(number.into(), "");
        self.journal.delete(&Removal::of_turns(&turn.scope, [turn.id]), |_, _| Some(Vec::new()))
    }

    /// Damages the file, so that the journal closes.
    fn cut(&self) {
        File::options().write(true).open(self.directory.path().join("journal.redb")).unwrap().set_len(0).unwrap();
        self.journal.check_file();
        assert!(self.journal.trouble().is_some());
    }
}

/// What a step of a deletion says on a full disk.
fn full() -> StoreError {
    StoreError::journal("delete")(redb::Error::Io(Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error())))
}

fn is_down<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::JournalDown { .. }))
}

#[test]
fn where_something_else_is_wrong_and_there_is_space_no_room_is_given_up() {
    let disk = OnSmallDisk::new();
    disk.set_capacity(RESERVE * 2);
    assert_eq!(disk.journal.make_room(&StoreError::Closed).unwrap(), None);
    disk.cut();
    let made = disk.journal.make_room(&StoreError::JournalDown { reason: "cut".to_owned() }).unwrap();
    assert_eq!(made, Some(Repaired::BegunAnew), "there is space, so that all of it works again");
    assert!(disk.has_reserve() && disk.journal.trouble().is_none());
    disk.accept(1).unwrap();
}

#[test]
fn room_is_given_up_for_a_deletion_and_kept_again_before_anything_else_is_written() {
    let disk = OnSmallDisk::new();
    for number in 1..=3 {
        disk.accept(number).unwrap();
    }
    assert_eq!(disk.journal.make_room(&full()).unwrap(), Some(Repaired::Nothing), "whatever is free besides");
    assert!(!disk.has_reserve());
    assert!(is_down(&disk.accept(4)) && disk.journal.trouble().is_some());
    assert_eq!(disk.delete(1).unwrap().len(), 1);

    assert_eq!(disk.journal.repair(Room::Leave).unwrap(), Repaired::Nothing);
    assert!(!disk.has_reserve(), "a deletion is at work in it");
    for capacity in [SPACE, RESERVE, RESERVE + SPACE - 1] {
        disk.set_capacity(capacity);
        disk.journal.repair(Room::Keep).unwrap_err();
        assert!(is_down(&disk.accept(4)), "{capacity}");
        assert_eq!(disk.delete(2).unwrap().len(), usize::from(capacity == SPACE));
    }
    disk.set_capacity(RESERVE + SPACE);
    assert_eq!(disk.journal.repair(Room::Keep).unwrap(), Repaired::Relieved);
    assert!(disk.has_reserve() && disk.journal.trouble().is_none());
    assert_eq!(disk.accept(4).unwrap().len(), 1);
    assert_eq!(disk.journal.repair(Room::Keep).unwrap(), Repaired::Nothing);
}

#[test]
fn room_is_given_up_where_there_is_less_space_than_a_deletion_needs_whatever_failed() {
    for left in [0, SPACE, RESERVE - 1] {
        let disk = OnSmallDisk::new();
        disk.set_capacity(RESERVE + left);
        let made = disk.journal.make_room(&StoreError::JournalDown { reason: "full".to_owned() }).unwrap();
        assert_eq!(made, Some(Repaired::Nothing), "{left}");
        assert!(!disk.has_reserve(), "{left}");
    }
}

#[test]
fn where_no_room_is_left_the_disk_is_said_to_be_full_until_there_is_some() {
    let disk = OnSmallDisk::new();
    disk.journal.make_room(&full()).unwrap();
    disk.set_capacity(RESERVE - 1);
    for failed in [full(), StoreError::JournalDown { reason: "full".to_owned() }] {
        assert!(matches!(disk.journal.make_room(&failed), Err(StoreError::Full { .. })), "{failed}");
    }
    disk.set_capacity(RESERVE);
    assert_eq!(disk.journal.make_room(&full()).unwrap(), Some(Repaired::Nothing), "it can be tried again");
}

#[test]
fn what_was_given_up_stays_for_deletions_when_the_journal_is_opened_again_in_between() {
    for room in [Room::Keep, Room::Leave] {
        let disk = OnSmallDisk::new();
        disk.journal.make_room(&full()).unwrap();
        disk.set_capacity(RESERVE - 1);
        disk.cut();
        assert_eq!(disk.journal.repair(room).unwrap(), Repaired::BegunAnew, "{room:?}");
        assert!(is_down(&disk.accept(1)), "{room:?}: turns would use it up");
        assert!(disk.delete(9).unwrap().is_empty(), "{room:?}: deletions work");
        disk.set_capacity(RESERVE + SPACE);
        assert_eq!(disk.journal.repair(Room::Keep).unwrap(), Repaired::Relieved, "{room:?}");
        assert_eq!(disk.accept(1).unwrap().len(), 1, "{room:?}");
    }
}

#[test]
fn a_journal_that_is_opened_again_keeps_room_at_once_if_there_is_space_and_no_deletion() {
    let disk = OnSmallDisk::new();
    disk.journal.make_room(&full()).unwrap();
    disk.cut();
    assert_eq!(disk.journal.repair(Room::Keep).unwrap(), Repaired::BegunAnew);
    assert!(disk.has_reserve() && disk.journal.trouble().is_none());
    assert_eq!(disk.accept(1).unwrap().len(), 1);
}

#[test]
fn a_journal_that_was_closed_by_a_full_disk_is_opened_for_deletions_alone() {
    let disk = OnSmallDisk::new();
    disk.cut();
    disk.set_capacity(RESERVE);
    let made = disk.journal.make_room(&StoreError::JournalDown { reason: "full".to_owned() }).unwrap();
    assert_eq!(made, Some(Repaired::BegunAnew));
    assert!(!disk.has_reserve() && is_down(&disk.accept(1)));
    assert!(disk.delete(9).unwrap().is_empty());
}
