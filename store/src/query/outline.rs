//! The conversations of a scope, with every turn that is there.
//!
//! Responsible for: bringing the places that the journal has and the turns that memory, journal and LanceDB have together. Must not
//! know: what it is read for.
//!
//! A turn may have no place: a store of an earlier version was taken over, or its conversation could not be told when
//! it came. It stands then where it came with. What was said plainly after it had been sent with more around it stands
//! where that was sent.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::spoken::Spoken;
use super::{loading, lookup};
use crate::error::StoreError;
use crate::lance::schema::column;
use crate::lance::{columns, filter, tables};
use crate::records::{Outline, Scope, Turn, TurnId, TurnPlace};
use crate::state::Shared;

/// Every conversation of a scope.
pub(crate) async fn find(shared: &Arc<Shared>, scope: &Scope) -> Result<Outline, StoreError> {
    loading::load_scope(shared, scope, None).await?;
    let of_journal = scope.clone();
    let (mut places, repetitions, plain) = shared
        .blocking(move |shared| {
            Ok((
                shared.journal.scope_places(&of_journal)?,
                shared.journal.repetitions(&of_journal)?,
                shared.journal.every_plain(&of_journal)?,
            ))
        })
        .await?;
    let known: HashSet<TurnId> = shared.turn_index().known(scope).into_iter().collect();
    places.placed.retain(|(_, turn)| known.contains(turn));
    let placed: HashSet<TurnId> = places.placed.iter().map(|(_, turn)| *turn).collect();
    let spoken = Spoken::new(plain, |turn| known.contains(&turn));
    let shown = spoken.shown();
    let unplaced: Vec<TurnId> = known.difference(&placed).filter(|turn| !shown.contains(turn)).copied().collect();
    let unplaced = if unplaced.is_empty() { HashMap::new() } else { own_places(shared, scope, &unplaced).await? };
    let repetitions = repetitions.into_iter().filter(|repetition| known.contains(&repetition.turn));
    let outline = Outline::new(places.origins, places.placed, unplaced.into_iter().map(|(turn, place)| (place, turn)));
    Ok(outline.with_times(repetitions).with_said(|turn| spoken.of(turn)))
}

/// The places that turns came with.
async fn own_places(
    shared: &Arc<Shared>,
    scope: &Scope,
    turns: &[TurnId],
) -> Result<HashMap<TurnId, TurnPlace>, StoreError> {
    let pending = lookup::pending_turns(shared, scope, Some(turns)).await?;
    let place = |turn: &Turn| TurnPlace { conversation: turn.conversation, position: turn.position };
    let mut found: HashMap<TurnId, TurnPlace> = pending.iter().map(|(id, turn)| (*id, place(turn))).collect();
    // One that left the journal meanwhile is in LanceDB by now.
    let rest: HashSet<TurnId> = turns.iter().copied().filter(|turn| !found.contains_key(turn)).collect();
    if rest.is_empty() {
        return Ok(found);
    }
    let rows = match rest.len() {
        0..=lookup::FEW => filter::of_ids(scope, column::ID, &rest.iter().copied().collect::<Vec<_>>()),
        _ => filter::of_scope(scope),
    };
    let _reading = shared.gate.read().await;
    let columns = [column::ID, column::CONVERSATION, column::POSITION];
    for batch in tables::rows(&shared.tables().turns, rows, &columns, None).await? {
        let ids = columns::identifiers_from(&batch, column::ID)?;
        let conversations = columns::identifiers_from(&batch, column::CONVERSATION)?;
        let positions = columns::numbers(&batch, column::POSITION)?.values();
        for ((id, conversation), position) in ids.into_iter().zip(conversations).zip(positions.iter()) {
            if rest.contains(&id) {
                found.insert(id, TurnPlace { conversation, position: *position });
            }
        }
    }
    Ok(found)
}
