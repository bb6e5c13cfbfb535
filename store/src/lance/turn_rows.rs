//! What flushing, deleting and loading ask of the tables.
//!
//! Responsible for: finding the rows of turns, adding and removing them, making them durable. Must not know: what the journal holds,
//! in which order things are done.

use std::collections::HashSet;
use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use lancedb::Table;
use lancedb::expr::DfExpr;

use super::pruning::{Outdated, prune};
use super::schema::column;
use super::tables::{self, Tables};
use super::{batches, columns, filter, vector_index};
use crate::directory::Directory;
use crate::error::StoreError;
use crate::records::{CompletedTurn, ConversationId, FoundTurn, Scope, Seen, TableVersions, TurnId, TurnKey};
use crate::trouble::one_line;

/// The rows of turns and of their points. In the simulation of the store others stand in for the tables.
#[async_trait]
pub(crate) trait TurnRows: Debug + Send + Sync {
    /// Notes which of these turns have a row, and which have points.
    async fn note_known(&self, scope: &Scope, ids: &[TurnId], known: &mut KnownRows) -> Result<(), StoreError>;

    /// Adds the points of turns in one commit, and returns how many these are.
    async fn add_points(&self, completed: &[&CompletedTurn]) -> Result<u64, StoreError>;

    /// Adds turns in one commit.
    async fn add_turns(&self, completed: &[&CompletedTurn]) -> Result<(), StoreError>;

    /// The current versions of both tables.
    async fn versions(&self) -> Result<TableVersions, StoreError>;

    /// Returns once all that was written below the store's directory has reached the disk. Blocking.
    fn sync(&self, directory: &Directory) -> Result<(), StoreError>;

    /// Every turn of a scope.
    async fn turns_of(&self, scope: &Scope) -> Result<Vec<FoundTurn>, StoreError>;

