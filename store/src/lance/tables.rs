//! What is read from the two LanceDB tables and appended to them.
//!
//! Responsible for: their indices, appending, reading rows.

use std::sync::Arc;

use arrow_array::RecordBatch;
use futures::{FutureExt, TryStreamExt};
use lance::Dataset;
use lance::dataset::ProjectionRequest;
use lancedb::Table;
use lancedb::expr::DfExpr;
use lancedb::index::Index;
use lancedb::index::scalar::{BTreeIndexBuilder, BitmapIndexBuilder};
use lancedb::query::{ExecutableQuery, QueryBase, Select};

use super::index_cache::IndexCache;
use super::schema::column;
use super::text_index;
use crate::error::StoreError;
use crate::records::TableVersions;

/// The open tables.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    pub(crate) turns: Table,
    pub(crate) points: Table,
    pub(crate) vector_width: usize,
    pub(crate) cpu_threads: usize,
    /// The indices that are open.
    pub(crate) indices: Arc<IndexCache>,
}

impl Tables {
    /// The indices that are missing are created, empty; maintenance fills them. A row no index knows yet is found all
    /// the same, by scanning the fragments that the index does not cover.
    pub(crate) async fn ensure_indices(&self) -> Result<(), StoreError> {
        for (table, indices) in [(&self.turns, self.turn_indices()), (&self.points, self.point_indices())] {
            let existing = table.list_indices().await.map_err(StoreError::lance("list indices"))?;
            for (column, index) in indices {
                if existing.iter().any(|config| config.columns == [column]) {
                    continue;
                }
                let created = table.create_index(&[column], index).train(false).execute().await;
                created.map_err(StoreError::lance("create an index"))?;
            }
        }
        Ok(())
    }

    /// The tables' current versions.
    pub(crate) async fn versions(&self) -> Result<TableVersions, StoreError> {
        let failed = || StoreError::lance("read a table's version");
        Ok(TableVersions {
            turns: self.turns.version().await.map_err(failed())?,
            points: self.points.version().await.map_err(failed())?,
        })
    }

    /// Column and kind of every index of the table of turns.
    pub(crate) fn turn_indices(&self) -> Vec<(&'static str, Index)> {
        vec![of_rows(column::SCOPE), of_values(column::ID), of_values(column::CONVERSATION)]
    }

    /// Column and kind of every index of the table of points, the vector index apart.
    pub(crate) fn point_indices(&self) -> Vec<(&'static str, Index)> {
        vec![
            of_rows(column::SCOPE),
            of_values(column::TURN),
            of_values(column::CONVERSATION),
            (column::TEXT, Index::FTS(text_index::index(self.cpu_threads))),
        ]
    }
}

/// For a column with few values: the rows of each are kept as they are handed to a search.
fn of_rows(column: &'static str) -> (&'static str, Index) {
    (column, Index::Bitmap(BitmapIndexBuilder::default()))
}

/// For a column with many values.
fn of_values(column: &'static str) -> (&'static str, Index) {
    (column, Index::BTree(BTreeIndexBuilder::default()))
}

/// Appends a batch; an empty one makes no commit.
pub(crate) async fn append(table: &Table, batch: RecordBatch) -> Result<(), StoreError> {
    if batch.num_rows() > 0 {
        table.add(batch).write_parallelism(1).execute().await.map_err(StoreError::lance("append rows"))?;
    }
    Ok(())
}

/// The version of a table that is open.
pub(crate) async fn dataset(table: &Table) -> Result<Arc<Dataset>, StoreError> {
    let failed = || StoreError::lance("look at a table");
    let Some(dataset) = table.dataset() else {
        let reason = "the table is not in a directory".to_owned();
        return Err(failed()(lancedb::Error::NotSupported { message: reason }));
    };
    dataset.get().await.map_err(failed())
}

/// The given columns (all when empty) of rows by their ids, in the order asked. Lance is asked itself, since LanceDB makes
/// a filter of the ids that has to be planned; that alone gained nothing measurable.
pub(crate) async fn take(table: &Table, rows: &[u64], columns: &[&str]) -> Result<RecordBatch, StoreError> {
    let dataset = dataset(table).await?;
    let columns = if columns.is_empty() {
        ProjectionRequest::from_schema(dataset.schema().clone())
    } else {
        ProjectionRequest::from_columns(columns, dataset.schema())
    };
    // Boxed, because the types of what Lance awaits within are too deep for a caller's.
    let taken = dataset.take_rows(rows, columns).boxed().await;
    taken.map_err(StoreError::lance("read rows"))
}

/// The given columns (all when empty) of the rows that match, at most `limit` of them, with the rows' ids.
pub(crate) async fn rows(
    table: &Table,
    filter: DfExpr,
    columns: &[&str],
    limit: Option<usize>,
) -> Result<Vec<RecordBatch>, StoreError> {
    let mut query = table.query().only_if_expr(filter).with_row_id();
    if !columns.is_empty() {
        query = query.select(Select::columns(columns));
    }
    if let Some(limit) = limit {
        query = query.limit(limit);
    }
    collect(&query, "read rows").await
}

/// Everything that a query finds; `action` is what an error says was being done.
pub(crate) async fn collect(
    query: &(impl ExecutableQuery + Sync),
    action: &'static str,
) -> Result<Vec<RecordBatch>, StoreError> {
    let stream = query.execute().await.map_err(StoreError::lance(action))?;
    stream.try_collect().await.map_err(StoreError::lance(action))
}
