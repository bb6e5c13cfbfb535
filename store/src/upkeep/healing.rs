//! Files that are there and as long as they were written, and hold something else.
//!
//! Responsible for: looking through the tables when a failure of reading comes again, leaving out what can't be read,
//! building all indices anew.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::{FutureExt, TryStreamExt};
use lance::Dataset;
use lance::index::DatasetIndexExt;
use lance::table::format::Fragment;
use lancedb::Table;
use lancedb::index::Index;

use super::{catch_up, maintenance, repair, replay};
use crate::error::StoreError;
use crate::lance::schema::{POINTS, TURNS};
use crate::lance::{opening, tables};
use crate::state::Shared;
use crate::state::faults::{Suspicion, is_of_system};
use crate::tasks::to_completion;
use crate::trouble::one_line;

/// Looks through both tables for what made a failure of reading come again, and mends it.
///
/// # Errors
/// When it can't be mended, or was looked for lately.
pub(crate) async fn heal(shared: &Arc<Shared>, suspicion: Suspicion) -> Result<(), StoreError> {
    let Suspicion { reason, was_examined } = suspicion;
    if was_examined {
        let what = format!("{reason} (the tables were read and their indices built anew a short time ago)");
        return Err(StoreError::unreadable(what));
    }
    tracing::error!(
        cause = reason,
        "reading the tables fails again and again: all rows are read, what can't be read is left out, and all indices are built anew"
    );
    let shared = Arc::clone(shared);
    to_completion(async move {
        let mended = shared.writing(mend(&shared)).await;
        match &mended {
            Ok(()) => shared.faults.mended(),
            Err(_) => shared.faults.not_mended(),
        }
        mended
    })
    .await
}

async fn mend(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let _maintenance = shared.maintenance.lock().await;
    let _trimming = shared.trimming.lock().await;
    let mut writer = shared.writer.lock().await;
    shared.directory.ensure_same()?;
    let open = shared.tables();
    let mut rows_lost = false;
    for (name, table, indices) in
        [(TURNS, &open.turns, open.turn_indices()), (POINTS, &open.points, open.point_indices())]
    {
        let unreadable = unreadable_fragments(table).await?;
        if !unreadable.is_empty() {
            // From here on a failure must not hide what was lost.
            shared.is_reconciliation_due.store(true, Ordering::Release);
            rows_lost = true;
            leave_out(shared, name, table, unreadable).await?;
        }
        build_indices_anew(table, indices).await?;
    }
    shared.forget_passages();
    if rows_lost {
        let again = repair::reconcile(shared).await?;
        catch_up::reset(shared, &mut writer).await?;
        shared.losses.fetch_add(1, Ordering::AcqRel);
        shared.is_reconciliation_due.store(false, Ordering::Release);
        tracing::error!(
            turns_read_again = again,
            "rows of the tables could not be read and were left out; the journal writes again those that it has, and the others are \
             read again when their client sends them"
        );
    }
    replay::count(shared).await?;
    shared.wake.notify_one();
    tracing::info!(rows_lost, "the tables can be read again");
    Ok(())
}

/// The fragments of a table that hold something else than what was written.
async fn unreadable_fragments(table: &Table) -> Result<Vec<Fragment>, StoreError> {
    let dataset = tables::dataset(table).await?;
    let mut unreadable = Vec::new();
    for fragment in dataset.fragments().iter() {
        // Twice, since it is not looked at again afterwards.
        if !is_readable(&dataset, fragment).await? && !is_readable(&dataset, fragment).await? {
            unreadable.push(fragment.clone());
        }
    }
    Ok(unreadable)
}

/// Whether all rows of a fragment can be read.
///
/// # Errors
/// What the system says, which is no word about what the files hold.
async fn is_readable(dataset: &Dataset, fragment: &Fragment) -> Result<bool, StoreError> {
    let read = async {
        let mut scanner = dataset.scan();
        scanner.with_fragments(vec![fragment.clone()]);
        let mut batches = scanner.try_into_stream().await?;
        while batches.try_next().await?.is_some() {}
        Ok::<(), lance::Error>(())
    };
    // What a file holds may make a decoder panic; that tells no other tale than an error would.
    match AssertUnwindSafe(read.boxed()).catch_unwind().await {
        Ok(Ok(())) => Ok(true),
        Ok(Err(error)) => {
            let error = StoreError::lance("read all rows")(error);
            if is_of_system(&one_line(&error)) { Err(error) } else { Ok(false) }
        }
        Err(_) => Ok(false),
    }
}

/// Leaves fragments out of a table, and moves their files aside.
async fn leave_out(
    shared: &Arc<Shared>,
    name: &'static str,
    table: &Table,
    fragments: Vec<Fragment>,
) -> Result<(), StoreError> {
    let rows: usize = fragments.iter().filter_map(|fragment| fragment.physical_rows).sum();
    tracing::error!(
        table = name,
        rows,
        files = fragments.len(),
        "files with rows of a table do not hold what was written; moved aside. These rows are lost, except for what the journal has"
    );
    opening::remove_fragments(table, fragments.iter().map(|fragment| fragment.id).collect()).await?;
    let data = shared.directory.table(name).join("data");
    let files: Vec<_> =
        fragments.iter().flat_map(|fragment| &fragment.files).map(|file| data.join(&file.path)).collect();
    shared
        .blocking(move |shared| {
            for file in files.iter().filter(|file| file.exists()) {
                shared.directory.set_aside(file)?;
            }
            Ok(())
        })
        .await
}

/// Drops all indices of a table, the vector index as well, and builds those that it needs from its rows; maintenance builds the
/// vector index where there are rows enough.
async fn build_indices_anew(table: &Table, indices: Vec<(&'static str, Index)>) -> Result<(), StoreError> {
    let dataset = tables::dataset(table).await?;
    let listed = dataset.load_indices().await.map_err(StoreError::lance("list indices"))?;
    let mut names: Vec<String> = listed.iter().map(|index| index.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        table.drop_index(&name).await.map_err(StoreError::lance("drop an index"))?;
    }
    maintenance::rebuild_indices(table, indices).await
}
