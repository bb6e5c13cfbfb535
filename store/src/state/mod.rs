//! What every operation of an open store works on.
//!
//! Responsible for: the state behind all clones of a handle, its locks and their order, running work to its end even
//! when the caller gives up.
//!
//! Lock order: `maintenance`, `trimming`, `writer`, `gate`, `journal_order`, `turn_index`; the last two are never held across
//! an await.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::{Mutex as AsyncMutex, Notify, RwLock as AsyncRwLock};

use crate::config::StoreConfig;
use crate::directory::Directory;
use crate::error::StoreError;
use crate::journal::Journal;
use crate::lance::manifest_copies::ManifestCopies;
use crate::lance::tables::Tables;
use crate::lance::turn_rows::TurnRows;
use crate::records::{Scope, TurnId, TurnKey};
use crate::tasks::blocking;
use crate::trouble::{StorePart, Troubles, one_line};
use deletions_due::DeletionsDue;
use faults::Faults;
use kept_files::KeptFiles;
use passage_cache::PassageCache;
use row_cache::RowCache;
use sketch_cache::SketchCache;
use turn_index::TurnIndex;

pub(crate) mod deletions_due;
pub(crate) mod faults;
pub(crate) mod kept_files;
pub(crate) mod passage_cache;
pub(crate) mod row_cache;
pub(crate) mod sketch_cache;
pub(crate) mod turn_index;

/// The state behind all clones of a handle.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: StoreConfig,
    pub(crate) directory: Directory,
    pub(crate) journal: Journal,
    tables: RwLock<Tables>,
    /// What is asked for by turns is asked of these: the tables as well, but in a simulation of the store.
    rows: RwLock<Arc<dyn TurnRows>>,
    /// Passages found lately.
    pub(crate) passage_cache: PassageCache,
    /// Where the points of turns lie.
    pub(crate) row_cache: RowCache,
    /// A few bytes of every passage of the scopes that are searched.
    pub(crate) sketch_cache: Arc<SketchCache>,
    /// Whether the table of points has a vector index.
    pub(crate) has_vector_index: AtomicBool,
    /// What does not work at the moment, the journal apart.
    pub(crate) troubles: Troubles,
    /// What was deleted and may still be in the tables.
    pub(crate) deletions_due: DeletionsDue,
    turn_index: Mutex<TurnIndex>,
    /// Held while the journal changes and the turn_index follows it.
    journal_order: Mutex<()>,
    /// Held by whoever compacts, indexes, prunes or deletes.
    pub(crate) maintenance: AsyncMutex<()>,
    /// Held by whoever trims the journal or deletes.
    pub(crate) trimming: AsyncMutex<()>,
    /// Held by whoever appends or deletes.
    pub(crate) writer: AsyncMutex<Writer>,
    /// Held shared while a version of a table is read, exclusively while versions still young enough to be read go.
    pub(crate) gate: AsyncRwLock<()>,
    /// Wakes the task that flushes and maintains before its time. Apart, because that task must not keep the store alive.
    pub(crate) wake: Arc<Notify>,
    pub(crate) closed: AtomicBool,
    /// Rows in LanceDB.
    pub(crate) stored_turns: AtomicU64,
    pub(crate) stored_points: AtomicU64,
    /// Commits, and turns committed, since the last maintenance.
    pub(crate) commits: AtomicUsize,
    pub(crate) unindexed: AtomicUsize,
    /// Whether rows were lost and what went with them has not been made good yet.
    pub(crate) is_reconciliation_due: AtomicBool,
    /// Whether the journal was opened again and memory does not know yet what it holds.
    pub(crate) is_catch_up_due: AtomicBool,
    /// Whether a write may have left files that no version names: the last one of the process before this, or one that failed.
    pub(crate) has_leftovers: AtomicBool,
    pub(crate) manifests: ManifestCopies,
    /// What could not be read of the tables.
    pub(crate) faults: Faults,
    pub(crate) kept_files: KeptFiles,
    /// How often the store lost turns to damaged files since it was opened.
    pub(crate) losses: AtomicU64,
    /// How often turns were deleted since then.
    pub(crate) deletions: AtomicU64,
}

/// What the writer remembers from one flush to the next.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// In LanceDB, and still in the journal because nobody has yet made sure that LanceDB's files are on disk.
    pub(crate) untrimmed: Vec<TurnKey>,
    /// Whether LanceDB may already hold rows of pending turns: after a crash, or a flush that failed half way.
    pub(crate) uncertain: bool,
}

