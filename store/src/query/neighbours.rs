//! The turns around a turn.
//!
//! Responsible for: following the branch that it is on.

use std::collections::HashMap;
use std::sync::Arc;

use super::lookup;
use crate::error::StoreError;
use crate::lance::filter;
use crate::records::{Scope, Turn, TurnId};
use crate::state::Shared;

/// Up to `radius` turns before and after `turn` on its branch, and itself, oldest first.
pub(crate) async fn find(
    shared: &Arc<Shared>,
    scope: &Scope,
    turn: TurnId,
    radius: usize,
) -> Result<Vec<Turn>, StoreError> {
    let Some(centre) = lookup::turns(shared, scope, &[turn]).await?.pop() else {
        return Ok(Vec::new());
    };
    // A position may be without a stored turn, since the turn found no room or was deleted: look further than the radius.
    let reach = u32::try_from(radius).unwrap_or(u32::MAX).saturating_add(1).saturating_mul(4);
    let (first, last) = (centre.position.saturating_sub(reach), centre.position.saturating_add(reach));
    let filter = filter::of_positions(scope, centre.conversation, first, last);
    let mut around = lookup::stored_turns(shared, filter).await?;
    let pending = lookup::pending_turns(shared, scope, None).await?;
    around.extend(
        pending
            .into_iter()
            .filter(|(_, turn)| turn.conversation == centre.conversation && (first..=last).contains(&turn.position)),
    );
    Ok(along_branch(centre, &around, radius))
}

/// Walks from `centre` both ways. Backwards along parents; where a parent is not stored, on to the latest turn at the
/// next lower position. Forwards along children, at a fork to the one seen last; where there is none, on to the latest
/// turn at the next higher position whose own parent is not stored.
fn along_branch(centre: Turn, around: &HashMap<TurnId, Turn>, radius: usize) -> Vec<Turn> {
    let latest = |turns: Vec<&Turn>| turns.into_iter().max_by_key(|turn| (turn.time, turn.id)).cloned();
    let before = |turn: &Turn| {
        let parent = turn.parent?;
        around.get(&parent).cloned().or_else(|| {
            let position = around.values().map(|other| other.position).filter(|other| *other < turn.position).max()?;
            latest(around.values().filter(|other| other.position == position).collect())
        })
    };
    let after = |turn: &Turn| {
        let children: Vec<&Turn> = around.values().filter(|other| other.parent == Some(turn.id)).collect();
        latest(children).or_else(|| {
            let is_cut_off = |other: &&Turn| {
                other.position > turn.position && other.parent.is_some_and(|parent| !around.contains_key(&parent))
            };
            let position = around.values().filter(is_cut_off).map(|other| other.position).min()?;
            latest(around.values().filter(is_cut_off).filter(|other| other.position == position).collect())
        })
    };
    let mut branch: Vec<Turn> = std::iter::successors(before(&centre), |turn| before(turn)).take(radius).collect();
    branch.reverse();
    let later: Vec<Turn> = std::iter::successors(after(&centre), |turn| after(turn)).take(radius).collect();
    branch.push(centre);
    branch.extend(later);
    branch
}
