//! Turns that have been read.
//!
//! Responsible for: putting their main points beside them in the journal. Must not know: what becomes of them then.

use std::collections::HashMap;

use crate::error::StoreError;
use crate::journal::Key;
use crate::presence::Pending;
use crate::record::{Point, Scope, Turn, TurnId};
use crate::retain;
use crate::rows::CompletedTurn;
use crate::shared::Shared;

/// Moves turns from accepted to completed and returns how many are waiting for a flush.
pub(crate) fn complete(shared: &Shared, points: Vec<(Scope, TurnId, Vec<Point>)>) -> Result<usize, StoreError> {
    let keys: Vec<Key> = points.iter().map(|(scope, id, _)| (scope.clone(), *id)).collect();
    let mut turns: HashMap<Key, Turn> = HashMap::new();
    for turn in shared.journal.accepted_turns(&keys)? {
        turns.insert((turn.scope.clone(), turn.id), turn);
    }
    let mut completed = Vec::new();
    for (scope, id, points) in points {
        let Some(turn) = turns.remove(&(scope, id)) else {
            tracing::debug!(turn = %id, "main points of a turn that is not waiting to be read are left out");
            continue;
        };
        let width = shared.tables().vector_width;
        let (turn, points) = retain::retained(shared.config.retain, width, turn, points)?;
        completed.push(CompletedTurn { turn, points });
    }
    shared.change(
        |journal| journal.complete(&completed),
        |presence, moved| {
            for (scope, id) in moved {
                presence.set_pending(scope, *id, Pending::Completed);
            }
        },
    )?;
    Ok(shared.presence().completed_len())
}
