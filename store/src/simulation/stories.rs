//! What the simulation has found, told plainly.

use std::sync::Arc;

use super::disk::{Fault, Halt, SimulatedDisk};
use super::lives::{Ground, open};
use crate::directory::Directory;
use crate::journal::{Journal, Room};
use crate::records::samples_for_tests::{id, point, scope, turn};
use crate::records::{CompletedTurn, Pending, TurnId};
use crate::tasks::simulated;

/// A sync fails, the system takes for written what it could not write, and the power goes after what was accepted next.
#[test]
fn a_journal_that_could_not_be_synced_is_written_anew_before_anything_else_is_acknowledged() {
    let root = tempfile::tempdir().unwrap();
    let directory = Directory::prepare(root.path()).unwrap();
    let journal_on = |disk: &SimulatedDisk| Journal::open_on(&directory, Arc::new(disk.clone())).unwrap();
    let accept = |journal: &Journal, number: u32| {
        journal.accept(&[turn(number, &format!("turn number {number}"))], &[], |_, _| false).unwrap();
    };
    for seed in 0..50 {
        let disk = SimulatedDisk::new(seed);
        let journal = journal_on(&disk);
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
        let turns: Vec<TurnId> = journal_on(&disk).keys().unwrap().into_iter().map(|((_, id), _)| id).collect();
        assert_eq!(disk.platter().set_aside, 0, "seed {seed}: the file is whole");
        assert!(turns.contains(&id(1)) && turns.contains(&id(2)), "seed {seed}: {turns:?}");
    }
}

/// Whoever deletes has the turns of the scope loaded again, between the moment when another one has looked and when it writes.
#[test]
fn what_is_stored_is_not_taken_in_again_while_something_else_of_its_scope_is_deleted() {
    let ground = Ground::new();
    for seed in 0..200 {
        simulated::follow(Some(seed));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = open(&ground, &SimulatedDisk::new(seed)).await.unwrap();
            for number in [1, 2] {
                let turn = turn(number, &format!("turn number {number}"));
                let points = vec![point(&turn, vec![1.0, 0.0])];
                store.accept(vec![turn.clone()]).await.unwrap();
                store.complete(vec![(scope(), turn.id, points)]).await.unwrap();
            }
            store.flush().await.unwrap();
            let again = store.accept(vec![turn(1, "turn number 1"), turn(3, "turn number 3")]);
            let (new, deleted) = futures::future::join(again, store.delete_turns(&scope(), vec![id(2)])).await;
            assert_eq!((new.unwrap(), deleted.unwrap()), (vec![id(3)], vec![id(2)]), "seed {seed}");
            let waiting = store.shared().journal.keys().unwrap();
            assert_eq!(waiting, [((scope(), id(3)), Pending::Accepted)], "seed {seed}");
        });
        simulated::follow(None);
    }
}