    /// The turns of a scope that are selected.
    async fn find(&self, scope: &Scope, selected: Selection<'_>) -> Result<HashSet<TurnId>, StoreError>;

    /// Removes the rows of turns that are selected, and returns how many.
    async fn remove_turns(&self, scope: &Scope, selected: RemovedRows<'_>) -> Result<u64, StoreError>;

    /// Removes the points of turns that are selected, and returns how many.
    async fn remove_points(&self, scope: &Scope, selected: RemovedRows<'_>) -> Result<u64, StoreError>;

    /// How much both tables hold.
    async fn count(&self) -> Result<RowCounts, StoreError>;

    /// Removes what only old versions need, as far as that can be done.
    async fn prune_to_newest(&self, directory: &Directory);
}

/// Which turns of a scope are looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Selection<'a> {
    /// Those that a deletion removes.
    Removed(RemovedRows<'a>),
    /// Those that were said first in one of these conversations.
    Conversations(&'a [ConversationId]),
    /// Those that were first seen before a time.
    Before(DateTime<Utc>),
}

/// Which turns of a scope a deletion removes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RemovedRows<'a> {
    /// All.
    All,
    /// These.
    Turns(&'a [TurnId]),
}

/// Turns that have rows.
#[derive(Debug, Default)]
pub(crate) struct KnownRows {
    pub(crate) turns: HashSet<TurnKey>,
    pub(crate) points: HashSet<TurnKey>,
}

/// How much both tables hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RowCounts {
    pub(crate) turns: u64,
    pub(crate) points: u64,
    /// Whether vectors are indexed.
    pub(crate) has_vector_index: bool,
}

#[async_trait]
impl TurnRows for Tables {
    async fn note_known(&self, scope: &Scope, ids: &[TurnId], known: &mut KnownRows) -> Result<(), StoreError> {
        for (table, name, found) in
            [(&self.turns, column::ID, &mut known.turns), (&self.points, column::TURN, &mut known.points)]
        {
            for batch in tables::rows(table, filter::of_ids(scope, name, ids), &[name], None).await? {
                found.extend(columns::identifiers_from(&batch, name)?.into_iter().map(|id| (scope.clone(), id)));
            }
        }
        Ok(())
    }

    async fn add_points(&self, completed: &[&CompletedTurn]) -> Result<u64, StoreError> {
        let batch = batches::points_to_batch(completed, self.vector_width)?;
        let added = batch.num_rows() as u64;
        tables::append(&self.points, batch).await?;
        Ok(added)
    }

    async fn add_turns(&self, completed: &[&CompletedTurn]) -> Result<(), StoreError> {
        tables::append(&self.turns, batches::turns_to_batch(completed)?).await
    }

    async fn versions(&self) -> Result<TableVersions, StoreError> {
        Self::versions(self).await
    }

    fn sync(&self, directory: &Directory) -> Result<(), StoreError> {
        directory.sync()
    }

    async fn turns_of(&self, scope: &Scope) -> Result<Vec<FoundTurn>, StoreError> {
        let mut turns = Vec::new();
        let columns = [column::ID, column::CONVERSATION, column::TIME];
        for batch in tables::rows(&self.turns, filter::of_scope(scope), &columns, None).await? {
            let conversations = columns::identifiers_from(&batch, column::CONVERSATION)?;
            let rows = columns::row_ids(&batch)?.iter().zip(batches::times_from_batch(&batch)?);
            let seen = rows.map(|(row, time)| Seen { row: *row, time });
            let found = columns::identifiers_from(&batch, column::ID)?.into_iter().zip(conversations).zip(seen);
            turns.extend(found.map(|((id, conversation), seen)| FoundTurn { id, conversation, seen }));
        }
        Ok(turns)
    }

    async fn find(&self, scope: &Scope, selected: Selection<'_>) -> Result<HashSet<TurnId>, StoreError> {
        let turns = match selected {
            Selection::Removed(removed) => removed.filter(scope, column::ID),
            Selection::Conversations(names) => filter::of_conversations(scope, names),
            Selection::Before(time) => filter::of_scope(scope).and(filter::before(time)),
        };
        let mut found = HashSet::new();
        for batch in tables::rows(&self.turns, turns, &[column::ID], None).await? {
            found.extend(columns::identifiers_from::<TurnId>(&batch, column::ID)?);
        }
        Ok(found)
    }

    async fn remove_turns(&self, scope: &Scope, selected: RemovedRows<'_>) -> Result<u64, StoreError> {
        remove(&self.turns, &selected.filter(scope, column::ID)).await
    }

    async fn remove_points(&self, scope: &Scope, selected: RemovedRows<'_>) -> Result<u64, StoreError> {
        remove(&self.points, &selected.filter(scope, column::TURN)).await
    }

    async fn count(&self) -> Result<RowCounts, StoreError> {
        let failed = || StoreError::lance("count rows");
        Ok(RowCounts {
            turns: self.turns.count_rows(None).await.map_err(failed())? as u64,
            points: self.points.count_rows(None).await.map_err(failed())? as u64,
            has_vector_index: vector_index::exists(&self.points).await?,
        })
    }

    async fn prune_to_newest(&self, directory: &Directory) {
        for table in [&self.turns, &self.points] {
            let pruned = async {
                let newest = tables::dataset(table).await?;
                prune(directory, table.name(), &newest, Outdated::AllButTheNewest).await
            };
            if let Err(error) = pruned.await {
                tracing::debug!(cause = one_line(&error), "old versions stay on the full disk");
            }
        }
    }
}

impl RemovedRows<'_> {
    /// The rows of a table that names turns in `column`.
    fn filter(self, scope: &Scope, column: &'static str) -> DfExpr {
        match self {
            Self::All => filter::of_scope(scope),
            Self::Turns(ids) => filter::of_ids(scope, column, ids),
        }
    }
}

async fn remove(table: &Table, rows: &DfExpr) -> Result<u64, StoreError> {
    let removed = table.delete(rows).await.map_err(StoreError::lance("delete rows"))?;
    Ok(removed.num_deleted_rows)
}
