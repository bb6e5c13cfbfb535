//! What is put into a store: turns, their main points, and entries of the ledger.
//!
//! Responsible for: the public operations that make them durable, and their contracts. Must not know: what becomes of them then.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::Utc;

use super::{Store, retain};
use crate::error::StoreError;
use crate::query::loading;
use crate::records::{CompletedTurn, LedgerEntry, NewTurns, Pending, Point, Scope, Turn, TurnId, TurnKey};
use crate::state::Shared;

impl Store {
    /// Takes turns in durably (fsynced) and returns the ids of those that were new. A turn that the store has already,
    /// read or not, is left as it is.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn accept(&self, turns: impl Into<Arc<[Turn]>>) -> Result<Vec<TurnId>, StoreError> {
        self.accept_said(turns, Vec::new()).await
    }

    /// [`Store::accept`], which puts what was `said` into its place in conversations in the same transaction. The turns may be
    /// there already, or be left out of `turns`.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn accept_said(
        &self,
        turns: impl Into<Arc<[Turn]>>,
        said: impl Into<Arc<[NewTurns]>>,
    ) -> Result<Vec<TurnId>, StoreError> {
        let (turns, said) = (turns.into(), said.into());
        self.shared.ensure_open()?;
        for scope in turns.iter().map(|turn| &turn.scope).collect::<BTreeSet<_>>() {
            loading::load_scope(&self.shared, scope, None).await?;
        }
        if said.is_empty() && turns.iter().all(|turn| self.shared.turn_index().state(&turn.scope, turn.id).is_some()) {
            return Ok(Vec::new());
        }
        self.shared
            .blocking(move |shared| {
                let is_known = |turn: &Turn| shared.turn_index().state(&turn.scope, turn.id).is_some();
                let new = shared.change(
                    |journal| journal.accept(&turns, &said, is_known),
                    |turn_index, new| {
                        for (scope, id) in new {
                            turn_index.set_pending(scope, *id, Pending::Accepted);
                        }
                    },
                )?;
                Ok(new.into_iter().map(|(_, id)| id).collect())
            })
            .await
    }

    /// Adds the main points of accepted turns durably (fsynced). The turns count as read and are searchable from now
    /// on. Turns that are not waiting to be read (deleted meanwhile, or completed before) are left out without an error.
    /// Under [`Retain::Spans`](crate::Retain::Spans) everything but the spans is dropped from the texts here.
    ///
    /// # Errors
    /// [`StoreError::InvalidPoint`]; nothing of the call is stored then. Else see [`Store`].
    pub async fn complete(&self, points: Vec<(Scope, TurnId, Vec<Point>)>) -> Result<(), StoreError> {
        self.shared.ensure_open()?;
        let completed = self.shared.blocking(move |shared| complete(shared, points)).await?;
        if completed >= self.shared.config.flush_turns {
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    /// Records entries in the ledger of a scope durably (fsynced, all or none), each unless its kind and turn has one
    /// already, and returns the entries that hold now, in the order given. The first writer wins, so that concurrent
    /// requests agree.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn record(&self, scope: &Scope, entries: Vec<LedgerEntry>) -> Result<Vec<LedgerEntry>, StoreError> {
        self.shared.ensure_open()?;
        let scope = scope.clone();
        self.shared.blocking(move |shared| shared.journal.record(&scope, entries, Utc::now())).await
    }
}

/// Moves turns from accepted to completed and returns how many are waiting for a flush.
fn complete(shared: &Shared, points: Vec<(Scope, TurnId, Vec<Point>)>) -> Result<usize, StoreError> {
    let keys: Vec<TurnKey> = points.iter().map(|(scope, id, _)| (scope.clone(), *id)).collect();
    let mut turns: HashMap<TurnKey, Turn> = HashMap::new();
    for turn in shared.journal.accepted_turns(&keys)? {
        turns.insert((turn.scope.clone(), turn.id), turn);
    }
    let mut completed = Vec::new();
    for (scope, id, points) in points {
        let Some(turn) = turns.remove(&(scope, id)) else {
            tracing::debug!(turn = %id, "main points of a turn that is not waiting to be read are left out");
            continue;
        };
        let width = shared.tables().vector_width;
        let (turn, points) = retain::retained(shared.config.retain, width, turn, points)?;
        completed.push(CompletedTurn { turn, points });
    }
    shared.change(
        |journal| journal.complete(&completed),
        |turn_index, moved| {
            for (scope, id) in moved {
                turn_index.set_pending(scope, *id, Pending::Completed);
            }
        },
    )?;
    Ok(shared.turn_index().completed_len())
}
