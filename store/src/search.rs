//! Searching main points.
//!
//! Responsible for: the dense and the lexical ranking and the points behind them, all from one version of the table.
//! Must not know: attention scores, how rankings are fused, what is pending.
//!
//! Filters are prefilters: LanceDB's `only_if` sets Lance's `prefilter` unless `postfilter` is asked for, for vector and
//! for full-text queries alike, so the ranking is over the rows that match and never comes back short.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use futures::TryStreamExt;
use lancedb::index::scalar::{FtsQuery, FullTextSearchQuery, MatchQuery};
use lancedb::query::{ExecutableQuery, QueryBase, Select};
use lancedb::{DistanceType, Table};

use crate::error::StoreError;
use crate::record::{Point, Scope, TurnId};
use crate::rows;
use crate::schema::column;
use crate::selection::{self, Selection, Within};
use crate::shared::Shared;

const DISTANCE: &str = "_distance";
const SCORE: &str = "_score";
const ROW_ID: &str = "_rowid";
/// With a vector index: partitions looked into, and how many times `limit` candidates are compared exactly.
const PARTITIONS: usize = 32;
const REFINE: u32 = 4;
/// Bytes of the question that lexical search reads; a question is a message, and a message may be a whole book.
const MAX_TEXT_BYTES: usize = 16 << 10;

/// What to search for.
#[derive(Debug, Clone)]
pub struct SearchQuery {
    /// Whose memory.
    pub scope: Scope,
    /// Which part of it.
    pub within: Within,
    /// Embedding of the question; its length is the store's `vector_width`.
    pub vector: Vec<f32>,
    /// The question's text. Plain words, never query syntax; lexical search reads its first 16 KiB.
    pub text: String,
    /// At most this many hits in each ranking, at least 1.
    pub limit: usize,
}

/// One place in a ranking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The turn.
    pub turn: TurnId,
    /// The passage within it.
    pub passage: u32,
    /// Dense: cosine similarity, -1 to 1. Lexical: BM25, above 0, comparable within one ranking only.
    pub score: f32,
}

/// The answer to a [`SearchQuery`].
#[derive(Debug, Clone, PartialEq)]
pub struct SearchResult {
    /// By cosine similarity, best first. Empty for a vector of zeros.
    pub dense: Vec<Hit>,
    /// By BM25, best first. Empty for a text without words (or with stop words only).
    pub lexical: Vec<Hit>,
    /// Every point of either ranking once, by turn and passage.
    pub points: Vec<Point>,
}

/// How the vectors of a whole scope are compared with the question's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Through the vector index, where there is one.
    Indexed,
    /// One by one.
    Exact,
}

/// Runs a query on the newest version of the table of points.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    query: &SearchQuery,
    comparison: Comparison,
) -> Result<SearchResult, StoreError> {
    let Some(selection) = selection::select(shared, &query.scope, &query.within).await? else {
        return Ok(SearchResult {
            dense: vec![],
            lexical: vec![],
            points: vec![],
        });
    };
    let (dense, lexical) = futures::try_join!(dense(&selection, query, comparison), lexical(&selection, query))?;
    let rows: HashSet<u64> = dense.iter().chain(&lexical).map(|ranked| ranked.row).collect();
    let points = by_row(&selection.points, rows.into_iter().collect()).await?;
    Ok(SearchResult {
        dense: hits(dense),
        lexical: hits(lexical),
        points,
    })
}

struct Ranked {
    hit: Hit,
    row: u64,
}

async fn dense(
    selection: &Selection<'_>,
    query: &SearchQuery,
    comparison: Comparison,
) -> Result<Vec<Ranked>, StoreError> {
    let failed = || StoreError::lance("search by vector");
    if query.vector.iter().all(|number| *number == 0.0) {
        return Ok(Vec::new());
    }
    let mut search = selection
        .points
        .query()
        .nearest_to(query.vector.as_slice())
        .map_err(failed())?
        .column(column::VECTOR)
        .distance_type(DistanceType::Cosine)
        .only_if_expr(selection.filter.clone())
        .limit(query.limit)
        .with_row_id()
        .select(Select::columns(&[column::TURN, column::PASSAGE, DISTANCE]));
    search = match (&query.within, comparison) {
        // A conversation is a few thousand rows at most: exact, whatever the table has grown to.
        (Within::Conversation(_), _) | (_, Comparison::Exact) => search.bypass_vector_index(),
        (Within::Scope | Within::ScopeWith(_), Comparison::Indexed) => {
            search.nprobes(PARTITIONS).map_err(failed())?.refine_factor(REFINE)
        }
    };
    let stream = search.execute().await.map_err(failed())?;
    let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(failed())?;
    ranked(&batches, DISTANCE, |distance| 1.0 - distance)
}

async fn lexical(selection: &Selection<'_>, query: &SearchQuery) -> Result<Vec<Ranked>, StoreError> {
    let failed = || StoreError::lance("search by words");
    let text = query
        .text
        .get(..query.text.floor_char_boundary(MAX_TEXT_BYTES))
        .unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let terms = MatchQuery::new(text.to_owned()).with_column(Some(column::TEXT.to_owned()));
    let search = selection
        .points
        .query()
        .full_text_search(FullTextSearchQuery::new_query(FtsQuery::Match(terms)))
        .only_if_expr(selection.filter.clone())
        .limit(query.limit)
        .with_row_id()
        .select(Select::columns(&[column::TURN, column::PASSAGE, SCORE]));
    let stream = search.execute().await.map_err(failed())?;
    let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(failed())?;
    ranked(&batches, SCORE, |score| score)
}

/// Best first; equal scores by turn and passage, so that a ranking does not depend on how rows lie on disk.
fn ranked(
    batches: &[RecordBatch],
    score_column: &'static str,
    to_score: impl Fn(f32) -> f32,
) -> Result<Vec<Ranked>, StoreError> {
    let mut found = Vec::new();
    for batch in batches {
        let turns = rows::identifiers_from(batch, column::TURN)?;
        let passages = rows::numbers(batch, column::PASSAGE)?;
        let scores = rows::scores(batch, score_column)?;
        let ids = rows::array(batch, ROW_ID)?
            .as_primitive_opt::<UInt64Type>()
            .ok_or_else(|| StoreError::Unreadable {
                what: "a row id is no number".to_owned(),
            })?;
        for (index, turn) in turns.into_iter().enumerate() {
            let hit = Hit {
                turn,
                passage: passages.value(index),
                score: to_score(scores.value(index)),
            };
            if hit.score.is_finite() {
                found.push(Ranked {
                    hit,
                    row: ids.value(index),
                });
            }
        }
    }
    found.sort_by(|Ranked { hit: one, .. }, Ranked { hit: other, .. }| {
        let place = |hit: &Hit| (hit.turn, hit.passage);
        other
            .score
            .total_cmp(&one.score)
            .then_with(|| place(one).cmp(&place(other)))
    });
    Ok(found)
}

async fn by_row(table: &Table, rows: Vec<u64>) -> Result<Vec<Point>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let failed = || StoreError::lance("read points");
    let stream = table.take_row_ids(rows).execute().await.map_err(failed())?;
    let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(failed())?;
    let points = batches
        .iter()
        .map(rows::points_from_batch)
        .collect::<Result<Vec<_>, _>>()?;
    let mut points = points.concat();
    points.sort_by_key(|point| (point.turn, point.passage));
    Ok(points)
}

fn hits(ranked: Vec<Ranked>) -> Vec<Hit> {
    ranked.into_iter().map(|ranked| ranked.hit).collect()
}
