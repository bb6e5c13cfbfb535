//! What is asked of a store.
//!
//! Responsible for: the public operations that change nothing that a caller can see, and their contracts. Must not
//! know: how any of it is done.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::Store;
use crate::error::StoreError;
use crate::query::ranking::Ranking;
use crate::query::snapshot::{self, Snapshot};
use crate::query::spoken::Spoken;
use crate::query::{clusters, conversation_match, loading, lookup, neighbours, outline, overview, points, size};
use crate::records::{
    Clusters, ConversationMatch, ConversationView, Hit, LedgerEntry, LedgerKey, Outline, Pending, Point, Scope,
    ScopeCounts, ScopeOverview, ScopeSize, SearchQuery, SearchResult, Turn, TurnId, TurnKind, WaitingTurn, Within,
};
use crate::state::turn_index::State;

impl Store {
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
        self.shared.blocking(move |shared| shared.journal.waiting(after.as_ref(), limit)).await
    }

    /// Which of these turns are read, or marked as unreadable. Answered from memory once the scope has been asked for.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn read_or_unreadable(&self, scope: &Scope, ids: &[TurnId]) -> Result<HashSet<TurnId>, StoreError> {
        self.shared.ensure_open()?;
        self.shared.noted(lookup::read_or_unreadable(&self.shared, scope, ids).await)
    }

    /// A part of a scope as it is now, to be searched step by step.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn snapshot(&self, scope: &Scope, within: &Within) -> Result<Snapshot<'_>, StoreError> {
        self.shared.ensure_usable(scope)?;
        self.shared.noted(snapshot::open(&self.shared, scope, within).await)
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
        Ok(snapshot.identify(dense, lexical, Vec::new()).await?.hits)
    }

    /// The dense ranking of [`Store::search`], with every vector compared even where there is a vector index: what the
    /// index is measured by.
    ///
    /// # Errors
    /// As [`Store::search`].
    pub async fn search_exactly(&self, query: &SearchQuery) -> Result<Vec<Hit>, StoreError> {
        let snapshot = self.snapshot(&query.scope, &query.within).await?.exactly();
        let dense = snapshot.by_vector(&query.vector, query.limit).await?;
        Ok(snapshot.identify(dense, Ranking::default(), Vec::new()).await?.hits.dense)
    }

    /// Main points, at most `limit` (which ones, when there are more, is not defined). In the order of
    /// the ids asked for, else by turn; passages in order.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn points(&self, scope: &Scope, within: &Within, limit: usize) -> Result<Vec<Point>, StoreError> {
        self.shared.ensure_usable(scope)?;
        self.shared.noted(points::find(&self.shared, scope, within, limit).await)
    }

    /// The main points of a scope in at most `most` clusters by their vectors, fewer where there is less to tell apart;
    /// without `most`, in at most so many as is usual for their number. All main points of a turn are in the cluster
    /// that most of them are in. Of more than [`Clusters::MOST_POINTS`] main points so many are looked at, always the
    /// same ones; none of a turn with more around what was said plainly later, once that is read. The same scope has
    /// the same clusters each time.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn clusters(&self, scope: &Scope, most: Option<usize>) -> Result<Clusters, StoreError> {
        self.shared.ensure_usable(scope)?;
        self.shared.noted(clusters::find(&self.shared, scope, most).await)
    }

    /// The turns with these ids, read or not, in the order asked, each with the time when it was said last; missing
    /// ones are left out.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn turns(&self, scope: &Scope, ids: &[TurnId]) -> Result<Vec<Turn>, StoreError> {
        self.shared.ensure_usable(scope)?;
        self.shared.noted(lookup::turns_said_last(&self.shared, scope, ids, None).await)
    }

    /// The same, each with the time when it was said last in a conversation, if one is named. What stands elsewhere and
    /// not there is said there now, unless the view says when.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn turns_in(
        &self,
        scope: &Scope,
        ids: &[TurnId],
        conversation: Option<ConversationView>,
    ) -> Result<Vec<Turn>, StoreError> {
        self.shared.ensure_usable(scope)?;
        self.shared.noted(lookup::turns_said_last(&self.shared, scope, ids, conversation).await)
    }

    /// For each of these turns that was sent with documents around it and said plainly later, the plain turn, by the ids of both.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn plain(&self, scope: &Scope, turns: &[TurnId]) -> Result<HashMap<TurnId, TurnId>, StoreError> {
        self.shared.ensure_usable(scope)?;
        let (scope, turns) = (scope.clone(), turns.to_vec());
        self.shared.noted(self.shared.blocking(move |shared| shared.journal.plain(&scope, &turns)).await)
    }

    /// Which of these turns say plainly what was sent before with more around it, each with the first by name that was
    /// sent so.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn sent_as(&self, scope: &Scope, turns: &[TurnId]) -> Result<HashMap<TurnId, TurnId>, StoreError> {
        self.shared.ensure_usable(scope)?;
        let of_journal = scope.clone();
        let plain = self.shared.blocking(move |shared| shared.journal.every_plain(&of_journal)).await;
        let mut found: HashMap<TurnId, TurnId> = HashMap::new();
        for (sent, said) in self.shared.noted(plain)?.into_iter().filter(|(_, said)| turns.contains(said)) {
            let first = found.entry(said).or_insert(sent);
            *first = sent.min(*first);
        }
        Ok(found)
    }

    /// The turns with these ids as they came, each with the time when it was first seen; missing ones are left out.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn turns_as_they_came(&self, scope: &Scope, ids: &[TurnId]) -> Result<Vec<Turn>, StoreError> {
        self.shared.ensure_open()?;
        self.shared.noted(lookup::turns(&self.shared, scope, ids).await)
    }

    /// When each of these turns was first seen; missing ones are left out.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn first_seen(
        &self,
        scope: &Scope,
        ids: &[TurnId],
    ) -> Result<HashMap<TurnId, DateTime<Utc>>, StoreError> {
        self.shared.ensure_open()?;
        self.shared.noted(lookup::first_seen(&self.shared, scope, ids).await)
    }

    /// Up to `radius` turns before a turn, itself, and up to `radius` after it, along parent links, oldest first, with
    /// the times when they were first seen. At a fork the later child is followed. Where a turn of the chain is not
    /// stored (it found no room, or was deleted) the nearest position goes on. Empty if the turn itself is not stored.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn neighbours(&self, scope: &Scope, turn: TurnId, radius: usize) -> Result<Vec<Turn>, StoreError> {
        self.shared.ensure_usable(scope)?;
        self.shared.noted(neighbours::find(&self.shared, scope, turn, radius).await)
    }

    /// Every entry of these keys in the ledger of a scope, in the order asked, a block before an eviction of the same
    /// prefix; missing ones are left out.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn ledger(&self, scope: &Scope, keys: &[LedgerKey]) -> Result<Vec<LedgerEntry>, StoreError> {
        self.shared.ensure_open()?;
        let (scope, keys) = (scope.clone(), keys.to_vec());
        self.shared.blocking(move |shared| shared.journal.ledger(&scope, &keys)).await
    }

    /// The conversation of their scope that the turns of a request, oldest first and each of its kind, go on with.
    /// `time` is when the first of them is said, where that is known: a conversation that begins as an earlier one did,
    /// at least a day later, is another one, and so may be one that shares nothing but what came in one request, or a few
    /// stock phrases that were said a week ago. `says_again` tells whether the request's turn at a place, from 0, says in other
    /// words what this turn said: with another clock in it, or without the documents that it came with.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn match_conversation(
        &self,
        scope: &Scope,
        turns: Vec<TurnId>,
        kinds: Vec<TurnKind>,
        time: Option<DateTime<Utc>>,
        says_again: impl Fn(usize, &Turn) -> bool,
    ) -> Result<ConversationMatch, StoreError> {
        self.shared.ensure_usable(scope)?;
        self.shared.noted(conversation_match::find(&self.shared, scope, turns, kinds, time, says_again).await)
    }

    /// Every conversation of a scope, where its turns stand and when they were said again there, as far as they are
    /// there. What was sent with more around it and said plainly later stands there as it was said.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn outline(&self, scope: &Scope) -> Result<Outline, StoreError> {
        self.shared.ensure_usable(scope)?;
        self.shared.noted(outline::find(&self.shared, scope).await)
    }

    /// How many turns a scope has.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn counts(&self, scope: &Scope) -> Result<ScopeCounts, StoreError> {
        self.shared.ensure_usable(scope)?;
        self.shared.noted(loading::load_scope(&self.shared, scope, None).await)?;
        let of_journal = scope.clone();
        let plain = self.shared.blocking(move |shared| shared.journal.every_plain(&of_journal)).await;
        let plain = self.shared.noted(plain)?;
        let turn_index = self.shared.turn_index();
        let spoken = Spoken::new(plain, |turn| turn_index.state(scope, turn).is_some());
        let mut counts = turn_index.counts(scope);
        for sent in spoken.hidden() {
            let waits = turn_index.state(scope, sent) == Some(State::Pending(Pending::Accepted));
            counts.turns = counts.turns.saturating_sub(1);
            counts.waiting = counts.waiting.saturating_sub(usize::from(waits));
        }
        Ok(counts)
    }

    /// How much a scope holds with all its parts, whose names go on from it with a dot. Looks at every text that belongs there.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn size(&self, whole: &Scope) -> Result<ScopeSize, StoreError> {
        self.shared.ensure_open()?;
        self.shared.noted(size::find(&self.shared, whole).await)
    }

    /// Every scope that has a turn, in order.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn scopes(&self) -> Result<Vec<Scope>, StoreError> {
        self.shared.ensure_open()?;
        self.shared.noted(lookup::scopes(&self.shared).await)
    }

    /// What there is of every scope that has a turn, in order. Looks at every turn of the store.
    ///
    /// # Errors
    /// See [`Store`].
    pub async fn scope_overviews(&self) -> Result<Vec<ScopeOverview>, StoreError> {
        self.shared.ensure_open()?;
        self.shared.noted(overview::find(&self.shared).await)
    }
}
