//! Loading the turns of a scope into memory.
//!
//! Responsible for: reading which are stored, until nothing was deleted meanwhile.

use tokio::sync::RwLockReadGuard;

use crate::error::StoreError;
use crate::records::Scope;
use crate::state::Shared;

/// Makes sure that the ids stored in a scope are in memory. `held` is the gate of who holds it already: asking for it once more
/// would never end where somebody waits to have it alone.
pub(crate) async fn load_scope(
    shared: &Shared,
    scope: &Scope,
    held: Option<&RwLockReadGuard<'_, ()>>,
) -> Result<(), StoreError> {
    while let Some(generation) = begin(shared, scope) {
        let _own = match held {
            Some(_) => None,
            None => Some(shared.gate.read().await),
        };
        if load(shared, scope, generation).await? {
            break;
        }
    }
    Ok(())
}

fn begin(shared: &Shared, scope: &Scope) -> Option<u64> {
    shared.turn_index().begin_load(scope)
}

/// Loads a scope, for who holds the gate; false if something of it was deleted meanwhile.
async fn load(shared: &Shared, scope: &Scope, generation: u64) -> Result<bool, StoreError> {
    let mut turns = shared.rows().turns_of(scope).await?;
    turns.retain(|turn| !shared.deletions_due.covers(scope, turn.id));
    Ok(shared.turn_index().load(scope, generation, turns))
}
