//! How much there is of every scope, and from when to when.
//!
//! Responsible for: counting over the journal and LanceDB together, in one pass over all turns without their words.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use lancedb::query::{ExecutableQuery, QueryBase, Select};

use super::lookup;
use super::spoken::Spoken;
use crate::error::StoreError;
use crate::journal::Journal;
use crate::lance::schema::column;
use crate::lance::{batches, columns};
use crate::records::{ConversationId, Scope, ScopeOverview, TurnId};
use crate::state::Shared;

/// The turns of a scope, each with the conversation that it came with and when it was first seen.
type Turns = HashMap<TurnId, (ConversationId, DateTime<Utc>)>;

/// Every scope that has a turn, in order.
pub(crate) async fn find(shared: &Arc<Shared>) -> Result<Vec<ScopeOverview>, StoreError> {
    let mut scopes: BTreeMap<String, Turns> = BTreeMap::new();
    // A turn that leaves the journal after this is in LanceDB by then.
    let pending = shared.turn_index().pending_scopes();
    for scope in pending {
        let turns = lookup::pending_turns(shared, &scope, None).await?;
        let turns = turns.into_iter().map(|(id, turn)| (id, (turn.conversation, turn.time)));
        scopes.entry(scope.as_str().to_owned()).or_default().extend(turns);
    }
    add_stored(shared, &mut scopes).await?;
    shared
        .blocking(move |shared| {
            let overviews =
                scopes.iter().map(|(name, turns)| overview(&shared.journal, Scope::new(name.as_str())?, turns));
            overviews.filter_map(Result::transpose).collect()
        })
        .await
}

/// Adds the turns that LanceDB has.
async fn add_stored(shared: &Shared, scopes: &mut BTreeMap<String, Turns>) -> Result<(), StoreError> {
    let failed = || StoreError::lance("list scopes");
    let _reading = shared.gate.read().await;
    let wanted = Select::columns(&[column::SCOPE, column::ID, column::CONVERSATION, column::TIME]);
    let mut stream = shared.tables().turns.query().select(wanted).execute().await.map_err(failed())?;
    while let Some(batch) = stream.try_next().await.map_err(failed())? {
        let conversations = columns::identifiers_from(&batch, column::CONVERSATION)?;
        let seen = conversations.into_iter().zip(batches::times_from_batch(&batch)?);
        let turns = columns::identifiers_from(&batch, column::ID)?.into_iter().zip(seen);
        for (name, (id, seen)) in columns::strings(&batch, column::SCOPE)?.iter().zip(turns) {
            let Some(name) = name else { continue };
            match scopes.get_mut(name) {
                Some(turns) => {
                    turns.insert(id, seen);
                }
                None => {
                    scopes.insert(name.to_owned(), HashMap::from([(id, seen)]));
                }
            }
        }
    }
    Ok(())
}

/// What there is of a scope with these turns; `None` where they are none. A turn without a place stands where it came
/// with, and what was said plainly where it was sent.
fn overview(journal: &Journal, scope: Scope, turns: &Turns) -> Result<Option<ScopeOverview>, StoreError> {
    let mut placed = journal.scope_places(&scope)?.placed;
    placed.retain(|(_, turn)| turns.contains_key(turn));
    let with_place: HashSet<TurnId> = placed.iter().map(|(_, turn)| *turn).collect();
    let spoken = Spoken::new(journal.every_plain(&scope)?, |turn| turns.contains_key(&turn));
    let shown = spoken.shown();
    let is_elsewhere = |turn: &TurnId| with_place.contains(turn) || shown.contains(turn);
    let without = turns.iter().filter(|(turn, _)| !is_elsewhere(turn)).map(|(_, (conversation, _))| *conversation);
    let conversations: HashSet<ConversationId> =
        placed.iter().map(|(place, _)| place.conversation).chain(without).collect();
    let again = journal.repetitions(&scope)?;
    let again = again.iter().filter(|again| turns.contains_key(&again.turn)).map(|again| again.time);
    let last = turns.values().map(|(_, time)| *time).chain(again).max();
    let first = turns.values().map(|(_, time)| *time).min();
    Ok(first.zip(last).map(|(first_time, last_time)| ScopeOverview {
        scope,
        turns: turns.len() - spoken.hidden().count(),
        conversations: conversations.len(),
        first_time,
        last_time,
    }))
}
