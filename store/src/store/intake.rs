//! What is put into a store: turns, their main points, and entries of the ledger.
//!
//! Responsible for: the public operations that make them durable, and their contracts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Store, retain};
use crate::error::StoreError;
use crate::journal::{Journal, Quotes, quoted_by};
use crate::query::loading;
use crate::records::{
    CompletedTurn, ConversationAppend, DeletionMark, LedgerEntry, LedgerKind, Pending, PlacedTurn, Point, Scope, Turn,
    TurnId, TurnKey,
};
use crate::state::Shared;
use crate::state::turn_index::TurnIndex;

impl Store {
    /// Takes turns in durably (fsynced) and returns the ids of those that were new. A turn that the store has already,
    /// read or not, is left as it is.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn accept(&self, turns: impl Into<Arc<[Turn]>>) -> Result<Vec<TurnId>, StoreError> {
        self.accept_said(turns, Vec::new()).await
    }

    /// [`Store::accept`], which puts what was `said` into its place in conversations in the same transaction. The words of a turn
    /// that was said may be in `turns`, be there already, or be nowhere. In that case its place has the time of `said`, which holds
    /// also when the words are taken in later.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn accept_said(
        &self,
        turns: impl Into<Arc<[Turn]>>,
        said: impl Into<Arc<[ConversationAppend]>>,
    ) -> Result<Vec<TurnId>, StoreError> {
        let (turns, said) = (turns.into(), said.into());
        self.shared.ensure_open()?;
        let asked = by_scope(turns.iter().map(|turn| (&turn.scope, turn.id)).chain(places(&said)));
        self.load(&asked).await?;
        if turns.iter().all(|turn| self.shared.turn_index().state(&turn.scope, turn.id).is_some()) {
            let again = Arc::clone(&said);
            // A request that was sent again writes nothing.
            if said.is_empty() || self.shared.blocking(move |shared| shared.journal.has_said(&again)).await? {
                return Ok(Vec::new());
            }
        }
        self.accepting(asked, move |journal, is_known| journal.accept(&turns, &said, is_known)).await
    }

    /// [`Store::accept`] for turns that stood somewhere before, as when a memory is moved: each of them is put where it
    /// stood, unless another one stands there, in the same transaction, and noted with what was said plainly of it,
    /// unless something else is. The turns may be there already, or be left out of `turns`.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn restore(&self, turns: Vec<Turn>, placed: Vec<PlacedTurn>) -> Result<Vec<TurnId>, StoreError> {
        self.shared.ensure_open()?;
        let asked = by_scope(turns.iter().map(|turn| (&turn.scope, turn.id)));
        self.accepting(asked, move |journal, is_known| journal.restore(&turns, &placed, is_known)).await
    }

    /// Adds the main points of accepted turns durably (fsynced), and returns which turns count as read and are searchable from now
    /// on. Turns that are not waiting to be read (deleted meanwhile, or completed before) are left out without an error.
    /// Under [`Retain::Spans`](crate::Retain::Spans) everything but the spans is dropped from the texts here.
    ///
    /// # Errors
    /// [`StoreError::InvalidPoint`]; nothing of the call is stored then. Else see [`Store`].
    pub async fn complete(&self, points: Vec<(Scope, TurnId, Vec<Point>)>) -> Result<Vec<(Scope, TurnId)>, StoreError> {
        self.shared.ensure_open()?;
        let completed = self.shared.blocking(move |shared| complete(shared, points)).await?;
        if self.shared.turn_index().unflushed_len() >= self.shared.config.flush_turns {
            self.shared.wake.notify_one();
        }
        Ok(completed)
    }

    /// Records entries in the ledger of a scope durably (fsynced, all or none), each unless its kind and key has one
    /// already, and returns the entries that hold now, in the order given. The first writer wins, so that concurrent
    /// requests agree. An entry that quotes a turn which is not there is given back as if it held, and is not kept: the turn was
    /// deleted after the request had found it.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn record(&self, scope: &Scope, entries: Vec<LedgerEntry>) -> Result<Vec<LedgerEntry>, StoreError> {
        self.record_read_since(scope, self.deletion_mark(scope), entries).await
    }

    /// A mark for [`Store::record_read_since`].
    #[must_use]
    pub fn deletion_mark(&self, scope: &Scope) -> DeletionMark {
        self.shared.journal.deletion_mark(scope)
    }

    /// [`Store::record`] for entries that quote what was read after a mark of the scope was made. Where something of the scope was
    /// deleted since, such an entry is not kept either: a turn that is still there may have left the place whose date is quoted.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn record_read_since(
        &self,
        scope: &Scope,
        mark: DeletionMark,
        entries: Vec<LedgerEntry>,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        self.record_at(scope, mark, entries, Utc::now()).await
    }

    /// The same, at a time.
    pub(crate) async fn record_at(
        &self,
        scope: &Scope,
        mark: DeletionMark,
        entries: Vec<LedgerEntry>,
        now: DateTime<Utc>,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        self.shared.ensure_usable(scope)?;
        self.shared.noted(loading::load_scope(&self.shared, scope, None).await)?;
        let scope = scope.clone();
        self.shared
            .blocking(move |shared| {
                let is_gone = |turn: &TurnId| shared.turn_index().state(&scope, *turn).is_none();
                // Asked while the entries are written, when no deletion can be.
                let is_as_read = || mark.is_still(shared.journal.deletion_mark(&scope));
                let bears_dates = |entry: &LedgerEntry| entry.kind != LedgerKind::Unreadable;
                let quotes = |entry: &LedgerEntry| match quoted_by(entry, shared.config.quoted) {
                    Some(turns) if turns.is_empty() => Quotes::Turns(turns),
                    _ if bears_dates(entry) && !is_as_read() => Quotes::Gone,
                    None => Quotes::Unknown,
                    Some(turns) if turns.iter().any(is_gone) => Quotes::Gone,
                    Some(turns) => Quotes::Turns(turns),
                };
                shared.journal.record(&scope, entries, now, quotes)
            })
            .await
    }

    /// Has the journal accept turns, and memory know of those that are new. `asked` are the turns that may be known already.
    async fn accepting(
        &self,
        asked: AskedTurns,
        accept: impl Fn(&Journal, &dyn Fn(&Scope, TurnId) -> bool) -> Result<Vec<TurnKey>, StoreError>
        + Send
        + Sync
        + 'static,
    ) -> Result<Vec<TurnId>, StoreError> {
        let (asked, accept) = (Arc::new(asked), Arc::new(accept));
        loop {
            self.load(&asked).await?;
            let (asked, accept) = (Arc::clone(&asked), Arc::clone(&accept));
            let accepting = self.shared.blocking(move |shared| {
                shared.change(
                    |journal| {
                        // A deletion may have unloaded a scope meanwhile. From here on nothing that is known becomes unknown.
                        let Some(known) = known(&shared.turn_index(), &asked) else { return Ok(None) };
                        let is_known = |scope: &Scope, id| known.get(scope).is_some_and(|ids| ids.contains(&id));
                        accept(journal, &is_known).map(Some)
                    },
                    |turn_index, new| {
                        for (scope, id) in new.iter().flatten() {
                            turn_index.set_pending(scope, *id, Pending::Accepted);
                        }
                    },
                )
            });
            if let Some(new) = accepting.await? {
                return Ok(new.into_iter().map(|(_, id)| id).collect());
            }
        }
    }

    async fn load(&self, asked: &AskedTurns) -> Result<(), StoreError> {
        for scope in asked.keys() {
            self.shared.noted(loading::load_scope(&self.shared, scope, None).await)?;
        }
        Ok(())
    }
}

