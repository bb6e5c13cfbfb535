//! Memory, journal and tables after opening.
//!
//! Responsible for: what is pending and what there is, carrying out deletions that were left half way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::deletion;
use crate::error::StoreError;
use crate::state::Shared;

/// Brings memory, journal and tables together after opening.
pub(crate) async fn replay(shared: &Arc<Shared>) -> Result<(), StoreError> {
    deletion::note_all(shared).await?;
    let pending = shared.blocking(|shared| shared.journal.keys()).await?;
    {
        let mut turn_index = shared.turn_index();
        pending.into_iter().for_each(|((scope, id), state)| turn_index.set_pending(&scope, id, state));
    }
    count(shared).await?;
    match deletion::resume(shared).await {
        // Noted and said; it is tried again, and nothing is read of its scope until then.
        Err(_) if shared.deletions_due.is_any() => Ok(()),
        resumed => resumed,
    }
}

/// Counts the rows of both tables, and notes whether vectors are indexed.
pub(super) async fn count(shared: &Shared) -> Result<(), StoreError> {
    let counts = shared.rows().count().await?;
    shared.stored_turns.store(counts.turns, Ordering::Relaxed);
    shared.stored_points.store(counts.points, Ordering::Relaxed);
    shared.has_vector_index.store(counts.has_vector_index, Ordering::Release);
    Ok(())
}
