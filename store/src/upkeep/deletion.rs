//! Deleting: from search at once, from the journal at once, from the disk at the next maintenance.
//!
//! Responsible for: carrying a deletion out in both places so that a crash in between is made good. Must not know: why
//! something is deleted.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::MutexGuard;

use crate::error::StoreError;
use crate::lance::schema::column;
use crate::lance::{columns, filter, tables};
use crate::records::{Deletion, TurnId, TurnKey};
use crate::state::{Shared, Writer};
use crate::tasks::to_completion;

/// Deletes and returns the number of turns that were there.
pub(crate) async fn delete(shared: &Arc<Shared>, deletion: Deletion) -> Result<u64, StoreError> {
    let shared = Arc::clone(shared);
    to_completion(async move {
        let _maintenance = shared.maintenance.lock().await;
        let _trimming = shared.trimming.lock().await;
        let mut writer = shared.writer.lock().await;
        let noted = deletion.clone();
        let removed = shared
            .blocking(move |shared| {
                shared.change(
                    |journal| journal.delete(&noted),
                    |turn_index, removed| {
                        for (scope, id) in removed {
                            turn_index.clear_pending(scope, *id);
                        }
                    },
                )
            })
            .await?;
        carry_out(&shared, &mut writer, deletion, removed).await
    })
    .await
}

/// Carries out deletions that a crash or an error left half way.
pub(crate) async fn resume(shared: &Arc<Shared>) -> Result<(), StoreError> {
    for deletion in shared.blocking(|shared| shared.journal.deletions()).await? {
        tracing::info!(scope = %deletion.scope, "carrying out a deletion that was interrupted");
        delete(shared, deletion).await?;
    }
    Ok(())
}

async fn carry_out(
    shared: &Arc<Shared>,
    writer: &mut MutexGuard<'_, Writer>,
    deletion: Deletion,
    from_journal: Vec<TurnKey>,
) -> Result<u64, StoreError> {
    let scope = &deletion.scope;
    let mut deleted: HashSet<TurnId> = from_journal.into_iter().map(|(_, id)| id).collect();
    writer.untrimmed.retain(|(of, id)| of != scope || !deleted.contains(id));

    let rows_covered = match deletion.conversation {
        Some(conversation) => filter::of_conversation(scope, conversation),
        None => filter::of_scope(scope),
    };
    for batch in tables::rows(&shared.tables().turns, rows_covered.clone(), &[column::ID], None).await? {
        deleted.extend(columns::identifiers_from(&batch, column::ID)?);
    }
    let failed = || StoreError::lance("delete rows");
    let points = shared.tables().points.delete(&rows_covered).await.map_err(failed())?;
    shared.stored_points.fetch_sub(points.num_deleted_rows, Ordering::Relaxed);
    let turns = shared.tables().turns.delete(&rows_covered).await.map_err(failed())?;
    shared.stored_turns.fetch_sub(turns.num_deleted_rows, Ordering::Relaxed);
    shared.turn_index().unload(scope);
    shared
        .blocking(move |shared| {
            shared.directory.sync()?;
            shared.journal.finish_deletion(&deletion)
        })
        .await?;
    Ok(deleted.len() as u64)
}
