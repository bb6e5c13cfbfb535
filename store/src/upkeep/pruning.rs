//! Removing the files of old versions.
//!
//! Responsible for: how a table is pruned. Must not know: which versions readers still need.

use std::sync::Arc;

use chrono::TimeDelta;
use lancedb::Table;
use lancedb::table::OptimizeAction;

use crate::error::StoreError;
use crate::state::Shared;
use crate::trouble::one_line;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pruned {
    /// Versions.
    pub(super) versions: u64,
    /// Bytes of the files that only they named.
    pub(super) bytes: u64,
}

/// Removes versions older than `age` and the files that only they name.
pub(super) async fn prune(table: &Table, age: TimeDelta) -> Result<Pruned, StoreError> {
    let action = OptimizeAction::Prune {
        older_than: Some(age),
        delete_unverified: Some(false),
        error_if_tagged_old_versions: Some(false),
    };
    let stats = table.optimize(action).await.map_err(StoreError::lance("prune a table"))?;
    let pruned = stats.prune.map(|removed| Pruned { versions: removed.old_versions, bytes: removed.bytes_removed });
    Ok(pruned.unwrap_or_default())
}

/// Removes at once the files that no version needs but old ones, where a full disk lets nothing else be done. Only for who holds
/// `maintenance`. What it cannot do maintenance does.
pub(super) async fn free_space(shared: &Arc<Shared>) {
    let open = shared.tables();
    let _no_readers = shared.gate.write().await;
    for table in [&open.turns, &open.points] {
        if let Err(error) = prune(table, TimeDelta::zero()).await {
            tracing::debug!(cause = one_line(&error), "old versions stay on the full disk");
        }
    }
}
