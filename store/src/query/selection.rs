//! Which main points a query is about, in one pinned version of their table.
//!
//! Responsible for: making pending rows visible, pinning a version, and the filter that says exactly "these turns" and
//! stays fast for thousands of them.

use std::sync::Arc;

use lancedb::Table;
use lancedb::expr::DfExpr;
use tokio::sync::RwLockReadGuard;

use super::loading;
use crate::error::StoreError;
use crate::lance::filter;
use crate::lance::schema::column;
use crate::records::{Scope, TurnId, Within};
use crate::state::Shared;
use crate::upkeep::flush;

/// From this many ids on it is worth looking for a shorter way to name them.
const MANY: usize = 256;

/// The points of a query.
pub(crate) struct Selection<'a> {
    /// One version of the table of points.
    pub(crate) points: Table,
    pub(crate) filter: DfExpr,
    /// Keeps that version on disk.
    pub(crate) reading: RwLockReadGuard<'a, ()>,
}

/// Selects the points of a part of a scope; `None` if that part is empty by itself.
pub(crate) async fn select<'a>(
    shared: &'a Arc<Shared>,
    scope: &Scope,
    within: &Within,
) -> Result<Option<Selection<'a>>, StoreError> {
    let ids = match within {
        Within::Turns(ids) if ids.is_empty() => return Ok(None),
        within => within.turns(),
    };
    flush::commit_for(shared, scope, within).await?;
    if ids.is_some_and(|ids| ids.len() >= MANY) {
        loading::load_scope(shared, scope, None).await?;
    }
    let reading = shared.gate.read().await;
    let snapshot = shared.tables().points.query_snapshot().await;
    let points = snapshot.map_err(StoreError::lance("pin a version"))?;
    // After pinning: whatever rows the version has, memory knows their turns by now.
    let filter = match ids {
        Some(ids) => of_turns(shared, scope, ids),
        None => filter::of_scope(scope),
    };
    Ok(Some(Selection { points, filter, reading }))
}

/// A list of 5,000 ids costs every query tens of milliseconds. A long chain is nearly all of its conversation, so it
/// is much shorter to name the conversation and the few turns of it that are not meant.
fn of_turns(shared: &Shared, scope: &Scope, ids: &[TurnId]) -> DfExpr {
    let complement = if ids.len() < MANY { None } else { shared.turn_index().complement(scope, ids) };
    match complement {
        Some(complement) => filter::of_conversations_except(scope, &complement.conversations, &complement.except),
        None => filter::of_ids(scope, column::TURN, ids),
    }
}
