//! The turns in the journal.
//!
//! Responsible for: accepting them, completing them with their main points, and removing what LanceDB has on disk. Must not
//! know: what a flush is.

use std::sync::atomic::Ordering;

use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use super::rows::{
    ACCEPTED, COMPLETED, NOTES, POINTS, POINTS_VERSION, PointRow, PointRowKey, TURNS_VERSION, TurnRow, TurnRowKey,
};
use super::rows::{point_from, spans_to_bytes, turn_from, turn_row, vector_to_bytes};
use super::{Journal, conversations};
use crate::error::StoreError;
use crate::records::{CompletedTurn, ConversationAppend, Pending, Point, Scope, TableVersions, Turn, TurnId, TurnKey};

impl Journal {
    /// Adds turns that are not there yet and returns which were new, and puts what was said into its place. `is_known` names the
    /// turns whose words are in the tables; it is asked while no other write, such as trimming, can happen.
    pub(crate) fn accept(
        &self,
        turns: &[Turn],
        said: &[ConversationAppend],
        is_known: impl Fn(&Scope, TurnId) -> bool,
    ) -> Result<Vec<TurnKey>, StoreError> {
        self.database.write("accept turns", |transaction| {
            let accepted = accept_turns(transaction, turns, &is_known)?;
            for new in said {
                conversations::place(transaction, new, |turn| is_known(&new.scope, turn))?;
            }
            Ok(accepted)
        })
    }

    /// Every turn accepted and not completed, by scope, conversation and position.
    pub(crate) fn accepted(&self) -> Result<Vec<Turn>, StoreError> {
        let turns = self.database.read("list unread turns", |transaction| {
            let table = transaction.open_table(ACCEPTED)?;
            let mut turns = Vec::new();
            for entry in table.iter()? {
                let (key, row) = entry?;
                turns.push(turn_from(key.value(), row.value()));
            }
            Ok(turns)
        })?;
        let mut turns = turns.into_iter().collect::<Result<Vec<Turn>, StoreError>>()?;
        turns.sort_by(|one, other| {
            let order = |turn: &Turn| (turn.conversation, turn.position, turn.id);
            one.scope.cmp(&other.scope).then_with(|| order(one).cmp(&order(other)))
        });
        Ok(turns)
    }

    /// The accepted ones of these turns; what must be known to complete them.
    pub(crate) fn accepted_turns(&self, keys: &[TurnKey]) -> Result<Vec<Turn>, StoreError> {
        self.turns_in(ACCEPTED, keys)
    }

    /// Moves turns from accepted to completed, with their points. Those no longer accepted are left out; returns the
    /// others.
    pub(crate) fn complete(&self, completed: &[CompletedTurn]) -> Result<Vec<TurnKey>, StoreError> {
        self.database
            .write("complete turns", |transaction| {
                let mut accepted_table = transaction.open_table(ACCEPTED)?;
                let mut completed_table = transaction.open_table(COMPLETED)?;
                let mut points_table = transaction.open_table(POINTS)?;
                let mut moved = Vec::new();
                for CompletedTurn { turn, points } in completed {
                    let scope = turn.scope.as_str();
                    if accepted_table.remove((scope, &turn.id.0))?.is_none() {
                        continue;
                    }
                    completed_table.insert((scope, &turn.id.0), turn_row(turn))?;
                    for point in points {
                        let (spans, vector) = (spans_to_bytes(&point.spans), vector_to_bytes(&point.vector));
                        let row: PointRow<'_> =
                            (point.start, point.end, &spans, &point.text, &vector, &point.ranking_data);
                        points_table.insert((scope, &turn.id.0, point.passage), row)?;
                    }
                    moved.push((turn.scope.clone(), turn.id));
                }
                Ok(moved)
            })
            .inspect(|_| self.stale.store(true, Ordering::Release))
    }

    /// Those of these turns that are completed, with their points.
    pub(crate) fn completed(&self, keys: &[TurnKey]) -> Result<Vec<CompletedTurn>, StoreError> {
        let turns = self.turns_in(COMPLETED, keys)?;
        let rows = self.database.read("read completed turns", |transaction| {
            let table = transaction.open_table(POINTS)?;
            let mut completed = Vec::with_capacity(turns.len());
            for turn in turns {
                let (scope, id) = (turn.scope.as_str(), &turn.id.0);
                let mut points = Vec::new();
                for entry in table.range((scope, id, 0)..=(scope, id, u32::MAX))? {
                    let (key, row) = entry?;
                    points.push(point_from(turn.id, key.value().2, row.value()));
                }
                completed.push((turn, points));
            }
            Ok(completed)
        })?;
        let whole = |(turn, points): (Turn, Vec<Result<Point, StoreError>>)| {
            Ok(CompletedTurn { turn, points: points.into_iter().collect::<Result<_, StoreError>>()? })
        };
        rows.into_iter().map(whole).collect()
    }

