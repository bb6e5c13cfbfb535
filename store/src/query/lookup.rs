//! Finds turns by their ids: which of them have been read, and what they say.
//!
//! Responsible for: answering from memory, the journal and LanceDB together, so that a turn is found wherever it is.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use lancedb::expr::DfExpr;
use lancedb::query::{ExecutableQuery, QueryBase, Select};

use super::loading;
use crate::error::StoreError;
use crate::lance::schema::column;
use crate::lance::{batches, columns, filter, tables};
use crate::records::{ConversationView, Pending, Scope, Seen, Turn, TurnId};
use crate::state::Shared;
use crate::state::turn_index::State;

/// Up to so many turns are asked for by their ids.
pub(super) const FEW: usize = 1024;

/// Those of `ids` that are completed.
pub(crate) async fn read_or_unreadable(
    shared: &Shared,
    scope: &Scope,
    ids: &[TurnId],
) -> Result<HashSet<TurnId>, StoreError> {
    loading::load_scope(shared, scope, None).await?;
    let turn_index = shared.turn_index();
    let is_read =
        |id: &TurnId| matches!(turn_index.state(scope, *id), Some(State::Stored | State::Pending(Pending::Completed)));
    Ok(ids.iter().copied().filter(is_read).collect())
}

/// The turns with these ids, in the order asked, missing ones left out.
pub(crate) async fn turns(shared: &Arc<Shared>, scope: &Scope, ids: &[TurnId]) -> Result<Vec<Turn>, StoreError> {
    let mut found = pending_turns(shared, scope, Some(ids)).await?;
    if shared.deletions_due.is_of(scope) {
        // The tables may still hold what was deleted.
        return Ok(ids.iter().filter_map(|id| found.remove(id)).collect());
    }
    // A turn that left the journal meanwhile is in LanceDB by now.
    let elsewhere = |found: &HashMap<TurnId, Turn>| -> Vec<TurnId> {
        ids.iter().copied().filter(|id| !found.contains_key(id)).collect()
    };
    let mut rows = shared.turn_index().rows(scope, &elsewhere(&found));
    // In any other order Lance panics where none of the files is there.
    rows.sort_unstable();
    found.extend(turns_in_rows(shared, &rows, scope, ids).await?);
    let moved = elsewhere(&found);
    if !moved.is_empty() {
        let stored = stored_turns(shared, filter::of_ids_anywhere(column::ID, &moved)).await?;
        found.extend(stored.into_iter().filter(|(_, turn)| turn.scope == *scope));
    }
    Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
}

/// [`turns`], each with the time when it was said last, in a conversation if one is named.
pub(crate) async fn turns_said_last(
    shared: &Arc<Shared>,
    scope: &Scope,
    ids: &[TurnId],
    conversation: Option<ConversationView>,
) -> Result<Vec<Turn>, StoreError> {
    let mut found = turns(shared, scope, ids).await?;
    let first_seen = found.iter().map(|turn| (turn.id, turn.time)).collect();
    let last = last_of(shared, scope, first_seen, conversation).await?;
    for turn in &mut found {
        turn.time = last.get(&turn.id).copied().unwrap_or(turn.time);
    }
    Ok(found)
}

/// When these turns were said last, as [`turns_said_last`] has it, without their words; missing ones are left out.
pub(crate) async fn said_last(
    shared: &Arc<Shared>,
    scope: &Scope,
    ids: &[TurnId],
    conversation: Option<ConversationView>,
) -> Result<HashMap<TurnId, DateTime<Utc>>, StoreError> {
    let mut times = first_seen(shared, scope, ids).await?;
    let first_seen = times.iter().map(|(id, time)| (*id, *time)).collect();
    times.extend(last_of(shared, scope, first_seen, conversation).await?);
    Ok(times)
}

/// When turns that were first seen at these times were said last.
async fn last_of(
    shared: &Arc<Shared>,
    scope: &Scope,
    first_seen: Vec<(TurnId, DateTime<Utc>)>,
    conversation: Option<ConversationView>,
) -> Result<HashMap<TurnId, DateTime<Utc>>, StoreError> {
    if first_seen.is_empty() {
        return Ok(HashMap::new());
    }
    let scope = scope.clone();
    let last = move |shared: &Shared| match &conversation {
        None => shared.journal.said_last(&scope, &first_seen),
        Some(conversation) => shared.journal.said_last_in(&scope, conversation, &first_seen),
    };
    shared.blocking(last).await
}

