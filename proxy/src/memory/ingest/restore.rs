//! Takes in turns that stood in conversations before, as when a memory is moved: who brings them waits until the journal has them.

use std::collections::HashSet;
use std::sync::Arc;

use mainpoint_store::{PlacedTurn, Scope, Store, Turn, TurnId};

use super::backlog::Backlog;
use super::masking::masked;
use super::stored::StoredAmounts;
use crate::error::MemoryError;
use crate::memory::secrets::Masker;

/// Turns of one scope and where they stood.
#[derive(Debug, Clone, Default)]
pub(crate) struct MovedTurns {
    /// The turns; one may be there several times.
    pub(crate) turns: Vec<Turn>,
    /// Their places.
    pub(crate) placed: Vec<PlacedTurn>,
}

/// What became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Restored {
    /// Turns that are to be read.
    pub(crate) taken: usize,
    /// Turns that were there already.
    pub(crate) known: usize,
}

impl Restored {
    /// Adds what became of others.
    pub(crate) fn add(&mut self, other: Self) {
        self.taken += other.taken;
        self.known += other.known;
    }
}

/// Takes all of them in, or none.
///
/// # Errors
/// When there is no room for them to wait in, their caller may store no more, or the store fails.
pub(super) async fn restore(
    store: &Store,
    (backlog, stored): (&Backlog, &StoredAmounts),
    masker: &Arc<Masker>,
    scope: &Scope,
    moved: MovedTurns,
) -> Result<Restored, MemoryError> {
    let MovedTurns { mut turns, placed } = moved;
    let mut seen = HashSet::new();
    turns.retain(|turn| seen.insert(turn.id));
    let all = turns.len();
    let era = backlog.era();
    let ids: Vec<TurnId> = turns.iter().map(|turn| turn.id).collect();
    let read = store.read_or_unreadable(scope, &ids).await?;
    backlog.mark_read_or_unreadable(scope, &read.iter().copied().collect::<Vec<_>>(), era);
    turns.retain(|turn| !read.contains(&turn.id));
    let turns = masked(masker, turns).await?;
    stored.count(store, scope).await?;
    if !stored.has_room_for(&turns) {
        return Err(MemoryError::StoredLimit);
    }
    let (admitted, refused) = backlog.admit(turns);
    let ids: Vec<(Scope, TurnId)> = admitted.iter().map(|turn| (turn.scope.clone(), turn.id)).collect();
    if let Some((refusal, _)) = refused.first() {
        backlog.forget(&ids);
        return Err((*refusal).into());
    }
    stored.add(&admitted);
    if let Err(error) = store.restore(admitted, placed).await {
        backlog.forget(&ids);
        stored.forget(scope);
        return Err(error.into());
    }
    backlog.enqueue(&ids);
    Ok(Restored { taken: ids.len(), known: all - ids.len() })
}
