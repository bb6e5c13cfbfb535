//! What the journal has accepted and nobody has read yet, told without its words.
//!
//! Responsible for: paging through accepted turns, a snapshot for each page. Must not know: who reads them, or in which
//! order.

use std::ops::Bound;

use super::records::{ACCEPTED, TurnRow};
use super::{Journal, Key};
use crate::error::StoreError;
use crate::record::{Scope, Turn, TurnId};

/// A turn that waits to be read, without its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingTurn {
    /// Whose memory it is.
    pub scope: Scope,
    /// Names it.
    pub id: TurnId,
    /// The turn before it; `None` for the first one.
    pub parent: Option<TurnId>,
    /// Place in the conversation, counted from 0.
    pub position: u32,
    /// When the turn was first seen, in microseconds since 1970.
    pub micros: i64,
    /// Length in tokens.
    pub tokens: u32,
    /// Length of its text in bytes.
    pub bytes: usize,
}

impl WaitingTurn {
    /// The turn without its words.
    #[must_use]
    pub fn of(turn: &Turn) -> Self {
        Self {
            scope: turn.scope.clone(),
            id: turn.id,
            parent: turn.parent,
            position: turn.position,
            micros: turn.time.timestamp_micros(),
            tokens: turn.tokens,
            bytes: turn.text.len(),
        }
    }
}

impl Journal {
    /// At most `limit` turns that are accepted and not completed, by scope and id, those behind `after`.
    pub(crate) fn waiting(&self, after: Option<&Key>, limit: usize) -> Result<Vec<WaitingTurn>, StoreError> {
        let rows = self.read("page through unread turns", |transaction| {
            let table = transaction.open_table(ACCEPTED)?;
            let from = match after {
                Some((scope, id)) => Bound::Excluded((scope.as_str(), &id.0)),
                None => Bound::Unbounded,
            };
            let mut rows = Vec::new();
            for entry in table.range((from, Bound::Unbounded))?.take(limit) {
                let (key, row) = entry?;
                rows.push(waiting_from(key.value(), row.value()));
            }
            Ok(rows)
        })?;
        rows.into_iter().collect()
    }
}

fn waiting_from((scope, id): (&str, &[u8; 16]), row: TurnRow<'_>) -> Result<WaitingTurn, StoreError> {
    let (parent, _, position, _, text, micros, tokens) = row;
    Ok(WaitingTurn {
        scope: Scope::new(scope)?,
        id: TurnId(*id),
        parent: parent.copied().map(TurnId),
        position,
        micros,
        tokens,
        bytes: text.len(),
    })
}
