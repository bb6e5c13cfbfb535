//! What a request, its answer or a recorded conversation brings.

use mainpoint_store::{ConversationAppend, Scope, Turn};

/// Turns of one scope, and their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct IncomingTurns {
    /// Those whose words are to be kept, oldest first.
    pub(crate) turns: Vec<Turn>,
    /// Where in the conversation what is new stands; it may name turns whose words are known.
    pub(crate) placement: Option<ConversationAppend>,
}

impl IncomingTurns {
    /// Nothing is to be kept, and nothing has a new place.
    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty() && self.placement.is_none()
    }

    /// Whose they are.
    pub(super) fn scope(&self) -> Option<&Scope> {
        let of_turns = self.turns.first().map(|turn| &turn.scope);
        of_turns.or_else(|| self.placement.as_ref().map(|placement| &placement.scope))
    }
}