impl Shared {
    pub(crate) fn new(config: StoreConfig, directory: Directory, journal: Journal, tables: Tables) -> Self {
        let passage_cache = PassageCache::new(config.caches.passages);
        let sketch_cache = Arc::new(SketchCache::holding(config.caches.sketches));
        let row_cache = RowCache::holding(config.caches.rows);
        let turn_index = Mutex::new(TurnIndex::holding(config.caches.turns));
        Self {
            config,
            directory,
            journal,
            rows: RwLock::new(Arc::new(tables.clone())),
            tables: RwLock::new(tables),
            passage_cache,
            row_cache,
            sketch_cache,
            has_vector_index: AtomicBool::new(false),
            troubles: Troubles::default(),
            deletions_due: DeletionsDue::default(),
            turn_index,
            journal_order: Mutex::default(),
            maintenance: AsyncMutex::default(),
            trimming: AsyncMutex::default(),
            writer: AsyncMutex::new(Writer { untrimmed: Vec::new(), uncertain: true }),
            gate: AsyncRwLock::default(),
            wake: Arc::default(),
            closed: AtomicBool::new(false),
            stored_turns: AtomicU64::new(0),
            stored_points: AtomicU64::new(0),
            commits: AtomicUsize::new(0),
            unindexed: AtomicUsize::new(0),
            is_reconciliation_due: AtomicBool::new(false),
            is_catch_up_due: AtomicBool::new(false),
            has_leftovers: AtomicBool::new(true),
            manifests: ManifestCopies::default(),
            faults: Faults::default(),
            kept_files: KeptFiles::default(),
            losses: AtomicU64::new(0),
            deletions: AtomicU64::new(0),
        }
    }

    /// The tables, as they are open now.
    pub(crate) fn tables(&self) -> Tables {
        self.tables.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The rows of turns in them.
    pub(crate) fn rows(&self) -> Arc<dyn TurnRows> {
        Arc::clone(&self.rows.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other rows in the place of those in the tables.
    #[cfg(test)]
    pub(crate) fn replace_rows(&self, rows: Arc<dyn TurnRows>) {
        *self.rows.write().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    /// Puts other tables in their place. Only for who holds `maintenance`, `trimming`, `writer` and `gate`.
    pub(crate) fn replace_tables(&self, tables: Tables) {
        *self.rows.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tables.clone());
        *self.tables.write().unwrap_or_else(PoisonError::into_inner) = tables;
        self.has_leftovers.store(true, Ordering::Release);
    }

    /// Writes to the tables. Where that fails, or does not come to its end, it may leave files that no version names.
    pub(crate) async fn writing<T>(&self, write: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let mut unfinished = Unfinished { has_leftovers: &self.has_leftovers, is_unfinished: true };
        let written = write.await;
        unfinished.is_unfinished = written.is_err();
        written
    }

    pub(crate) fn turn_index(&self) -> MutexGuard<'_, TurnIndex> {
        self.turn_index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the journal, then the turn_index accordingly, with no other such change in between. Blocking.
    pub(crate) fn change<T>(
        &self,
        journal: impl FnOnce(&Journal) -> Result<T, StoreError>,
        turn_index: impl FnOnce(&mut TurnIndex, &T),
    ) -> Result<T, StoreError> {
        let _order = self.journal_order.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = journal(&self.journal)?;
        turn_index(&mut self.turn_index(), &changed);
        Ok(changed)
    }

    /// Forgets what is kept in memory of turns that were deleted. Sketches go by themselves: those of files from which rows were
    /// deleted hold in no later version.
    pub(crate) fn forget_turns(&self, scope: &Scope, turns: &HashSet<TurnId>) {
        self.passage_cache.forget(turns);
        self.row_cache.forget(scope, turns);
    }

    /// Forgets what passages say.
    pub(crate) fn forget_passages(&self) {
        self.passage_cache.clear();
        self.sketch_cache.clear();
    }

    pub(crate) fn ensure_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// Makes sure that a scope can be used: the store is open, and the tables hold nothing of the scope that was deleted.
    pub(crate) fn ensure_usable(&self, scope: &Scope) -> Result<(), StoreError> {
        self.ensure_open()?;
        self.deletions_due.ensure_none(scope)
    }

    /// Passes on how reading the tables went. A failure that comes again is looked into by the task that looks after the files.
    pub(crate) fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        result.inspect_err(|error| {
            if self.faults.note(error) {
                self.troubles.begin(StorePart::Files, one_line(error));
            }
        })
    }

    /// Runs blocking work (journal, fsync) on a thread for it. It runs to its end even if the caller gives up.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(self);
        blocking(move || work(&shared)).await
    }
}

/// A write to the tables, until it has ended well.
struct Unfinished<'a> {
    has_leftovers: &'a AtomicBool,
    is_unfinished: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if self.is_unfinished {
            self.has_leftovers.store(true, Ordering::Release);
        }
    }
}
