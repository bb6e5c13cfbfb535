//! Opening the two tables, or creating them.
//!
//! Responsible for: looking at both before anything is changed, moving aside what is damaged, leaving out rows and
//! indices whose files are gone.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use lance::dataset::CommitBuilder;
use lance::dataset::transaction::{Operation, Transaction};
use lancedb::{Connection, Session, Table};

use super::index_cache::IndexCache;
use super::inspection::{self, Inspection};
use super::schema::{self, POINTS, TURNS};
use super::tables::{self, Tables};
use crate::config::StoreConfig;
use crate::directory::{Directory, keep_private};
use crate::error::StoreError;
use crate::records::TableVersions;

/// Both tables as they lie there, and nothing changed.
#[derive(Debug)]
pub(crate) struct Inspected {
    session: Arc<Session>,
    indices: Arc<IndexCache>,
    turns: Inspection,
    points: Inspection,
}

/// The tables, and whether rows may have been lost on the way to opening them.
pub(crate) struct Opened {
    pub(crate) tables: Tables,
    pub(crate) rows_lost: bool,
}

impl Inspected {
    /// Looks at both tables.
    ///
    /// # Errors
    /// What keeps this mainpoint from using them: another version, width or a file that can't be read.
    pub(crate) async fn new(directory: &Directory, config: &StoreConfig) -> Result<Self, StoreError> {
        // Lance's own defaults are 6 GiB of indices and 1 GiB of metadata.
        let indices = Arc::new(IndexCache::new(config.caches.indices));
        let backend: Arc<dyn lance::cache::CacheBackend> = indices.clone();
        let session = Session::with_index_cache_backend(backend, config.caches.metadata, Arc::default());
        let session = Arc::new(session);
        let turns = inspection::inspect(directory, TURNS, &session).await?;
        let points = inspection::inspect(directory, POINTS, &session).await?;
        if directory.is_old() {
            return Err(schema::old(directory.path()));
        }
        for newest in [turns.newest(), points.newest()].into_iter().flatten() {
            schema::check(directory.path(), &Schema::from(newest.schema()), config.vector_width)?;
        }
        Ok(Self { session, indices, turns, points })
    }

    /// Turns in the table, and whether any file of either table is damaged, as far as can be seen.
    ///
    /// # Errors
    /// [`StoreError::Lance`].
    pub(crate) async fn turns(&self) -> Result<(u64, bool), StoreError> {
        let turns = match self.turns.newest() {
            Some(dataset) => dataset.count_rows(None).await.map_err(StoreError::lance("count turns"))?,
            None => 0,
        };
        Ok((turns as u64, self.turns.is_damaged() || self.points.is_damaged()))
    }

    /// Opens both tables, creating what is missing and leaving out what is broken. `written` are the newest versions that there
    /// have been, as far as is known.
    pub(crate) async fn open(
        self,
        directory: &Directory,
        config: &StoreConfig,
        written: TableVersions,
    ) -> Result<Opened, StoreError> {
        let path = directory.tables();
        let uri = path.to_str().ok_or_else(|| StoreError::InvalidConfig {
            key: "directory",
            value: path.display().to_string(),
            allowed: "a path in UTF-8",
        })?;
        let connection = lancedb::connect(uri).session(self.session).execute().await;
        let opener = Opener { directory, connection: connection.map_err(StoreError::lance("connect"))? };
        let (turns, turns_lost) = opener.open(TURNS, &self.turns, schema::turns()).await?;
        let points_schema = schema::points(config.vector_width);
        let (points, points_lost) = opener.open(POINTS, &self.points, points_schema).await?;
        let tables = Tables {
            turns,
            points,
            vector_width: config.vector_width,
            cpu_threads: config.cpu_threads,
            indices: self.indices,
        };
        let mut rows_lost = turns_lost || points_lost;
        let now = tables.versions().await?;
        for (table, version, written) in [(TURNS, now.turns, written.turns), (POINTS, now.points, written.points)] {
            if version < written && !rows_lost {
                tracing::error!(
                    table,
                    version,
                    written,
                    "a table's newest manifest is gone; going on from the one before"
                );
                rows_lost = true;
            }
        }
        tables.ensure_indices().await?;
        keep_private(&path);
        Ok(Opened { tables, rows_lost })
    }
}

struct Opener<'a> {
    directory: &'a Directory,
    connection: Connection,
}

impl Opener<'_> {
    /// Opens a table or creates it. True beside it when rows may have been lost.
    async fn open(&self, name: &str, look: &Inspection, schema: SchemaRef) -> Result<(Table, bool), StoreError> {
        let mut lost = look.set_aside(self.directory, name)?;
        if look.newest().is_none() {
            let created = self.connection.create_empty_table(name, schema).execute().await;
            return Ok((created.map_err(StoreError::lance("create a table"))?, lost));
        }
        let table = self.connection.open_table(name).execute().await;
        let table = table.map_err(|source| StoreError::TableRefused {
            path: self.directory.table(name),
            directory: self.directory.path().to_owned(),
            source: Box::new(source),
        })?;
        lost |= leave_out_missing(&self.directory.table(name), name, &table).await?;
        Ok((table, lost))
    }
}

/// Leaves out of a table what its files are gone of. True when that were rows; indices are built anew.
async fn leave_out_missing(path: &Path, name: &str, table: &Table) -> Result<bool, StoreError> {
    let dataset = tables::dataset(table).await?;
    let missing = inspection::missing(path, &dataset).await?;
    for index in &missing.indices {
        tracing::warn!(table = name, index, "files of an index are gone or damaged; it is built anew");
        table.drop_index(index).await.map_err(StoreError::lance("leave an index out"))?;
    }
    if missing.fragments.is_empty() {
        return Ok(false);
    }
    tracing::error!(
        table = name,
        rows = missing.rows,
        files = missing.fragments.len(),
        "files with rows of a table are gone or damaged; these rows are lost, except for what the journal has"
    );
    remove_fragments(table, missing.fragments).await?;
    Ok(true)
}

/// Commits a version of a table without these fragments.
pub(crate) async fn remove_fragments(table: &Table, fragments: Vec<u64>) -> Result<(), StoreError> {
    let dataset = tables::dataset(table).await?;
    let operation = Operation::Delete {
        updated_fragments: Vec::new(),
        deleted_fragment_ids: fragments,
        predicate: "false".to_owned(),
    };
    let transaction = Transaction::new(dataset.version_id(), operation, None);
    let committed = CommitBuilder::new(dataset).execute(transaction);
    let committed = Box::pin(committed).await.map_err(StoreError::lance("leave rows out"))?;
    if let Some(wrapper) = table.dataset() {
        wrapper.update(committed);
    }
    Ok(())
}
