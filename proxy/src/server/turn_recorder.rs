//! What is stored of a request and its answer: nothing before the upstream has accepted it, and all before the client sees the end.
//! What the answer says of the prompt's tokens is learnt.

use std::sync::Arc;

use uuid::Uuid;

use super::Shared;
use super::observed::{AcknowledgementFuture, ReplyListener};
use crate::conversation::reply_slot::ReplySlot;
use crate::memory::{Acknowledgement, IncomingTurns};
use crate::openai::reply::Verdict;
use crate::openai::tokens::EstimatedPrompt;
use crate::prompt::plan::Plan;
use crate::prompt::receipt::ReplyNote;
use crate::room::Held;

/// A request that was forwarded, and what is to be stored of it.
struct TurnRecorder {
    shared: Arc<Shared>,
    id: Uuid,
    /// What it brings.
    intake: IncomingTurns,
    /// What is held for that until it is handed over.
    held: Option<Held>,
    /// Where the reply stands.
    slot: Option<ReplySlot>,
    /// The prompt whose tokens the reply may say.
    estimated: Option<EstimatedPrompt>,
    /// The turns on their way into the journal.
    acknowledgement: Option<Acknowledgement>,
}

/// Stores the new turns of the request that was planned so, and the reply that takes its slot. `None` where there is nothing to
/// store or to learn.
pub(super) fn listener(shared: &Arc<Shared>, id: Uuid, plan: Plan) -> Option<Box<dyn ReplyListener>> {
    let Plan { intake, reply_slot: slot, estimated, held, .. } = plan;
    if shared.planner.get().is_none() || (intake.is_empty() && slot.is_none() && estimated.is_none()) {
        return None;
    }
    Some(Box::new(TurnRecorder {
        shared: Arc::clone(shared),
        id,
        intake,
        held,
        slot,
        estimated,
        acknowledgement: None,
    }))
}

impl TurnRecorder {
    fn submit(&mut self, incoming: IncomingTurns) {
        let Some(memory) = self.shared.memory().filter(|_| !incoming.is_empty()) else {
            return;
        };
        let acknowledgement = memory.submit(incoming);
        self.acknowledgement = Some(match self.acknowledgement.take() {
            Some(earlier) => earlier.and(acknowledgement),
            None => acknowledgement,
        });
    }
}

impl ReplyListener for TurnRecorder {
    fn accept(&mut self) {
        let intake = std::mem::take(&mut self.intake);
        self.submit(intake);
        self.held = None;
    }

    fn told_tokens(&mut self, tokens: u64) {
        if let (Some(planner), Some(prompt)) = (self.shared.planner.get(), self.estimated.take()) {
            planner.preparer.counter.learn(&prompt, tokens);
        }
    }

    fn end(mut self: Box<Self>, verdict: Verdict, text: Option<String>) -> AcknowledgementFuture {
        let mut incoming = match verdict {
            Verdict::Accepted => std::mem::take(&mut self.intake),
            Verdict::Refused => IncomingTurns::default(),
        };
        if let (Some(text), Some(slot)) = (text, self.slot.take()) {
            self.shared.receipts.note_reply(self.id, ReplyNote::new(&text));
            if !text.trim().is_empty() {
                let (turn, placement) = slot.into_turn(text, chrono::Utc::now());
                incoming.turns.push(turn);
                incoming.placement = placement;
            }
        }
        self.submit(incoming);
        match self.acknowledgement.take() {
            Some(acknowledgement) => Box::pin(acknowledgement.wait()),
            None => Box::pin(std::future::ready(())),
        }
    }
}
