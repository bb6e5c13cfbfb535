//! Turns and points for tests.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use chrono::Utc;

use super::{ConversationId, Point, Scope, Turn, TurnId};

/// The scope that all tests share.
pub(crate) fn scope() -> Scope {
    Scope::new("s").unwrap()
}

/// The name of the turn at a position.
pub(crate) fn id(position: u32) -> TurnId {
    TurnId(u128::from(position).to_be_bytes())
}

/// The name of a conversation.
pub(crate) fn conversation(number: u32) -> ConversationId {
    ConversationId(u128::from(number).to_be_bytes())
}

/// A user's turn, said just now in conversation 1.
pub(crate) fn turn(position: u32, text: &str) -> Turn {
    Turn {
        id: id(position),
        parent: None,
        conversation: conversation(1),
        scope: scope(),
        position,
        role: "user".to_owned(),
        text: text.to_owned(),
        time: Utc::now(),
        tokens: 3,
    }
}

/// The first point of `turn`: all of its text.
pub(crate) fn point(turn: &Turn, vector: Vec<f32>) -> Point {
    Point {
        turn: turn.id,
        passage: 0,
        start: 0,
        end: u32::try_from(turn.text.len()).unwrap(),
        spans: vec![],
        text: turn.text.clone(),
        vector,
        ranking_data: vec![],
    }
}
