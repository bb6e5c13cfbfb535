//! Keeping the tables small and fast, and deleted text off the disk.
//!
//! Responsible for: compaction, indices and pruning as three separate steps, the order in which they clear what was
//! deleted, expiring turns and the ledger.
//!
//! # Pruning
//!
//! A version is pruned when it is older than an hour, so that no reader loses its files. After a deletion the user's
//! wish weighs more: then the deleted rows are compacted away, the indices that hold their words are built anew, and
//! every older version goes at once, also one that can't be read. Readers are kept out for the moment of pruning (the gate).
//!
//! Files that no version names are what a write left that did not end, as when the process was killed. They go whatever their age at the
//! first pruning after the store was opened or a write failed, and at one after a deletion, while nothing is written (`writer`). An
//! ordinary pruning keeps nobody from writing.
//!
//! The version that stays may have been written a moment ago, so it is made durable before older ones go: after a power failure one
//! of them has to be readable.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::Utc;
use lancedb::Table;
use lancedb::index::Index;
use lancedb::table::{CompactionOptions, OptimizeAction, OptimizeOptions};

use super::{deletion, expiry, flush};
use crate::error::StoreError;
use crate::lance::pruning::{Outdated, prune};
use crate::lance::tables::{self, Tables};
use crate::lance::vector_index;
use crate::state::Shared;
use crate::tasks::to_completion;

/// Share of deleted rows from which a file is rewritten.
const DELETED_SHARE: f32 = 0.1;
/// An index grows by one part for each run; above this many they are merged into one.
const INDEX_PARTS: u32 = 8;

/// What a maintenance run did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MaintenanceReport {
    /// To the table of turns.
    pub turns: TableMaintenance,
    /// To the table of main points.
    pub points: TableMaintenance,
    /// Turns that went because they were said last longer ago than `retain_for`.
    pub turns_expired: u64,
    /// Whether deleted rows were cleared from the disk.
    pub purged: bool,
    /// Whether the journal was written anew, without what had been removed from it.
    pub journal_rewritten: bool,
    /// Entries of the ledger removed, with the conversations to which nothing was written for `ledger_age`.
    pub ledger_expired: usize,
    /// When a vector index was built: the share of exact neighbours that it finds, 0 to 1. Below 0.9 it is dropped.
    pub vector_index_recall: Option<f32>,
    /// Entries of indices that were let go of because nothing had asked for them since the indices before these, and with
    /// them their open files.
    pub indices_closed: usize,
}

/// What a maintenance run did to one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableMaintenance {
    /// Files that were merged into others.
    pub files_removed: usize,
    /// Files they were merged into.
    pub files_added: usize,
    /// Rows that the indices did not cover before.
    pub rows_indexed: usize,
    /// Versions pruned.
    pub versions_removed: u64,
    /// Bytes pruned.
    pub bytes_removed: u64,
}

/// Compacts, indexes and prunes both tables, expires the ledger and clears the journal's free pages.
pub(crate) async fn maintain(shared: &Arc<Shared>) -> Result<MaintenanceReport, StoreError> {
    let shared = Arc::clone(shared);
    to_completion(async move {
        deletion::resume(&shared).await?;
        let turns_expired = expiry::expire(&shared, Utc::now()).await?;
        flush::flush(&shared).await?;
        let _maintenance = shared.maintenance.lock().await;
        shared.writing(maintain_tables(&shared, turns_expired)).await
    })
    .await
}

/// Only for who holds `maintenance`.
async fn maintain_tables(shared: &Arc<Shared>, turns_expired: u64) -> Result<MaintenanceReport, StoreError> {
    let open = shared.tables();
    shared.commits.store(0, Ordering::Relaxed);
    shared.unindexed.store(0, Ordering::Relaxed);
    let purge = shared.blocking(|shared| shared.journal.purge_due()).await?;
    let mut report = MaintenanceReport { purged: purge, turns_expired, ..MaintenanceReport::default() };

    for (table, done) in both(&open, &mut report) {
        compact(table, if purge { 0.0 } else { DELETED_SHARE }, shared.config.cpu_threads, done).await?;
    }
    if purge {
        rebuild_indices(&open.turns, open.turn_indices()).await?;
        rebuild_indices(&open.points, open.point_indices()).await?;
    }
    for (table, done) in both(&open, &mut report) {
        index(table, done).await?;
    }
    report.vector_index_recall =
        vector_index::build_when_large(&open.points, &shared.directory.scratch(), vector_index::MINIMUM_ROWS).await?;
    note_vector_index(shared).await?;
    prune_tables(shared, &open, &mut report).await?;
    if purge {
        shared.blocking(clear).await?;
    }
    report.ledger_expired =
        shared.blocking(|shared| shared.journal.expire_ledger(Utc::now(), shared.config.ledger_age)).await?;
    report.journal_rewritten = shared.blocking(|shared| shared.journal.rewrite()).await?;
    shared
        .blocking(|shared| {
            shared.journal.keep_reserve();
            Ok(())
        })
        .await?;
    if report.has_new_indices() {
        report.indices_closed = open.indices.sweep();
    }
    Ok(report)
}

