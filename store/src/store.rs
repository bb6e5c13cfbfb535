//! The handle to a store.
//!
//! Responsible for: the public operations, their contracts, opening and closing. Must not know: how any of it is done.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::Utc;

use crate::config::StoreConfig;
use crate::directory::Directory;
use crate::error::StoreError;
use crate::journal::backlog::WaitingTurn;
use crate::journal::{Deletion, Journal, Key};
use crate::ledger::LedgerEntry;
use crate::maintenance::{self, MaintenanceReport};
use crate::old::OldStore;
use crate::opener::Looked;
use crate::presence::Pending;
use crate::record::{Point, Scope, Turn, TurnId};
use crate::retain;
use crate::rows::CompletedTurn;
use crate::search::{self, Hit, Ranking, SearchQuery, SearchResult, Snapshot};
use crate::selection::Within;
use crate::shared::{Shared, blocking};
use crate::trouble::Trouble;
use crate::{delete, heal, lookup, migration, watch, writer};

/// A store of turns and their main points in one directory. Cheap to clone; all clones are the same store.
///
/// Every operation gives [`StoreError::Closed`] after [`Store::close`], and [`StoreError::Journal`],
/// [`StoreError::Lance`] or [`StoreError::File`] when the disk fails. Writes run to their end even if the caller stops
/// waiting for them (a deadline), so they are never left half done.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

/// How a store is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreStatus {
    /// False once closed.
    pub alive: bool,
    /// Turns accepted and not completed: what is still to be read.
    pub pending_turns: usize,
    /// Turns completed and still in the journal only.
    pub unflushed_turns: usize,
    /// Turns in LanceDB.
    pub turns: u64,
    /// Main points in LanceDB.
    pub points: u64,
    /// How often turns were lost to damaged files since the store was opened. Who remembers which turns have been read has to
    /// forget it when this grows, and to look again for turns that wait.
    pub losses: u64,
}

impl Store {
    /// Opens the store in `config.directory`, creating it where there is none, replays the journal and starts the task
    /// that flushes and maintains. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`StoreError::InvalidConfig`], [`StoreError::Unwritable`] (nothing is left half created then),
    /// [`StoreError::InUse`], [`StoreError::Version`], [`StoreError::Migrating`], [`StoreError::Format`], [`StoreError::Refused`],
    /// [`StoreError::TableRefused`], [`StoreError::VectorWidth`], [`StoreError::Model`]. What is damaged is no error: it is
    /// moved aside, and the log says so.
    pub async fn open(config: StoreConfig) -> Result<Self, StoreError> {
        config.validate()?;
        let path = config.directory.clone();
        // Everything is looked at before anything is changed.
        let directory = blocking(move || {
            migration::ensure_ended(&path)?;
            let directory = Directory::prepare(&path)?;
            Journal::examine(&directory)?;
            Ok(directory)
        })
        .await?;
        let looked = Looked::at(&directory, &config).await?;
        let of_journal = directory.clone();
        let journal = blocking(move || Journal::open(&of_journal)).await?;
        let opened = looked.open(&directory, &config, &journal).await?;
        if let Some(model) = config.model.clone() {
            let directory = directory.clone();
            blocking(move || directory.keep_model(&model)).await?;
        }
        let store = Self {
            shared: Arc::new(Shared::new(config, directory, journal, opened.tables)),
        };
        store.replay(opened.rows_lost).await?;
        tokio::spawn(writer::background(Arc::downgrade(&store.shared)));
        tokio::spawn(watch::background(Arc::downgrade(&store.shared)));
        Ok(store)
    }

