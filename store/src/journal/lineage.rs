//! Going back through a conversation and those that it branched from.
//!
//! Responsible for: reading turns in reverse order across branches.

use std::cell::Cell;

use redb::{Range, ReadOnlyTable, ReadTransaction};

use super::rows::{BRANCHES, BranchKey, BranchRow, SEQUENCES, SequenceKey};
use crate::records::{ConversationId, Scope, TurnId, TurnPlace};

/// The conversations of one scope, as they were when the transaction began.
pub(super) struct Lineage<'a> {
    sequences: ReadOnlyTable<SequenceKey, &'static [u8; 16]>,
    branches: ReadOnlyTable<BranchKey, BranchRow<'static>>,
    scope: &'a Scope,
    /// Rows that may still be read going back.
    rows_left: Cell<usize>,
}

/// Turns with their positions, newest first.
pub(super) struct Walk<'a> {
    lineage: &'a Lineage<'a>,
    conversation: ConversationId,
    /// The position of the place where it began, or of the last origin.
    bound: u32,
    rows: Range<'a, SequenceKey, &'static [u8; 16]>,
}

impl<'a> Lineage<'a> {
    pub(super) fn new(transaction: &ReadTransaction, scope: &'a Scope) -> Result<Self, redb::Error> {
        Self::within(transaction, scope, usize::MAX)
    }

    /// The same where so many rows may be read going back, by all walks together. Where these are used up a walk ends early.
    pub(super) fn within(transaction: &ReadTransaction, scope: &'a Scope, rows: usize) -> Result<Self, redb::Error> {
        let (sequences, branches) = (transaction.open_table(SEQUENCES)?, transaction.open_table(BRANCHES)?);
        Ok(Self { sequences, branches, scope, rows_left: Cell::new(rows) })
    }

    pub(super) fn scope(&self) -> &'a Scope {
        self.scope
    }

    /// Whether no more rows may be read, so that nothing that was read last is known to be complete.
    pub(super) fn is_used_up(&self) -> bool {
        self.rows_left.get() == 0
    }

    /// Counts a row, here or in another table. Returns whether it may be read.
    pub(super) fn spend_row(&self) -> bool {
        let left = self.rows_left.get().checked_sub(1);
        self.rows_left.set(left.unwrap_or_default());
        left.is_some()
    }

    /// The turn at a place and those before it.
    pub(super) fn back_from(&'a self, place: TurnPlace) -> Result<Walk<'a>, redb::Error> {
        Ok(Walk { lineage: self, conversation: place.conversation, bound: place.position, rows: self.rows_to(place)? })
    }

    /// How many turns the conversation has after a place, of which those after the first `most` are not counted.
    pub(super) fn count_after(&self, place: TurnPlace, most: usize) -> Result<usize, redb::Error> {
        let (scope, conversation, next) =
            (self.scope.as_str(), &place.conversation.0, place.position.saturating_add(1));
        let rows = self.sequences.range((scope, conversation, next)..=(scope, conversation, u32::MAX))?;
        rows.take(most).try_fold(0, |count, row| row.map(|_| count + 1).map_err(redb::Error::from))
    }

    /// A place, and the places after which its conversation and those before began: where each of them ends for who
    /// stands there.
    pub(super) fn ends(&self, place: TurnPlace) -> Result<Vec<TurnPlace>, redb::Error> {
        let (mut ends, mut end) = (vec![place], place);
        while self.spend_row()
            && let Some(origin) = self.origin(end.conversation)?.filter(|origin| origin.position < end.position)
        {
            ends.push(origin);
            end = origin;
        }
        Ok(ends)
    }

    fn rows_to(&'a self, place: TurnPlace) -> Result<Range<'a, SequenceKey, &'static [u8; 16]>, redb::Error> {
        let (scope, conversation) = (self.scope.as_str(), &place.conversation.0);
        Ok(self.sequences.range((scope, conversation, 0)..=(scope, conversation, place.position))?)
    }

    /// The place that a branch begins after.
    fn origin(&self, conversation: ConversationId) -> Result<Option<TurnPlace>, redb::Error> {
        let row = self.branches.get((self.scope.as_str(), &conversation.0))?;
        Ok(row.map(|row| {
            let (parent, position) = row.value();
            TurnPlace { conversation: ConversationId(*parent), position }
        }))
    }

    fn earlier(&'a self, walk: &mut Walk<'a>) -> Result<Option<(u32, TurnId)>, redb::Error> {
        loop {
            if !self.spend_row() {
                return Ok(None);
            }
            if let Some(entry) = walk.rows.next_back() {
                let (key, turn) = entry?;
                return Ok(Some((key.value().2, TurnId(*turn.value()))));
            }
            // What was put back from a file need not make sense: no conversation begins behind what it shares.
            let Some(origin) = self.origin(walk.conversation)?.filter(|origin| origin.position < walk.bound) else {
                return Ok(None);
            };
            (walk.conversation, walk.bound) = (origin.conversation, origin.position);
            walk.rows = self.rows_to(origin)?;
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<(u32, TurnId), redb::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let lineage = self.lineage;
        lineage.earlier(self).transpose()
    }
}
