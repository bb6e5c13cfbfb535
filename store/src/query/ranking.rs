//! Rankings of rows by score, and what every search checks and removes: limits, repeated rows.
//!
//! Responsible for: reading them from what LanceDB gives, and their order.

use arrow_array::RecordBatch;

use crate::error::StoreError;
use crate::lance::{columns, exact_search};
use crate::records::Hit;

/// Rows by their score, best first; [`Snapshot::identify`] tells which passages they are.
#[derive(Debug, Default)]
pub struct Ranking(pub(super) Vec<(u64, f32)>);

impl Ranking {
    /// Only the best `limit` rows.
    pub fn keep_best(&mut self, limit: usize) {
        exact_search::keep_best(&mut self.0, limit);
    }
}

pub(super) fn each_once(rows: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut rows: Vec<u64> = rows.collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

pub(super) fn check_limit(limit: usize) -> Result<(), StoreError> {
    if limit > 0 {
        return Ok(());
    }
    Err(StoreError::InvalidQuery { reason: "limit is 0, allowed is at least 1".to_owned() })
}

/// The rows of a ranking that have a score.
pub(super) fn ranked(
    batches: &[RecordBatch],
    score_column: &'static str,
    to_score: impl Fn(f32) -> f32,
) -> Result<Ranking, StoreError> {
    let mut found = Vec::new();
    for batch in batches {
        let scores = columns::scores(batch, score_column)?.values().iter();
        let scored = columns::row_ids(batch)?.iter().copied().zip(scores.map(|score| to_score(*score)));
        found.extend(scored.filter(|(_, score)| score.is_finite()));
    }
    Ok(Ranking(found))
}

/// Best first; equal scores by turn and passage, so that a ranking does not depend on how rows lie on disk.
pub(super) fn best_first(mut hits: Vec<Hit>) -> Vec<Hit> {
    let place = |hit: &Hit| (hit.turn, hit.passage);
    hits.sort_by(|one, other| other.score.total_cmp(&one.score).then_with(|| place(one).cmp(&place(other))));
    hits
}
