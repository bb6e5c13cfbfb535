//! Reading by identity: which turns are read, their text, their neighbours, their points.
//!
//! Responsible for: answering from memory, the journal and LanceDB together, so that a turn is found wherever it is.
//! Must not know: ranking.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures::TryStreamExt;
use lancedb::expr::DfExpr;
use lancedb::query::{ExecutableQuery, QueryBase, Select};

use crate::error::StoreError;
use crate::filter;
use crate::presence::{FoundTurn, Pending, State};
use crate::record::{Point, Scope, Turn, TurnId};
use crate::rows;
use crate::schema::column;
use crate::selection::{self, Within};
use crate::shared::Shared;
use crate::tables;

/// Makes sure that the ids stored in a scope are in memory.
pub(crate) async fn load_scope(shared: &Shared, scope: &Scope) -> Result<(), StoreError> {
    loop {
        let Some(epoch) = shared.presence().begin_load(scope) else {
            return Ok(());
        };
        let mut turns = Vec::new();
        {
            let _reading = shared.gate.read().await;
            let filter = filter::of_scope(scope);
            let columns = [column::ID, column::CONVERSATION];
            for batch in tables::rows(&shared.tables().turns, filter, &columns, None).await? {
                let conversations = rows::identifiers_from(&batch, column::CONVERSATION)?;
                let places = conversations.into_iter().zip(rows::row_ids(&batch)?);
                let found = rows::identifiers_from(&batch, column::ID)?.into_iter().zip(places);
                turns.extend(found.map(|(id, (conversation, row))| FoundTurn {
                    id,
                    conversation,
                    row: *row,
                }));
            }
        }
        if shared.presence().load(scope, epoch, turns) {
            return Ok(());
        }
    }
}

/// Those of `ids` that are completed.
pub(crate) async fn read_turns(shared: &Shared, scope: &Scope, ids: &[TurnId]) -> Result<HashSet<TurnId>, StoreError> {
    load_scope(shared, scope).await?;
    let presence = shared.presence();
    let is_read = |id: &TurnId| {
        matches!(
            presence.state(scope, *id),
            Some(State::Stored | State::Pending(Pending::Completed))
        )
    };
    Ok(ids.iter().copied().filter(is_read).collect())
}

/// The turns with these ids, in the order asked, missing ones left out.
pub(crate) async fn turns(shared: &Arc<Shared>, scope: &Scope, ids: &[TurnId]) -> Result<Vec<Turn>, StoreError> {
    let mut found = pending_turns(shared, scope, Some(ids)).await?;
    // A turn that left the journal meanwhile is in LanceDB by now.
    let elsewhere = |found: &HashMap<TurnId, Turn>| -> Vec<TurnId> {
        ids.iter().copied().filter(|id| !found.contains_key(id)).collect()
    };
    let mut rows = shared.presence().rows(scope, &elsewhere(&found));
    // In any other order Lance panics where none of the files is there.
    rows.sort_unstable();
    found.extend(turns_in_rows(shared, &rows, (scope, ids)).await?);
    let moved = elsewhere(&found);
    if !moved.is_empty() {
        let stored = stored_turns(shared, filter::of_ids_anywhere(column::ID, &moved)).await?;
        found.extend(stored.into_iter().filter(|(_, turn)| turn.scope == *scope));
    }
    Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
}

/// Up to `radius` turns before and after `turn` on its branch, and itself, oldest first.
pub(crate) async fn neighbours(
    shared: &Arc<Shared>,
    scope: &Scope,
    turn: TurnId,
    radius: usize,
) -> Result<Vec<Turn>, StoreError> {
    let Some(centre) = turns(shared, scope, &[turn]).await?.pop() else {
        return Ok(Vec::new());
    };
    // Turns without text are not stored but count as positions: look further than the radius.
    let reach = u32::try_from(radius)
        .unwrap_or(u32::MAX)
        .saturating_add(1)
        .saturating_mul(4);
    let (first, last) = (
        centre.position.saturating_sub(reach),
        centre.position.saturating_add(reach),
    );
    let filter = filter::of_positions(scope, centre.conversation, first, last);
    let mut around = stored_turns(shared, filter).await?;
    let pending = pending_turns(shared, scope, None).await?;
    around.extend(
        pending
            .into_iter()
            .filter(|(_, turn)| turn.conversation == centre.conversation && (first..=last).contains(&turn.position)),
    );
    Ok(along_branch(centre, &around, radius))
}

