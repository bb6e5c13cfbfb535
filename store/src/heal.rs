//! After a table was rolled back: making the two tables agree again.
//!
//! Responsible for: reading again what lost its points, removing points that lost their turn. Must not know: what was
//! broken.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::TryStreamExt;
use lancedb::Table;
use lancedb::query::{ExecutableQuery, QueryBase, Select};

use crate::error::StoreError;
use crate::filter;
use crate::journal::Key;
use crate::record::{Scope, TurnId};
use crate::rows;
use crate::schema::column;
use crate::shared::Shared;
use crate::tables;

/// Puts turns whose points are gone back into the journal as unread, and removes points whose turn is gone (unless the
/// journal has it). Returns the number of turns to be read again.
pub(crate) async fn heal(shared: &Arc<Shared>) -> Result<usize, StoreError> {
    let in_journal: HashSet<Key> = shared
        .blocking(|shared| shared.journal.keys())
        .await?
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    let turns = keys(&shared.tables.turns, column::ID).await?;
    let points = keys(&shared.tables.points, column::TURN).await?;

    let orphans = points
        .keys()
        .filter(|key| !turns.contains_key(*key) && !in_journal.contains(*key));
    for (scope, ids) in by_scope(orphans) {
        delete(&shared.tables.points, &scope, column::TURN, &ids).await?;
    }

    let pointless = turns
        .iter()
        .filter(|(key, passages)| **passages > 0 && !points.contains_key(*key));
    let mut unread = Vec::new();
    for (scope, ids) in by_scope(pointless.map(|(key, _)| key)) {
        for batch in tables::rows(
            &shared.tables.turns,
            filter::of_ids(&scope, column::ID, &ids),
            &[],
            None,
        )
        .await?
        {
            unread.extend(rows::turns_from_batch(&batch)?);
        }
    }
    let count = unread.len();
    let again: Vec<Key> = unread.iter().map(|turn| (turn.scope.clone(), turn.id)).collect();
    shared
        .blocking(move |shared| shared.journal.accept(&unread, |_| false))
        .await?;
    for (scope, ids) in by_scope(again.iter()) {
        delete(&shared.tables.turns, &scope, column::ID, &ids).await?;
    }
    Ok(count)
}

/// Scope and id of every row, with the number of passages that the turn had (0 in the table of points).
async fn keys(table: &Table, id: &'static str) -> Result<HashMap<Key, u32>, StoreError> {
    let failed = || StoreError::lance("compare the tables");
    let mut columns = vec![column::SCOPE, id];
    if id == column::ID {
        columns.push(column::PASSAGES);
    }
    let stream = table
        .query()
        .select(Select::columns(&columns))
        .execute()
        .await
        .map_err(failed())?;
    let batches: Vec<_> = stream.try_collect().await.map_err(failed())?;
    let mut found = HashMap::new();
    for batch in &batches {
        let scopes = rows::strings(batch, column::SCOPE)?;
        let passages = (id == column::ID)
            .then(|| rows::numbers(batch, column::PASSAGES))
            .transpose()?;
        for (row, turn) in rows::identifiers_from(batch, id)?.into_iter().enumerate() {
            let passages = passages.map_or(0, |column| column.value(row));
            found.insert((Scope::new(scopes.value(row))?, turn), passages);
        }
    }
    Ok(found)
}

async fn delete(table: &Table, scope: &Scope, column: &str, ids: &[TurnId]) -> Result<(), StoreError> {
    let deleted = table.delete(&filter::of_ids(scope, column, ids)).await;
    deleted.map(|_| ()).map_err(StoreError::lance("delete rows"))
}

fn by_scope<'a>(keys: impl Iterator<Item = &'a Key>) -> HashMap<Scope, Vec<TurnId>> {
    let mut grouped: HashMap<Scope, Vec<TurnId>> = HashMap::new();
    for (scope, id) in keys {
        grouped.entry(scope.clone()).or_default().push(*id);
    }
    grouped
}
