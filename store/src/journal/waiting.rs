//! What the journal has accepted and nobody has read yet, told without its words.
//!
//! Responsible for: paging through accepted turns, a snapshot for each page.

use std::ops::Bound;

use super::Journal;
use super::rows::{ACCEPTED, TurnRow};
use crate::error::StoreError;
use crate::records::{Scope, TurnId, TurnKey, WaitingTurn};

impl Journal {
    /// At most `limit` turns that are accepted and not completed, by scope and id, those behind `after`.
    pub(crate) fn waiting(&self, after: Option<&TurnKey>, limit: usize) -> Result<Vec<WaitingTurn>, StoreError> {
        let rows = self.database.read("page through unread turns", |transaction| {
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
