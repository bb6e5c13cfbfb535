//! Main points by their turns.
//!
//! Responsible for: their order.

use std::collections::HashMap;
use std::sync::Arc;

use super::selection;
use crate::error::StoreError;
use crate::lance::{batches, tables};
use crate::records::{Point, Scope, TurnId, Within};
use crate::state::Shared;

/// Points of the turns asked for, in their order, else by turn; passages in order.
pub(crate) async fn find(
    shared: &Arc<Shared>,
    scope: &Scope,
    within: &Within,
    limit: usize,
) -> Result<Vec<Point>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let Some(selection) = selection::select(shared, scope, within).await? else {
        return Ok(Vec::new());
    };
    let batches = tables::rows(&selection.points, selection.filter.clone(), &[], Some(limit)).await?;
    let mut points = batches.iter().map(batches::points_from_batch).collect::<Result<Vec<_>, _>>()?.concat();
    let place: HashMap<TurnId, usize> = match within {
        Within::Turns(ids) => ids.iter().enumerate().map(|(place, id)| (*id, place)).collect(),
        Within::Scope | Within::ScopeWith(_) => HashMap::new(),
    };
    points.sort_by_key(|point| (place.get(&point.turn).copied(), point.turn, point.passage));
    Ok(points)
}