/// Makes what was written durable, then prunes both tables. Only for who holds `maintenance`.
async fn prune_tables(shared: &Arc<Shared>, open: &Tables, report: &mut MaintenanceReport) -> Result<(), StoreError> {
    let purge = report.purged;
    let nothing_is_written =
        if purge || shared.has_leftovers.load(Ordering::Acquire) { Some(shared.writer.lock().await) } else { None };
    let outdated = match (&nothing_is_written, purge) {
        (_, true) => Outdated::AllButTheNewest,
        (Some(_), false) => Outdated::OlderThanAnHourAndLeftovers,
        (None, false) => Outdated::OlderThanAnHour,
    };
    // What is committed from here on is not durable yet, and the versions that are looked at now stay.
    let newest = [tables::dataset(&open.turns).await?, tables::dataset(&open.points).await?];
    shared.blocking(|shared| shared.directory.sync()).await?;
    let _no_readers = if purge { Some(shared.gate.write().await) } else { None };
    if purge {
        shared.forget_passages();
    }
    for ((table, done), newest) in both(open, report).into_iter().zip(&newest) {
        let pruned = prune(&shared.directory, table.name(), newest, outdated).await?;
        done.versions_removed = pruned.versions;
        done.bytes_removed = pruned.bytes;
    }
    if outdated != Outdated::OlderThanAnHour {
        shared.has_leftovers.store(false, Ordering::Release);
    }
    drop(nothing_is_written);
    Ok(())
}

/// Removes what was moved aside, which may hold what was deleted, and notes that nothing of that is left.
fn clear(shared: &Shared) -> Result<(), StoreError> {
    let removed = shared.directory.remove_set_aside()?;
    if removed > 0 {
        tracing::warn!(
            removed,
            "what had been moved aside as damaged was removed, since something was deleted and it may hold that"
        );
    }
    shared.journal.purge_done()
}

/// Builds the vector index, and returns the share of exact neighbours that it finds.
pub(crate) async fn build_vector_index(shared: &Arc<Shared>) -> Result<f32, StoreError> {
    let shared = Arc::clone(shared);
    to_completion(async move {
        let _maintenance = shared.maintenance.lock().await;
        let open = shared.tables();
        let recall = shared.writing(vector_index::build(&open.points, &shared.directory.scratch())).await?;
        note_vector_index(&shared).await?;
        Ok(recall)
    })
    .await
}

/// Searches use the vector index from now on, if there is one.
async fn note_vector_index(shared: &Shared) -> Result<(), StoreError> {
    let exists = vector_index::exists(&shared.tables().points).await?;
    shared.has_vector_index.store(exists, Ordering::Release);
    Ok(())
}

fn both<'a>(open: &'a Tables, report: &'a mut MaintenanceReport) -> [(&'a Table, &'a mut TableMaintenance); 2] {
    [(&open.turns, &mut report.turns), (&open.points, &mut report.points)]
}

impl MaintenanceReport {
    /// Whether indices were written, so that what is in memory of earlier ones serves nobody.
    fn has_new_indices(&self) -> bool {
        let has = |table: &TableMaintenance| table.rows_indexed > 0 || table.files_removed > 0;
        self.purged || self.vector_index_recall.is_some() || has(&self.turns) || has(&self.points)
    }
}

/// Merges small files and rewrites those of whose rows more than `deleted_share` are deleted.
async fn compact(
    table: &Table,
    deleted_share: f32,
    threads: usize,
    done: &mut TableMaintenance,
) -> Result<(), StoreError> {
    let options = CompactionOptions {
        materialize_deletions_threshold: deleted_share,
        num_threads: Some(threads),
        ..CompactionOptions::default()
    };
    let action = OptimizeAction::Compact { options, remap_options: None };
    let stats = table.optimize(action).await.map_err(StoreError::lance("compact a table"))?;
    if let Some(compaction) = stats.compaction {
        done.files_removed = compaction.fragments_removed;
        done.files_added = compaction.fragments_added;
    }
    Ok(())
}

/// Adds rows that are not indexed yet to every index.
async fn index(table: &Table, done: &mut TableMaintenance) -> Result<(), StoreError> {
    let failed = || StoreError::lance("index a table");
    let (mut unindexed, mut parts) = (0, 0);
    for index in table.list_indices().await.map_err(failed())? {
        if let Some(stats) = table.index_stats(&index.name).await.map_err(failed())? {
            unindexed = unindexed.max(stats.num_unindexed_rows);
            parts = parts.max(stats.num_indices.unwrap_or(1));
        }
    }
    if unindexed > 0 {
        let options =
            if parts < INDEX_PARTS { OptimizeOptions::default() } else { OptimizeOptions::merge(parts as usize) };
        table.optimize(OptimizeAction::Index(options)).await.map_err(failed())?;
        done.rows_indexed = unindexed;
    }
    Ok(())
}

/// Builds indices anew, from the rows that are there now.
pub(super) async fn rebuild_indices(table: &Table, indices: Vec<(&'static str, Index)>) -> Result<(), StoreError> {
    for (column, index) in indices {
        let built = table.create_index(&[column], index).replace(true).execute().await;
        built.map_err(StoreError::lance("build an index anew"))?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "maintenance_tests.rs"]
mod tests;
