//! Finds the conversation that a request goes on with.
//!
//! It must not know how conversations are told apart, nor what becomes of the request.

use mainpoint_store::{ReplacedTurn, TurnId};

use super::beside::beside;
use super::restated::is_restated;
use crate::conversation::prepare::Prepared;
use crate::error::MemoryError;
use crate::memory::PromptMemory;
use crate::openai::request::Message;

/// Notes in a request how it stands to the conversations of its scope. A message that says again what a known turn said counts as
/// that turn.
///
/// # Errors
/// When the store fails.
pub(super) async fn join(memory: &impl PromptMemory, prepared: &mut Prepared) -> Result<(), MemoryError> {
    if prepared.spoken.is_empty() {
        return Ok(());
    }
    let (turns, kinds) = (prepared.spoken_ids().to_vec(), prepared.kinds());
    let standing = memory.standing(&prepared.scope, turns, kinds, prepared.time).await?;
    let replaced = standing.replaced.clone();
    prepared.join(standing);
    let ids: Vec<TurnId> = replaced.iter().take(MOST_COMPARED).map(|replaced| replaced.known).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let known = memory.turns(&prepared.scope, &ids).await?;
    for ReplacedTurn { at, known: id } in replaced {
        let Some(turn) = known.iter().find(|turn| turn.id == id) else { continue };
        let message = prepared.spoken.get(at).and_then(|index| prepared.request.messages.get(*index));
        let says =
            |message: &Message| message.role == turn.role && is_restated(&turn.text, &memory.as_stored(message.text()));
        if beside(prepared.request.body.len(), || message.is_some_and(says)) {
            prepared.restate(at, id);
        }
    }
    Ok(())
}

/// Most messages that are compared with what stood in their places: clients write clocks into few.
const MOST_COMPARED: usize = 16;