/// Points of the turns asked for, in their order, else by turn; passages in order.
pub(crate) async fn points(
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
    let mut points = batches
        .iter()
        .map(rows::points_from_batch)
        .collect::<Result<Vec<_>, _>>()?
        .concat();
    let place: HashMap<TurnId, usize> = match within {
        Within::Conversation(ids) => ids.iter().enumerate().map(|(place, id)| (*id, place)).collect(),
        Within::Scope | Within::ScopeWith(_) => HashMap::new(),
    };
    points.sort_by_key(|point| (place.get(&point.turn).copied(), point.turn, point.passage));
    Ok(points)
}

/// Every scope that has a turn.
pub(crate) async fn scopes(shared: &Shared) -> Result<Vec<Scope>, StoreError> {
    let failed = || StoreError::lance("list scopes");
    let mut found: BTreeSet<Scope> = shared.presence().pending_scopes().into_iter().collect();
    let _reading = shared.gate.read().await;
    let query = shared.tables().turns.query().select(Select::columns(&[column::SCOPE]));
    let mut stream = query.execute().await.map_err(failed())?;
    while let Some(batch) = stream.try_next().await.map_err(failed())? {
        let names = rows::strings(&batch, column::SCOPE)?;
        for name in names.iter().flatten().collect::<HashSet<_>>() {
            found.insert(Scope::new(name)?);
        }
    }
    Ok(found.into_iter().collect())
}

/// Turns in the journal, all of the scope's when `ids` is `None`.
async fn pending_turns(
    shared: &Arc<Shared>,
    scope: &Scope,
    ids: Option<&[TurnId]>,
) -> Result<HashMap<TurnId, Turn>, StoreError> {
    let mut pending = shared.presence().pending(scope);
    if let Some(ids) = ids {
        let wanted: HashSet<TurnId> = ids.iter().copied().collect();
        pending.retain(|id| wanted.contains(id));
    }
    if pending.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<_> = pending.into_iter().map(|id| (scope.clone(), id)).collect();
    let turns = shared.blocking(move |shared| shared.journal.turns(&keys)).await?;
    Ok(turns.into_iter().map(|turn| (turn.id, turn)).collect())
}

async fn stored_turns(shared: &Shared, filter: DfExpr) -> Result<HashMap<TurnId, Turn>, StoreError> {
    let _reading = shared.gate.read().await;
    let mut found = HashMap::new();
    for batch in tables::rows(&shared.tables().turns, filter, &[], None).await? {
        let turns = rows::turns_from_batch(&batch)?;
        let mut presence = shared.presence();
        for (turn, row) in turns.into_iter().zip(rows::row_ids(&batch)?) {
            presence.set_row(&turn.scope, turn.id, *row);
            found.insert(turn.id, turn);
        }
    }
    Ok(found)
}

/// Those of the turns that lie in these rows, where they were last seen. Looking a few turns up by their ids takes several
/// times as long.
async fn turns_in_rows(
    shared: &Shared,
    rows: &[u64],
    (scope, ids): (&Scope, &[TurnId]),
) -> Result<HashMap<TurnId, Turn>, StoreError> {
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let _reading = shared.gate.read().await;
    let turns = match tables::take(&shared.tables().turns, rows, &[]).await {
        Ok(batch) => rows::turns_from_batch(&batch)?,
        // Lance refuses to read from a file that has been merged with others.
        Err(error) => {
            tracing::debug!(%error, "turns are no longer in the rows where they were last seen");
            Vec::new()
        }
    };
    let ids: HashSet<&TurnId> = ids.iter().collect();
    let is_asked_for = |turn: &Turn| turn.scope == *scope && ids.contains(&turn.id);
    let turns = turns.into_iter().filter(is_asked_for);
    Ok(turns.map(|turn| (turn.id, turn)).collect())
}

/// Walks from `centre` both ways. Backwards along parents; where a parent is not stored, on to the latest turn at the
/// next lower position. Forwards along children, at a fork to the one seen last; where there is none, on to the latest
/// turn at the next higher position whose own parent is not stored.
fn along_branch(centre: Turn, around: &HashMap<TurnId, Turn>, radius: usize) -> Vec<Turn> {
    let latest = |turns: Vec<&Turn>| turns.into_iter().max_by_key(|turn| (turn.time, turn.id)).cloned();
    let before = |turn: &Turn| {
        let parent = turn.parent?;
        around.get(&parent).cloned().or_else(|| {
            let position = around
                .values()
                .map(|other| other.position)
                .filter(|other| *other < turn.position)
                .max()?;
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
            latest(
                around
                    .values()
                    .filter(is_cut_off)
                    .filter(|other| other.position == position)
                    .collect(),
            )
        })
    };
    let mut branch: Vec<Turn> = std::iter::successors(before(&centre), |turn| before(turn))
        .take(radius)
        .collect();
    branch.reverse();
    let later: Vec<Turn> = std::iter::successors(after(&centre), |turn| after(turn))
        .take(radius)
        .collect();
    branch.push(centre);
    branch.extend(later);
    branch
}
