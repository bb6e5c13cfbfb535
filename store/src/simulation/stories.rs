//! What the simulation has found, told plainly.

use std::sync::Arc;

use super::disk::{Fault, Halt, SimulatedDisk};
use crate::directory::Directory;
use crate::journal::{Journal, Room};
use crate::records::samples_for_tests::{id, point, turn};
use crate::records::{CompletedTurn, TurnId};

/// A sync fails, the system takes for written what it could not write, and the power goes after what was accepted next.
#[test]
fn a_journal_that_could_not_be_synced_is_written_anew_before_anything_else_is_acknowledged() {
    let root = tempfile::tempdir().unwrap();
    let directory = Directory::prepare(root.path()).unwrap();
    let open = |disk: &SimulatedDisk| Journal::open_on(&directory, Arc::new(disk.clone())).unwrap();
    let accept = |journal: &Journal, number: u32| {
        journal.accept(&[turn(number, &format!("turn number {number}"))], &[], |_, _| false).unwrap();
    };
    for seed in 0..50 {
        let disk = SimulatedDisk::new(seed);
        let journal = open(&disk);
        accept(&journal, 1);
        disk.platter().fault = Some((seed % 10, Fault::ForgottenSync));
        let read = turn(1, "turn number 1");
        let completed = CompletedTurn { points: vec![point(&read, vec![1.0, 0.0])], turn: read };
        let is_failed = journal.complete(&[completed]).is_err();
        disk.platter().fault = None;
        if is_failed {
            journal.repair(Room::Keep).unwrap();
        }
        accept(&journal, 2);
        disk.halt(Halt::PowerLoss);
        drop(journal);
        let disk = disk.restart();
        let turns: Vec<TurnId> = open(&disk).keys().unwrap().into_iter().map(|((_, id), _)| id).collect();
        assert_eq!(disk.platter().set_aside, 0, "seed {seed}: the file is whole");
        assert!(turns.contains(&id(1)) && turns.contains(&id(2)), "seed {seed}: {turns:?}");
    }
}
