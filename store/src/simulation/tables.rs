//! The rows of turns in the simulation, in the place of LanceDB's tables.
//!
//! Responsible for: commits that may fail, be done although they fail, or be gone after a power loss.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, MutexGuard};

use async_trait::async_trait;

use super::commits::Rows;
use super::disk::{Operation, Planted, Platter, SimulatedDisk, full};
use crate::directory::Directory;
use crate::error::StoreError;
use crate::lance::turn_rows::{KnownRows, RemovedRows, RowCounts, Selection, TurnRows};
use crate::records::{CompletedTurn, FoundTurn, Point, Scope, Seen, TableVersions, Turn, TurnId, TurnKey};
use crate::tasks::simulated::step;

#[async_trait]
impl TurnRows for SimulatedDisk {
    async fn note_known(&self, scope: &Scope, ids: &[TurnId], known: &mut KnownRows) -> Result<(), StoreError> {
        let platter = self.read().await?;
        if platter.planted == Some(Planted::FlushedTwice) {
            return Ok(());
        }
        let (turns, points) = (platter.turns.newest(), platter.points.newest());
        for key in ids.iter().map(|id| (scope.clone(), *id)) {
            known.turns.extend(turns.contains_key(&key).then(|| key.clone()));
            known.points.extend(points.contains_key(&key).then_some(key));
        }
        Ok(())
    }

    async fn add_points(&self, completed: &[&CompletedTurn]) -> Result<u64, StoreError> {
        let added = completed.iter().map(|one| one.points.len() as u64).sum();
        let add = |platter: &mut Platter| {
            platter.points.commit(|rows| {
                for CompletedTurn { turn, points } in completed {
                    rows.entry((turn.scope.clone(), turn.id)).or_default().extend(points.iter().cloned());
                }
            });
        };
        if added > 0 {
            self.commit(add).await?;
        }
        Ok(added)
    }

    async fn add_turns(&self, completed: &[&CompletedTurn]) -> Result<(), StoreError> {
        let add = |platter: &mut Platter| {
            platter.turns.commit(|rows| {
                for CompletedTurn { turn, .. } in completed {
                    rows.entry((turn.scope.clone(), turn.id)).or_default().push(turn.clone());
                }
            });
        };
        if completed.is_empty() { Ok(()) } else { self.commit(add).await }
    }

    async fn versions(&self) -> Result<TableVersions, StoreError> {
        let platter = self.read().await?;
        Ok(TableVersions { turns: platter.turns.version(), points: platter.points.version() })
    }

    fn sync(&self, directory: &Directory) -> Result<(), StoreError> {
        self.sync_all().map_err(StoreError::file("make durable", directory.path()))
    }

    async fn turns_of(&self, scope: &Scope) -> Result<Vec<FoundTurn>, StoreError> {
        let turns = self.read().await?.turns.newest();
        let found = turns.iter().filter(|((of, _), _)| of == scope).flat_map(|(_, rows)| rows.iter());
        let seen = |time| Seen { row: 0, time };
        Ok(found
            .map(|turn| FoundTurn { id: turn.id, conversation: turn.conversation, seen: seen(turn.time) })
            .collect())
    }

    async fn find(&self, scope: &Scope, selected: Selection<'_>) -> Result<HashSet<TurnId>, StoreError> {
        let turns = self.read().await?.turns.newest();
        let found = turns.iter().filter(|(key, rows)| match selected {
            Selection::Removed(removed) => removed.covers(scope, key),
            Selection::Conversations(names) => {
                key.0 == *scope && rows.iter().any(|row| names.contains(&row.conversation))
            }
            Selection::Before(time) => key.0 == *scope && rows.iter().any(|row| row.time < time),
        });
        Ok(found.map(|((_, id), _)| *id).collect())
    }

    async fn remove_turns(&self, scope: &Scope, selected: RemovedRows<'_>) -> Result<u64, StoreError> {
        let count = removed(&*self.read().await?.turns.newest(), scope, selected);
        let remove =
            |platter: &mut Platter| platter.turns.commit(|rows| rows.retain(|key, _| !selected.covers(scope, key)));
        if count > 0 && self.platter().planted != Some(Planted::DeletedInJournalAlone) {
            self.commit(remove).await?;
        }
        Ok(count)
    }

    async fn remove_points(&self, scope: &Scope, selected: RemovedRows<'_>) -> Result<u64, StoreError> {
        let count = removed(&*self.read().await?.points.newest(), scope, selected);
        let remove =
            |platter: &mut Platter| platter.points.commit(|rows| rows.retain(|key, _| !selected.covers(scope, key)));
        if count > 0 {
            self.commit(remove).await?;
        }
        Ok(count)
    }

    async fn count(&self) -> Result<RowCounts, StoreError> {
        let platter = self.read().await?;
        let turns = platter.turns.newest().values().map(Vec::len).sum::<usize>() as u64;
        let points = platter.points.newest().values().map(Vec::len).sum::<usize>() as u64;
        Ok(RowCounts { turns, points, has_vector_index: false })
    }

    async fn prune_to_newest(&self, _: &Directory) {}
}

impl SimulatedDisk {
    async fn read(&self) -> Result<MutexGuard<'_, Platter>, StoreError> {
        step().await;
        if self.is_halted() {
            return Err(failed(io::Error::other("the process has ended")));
        }
        Ok(self.platter())
    }

    async fn commit(&self, change: impl FnOnce(&mut Platter) + Send) -> Result<(), StoreError> {
        step().await;
        let (mut platter, goes) = self.begin(Operation::Commit).map_err(failed)?;
        if platter.free_pages() == 0 {
            return Err(failed(full()));
        }
        if goes.is_done() {
            change(&mut platter);
        }
        goes.result().map_err(failed)
    }
}

impl RemovedRows<'_> {
    fn covers(&self, scope: &Scope, (of, id): &TurnKey) -> bool {
        of == scope
            && match self {
                Self::All => true,
                Self::Turns(ids) => ids.contains(id),
            }
    }
}

fn removed<R>(rows: &Rows<R>, scope: &Scope, selected: RemovedRows<'_>) -> u64 {
    rows.iter().filter(|(key, _)| selected.covers(scope, key)).map(|(_, rows)| rows.len() as u64).sum()
}

fn failed(error: io::Error) -> StoreError {
    StoreError::lance("write to the simulated tables")(lance::Error::from(error))
}

/// The tables as a start finds them, for who compares them with the journal.
pub(super) fn newest(disk: &SimulatedDisk) -> (Arc<Rows<Turn>>, Arc<Rows<Point>>) {
    let platter = disk.platter();
    (platter.turns.newest(), platter.points.newest())
}
