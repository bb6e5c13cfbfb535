//! What a request, its answer or a recorded conversation brings.
//!
//! It must not know how it came, nor what becomes of it.

use mainpoint_store::{NewTurns, Scope, Turn};

/// Turns of one scope, and their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct IncomingTurns {
    /// Those whose words are to be kept, oldest first.
    pub(crate) turns: Vec<Turn>,
    /// What is new in the conversation; it may name turns whose words are known.
    pub(crate) said: Option<NewTurns>,
}

impl IncomingTurns {
    /// Nothing is to be kept, and nothing was said.
    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty() && self.said.is_none()
    }

    /// Whose they are.
    pub(super) fn scope(&self) -> Option<&Scope> {
        let of_turns = self.turns.first().map(|turn| &turn.scope);
        of_turns.or_else(|| self.said.as_ref().map(|said| &said.scope))
    }
}
