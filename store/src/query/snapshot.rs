//! Searching main points.
//!
//! Responsible for: the dense and the lexical ranking and the passages behind them, all from one version of the table.
//!
//! Filters are prefilters: LanceDB's `only_if` sets Lance's `prefilter` unless `postfilter` is asked for, for vector and
//! for full-text queries alike, so the ranking is over the rows that match and never comes back short. A ranking names
//! rows only, since reading a column of a few hundred rows costs as much as ranking a hundred thousand of them; which
//! passages the rows are is read once for all rankings.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::RecordBatch;
use chrono::{DateTime, Utc};
use lancedb::DistanceType;
use lancedb::index::scalar::{FtsQuery, FullTextSearchQuery, MatchQuery};
use lancedb::query::{QueryBase, Select};

use super::all_rows;
use super::ranking::{Ranking, best_first, check_limit, each_once, ranked};
use super::selection::{self, Selection};
use super::sketches::{self, Sketches};
use crate::error::StoreError;
use crate::lance::exact_search::{self, RowSubset};
use crate::lance::schema::column;
use crate::lance::sketches::Sketcher;
use crate::lance::{columns, tables, vector_index};
use crate::records::{ConversationView, Hit, IdentifiedHits, IndexedPassage, Scope, SearchResult, TurnId, Within};
use crate::state::Shared;

const DISTANCE: &str = "_distance";
const SCORE: &str = "_score";
/// Bytes of the question that lexical search reads; a question is a message, and a message may be a whole book.
const MAX_TEXT_BYTES: usize = 16 << 10;

/// How the vectors of a whole scope are compared with the question's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Through the vector index.
    Indexed,
    /// One by one.
    Exact,
}

/// A part of a scope as it is at one moment, to be searched step by step. As long as it lives, nothing that it refers to
/// leaves the disk.
pub struct Snapshot<'a> {
    /// `None` if the part is empty by itself.
    selection: Option<Selection<'a>>,
    shared: &'a Arc<Shared>,
    scope: Scope,
    within: Within,
    comparison: Comparison,
    /// With a vector index: its partitions that are looked into.
    partitions: usize,
    vector_width: usize,
}

/// Opens a snapshot of a part of a scope.
pub(crate) async fn open<'a>(
    shared: &'a Arc<Shared>,
    scope: &Scope,
    within: &Within,
) -> Result<Snapshot<'a>, StoreError> {
    let comparison = match within {
        // A conversation is a few thousand rows at most: exact, whatever the table has grown to.
        Within::Turns(_) => Comparison::Exact,
        Within::Scope | Within::ScopeWith(_) if !shared.has_vector_index.load(Ordering::Acquire) => Comparison::Exact,
        Within::Scope | Within::ScopeWith(_) => Comparison::Indexed,
    };
    Ok(Snapshot {
        selection: selection::select(shared, scope, within).await?,
        shared,
        scope: scope.clone(),
        within: within.clone(),
        comparison,
        partitions: vector_index::partitions(shared.stored_points.load(Ordering::Relaxed)),
        vector_width: shared.tables().vector_width,
    })
}