/// When these turns were first seen, without their words; missing ones are left out.
pub(crate) async fn first_seen(
    shared: &Arc<Shared>,
    scope: &Scope,
    ids: &[TurnId],
) -> Result<HashMap<TurnId, DateTime<Utc>>, StoreError> {
    let pending = pending_turns(shared, scope, Some(ids)).await?;
    let mut found: HashMap<TurnId, DateTime<Utc>> = pending.into_iter().map(|(id, turn)| (id, turn.time)).collect();
    let elsewhere = |found: &HashMap<TurnId, DateTime<Utc>>| -> Vec<TurnId> {
        let is_elsewhere = |id: &TurnId| !found.contains_key(id) && !shared.deletions_due.covers(scope, *id);
        ids.iter().copied().filter(is_elsewhere).collect()
    };
    // One that left the journal meanwhile is in LanceDB by now.
    let stored = shared.turn_index().times(scope, &elsewhere(&found));
    found.extend(stored);
    let rest = elsewhere(&found);
    if !rest.is_empty() {
        found.extend(times_in_tables(shared, scope, &rest).await?);
    }
    Ok(found)
}

/// Finds turns in LanceDB by their ids, without their words.
async fn times_in_tables(
    shared: &Shared,
    scope: &Scope,
    ids: &[TurnId],
) -> Result<Vec<(TurnId, DateTime<Utc>)>, StoreError> {
    let rows = match ids.len() {
        0..=FEW => filter::of_ids(scope, column::ID, ids),
        _ => filter::of_scope(scope),
    };
    let wanted: HashSet<&TurnId> = ids.iter().collect();
    let mut found = Vec::new();
    let _reading = shared.gate.read().await;
    for batch in tables::rows(&shared.tables().turns, rows, &[column::ID, column::TIME], None).await? {
        let seen = columns::row_ids(&batch)?.iter().zip(batches::times_from_batch(&batch)?);
        let seen = columns::identifiers_from(&batch, column::ID)?.into_iter().zip(seen);
        let mut turn_index = shared.turn_index();
        for (id, (row, time)) in seen.filter(|(id, _)| wanted.contains(id)) {
            turn_index.set_seen(scope, id, Seen { row: *row, time });
            found.push((id, time));
        }
    }
    Ok(found)
}

/// Every scope that has a turn.
pub(crate) async fn scopes(shared: &Shared) -> Result<Vec<Scope>, StoreError> {
    let failed = || StoreError::lance("list scopes");
    let mut found: BTreeSet<Scope> = shared.turn_index().pending_scopes().into_iter().collect();
    let _reading = shared.gate.read().await;
    let query = shared.tables().turns.query().select(Select::columns(&[column::SCOPE]));
    let mut stream = query.execute().await.map_err(failed())?;
    while let Some(batch) = stream.try_next().await.map_err(failed())? {
        let names = columns::strings(&batch, column::SCOPE)?;
        for name in names.iter().flatten().collect::<HashSet<_>>() {
            found.insert(Scope::new(name)?);
        }
    }
    found.retain(|scope| !shared.deletions_due.is_whole(scope));
    Ok(found.into_iter().collect())
}

/// Turns in the journal, all of the scope's when `ids` is `None`.
pub(super) async fn pending_turns(
    shared: &Arc<Shared>,
    scope: &Scope,
    ids: Option<&[TurnId]>,
) -> Result<HashMap<TurnId, Turn>, StoreError> {
    let mut pending = shared.turn_index().pending(scope);
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

pub(super) async fn stored_turns(shared: &Shared, filter: DfExpr) -> Result<HashMap<TurnId, Turn>, StoreError> {
    let _reading = shared.gate.read().await;
    let mut found = HashMap::new();
    for batch in tables::rows(&shared.tables().turns, filter, &[], None).await? {
        let turns = batches::turns_from_batch(&batch)?;
        let mut turn_index = shared.turn_index();
        for (turn, row) in turns.into_iter().zip(columns::row_ids(&batch)?) {
            turn_index.set_seen(&turn.scope, turn.id, Seen { row: *row, time: turn.time });
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
    scope: &Scope,
    ids: &[TurnId],
) -> Result<HashMap<TurnId, Turn>, StoreError> {
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let _reading = shared.gate.read().await;
    let turns = match tables::take(&shared.tables().turns, rows, &[]).await {
        Ok(batch) => batches::turns_from_batch(&batch)?,
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