    /// Those of these turns of a scope that the journal has, accepted or completed.
    pub(crate) fn turns(&self, keys: &[TurnKey]) -> Result<Vec<Turn>, StoreError> {
        let mut turns = self.turns_in(ACCEPTED, keys)?;
        turns.extend(self.turns_in(COMPLETED, keys)?);
        Ok(turns)
    }

    /// Every turn in the journal and how far it is.
    pub(crate) fn keys(&self) -> Result<Vec<(TurnKey, Pending)>, StoreError> {
        let keys = self.database.read("list turns", |transaction| {
            let mut keys = Vec::new();
            for (definition, state) in [(ACCEPTED, Pending::Accepted), (COMPLETED, Pending::Completed)] {
                for entry in transaction.open_table(definition)?.iter()? {
                    let (key, _) = entry?;
                    let (scope, id) = key.value();
                    keys.push((scope.to_owned(), TurnId(*id), state));
                }
            }
            Ok(keys)
        })?;
        keys.into_iter().map(|(scope, id, state)| Ok(((Scope::new(scope)?, id), state))).collect()
    }

    /// Removes completed turns that LanceDB has on disk, and notes the versions of the tables that are.
    pub(crate) fn trim(&self, keys: &[TurnKey], versions: TableVersions) -> Result<(), StoreError> {
        self.database
            .write("trim", |transaction| {
                let mut notes = transaction.open_table(NOTES)?;
                notes.insert(TURNS_VERSION, versions.turns)?;
                notes.insert(POINTS_VERSION, versions.points)?;
                let mut completed = transaction.open_table(COMPLETED)?;
                let mut points = transaction.open_table(POINTS)?;
                for (scope, id) in keys {
                    completed.remove((scope.as_str(), &id.0))?;
                    remove_points(&mut points, scope, *id)?;
                }
                Ok(())
            })
            .inspect(|()| self.stale.store(true, Ordering::Release))
    }

    /// The versions of the tables known to be on disk; 0 where none is.
    pub(crate) fn versions(&self) -> Result<TableVersions, StoreError> {
        self.database.read("read notes", |transaction| {
            let notes = transaction.open_table(NOTES)?;
            let version = |table| Ok::<_, redb::Error>(notes.get(table)?.map_or(0, |version| version.value()));
            Ok(TableVersions { turns: version(TURNS_VERSION)?, points: version(POINTS_VERSION)? })
        })
    }

    fn turns_in(
        &self,
        definition: TableDefinition<TurnRowKey, TurnRow<'static>>,
        keys: &[TurnKey],
    ) -> Result<Vec<Turn>, StoreError> {
        let turns = self.database.read("read turns", |transaction| {
            let table = transaction.open_table(definition)?;
            let mut turns = Vec::new();
            for (scope, id) in keys {
                let key = (scope.as_str(), &id.0);
                if let Some(row) = table.get(key)? {
                    turns.push(turn_from(key, row.value()));
                }
            }
            Ok(turns)
        })?;
        turns.into_iter().collect()
    }
}

/// Adds turns that are not there yet and returns which were new.
pub(super) fn accept_turns(
    transaction: &WriteTransaction,
    turns: &[Turn],
    is_known: impl Fn(&Scope, TurnId) -> bool,
) -> Result<Vec<TurnKey>, redb::Error> {
    let mut accepted = transaction.open_table(ACCEPTED)?;
    let completed = transaction.open_table(COMPLETED)?;
    let mut new = Vec::new();
    for turn in turns.iter().filter(|turn| !is_known(&turn.scope, turn.id)) {
        let key = (turn.scope.as_str(), &turn.id.0);
        if accepted.get(key)?.is_none() && completed.get(key)?.is_none() {
            accepted.insert(key, turn_row(turn))?;
            new.push((turn.scope.clone(), turn.id));
        }
    }
    Ok(new)
}

pub(super) fn remove_points(
    points: &mut Table<'_, PointRowKey, PointRow<'static>>,
    scope: &Scope,
    id: TurnId,
) -> Result<(), redb::Error> {
    let of_turn = (scope.as_str(), &id.0, 0)..=(scope.as_str(), &id.0, u32::MAX);
    points.retain_in(of_turn, |_, _| false)?;
    Ok(())
}