    /// Takes turns in durably (fsynced) and returns the ids of those that were new. A turn that the store has already,
    /// read or not, is left as it is.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn accept(&self, turns: impl Into<Arc<[Turn]>>) -> Result<Vec<TurnId>, StoreError> {
        let turns = turns.into();
        self.shared.ensure_open()?;
        for scope in turns.iter().map(|turn| &turn.scope).collect::<BTreeSet<_>>() {
            lookup::load_scope(&self.shared, scope).await?;
        }
        if turns
            .iter()
            .all(|turn| self.shared.presence().state(&turn.scope, turn.id).is_some())
        {
            return Ok(Vec::new());
        }
        self.shared
            .blocking(move |shared| {
                let is_known = |turn: &Turn| shared.presence().state(&turn.scope, turn.id).is_some();
                let new = shared.change(
                    |journal| journal.accept(&turns, is_known),
                    |presence, new| {
                        for (scope, id) in new {
                            presence.set_pending(scope, *id, Pending::Accepted);
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

    /// Every turn accepted and never completed, by scope, conversation and position.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn unread(&self) -> Result<Vec<Turn>, StoreError> {
        self.shared.ensure_open()?;
        self.shared.blocking(|shared| shared.journal.accepted()).await
    }

    /// At most `limit` turns accepted and not completed, without their words, by scope and id, those behind `after`. No
    /// page at all when there are no more. Each page is a snapshot; turns may come and go between two of them.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn waiting(&self, after: Option<(Scope, TurnId)>, limit: usize) -> Result<Vec<WaitingTurn>, StoreError> {
        self.shared.ensure_open()?;
        self.shared
            .blocking(move |shared| shared.journal.waiting(after.as_ref(), limit))
            .await
    }

    /// Which of these turns are completed. Answered from memory once the scope has been asked for.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn read_turns(&self, scope: &Scope, ids: &[TurnId]) -> Result<HashSet<TurnId>, StoreError> {
        self.shared.ensure_open()?;
        lookup::read_turns(&self.shared, scope, ids).await
    }

    /// A part of a scope as it is now, to be searched step by step.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn snapshot(&self, scope: &Scope, within: &Within) -> Result<Snapshot<'_>, StoreError> {
        self.shared.ensure_open()?;
        search::snapshot(&self.shared, scope, within).await
    }

    /// Ranks the main points of the part of a scope that the query names, by vector and by words.
    ///
    /// # Errors
    /// [`StoreError::InvalidQuery`] for a limit of 0 or a vector of another width or with a number that is not finite.
    /// Else see [`Store`].
    pub async fn search(&self, query: &SearchQuery) -> Result<SearchResult, StoreError> {
        let snapshot = self.snapshot(&query.scope, &query.within).await?;
        let (dense, lexical) = futures::try_join!(
            snapshot.by_vector(&query.vector, query.limit),
            snapshot.by_words(&query.text, query.limit)
        )?;
        Ok(snapshot.identify(dense, lexical).await?.hits)
    }

    /// The dense ranking of [`Store::search`], with every vector compared even where there is a vector index: what the
    /// index is measured by.
    ///
    /// # Errors
    /// As [`Store::search`].
    pub async fn search_exactly(&self, query: &SearchQuery) -> Result<Vec<Hit>, StoreError> {
        let snapshot = self.snapshot(&query.scope, &query.within).await?.exactly();
        let dense = snapshot.by_vector(&query.vector, query.limit).await?;
        Ok(snapshot.identify(dense, Ranking::default()).await?.hits.dense)
    }

    /// Main points, at most `limit` (which ones, when there are more, is not defined). In the order of
    /// the ids asked for, else by turn; passages in order.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn points(&self, scope: &Scope, within: &Within, limit: usize) -> Result<Vec<Point>, StoreError> {
        self.shared.ensure_open()?;
        lookup::points(&self.shared, scope, within, limit).await
    }

