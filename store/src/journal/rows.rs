//! The journal's tables and the form of their rows.
//!
//! Responsible for: table definitions, turns and points to rows and back.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use redb::TableDefinition;

use crate::error::StoreError;
use crate::records::{ConversationId, Point, Scope, Span, Turn, TurnId};

pub(super) type TurnRowKey = (&'static str, &'static [u8; 16]);
pub(super) type PointRowKey = (&'static str, &'static [u8; 16], u32);
/// Parent, conversation, position, role, text, time in microseconds, tokens.
pub(super) type TurnRow<'a> = (Option<&'a [u8; 16]>, &'a [u8; 16], u32, &'a str, &'a str, i64, u32);
/// Start, end, spans, text, vector, ranking data; spans and vector in little-endian bytes.
pub(super) type PointRow<'a> = (u32, u32, &'a [u8], &'a str, &'a [u8], &'a [u8]);
/// Scope, turn or prefix, kind.
pub(super) type LedgerRowKey = (&'static str, &'static [u8; 16], u8);
/// Conversation, time of writing in microseconds since 1970, value.
pub(super) type LedgerRow<'a> = (&'a [u8; 16], i64, &'a [u8]);

/// Scope, conversation, position.
pub(super) type SequenceKey = (&'static str, &'static [u8; 16], u32);
/// Scope, turn, conversation, position.
pub(super) type PlaceKey = (&'static str, &'static [u8; 16], &'static [u8; 16], u32);
/// Scope, turn, time in microseconds since 1970, conversation, position.
pub(super) type RepetitionKey = (&'static str, &'static [u8; 16], i64, &'static [u8; 16], u32);
/// Scope, conversation.
pub(super) type BranchKey = (&'static str, &'static [u8; 16]);
/// The conversation that it branched from, and the position there of the turn that it begins after.
pub(super) type BranchRow<'a> = (&'a [u8; 16], u32);

pub(super) const ACCEPTED: TableDefinition<TurnRowKey, TurnRow<'static>> = TableDefinition::new("accepted");
pub(super) const COMPLETED: TableDefinition<TurnRowKey, TurnRow<'static>> = TableDefinition::new("completed");
pub(super) const POINTS: TableDefinition<PointRowKey, PointRow<'static>> = TableDefinition::new("points");
/// Whole scopes that the tables may still have; earlier versions noted conversations, too.
pub(super) const DELETIONS: TableDefinition<(&str, Option<&[u8; 16]>), ()> = TableDefinition::new("deletions");
/// Turns that the tables may still have, though they were deleted.
pub(super) const DELETED: TableDefinition<TurnRowKey, ()> = TableDefinition::new("deleted");
pub(super) const NOTES: TableDefinition<&str, u64> = TableDefinition::new("notes");
pub(super) const LEDGER: TableDefinition<LedgerRowKey, LedgerRow<'static>> = TableDefinition::new("ledger");
/// The turns of each conversation, in order.
pub(super) const SEQUENCES: TableDefinition<SequenceKey, &'static [u8; 16]> = TableDefinition::new("sequences");
/// Where each turn stands.
pub(super) const PLACES: TableDefinition<PlaceKey, ()> = TableDefinition::new("places");
pub(super) const BRANCHES: TableDefinition<BranchKey, BranchRow<'static>> = TableDefinition::new("branches");
/// When turns were said at places where that was at another time than they were first seen.
pub(super) const REPETITIONS: TableDefinition<RepetitionKey, ()> = TableDefinition::new("repetitions");
/// What was said plainly, by the turns in which more was sent around it.
pub(super) const PLAIN: TableDefinition<TurnRowKey, &'static [u8; 16]> = TableDefinition::new("plain");
/// What stands at the place of a turn that was deleted, so that those around it keep theirs.
pub(super) const GONE: TurnId = TurnId([0; 16]);
/// Keys of the notes.
pub(super) const PURGE: &str = "purge";
pub(super) const TURNS_VERSION: &str = "turns";
pub(super) const POINTS_VERSION: &str = "points";

/// Scope, turn, conversation, position.
type PlaceOfTurn<'a> = (&'a str, &'a [u8; 16], &'a [u8; 16], u32);

/// Every key of a turn among the places.
pub(super) fn every_place<'a>(scope: &'a str, turn: &'a TurnId) -> RangeInclusive<PlaceOfTurn<'a>> {
    (scope, &turn.0, &[0; 16], 0)..=(scope, &turn.0, &[u8::MAX; 16], u32::MAX)
}

/// The note of a whole scope that is deleted.
pub(super) fn scope_note(scope: &Scope) -> (&str, Option<&[u8; 16]>) {
    (scope.as_str(), None)
}

pub(super) fn turn_row(turn: &Turn) -> TurnRow<'_> {
    (
        turn.parent.as_ref().map(|id| &id.0),
        &turn.conversation.0,
        turn.position,
        &turn.role,
        &turn.text,
        turn.time.timestamp_micros(),
        turn.tokens,
    )
}

pub(super) fn turn_from((scope, id): (&str, &[u8; 16]), row: TurnRow<'_>) -> Result<Turn, StoreError> {
    let (parent, conversation, position, role, text, micros, tokens) = row;
    Ok(Turn {
        id: TurnId(*id),
        parent: parent.copied().map(TurnId),
        conversation: ConversationId(*conversation),
        scope: Scope::new(scope)?,
        position,
        role: role.to_owned(),
        text: text.to_owned(),
        time: time_from(micros)?,
        tokens,
    })
}

pub(super) fn time_from(micros: i64) -> Result<DateTime<Utc>, StoreError> {
    let time = DateTime::from_timestamp_micros(micros);
    time.ok_or_else(|| StoreError::unreadable(format!("time {micros} is out of range")))
}

pub(super) fn point_from(turn: TurnId, passage: u32, row: PointRow<'_>) -> Result<Point, StoreError> {
    let (start, end, spans, text, vector, ranking_data) = row;
    let unreadable = || StoreError::unreadable(format!("passage {passage} of turn {turn} in the journal"));
    let (span_rows, span_rest) = spans.as_chunks::<12>();
    let (numbers, number_rest) = vector.as_chunks::<4>();
    if !span_rest.is_empty() || !number_rest.is_empty() {
        return Err(unreadable());
    }
    let span = |[a, b, c, d, e, f, g, h, i, j, k, l]: [u8; 12]| Span {
        start: u32::from_le_bytes([a, b, c, d]),
        end: u32::from_le_bytes([e, f, g, h]),
        salience: f32::from_le_bytes([i, j, k, l]),
    };
    Ok(Point {
        turn,
        passage,
        start,
        end,
        spans: span_rows.iter().copied().map(span).collect(),
        text: text.to_owned(),
        vector: numbers.iter().copied().map(f32::from_le_bytes).collect(),
        ranking_data: ranking_data.to_vec(),
    })
}

pub(super) fn spans_to_bytes(spans: &[Span]) -> Vec<u8> {
    let bytes = |span: &Span| [span.start.to_le_bytes(), span.end.to_le_bytes(), span.salience.to_le_bytes()].concat();
    spans.iter().flat_map(bytes).collect()
}

pub(super) fn vector_to_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}
