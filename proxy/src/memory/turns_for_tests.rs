//! Turns and memories for tests.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use chrono::{DateTime, TimeDelta};
use mainpoint_store::{ConversationId, Scope, Turn, TurnId};

use super::RecalledTurn;

/// The name of the turn at `position`.
pub(crate) fn id(position: u32) -> TurnId {
    TurnId(u128::from(position).to_be_bytes())
}

/// The name of a conversation.
pub(crate) fn conversation(number: u32) -> ConversationId {
    ConversationId(u128::from(number).to_be_bytes())
}

/// What a user said so many minutes after 1970 began, in a scope that all tests share.
pub(crate) fn turn(position: u32, text: &str) -> Turn {
    Turn {
        id: id(position),
        parent: None,
        conversation: conversation(0),
        scope: Scope::new("k-a").unwrap(),
        position,
        role: "user".to_owned(),
        text: text.to_owned(),
        time: DateTime::UNIX_EPOCH + TimeDelta::minutes(i64::from(position)),
        tokens: 1,
    }
}

/// `turn`, recalled as a whole.
pub(crate) fn recalled(turn: Turn) -> RecalledTurn {
    RecalledTurn {
        turn,
        passage: None,
        excerpts: Vec::new(),
        sentences: None,
        score: 1.0,
        sent_as: None,
        newer: None,
        asked_bytes: 0,
    }
}
