//! Where the reply to a request will stand in its conversation, and the turn that it becomes there.

use chrono::{DateTime, Utc};
use mainpoint_store::{ConversationAppend, ConversationId, SaidTurn, Scope, Turn, TurnId};

use super::chain::Chain;

/// Where the reply will stand in the conversation.
#[derive(Debug, Clone)]
pub(crate) struct ReplySlot {
    pub(super) parent: Option<TurnId>,
    pub(super) conversation: ConversationId,
    pub(super) position: u32,
    pub(super) scope: Scope,
    /// What the request said, which stands before the reply; `None` while it is not known what is new.
    pub(super) placement: Option<ConversationAppend>,
}

impl ReplySlot {
    /// The turn that a reply of `text` is, with about as many tokens as its length suggests, and what was said up to it.
    pub(crate) fn into_turn(self, text: String, time: DateTime<Utc>) -> (Turn, Option<ConversationAppend>) {
        let id = Chain::new(&self.scope).turn("assistant", &text);
        let placement = self.placement.map(|mut placement| {
            placement.turns.push(SaidTurn { turn: id, time });
            placement
        });
        let turn = Turn {
            id,
            parent: self.parent,
            conversation: self.conversation,
            scope: self.scope,
            position: self.position,
            role: "assistant".to_owned(),
            tokens: u32::try_from(text.len().div_ceil(4)).unwrap_or(u32::MAX),
            text,
            time,
        };
        (turn, placement)
    }
}