    /// The turns with these ids, read or not, in the order asked; missing ones are left out.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn turns(&self, scope: &Scope, ids: &[TurnId]) -> Result<Vec<Turn>, StoreError> {
        self.shared.ensure_open()?;
        lookup::turns(&self.shared, scope, ids).await
    }

    /// Up to `radius` turns before a turn, itself, and up to `radius` after it, along parent links, oldest first. At a
    /// fork the later child is followed. Where a turn of the chain is not stored (one without text) the nearest
    /// position goes on. Empty if the turn itself is not stored.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn neighbours(&self, scope: &Scope, turn: TurnId, radius: usize) -> Result<Vec<Turn>, StoreError> {
        self.shared.ensure_open()?;
        lookup::neighbours(&self.shared, scope, turn, radius).await
    }

    /// Every entry of these turns in the ledger of a scope, in the order asked, a block before an epoch of the same
    /// turn; missing ones are left out.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn ledger(&self, scope: &Scope, turns: &[TurnId]) -> Result<Vec<LedgerEntry>, StoreError> {
        self.shared.ensure_open()?;
        let (scope, turns) = (scope.clone(), turns.to_vec());
        self.shared
            .blocking(move |shared| shared.journal.ledger(&scope, &turns))
            .await
    }

    /// Keeps entries in the ledger of a scope durably (fsynced, all or none), each unless its kind and turn has one
    /// already, and returns the entries that hold now, in the order given. The first writer wins, so that concurrent
    /// requests agree.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn keep(&self, scope: &Scope, entries: Vec<LedgerEntry>) -> Result<Vec<LedgerEntry>, StoreError> {
        self.shared.ensure_open()?;
        let scope = scope.clone();
        self.shared
            .blocking(move |shared| shared.journal.keep(&scope, entries, Utc::now()))
            .await
    }

    /// Deletes a conversation, read or not, with its ledger, and returns the number of turns that were there. Gone from
    /// every answer and from the journal when this returns; gone from the disk after the next maintenance.
    ///
    /// # Errors
    /// See [`Store`]. A deletion that an error interrupts is carried out by the next maintenance, or the next opening.
    pub async fn delete_conversation(&self, scope: &Scope, conversation: TurnId) -> Result<u64, StoreError> {
        self.delete(Deletion {
            scope: scope.clone(),
            conversation: Some(conversation),
        })
        .await
    }

    /// Deletes everything of a scope. See [`Store::delete_conversation`].
    ///
    /// # Errors
    /// See [`Store::delete_conversation`].
    pub async fn delete_scope(&self, scope: &Scope) -> Result<u64, StoreError> {
        self.delete(Deletion {
            scope: scope.clone(),
            conversation: None,
        })
        .await
    }

    /// Writes everything completed into LanceDB, waits until it is on disk and trims the journal.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.shared.ensure_open()?;
        writer::flush(&self.shared).await
    }

    /// Flushes, then compacts, indexes and prunes; clears the disk of what was deleted, and the ledger of conversations
    /// to which nothing was written for [`StoreConfig::ledger_age`].
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn maintain(&self) -> Result<MaintenanceReport, StoreError> {
        self.shared.ensure_open()?;
        maintenance::maintain(&self.shared).await
    }

    /// Builds the vector index now, however few points there are (at least 256), and returns the share of exact neighbours
    /// that it finds, 0 to 1. Maintenance does so by itself once a table is large, and keeps the index only if it is good.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn build_vector_index(&self) -> Result<f32, StoreError> {
        self.shared.ensure_open()?;
        maintenance::build_vector_index(&self.shared).await
    }

    /// Flushes, stops the background task and releases the directory. The second call does nothing.
    ///
    /// # Errors
    /// See [`Store`]; the store is closed all the same, and the journal keeps what could not be flushed.
    pub async fn close(&self) -> Result<(), StoreError> {
        if self.shared.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.shared.wake.notify_one();
        let flushed = writer::flush(&self.shared).await;
        self.shared
            .blocking(|shared| {
                shared.journal.close();
                Ok(())
            })
            .await?;
        flushed
    }

    /// How the store is doing, without waiting.
    pub fn status(&self) -> StoreStatus {
        let presence = self.shared.presence();
        StoreStatus {
            alive: !self.shared.closed.load(Ordering::Acquire),
            pending_turns: presence.accepted_len(),
            unflushed_turns: presence.completed_len(),
            turns: self.shared.stored_turns.load(Ordering::Relaxed),
            points: self.shared.stored_points.load(Ordering::Relaxed),
            losses: self.shared.losses.load(Ordering::Acquire),
        }
    }

    /// What does not work at the moment, without waiting. Each of it is tried again by itself.
    #[must_use]
    pub fn troubles(&self) -> Vec<Trouble> {
        let journal = self.shared.journal.trouble();
        journal.into_iter().chain(self.shared.troubles.all()).collect()
    }

    /// Whether nothing at all is kept: no turn, read or not, and no entry of the ledger.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        self.shared.ensure_open()?;
        let status = self.status();
        if status.turns + status.points > 0 || status.pending_turns + status.unflushed_turns > 0 {
            return Ok(false);
        }
        self.shared.blocking(|shared| shared.journal.has_no_ledger()).await
    }

    /// Takes over what an old store holds besides its turns: its ledger, but for marks of turns that could not be read, since
    /// they are tried again. Deletes conversations that it no longer has, which an earlier attempt may have read from it.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn adopt(&self, old: &OldStore) -> Result<(), StoreError> {
        self.shared.ensure_open()?;
        migration::adopt(&self.shared, old).await
    }

    /// Every scope that has a turn, in order.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        self.shared.ensure_open()?;
        lookup::scopes(&self.shared).await
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Brings memory, journal and tables together after opening.
    async fn replay(&self, rows_lost: bool) -> Result<(), StoreError> {
        let shared = &self.shared;
        if rows_lost {
            let unread = heal::heal(shared).await?;
            let versions = shared.tables().versions().await?;
            shared
                .blocking(move |shared| shared.journal.trim(&[], &versions))
                .await?;
            tracing::warn!(
                unread,
                "a table was rolled back; turns that lost their main points are read again"
            );
        }
        let pending = shared.blocking(|shared| shared.journal.keys()).await?;
        {
            let mut presence = shared.presence();
            pending
                .into_iter()
                .for_each(|((scope, id), state)| presence.set_pending(&scope, id, state));
        }
        heal::count(shared).await?;
        delete::resume(shared).await
    }

    async fn delete(&self, deletion: Deletion) -> Result<u64, StoreError> {
        self.shared.ensure_open()?;
        delete::delete(&self.shared, deletion).await
    }
}

/// Moves turns from accepted to completed and returns how many are waiting for a flush.
fn complete(shared: &Shared, points: Vec<(Scope, TurnId, Vec<Point>)>) -> Result<usize, StoreError> {
    let keys: Vec<Key> = points.iter().map(|(scope, id, _)| (scope.clone(), *id)).collect();
    let mut turns: HashMap<Key, Turn> = HashMap::new();
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
        |presence, moved| {
            for (scope, id) in moved {
                presence.set_pending(scope, *id, Pending::Completed);
            }
        },
    )?;
    Ok(shared.presence().completed_len())
}
