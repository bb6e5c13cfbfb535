//! The rows of every passage of a conversation or scope.
//!
//! Responsible for: naming them without asking LanceDB for those that are known.

use std::collections::HashMap;
use std::sync::Arc;

use super::loading;
use super::selection::Selection;
use crate::error::StoreError;
use crate::lance::schema::column;
use crate::lance::{columns, filter, tables};
use crate::records::{Scope, TurnId};
use crate::state::Shared;
use crate::state::row_cache::Fragments;

/// Up to so many turns are asked for by their ids.
const FEW: usize = 256;

/// The rows of these turns of a scope, or of all, each once, if there are at most `limit`; `None` if there are more rows, or more turns.
pub(crate) async fn find(
    shared: &Arc<Shared>,
    selection: &Selection<'_>,
    scope: &Scope,
    turns: Option<&[TurnId]>,
    limit: usize,
) -> Result<Option<Vec<u64>>, StoreError> {
    loading::load_scope(shared, scope, Some(&selection.reading)).await?;
    // Of the version that was selected memory knows every turn by now.
    let Some(turns) = shared.turn_index().stored(scope, turns, limit) else {
        return Ok(None);
    };
    let dataset = tables::dataset(&selection.points).await?;
    let fragments = Fragments::from_dataset(&dataset);
    let mut known = shared.row_cache.look_up(&fragments, scope, &turns);
    if !known.missing.is_empty() {
        let found = look_up(selection, scope, &known.missing).await?;
        shared.row_cache.remember(&fragments, scope, &known.missing, &found);
        known.rows.extend(known.missing.iter().filter_map(|turn| found.get(turn)).flatten());
    }
    Ok((known.rows.len() <= limit).then_some(known.rows))
}

async fn look_up(
    selection: &Selection<'_>,
    scope: &Scope,
    turns: &[TurnId],
) -> Result<HashMap<TurnId, Vec<u64>>, StoreError> {
    let filter = if turns.len() > FEW { selection.filter.clone() } else { filter::of_ids(scope, column::TURN, turns) };
    let mut found: HashMap<TurnId, Vec<u64>> = HashMap::new();
    for batch in tables::rows(&selection.points, filter, &[column::TURN], None).await? {
        let turns = columns::identifiers_from(&batch, column::TURN)?;
        for (turn, row) in turns.into_iter().zip(columns::row_ids(&batch)?) {
            found.entry(turn).or_default().push(*row);
        }
    }
    Ok(found)
}