impl Snapshot<'_> {
    /// When these turns, each with the time when it was first seen, were said: anywhere, or in a conversation alone. At
    /// most `most` times of each, those since the snapshot was taken too; nothing of those that were said once, when
    /// they were first seen.
    ///
    /// # Errors
    /// Failures of the journal.
    pub async fn times(
        &self,
        first_seen: Vec<(TurnId, DateTime<Utc>)>,
        conversation: Option<ConversationView>,
        most: usize,
    ) -> Result<HashMap<TurnId, Vec<DateTime<Utc>>>, StoreError> {
        let scope = self.scope.clone();
        self.shared
            .blocking(move |shared| match &conversation {
                Some(conversation) => shared.journal.said_in(&scope, conversation, &first_seen, most),
                None => shared.journal.times(&scope, &first_seen, most),
            })
            .await
    }

    /// At most `limit` rows by the cosine similarity of their vectors, through the vector index where there is one (its
    /// similarities are exact to about a hundredth). Empty for a vector of zeros.
    ///
    /// # Errors
    /// [`StoreError::InvalidQuery`] for a limit of 0 or a vector of another width or with a number that is not finite, and
    /// failures of LanceDB.
    pub async fn by_vector(&self, vector: &[f32], limit: usize) -> Result<Ranking, StoreError> {
        self.shared.noted(self.nearest(vector, limit).await)
    }

    async fn nearest(&self, vector: &[f32], limit: usize) -> Result<Ranking, StoreError> {
        let failed = || StoreError::lance("search by vector");
        self.check(vector)?;
        check_limit(limit)?;
        let Some(selection) = self.selection.as_ref() else {
            return Ok(Ranking::default());
        };
        if vector.iter().all(|number| *number == 0.0) {
            return Ok(Ranking::default());
        }
        let dataset = tables::dataset(&selection.points).await?;
        let mut subset = RowSubset { filter: Some(selection.filter.clone()), fragments: None };
        if self.comparison == Comparison::Exact {
            return Ok(Ranking(exact_search::nearest(&dataset, subset, vector, limit).await?));
        }
        let not_indexed = vector_index::not_covered(&dataset).await?;
        let mut found = Vec::new();
        if !not_indexed.is_empty() {
            subset.fragments = Some(not_indexed);
            found = exact_search::nearest(&dataset, subset, vector, limit).await?;
        }
        let search = selection
            .points
            .query()
            .nearest_to(vector)
            .map_err(failed())?
            .column(column::VECTOR)
            .distance_type(DistanceType::Cosine)
            .only_if_expr(selection.filter.clone())
            .limit(limit)
            .with_row_id()
            .select(Select::columns(&[DISTANCE]))
            // What the index does not cover was compared above.
            .fast_search()
            .nprobes(self.partitions)
            .map_err(failed())?;
        let batches = tables::collect(&search, "search by vector").await?;
        found.extend(ranked(&batches, DISTANCE, |distance| 1.0 - distance)?.0);
        exact_search::keep_best(&mut found, limit);
        Ok(Ranking(found))
    }

    /// At most `limit` rows by BM25. Empty for a text without words (or with stop words only).
    ///
    /// # Errors
    /// [`StoreError::InvalidQuery`] for a limit of 0, and failures of LanceDB.
    pub async fn by_words(&self, text: &str, limit: usize) -> Result<Ranking, StoreError> {
        check_limit(limit)?;
        let text = text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default();
        let Some(selection) = self.selection.as_ref().filter(|_| !text.trim().is_empty()) else {
            return Ok(Ranking::default());
        };
        let terms = MatchQuery::new(text.to_owned()).with_column(Some(column::TEXT.to_owned()));
        let search = selection
            .points
            .query()
            .full_text_search(FullTextSearchQuery::new_query(FtsQuery::Match(terms)))
            .only_if_expr(selection.filter.clone())
            .limit(limit)
            .with_row_id()
            .select(Select::columns(&[SCORE]));
        let batches = self.shared.noted(tables::collect(&search, "search by words").await)?;
        ranked(&batches, SCORE, |score| score)
    }

    /// The sketches of a whole scope's passages that are in memory; what is missing is loaded on the side. Nothing of a
    /// conversation, or of a scope that is too large.
    ///
    /// # Errors
    /// Failures of LanceDB.
    pub async fn sketches(&self, sketcher: &Sketcher) -> Result<Sketches, StoreError> {
        match (&self.selection, self.within.turns()) {
            (Some(selection), None) => sketches::find(self.shared, selection, &self.scope, sketcher).await,
            _ => Ok(Sketches::default()),
        }
    }

    /// Which passages the rows of both rankings are, and what they are ranked by; and which lie in the other rows, of the same
    /// snapshot's sketches.
    ///
    /// # Errors
    /// Failures of LanceDB.
    pub async fn identify(
        &self,
        dense: Ranking,
        lexical: Ranking,
        others: Vec<u64>,
    ) -> Result<IdentifiedHits, StoreError> {
        let ranked = dense.0.iter().chain(&lexical.0).map(|(row, _)| *row);
        let rows = each_once(ranked.chain(others));
        let mut passages = self.passages(rows).await?;
        passages.sort_by_key(|passage| passage.row);
        let hits = |ranking: Ranking| {
            let hits = ranking.0.into_iter().filter_map(|(row, score)| {
                let place = passages.binary_search_by_key(&row, |passage| passage.row).ok()?;
                let IndexedPassage { turn, passage, .. } = *passages.get(place)?;
                Some(Hit { turn, passage, score })
            });
            best_first(hits.collect())
        };
        let hits = SearchResult { dense: hits(dense), lexical: hits(lexical) };
        passages.sort_by_key(|passage| (passage.turn, passage.passage));
        passages.dedup_by_key(|passage| (passage.turn, passage.passage));
        Ok(IdentifiedHits { hits, passages })
    }

    /// The row of every passage of the part, each once, if there are at most `limit`; `None` if there are more rows, or more turns.
    ///
    /// # Errors
    /// Failures of LanceDB.
    pub async fn all_rows(&self, limit: usize) -> Result<Option<Vec<u64>>, StoreError> {
        match self.selection.as_ref() {
            Some(selection) => {
                let found = all_rows::find(self.shared, selection, &self.scope, self.within.turns(), limit).await;
                self.shared.noted(found)
            }
            None => Ok(Some(Vec::new())),
        }
    }

    /// What a passage takes in memory on the mean, as far as passages were found lately.
    #[must_use]
    pub fn passage_bytes(&self) -> usize {
        self.shared.passage_cache.mean_bytes()
    }

    /// The passages that lie in rows of this snapshot, each named once, by turn and passage. What was asked for or found lately
    /// comes from memory.
    ///
    /// # Errors
    /// Failures of LanceDB.
    pub async fn passages_in(&self, rows: Vec<u64>) -> Result<Vec<IndexedPassage>, StoreError> {
        let mut passages = self.passages(rows).await?;
        passages.sort_unstable_by_key(|passage| (passage.turn, passage.passage));
        Ok(passages)
    }

    /// The words of passages that were found in this snapshot, in the order asked: of each its text, or its main point where
    /// only that is kept.
    ///
    /// # Errors
    /// Failures of LanceDB.
    pub async fn texts(&self, passages: &[&IndexedPassage]) -> Result<Vec<String>, StoreError> {
        let rows = each_once(passages.iter().map(|passage| passage.row));
        let mut texts: HashMap<u64, String> = HashMap::with_capacity(passages.len());
        if let Some((rows, batch)) = self.read(rows, &[column::TEXT]).await? {
            let read = columns::strings(&batch, column::TEXT)?.iter();
            let read = read.map(|text| text.unwrap_or_default().to_owned());
            texts.extend(rows.into_iter().zip(read));
        }
        let text = |passage: &&IndexedPassage| texts.get(&passage.row).cloned().unwrap_or_default();
        Ok(passages.iter().map(text).collect())
    }

    /// The same snapshot, its vectors compared one by one even where there is an index.
    pub(crate) fn exactly(self) -> Self {
        Self { comparison: Comparison::Exact, ..self }
    }

    /// The passages that lie in these rows, each named once, in no order; from memory where they were read lately.
    async fn passages(&self, mut rows: Vec<u64>) -> Result<Vec<IndexedPassage>, StoreError> {
        let recent = &self.shared.passage_cache;
        let mut passages = recent.take_known(&mut rows);
        let read = self.read_passages(rows).await?;
        recent.remember(&read);
        passages.extend(read);
        Ok(passages)
    }

    async fn read_passages(&self, rows: Vec<u64>) -> Result<Vec<IndexedPassage>, StoreError> {
        let columns = [column::TURN, column::PASSAGE, column::RANKING_DATA];
        let Some((rows, batch)) = self.read(rows, &columns).await? else {
            return Ok(Vec::new());
        };
        let turns = columns::identifiers_from(&batch, column::TURN)?;
        let numbers = columns::numbers(&batch, column::PASSAGE)?.values();
        let ranking_data = columns::bytes(&batch, column::RANKING_DATA)?;
        let places = turns.into_iter().zip(numbers.iter().zip(ranking_data));
        let read = rows.into_iter().zip(places).map(|(row, (turn, (passage, ranking_data)))| IndexedPassage {
            turn,
            passage: *passage,
            ranking_data,
            row,
        });
        Ok(read.collect())
    }

    /// Columns of rows, each named once, and the rows. `None` without rows.
    async fn read(&self, rows: Vec<u64>, columns: &[&str]) -> Result<Option<(Vec<u64>, RecordBatch)>, StoreError> {
        let Some(selection) = self.selection.as_ref().filter(|_| !rows.is_empty()) else {
            return Ok(None);
        };
        let batch = self.shared.noted(tables::take(&selection.points, &rows, columns).await)?;
        if batch.num_rows() == rows.len() {
            return Ok(Some((rows, batch)));
        }
        Err(StoreError::unreadable(format!("{} rows were found and {} of them read", rows.len(), batch.num_rows())))
    }

    fn check(&self, vector: &[f32]) -> Result<(), StoreError> {
        let reason = if vector.len() != self.vector_width {
            format!("its vector has {} numbers, the store holds {}", vector.len(), self.vector_width)
        } else if vector.iter().all(|number| number.is_finite()) {
            return Ok(());
        } else {
            "its vector has a number that is not finite".to_owned()
        };
        Err(StoreError::InvalidQuery { reason })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use std::time::Duration;

    use futures::FutureExt;
    use tokio::time::timeout;

    use super::*;
    use crate::records::samples_for_tests::{point, scope, turn};
    use crate::{Store, StoreConfig};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_snapshot_gives_everything_while_somebody_waits_for_it_to_end() {
        let directory = tempfile::tempdir().unwrap();
        let config = || StoreConfig::idle(directory.path(), 2);
        let store = Store::open(config()).await.unwrap();
        let turn = turn(1, "a turn");
        store.accept(vec![turn.clone()]).await.unwrap();
        store.complete(vec![(scope(), turn.id, vec![point(&turn, vec![1.0, 0.0])])]).await.unwrap();
        store.close().await.unwrap();
        // A store that was just opened has no scope in memory yet.
        let store = Store::open(config()).await.unwrap();
        let snapshot = store.snapshot(&scope(), &Within::Scope).await.unwrap();
        let mut purge = Box::pin(store.shared().gate.write());
        assert!((&mut purge).now_or_never().is_none());
        let everything = async {
            let rows = snapshot.all_rows(10).await.unwrap().unwrap();
            snapshot.passages_in(rows).await.unwrap()
        };
        assert_eq!(timeout(Duration::from_secs(20), everything).await.unwrap().len(), 1);
    }
}
