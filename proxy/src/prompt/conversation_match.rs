//! Finds the conversation that a request goes on with.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use mainpoint_store::{ConversationMatch, ReplacedTurn, Turn, TurnId};

use super::blocking::block_in_place_if_large;
use super::restated::{is_restated, says_again};
use super::wrapped::is_wrapped;
use crate::conversation::prepared_request::PreparedRequest;
use crate::error::MemoryError;
use crate::memory::PromptMemory;

/// Notes in a request which conversation of its scope it goes on with. A message that says again what a known turn said counts as
/// that turn, in the names of the prompt as well; one that says plainly what was sent with more around it is noted.
///
/// # Errors
/// When the store fails.
pub(super) async fn match_conversation(
    memory: &impl PromptMemory,
    prepared: &mut PreparedRequest,
) -> Result<(), MemoryError> {
    if prepared.spoken.is_empty() {
        return Ok(());
    }
    let matched = find(memory, prepared).await?;
    let replaced = matched.replaced.clone();
    block_in_place_if_large(prepared.request.body.len(), || prepared.join(matched));
    let before_last = replaced.len().saturating_sub(LAST_COMPARED);
    let compared = replaced.iter().enumerate().filter(|(nth, _)| *nth < MOST_COMPARED || *nth >= before_last);
    let ids: Vec<TurnId> = compared.map(|(_, replaced)| replaced.known).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let known = memory.turns(&prepared.scope, &ids).await?;
    block_in_place_if_large(prepared.request.body.len(), || {
        let restated = restated(memory, prepared, &replaced, &known);
        let plain = plain(memory, prepared, &replaced, &known);
        prepared.say_plainly(plain);
        if !restated.is_empty() {
            prepared.restate(restated);
        }
    });
    Ok(())
}

async fn find(memory: &impl PromptMemory, prepared: &PreparedRequest) -> Result<ConversationMatch, MemoryError> {
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

/// The turns `known` that messages of the user's say plainly, with the messages' places among those that are spoken.
fn plain(
    memory: &impl PromptMemory,
    prepared: &PreparedRequest,
    replaced: &[ReplacedTurn],
    known: &[Turn],
) -> Vec<(usize, Turn)> {
    let pairs = replaced.iter().filter_map(|ReplacedTurn { at, known: id }| {
        let turn = known.iter().find(|turn| turn.id == *id && turn.role == "user")?;
        let message = prepared.request.messages.get(*prepared.spoken.get(*at)?)?;
        let says = message.role == "user" && is_wrapped(&memory.as_stored(message.text()), &turn.text);
        says.then(|| (*at, turn.clone()))
    });
    pairs.collect()
}

/// The turns `known` that messages say again, by the messages' places among those that are spoken.
fn restated(
    memory: &impl PromptMemory,
    prepared: &PreparedRequest,
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
/// The last ones are compared as well: what was sent with documents around it is said plainly by the next request.
const LAST_COMPARED: usize = 4;
