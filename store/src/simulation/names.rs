//! What the simulation speaks of: a few scopes, conversations, turns and entries of the ledger, each with words of its own.

use chrono::{DateTime, Utc};

use crate::records::{ConversationId, LedgerKind, Point, Scope, Turn, TurnId, TurnKey};

/// The microsecond at which the first process starts.
pub(super) const BEGINNING: i64 = 1_790_000_000_000_000;
/// The conversation of turns that are said in others.
const NOWHERE: u8 = 9;

pub(super) fn scope(number: u8) -> Scope {
    Scope::new(format!("scope-{number}")).unwrap()
}

pub(super) fn conversation(number: u8) -> ConversationId {
    ConversationId([number + 1; 16])
}

/// The turn at a place of a conversation; with another alternative, one that is said there instead.
pub(super) fn turn_id(conversation: u8, position: u8, alternative: u8) -> TurnId {
    let mut id = [0; 16];
    [id[0], id[1], id[2], id[15]] = [1, conversation, position, alternative];
    TurnId(id)
}

/// Words that are said in several conversations.
pub(super) fn common(number: u8) -> TurnId {
    turn_id(NOWHERE, number, 0)
}

pub(super) fn is_common(id: TurnId) -> bool {
    id.0[1] == NOWHERE
}

/// The conversation that a turn belongs to.
pub(super) fn home(id: TurnId) -> u8 {
    id.0[1]
}

/// Turns for the story: scope, conversation, position, and the alternative where there is one.
pub(super) fn short(turns: &[TurnKey]) -> String {
    let name = |(scope, id): &TurnKey| {
        let [_, conversation, position, .., alternative] = id.0;
        let alternative = if alternative == 0 { String::new() } else { format!("'{alternative}") };
        format!("{}/{conversation}.{position}{alternative}", scope.as_str().trim_start_matches("scope-"))
    };
    turns.iter().map(name).collect::<Vec<_>>().join(" ")
}

/// A turn as it is accepted, wherever that is.
pub(super) fn turn((scope, id): &TurnKey, micros: i64) -> Turn {
    let [_, conversation_number, position, ..] = id.0;
    let length = if position == 0 { 3000 } else { 40 };
    Turn {
        id: *id,
        parent: None,
        conversation: conversation(conversation_number),
        scope: scope.clone(),
        position: position.into(),
        role: "user".to_owned(),
        text: format!("{scope} {id} {}", "-".repeat(length)),
        time: time(micros),
        tokens: 3,
    }
}

/// What is read of a turn: a point, or two.
pub(super) fn points(id: TurnId) -> Vec<Point> {
    let point = |passage: u32| Point {
        turn: id,
        passage,
        start: 0,
        end: 5,
        spans: Vec::new(),
        text: format!("point {passage} of {id}"),
        vector: vec![f32::from(id.0[2]), 1.0],
        ranking_data: vec![id.0[1]],
    };
    (0..=u32::from(id.0[2] % 2)).map(point).collect()
}

pub(super) fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap()
}

/// A value of the ledger that quotes turns.
pub(super) fn value(number: u32, quoted: &[TurnId]) -> Vec<u8> {
    number.to_be_bytes().into_iter().chain(quoted.iter().flat_map(|id| id.0)).collect()
}

/// The turns that a value quotes.
pub(super) fn quoted(_: LedgerKind, value: &[u8]) -> Option<Vec<TurnId>> {
    Some(value.get(4..)?.as_chunks::<16>().0.iter().map(|id| TurnId(*id)).collect())
}
