//! Turns that cannot be read: they are marked once and for all, so that they are never tried again and stay in prompts by
//! themselves while the turns around them leave.

use mainpoint_engine::EngineError;
use mainpoint_store::{LedgerEntry, LedgerKey, LedgerKind, Store, StoreError, Turn};

use crate::error::MemoryError;
use crate::telemetry::metrics;

/// Whether another attempt with the same text would fail alike.
pub(super) fn is_about_the_text(error: &MemoryError) -> bool {
    match error {
        MemoryError::Engine(error) => matches!(error, EngineError::TurnTooLong { .. } | EngineError::Compute { .. }),
        MemoryError::Store(error) => matches!(error, StoreError::InvalidPoint { .. } | StoreError::Batch { .. }),
        MemoryError::Readings { .. } => true,
        _ => false,
    }
}

/// Marks an accepted turn as unreadable: it counts as read, has no main point, and its mark in the ledger never expires.
///
/// # Errors
/// When the store fails; the turn is then still to be read.
pub(super) async fn mark(store: &Store, turn: &Turn, cause: &MemoryError) -> Result<(), MemoryError> {
    let entry = LedgerEntry {
        kind: LedgerKind::Unreadable,
        key: LedgerKey::Turn(turn.id),
        conversation: turn.conversation,
        value: cause.label().into(),
    };
    // The mark first: a turn without main points and without a mark would leave the prompt and be forgotten.
    store.record(&turn.scope, vec![entry]).await?;
    store.complete(vec![(turn.scope.clone(), turn.id, Vec::new())]).await?;
    metrics::unreadable(cause.label());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_text_is_to_blame_for_is_final() {
        let engine = |error| is_about_the_text(&MemoryError::Engine(error));
        assert!(engine(EngineError::TurnTooLong { bytes: 9, most: 8 }));
        for passing in
            [EngineError::Busy { part: "reader" }, EngineError::Stopped { part: "reader" }, EngineError::Unwanted]
        {
            assert!(!engine(passing));
        }
    }
}
