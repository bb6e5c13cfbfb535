//! Finds the conversation that a request goes on with.
//!
//! It must not know how conversations are told apart, nor what becomes of the request.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use mainpoint_store::{ConversationMatch, ReplacedTurn, Turn, TurnId};

use super::blocking::block_in_place_if_large;
use super::restated::{is_restated, says_again};
use crate::conversation::prepare::Prepared;
use crate::error::MemoryError;
use crate::memory::PromptMemory;

/// Notes in a request which conversation of its scope it goes on with. A message that says again what a known turn said counts as
/// that turn, in the names of the prompt as well.
///
/// # Errors
/// When the store fails.
pub(super) async fn match_conversation(memory: &impl PromptMemory, prepared: &mut Prepared) -> Result<(), MemoryError> {
    if prepared.spoken.is_empty() {
        return Ok(());
    }
    let matched = find(memory, prepared).await?;
    let replaced = matched.replaced.clone();
    prepared.join(matched);
    let ids: Vec<TurnId> = replaced.iter().take(MOST_COMPARED).map(|replaced| replaced.known).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let known = memory.turns(&prepared.scope, &ids).await?;
    block_in_place_if_large(prepared.request.body.len(), || {
        let restated = restated(memory, prepared, &replaced, &known);
        if !restated.is_empty() {
            prepared.restate(restated);
        }
    });
    Ok(())
}

async fn find(memory: &impl PromptMemory, prepared: &Prepared) -> Result<ConversationMatch, MemoryError> {
    let (turns, kinds) = (prepared.spoken_ids().to_vec(), prepared.kinds());
    let texts = Mutex::new(BTreeMap::new());
    let says_again = |at: usize, known: &Turn| {
        let message = prepared.spoken.get(at).and_then(|index| prepared.request.messages.get(*index));
        let Some(message) = message.filter(|message| message.role == known.role) else { return false };
        block_in_place_if_large(prepared.request.body.len(), || {
            let mut texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
            let text: &String = texts.entry(at).or_insert_with(|| memory.as_stored(message.text()));
            says_again(&known.text, text)
        })
    };
    memory.match_conversation(&prepared.scope, turns, kinds, prepared.time, says_again).await
}

/// The turns `known` that messages say again, by the messages' places among those that are spoken.
fn restated(
    memory: &impl PromptMemory,
    prepared: &Prepared,
    replaced: &[ReplacedTurn],
    known: &[Turn],
) -> BTreeMap<usize, Turn> {
    let pairs = replaced.iter().filter_map(|ReplacedTurn { at, known: id }| {
        let turn = known.iter().find(|turn| turn.id == *id)?;
        let message = prepared.request.messages.get(*prepared.spoken.get(*at)?)?;
        let says = message.role == turn.role && is_restated(&turn.text, &memory.as_stored(message.text()));
        says.then(|| (*at, turn.clone()))
    });
    pairs.collect()
}

/// Most messages that are compared with what stood in their places: clients write clocks into few.
const MOST_COMPARED: usize = 16;