/// Turns by their scopes.
type AskedTurns = BTreeMap<Scope, Vec<TurnId>>;

fn by_scope<'a>(turns: impl Iterator<Item = (&'a Scope, TurnId)>) -> AskedTurns {
    let mut asked = AskedTurns::new();
    for (scope, id) in turns {
        asked.entry(scope.clone()).or_default().push(id);
    }
    asked
}

fn places(said: &[ConversationAppend]) -> impl Iterator<Item = (&Scope, TurnId)> {
    said.iter().flat_map(|new| new.turns.iter().map(|said| (&new.scope, said.turn)))
}

/// Those of the turns that are there, read or not; `None` where a scope is not loaded, so that nobody can tell.
fn known<'a>(turn_index: &TurnIndex, asked: &'a AskedTurns) -> Option<HashMap<&'a Scope, HashSet<TurnId>>> {
    let known = asked.iter().map(|(scope, ids)| {
        let known = ids.iter().copied().filter(|id| turn_index.state(scope, *id).is_some()).collect();
        turn_index.is_loaded(scope).then_some((scope, known))
    });
    known.collect()
}

/// Moves turns from accepted to completed and returns which.
fn complete(shared: &Shared, points: Vec<(Scope, TurnId, Vec<Point>)>) -> Result<Vec<TurnKey>, StoreError> {
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
    )
}
