//! The journal when its file fails, is removed, replaced or cut while it is open.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;
use std::path::Path;

use redb::TableDefinition;

use super::*;
use crate::records::TurnKey;
use crate::records::samples_for_tests::turn;

fn open(directory: &Path) -> Journal {
    Journal::open(&Directory::prepare(directory).unwrap()).unwrap()
}

fn accept(journal: &Journal, number: u8) -> Result<Vec<TurnKey>, StoreError> {
    journal.accept(&[turn(number.into(), &format!("turn number {number}"))], &[], |_, _| false)
}

/// The numbers of the turns in the journal.
fn numbers(journal: &Journal) -> Vec<u8> {
    let keys = journal.keys().unwrap();
    keys.into_iter().map(|((_, id), _)| id.0[15]).collect()
}

fn is_down(result: &Result<Vec<TurnKey>, StoreError>) -> bool {
    matches!(result, Err(StoreError::JournalDown { .. }))
}

#[test]
fn a_file_that_is_removed_while_open_is_written_again_with_everything_that_was_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    accept(&journal, 1).unwrap();
    fs::remove_file(directory.path().join("journal.redb")).unwrap();

    assert!(is_down(&accept(&journal, 2)), "what would be gone with the process is not acknowledged");
    assert!(journal.trouble().unwrap().reason.contains("removed"));
    assert_eq!(numbers(&journal), [1], "what is in hand can be read");
    assert_eq!(journal.repair(Room::Keep).unwrap(), Repaired::Replaced);
    assert!(journal.trouble().is_none());
    accept(&journal, 2).unwrap();

    journal.close();
    assert_eq!(numbers(&open(directory.path())), [1, 2]);
}

#[test]
fn another_file_in_its_place_is_moved_aside_and_not_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    accept(&journal, 1).unwrap();
    let path = directory.path().join("journal.redb");
    fs::write(directory.path().join("other"), "another file").unwrap();
    fs::rename(directory.path().join("other"), &path).unwrap();

    journal.check_file();
    assert!(journal.trouble().unwrap().reason.contains("another file"));
    assert_eq!(journal.repair(Room::Keep).unwrap(), Repaired::Replaced);
    accept(&journal, 2).unwrap();
    let aside = fs::read_dir(directory.path().join("broken")).unwrap().next().unwrap().unwrap();
    assert_eq!(fs::read_to_string(aside.path()).unwrap(), "another file");
    journal.close();
    assert_eq!(numbers(&open(directory.path())), [1, 2]);
}

#[test]
fn a_file_that_is_cut_while_open_is_moved_aside_and_a_new_one_goes_on_without_a_restart() {
    for length in [0, 100, 4096] {
        let directory = tempfile::tempdir().unwrap();
        let journal = open(directory.path());
        accept(&journal, 1).unwrap();
        let path = directory.path().join("journal.redb");
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();

        assert!(is_down(&accept(&journal, 2)), "cut to {length}");
        assert!(journal.trouble().unwrap().reason.contains("cut from"));
        assert_eq!(journal.repair(Room::Keep).unwrap(), Repaired::BegunAnew);
        assert!(numbers(&journal).is_empty());
        accept(&journal, 3).unwrap();
        assert_eq!(journal.repair(Room::Keep).unwrap(), Repaired::Nothing);
        journal.close();
        assert_eq!(numbers(&open(directory.path())), [3], "cut to {length}");
    }
}

#[test]
fn while_the_journal_is_out_of_order_every_call_is_told_so_at_once_and_close_still_works() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    fs::OpenOptions::new().write(true).open(directory.path().join("journal.redb")).unwrap().set_len(0).unwrap();
    journal.check_file();
    assert!(is_down(&accept(&journal, 1)));
    assert!(matches!(journal.keys(), Err(StoreError::JournalDown { .. })));
    assert!(matches!(journal.has_no_ledger(), Err(StoreError::JournalDown { .. })));
    journal.close();
    assert!(matches!(journal.keys(), Err(StoreError::Closed)));
    assert!(matches!(journal.repair(Room::Keep), Err(StoreError::Closed)));
}

/// A journal of three turns, and its bytes.
fn written() -> (tempfile::TempDir, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    (1..=3).for_each(|number| assert_eq!(accept(&journal, number).unwrap().len(), 1));
    journal.close();
    let bytes = fs::read(directory.path().join("journal.redb")).unwrap();
    (directory, bytes)
}

#[test]
fn a_journal_cut_to_any_length_is_moved_aside_and_does_not_stop_the_start() {
    let (directory, whole) = written();
    let path = directory.path().join("journal.redb");
    let lengths = [0, 1, 8, 9, 63, 64, 100, 191, 319, 320, 4095, 4096, 5000, whole.len() / 2, whole.len() - 1];
    for length in lengths {
        fs::write(&path, &whole[..length]).unwrap();
        let journal = open(directory.path());
        assert!(numbers(&journal).is_empty(), "cut to {length}");
        accept(&journal, 9).unwrap();
        journal.close();
        assert_eq!(numbers(&open(directory.path())), [9], "cut to {length}");
    }
}

#[test]
fn a_journal_of_another_file_format_is_refused_by_name_and_stays_as_it_is() {
    let (directory, whole) = written();
    let path = directory.path().join("journal.redb");
    for (slots, format) in [(&[64][..], 4), (&[192], 4), (&[64, 192], 5), (&[64, 192], 2)] {
        let mut other = whole.clone();
        slots.iter().for_each(|slot| other[*slot] = format);
        fs::write(&path, &other).unwrap();
        let error = Journal::open(&Directory::prepare(directory.path()).unwrap()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("redb's file format {format}")), "{text}");
        assert_eq!(fs::read(&path).unwrap(), other);
        assert!(!directory.path().join("broken").exists());
    }
}

#[test]
fn a_journal_with_a_table_that_is_not_known_is_refused_and_stays_as_it_is() {
    let (directory, _) = written();
    let path = directory.path().join("journal.redb");
    let newer: TableDefinition<'_, &str, u64> = TableDefinition::new("of-a-newer-version");
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(newer).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = Journal::open(&Directory::prepare(directory.path()).unwrap()).unwrap_err();
    assert!(matches!(error, StoreError::Format { .. }), "{error}");
    assert!(error.to_string().contains("of-a-newer-version"), "{error}");
    assert!(!directory.path().join("broken").exists());
}
