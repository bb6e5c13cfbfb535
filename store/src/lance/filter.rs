//! Filters over the two tables, as expressions.
//!
//! Responsible for: "these turns of this scope" in the form that Lance answers from its BTREE indices. Expressions
//! are built, never parsed, so that no value can be mistaken for syntax and thousands of ids cost no parser. Must not
//! know: what is searched for.

use chrono::{DateTime, Utc};
use lancedb::datafusion::common::ScalarValue;
use lancedb::expr::{DfExpr, col, lit};

use super::schema::column;
use crate::records::{ConversationId, Scope, TurnId};

/// Rows of a scope.
pub(crate) fn of_scope(scope: &Scope) -> DfExpr {
    col(column::SCOPE).eq(lit(scope.as_str()))
}

/// Rows of a scope, and of all whose names go on from it with a dot.
pub(crate) fn of_parts(whole: &Scope) -> DfExpr {
    // A slash follows a dot, and no name has one.
    let (from, to) = (format!("{whole}."), format!("{whole}/"));
    of_scope(whole).or(col(column::SCOPE).gt_eq(lit(from)).and(col(column::SCOPE).lt(lit(to))))
}

/// Rows of a scope whose identifier in `column` is one of `ids`.
pub(crate) fn of_ids(scope: &Scope, column: &str, ids: &[impl Into<[u8; 16]> + Copy]) -> DfExpr {
    of_scope(scope).and(of_ids_anywhere(column, ids))
}

/// Rows of any scope whose identifier in `column` is one of `ids`: an identifier says where it belongs, so whoever reads the
/// scope beside it saves looking all rows of a scope up.
pub(crate) fn of_ids_anywhere(column: &str, ids: &[impl Into<[u8; 16]> + Copy]) -> DfExpr {
    let ids = ids.iter().map(|id| identifier(*id)).collect();
    col(column).in_list(ids, false)
}

/// Rows of a scope that belong to one of these conversations.
pub(crate) fn of_conversations(scope: &Scope, conversations: &[ConversationId]) -> DfExpr {
    of_ids(scope, column::CONVERSATION, conversations)
}

/// Turns of any scope that were first seen before a time.
pub(crate) fn before(time: DateTime<Utc>) -> DfExpr {
    let micros = ScalarValue::TimestampMicrosecond(Some(time.timestamp_micros()), Some("UTC".into()));
    col(column::TIME).lt(lit(micros))
}

/// Points of whole conversations of a scope but for some turns.
pub(crate) fn of_conversations_except(scope: &Scope, conversations: &[ConversationId], except: &[TurnId]) -> DfExpr {
    let whole = of_conversations(scope, conversations);
    if except.is_empty() {
        return whole;
    }
    let except = except.iter().map(|id| identifier(*id)).collect();
    whole.and(col(column::TURN).in_list(except, true))
}

/// Rows of a scope that belong to one conversation.
pub(crate) fn of_conversation(scope: &Scope, conversation: ConversationId) -> DfExpr {
    of_scope(scope).and(col(column::CONVERSATION).eq(identifier(conversation)))
}

/// Turns of a conversation at positions from `first` to `last`, both included.
pub(crate) fn of_positions(scope: &Scope, conversation: ConversationId, first: u32, last: u32) -> DfExpr {
    let position = || col(column::POSITION);
    of_conversation(scope, conversation).and(position().gt_eq(lit(first))).and(position().lt_eq(lit(last)))
}

fn identifier(id: impl Into<[u8; 16]>) -> DfExpr {
    lit(ScalarValue::FixedSizeBinary(16, Some(id.into().to_vec())))
}
