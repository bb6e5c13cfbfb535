//! The main points of a scope in clusters.
//!
//! Responsible for: which main points are looked at, in an order that does not depend on how rows lie on disk. Must not
//! know: how vectors are compared, what clusters are called.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow_array::RecordBatch;
use chrono::{DateTime, Utc};

use super::selection::{self, Selection};
use super::spoken::Spoken;
use crate::error::StoreError;
use crate::lance::clusters::{self, Member};
use crate::lance::schema::column;
use crate::lance::{batches, columns, filter, tables};
use crate::records::{ClusteredPoint, Clusters, Scope, TurnId, Within};
use crate::state::Shared;
use crate::tasks::blocking;

/// Most clusters where nobody says how many.
const MOST_UNASKED: usize = 30;
/// Columns of the main points that are looked at.
const COLUMNS: [&str; 7] =
    [column::TURN, column::PASSAGE, column::START, column::END, column::SPANS, column::TEXT, column::VECTOR];

/// When each turn was said last, but for those of which what was said plainly is there.
type Times = HashMap<TurnId, DateTime<Utc>>;

/// The main points of a scope in at most `most` clusters, all of a turn in the same.
pub(crate) async fn find(shared: &Arc<Shared>, scope: &Scope, most: Option<usize>) -> Result<Clusters, StoreError> {
    let Some(selection) = selection::select(shared, scope, &Within::Scope).await? else {
        return Ok(Clusters::default());
    };
    // After the main points were selected: those of a turn are there before the turn is.
    let times = times(shared, scope).await?;
    let (total, rows) = rows(&selection, &times).await?;
    if rows.is_empty() {
        return Ok(Clusters { total, ..Clusters::default() });
    }
    let batch = tables::take(&selection.points, &rows, &COLUMNS).await?;
    // Dividing takes longer than anybody who waits for the gate should.
    drop(selection);
    let points = blocking(move || divided(&batch, &times, most)).await?;
    let count = points.iter().map(|point| point.cluster + 1).max().unwrap_or_default();
    Ok(Clusters { total, points, count })
}

async fn times(shared: &Arc<Shared>, scope: &Scope) -> Result<Times, StoreError> {
    let mut times = Times::new();
    let columns = [column::ID, column::TIME];
    for batch in tables::rows(&shared.tables().turns, filter::of_scope(scope), &columns, None).await? {
        times
            .extend(columns::identifiers_from(&batch, column::ID)?.into_iter().zip(batches::times_from_batch(&batch)?));
    }
    let scope = scope.clone();
    shared
        .blocking(move |shared| {
            let again: HashSet<TurnId> =
                shared.journal.repetitions(&scope)?.into_iter().map(|repetition| repetition.turn).collect();
            let first_seen = again.into_iter().filter_map(|turn| Some((turn, *times.get(&turn)?)));
            let first_seen: Vec<_> = first_seen.collect();
            times.extend(shared.journal.said_last(&scope, &first_seen)?);
            let spoken = Spoken::new(shared.journal.every_plain(&scope)?, |turn| times.contains_key(&turn));
            for sent in spoken.hidden() {
                let sent_last = times.remove(&sent);
                if let Some(said) = times.get_mut(&spoken.of(sent)) {
                    *said = sent_last.map_or(*said, |time| time.max(*said));
                }
            }
            Ok(times)
        })
        .await
}

/// How many main points there are, and the rows of those that are looked at: the first by turn and passage. The names
/// of turns are hashes, so that these are as good as drawn, and stay the same while others come.
async fn rows(selection: &Selection<'_>, times: &Times) -> Result<(usize, Vec<u64>), StoreError> {
    let mut found: Vec<(TurnId, u32, u64)> = Vec::new();
    let columns = [column::TURN, column::PASSAGE];
    for batch in tables::rows(&selection.points, selection.filter.clone(), &columns, None).await? {
        let turns = columns::identifiers_from(&batch, column::TURN)?.into_iter();
        let passages = columns::numbers(&batch, column::PASSAGE)?.values().iter();
        let rows = turns.zip(passages).zip(columns::row_ids(&batch)?);
        found.extend(rows.map(|((turn, passage), row)| (turn, *passage, *row)));
    }
    found.retain(|(turn, _, _)| times.contains_key(turn));
    found.sort_unstable();
    found.dedup_by_key(|(turn, passage, _)| (*turn, *passage));
    let total = found.len();
    found.truncate(Clusters::MOST_POINTS);
    let mut rows: Vec<u64> = found.into_iter().map(|(_, _, row)| row).collect();
    rows.sort_unstable();
    Ok((total, rows))
}

/// The main points of a batch by turn and passage, those of each turn in its cluster.
fn divided(batch: &RecordBatch, times: &Times, most: Option<usize>) -> Result<Vec<ClusteredPoint>, StoreError> {
    let width = columns::vector_width(batch)?;
    let vectors = columns::vectors(batch)?.chunks_exact(width.max(1));
    let mut points: Vec<_> = points(batch, times)?.into_iter().zip(vectors).collect();
    points.sort_by_key(|(point, _)| (point.turn, point.passage));
    let (points, vectors): (Vec<_>, Vec<_>) = points.into_iter().unzip();
    let mut sets: BTreeMap<TurnId, usize> = BTreeMap::new();
    let set = |turn: TurnId| {
        let next = sets.len();
        *sets.entry(turn).or_insert(next)
    };
    let sets: Vec<usize> = points.iter().map(|point: &ClusteredPoint| point.turn).map(set).collect();
    let members: Vec<Member<'_>> = vectors.into_iter().zip(sets).map(|(vector, set)| Member { vector, set }).collect();
    let memberships = clusters::divide(&members, most.unwrap_or_else(|| usual(members.len())))?;
    let divided = points.into_iter().zip(memberships).filter_map(|(point, membership)| {
        let membership = membership?;
        Some(ClusteredPoint { cluster: membership.cluster, distance: membership.distance, ..point })
    });
    Ok(divided.collect())
}

/// The main points of a batch, not yet in any cluster.
fn points(batch: &RecordBatch, times: &Times) -> Result<Vec<ClusteredPoint>, StoreError> {
    let turns = columns::identifiers_from(batch, column::TURN)?;
    let passages = columns::numbers(batch, column::PASSAGE)?;
    let (starts, ends) = (columns::numbers(batch, column::START)?, columns::numbers(batch, column::END)?);
    let texts = columns::strings(batch, column::TEXT)?;
    let rows = turns.into_iter().zip(batches::spans_from_batch(batch)?).enumerate();
    Ok(rows
        .map(|(row, (turn, spans))| ClusteredPoint {
            turn,
            passage: passages.value(row),
            time: times.get(&turn).copied().unwrap_or_default(),
            start: starts.value(row),
            end: ends.value(row),
            spans,
            text: texts.value(row).to_owned(),
            cluster: 0,
            distance: 0.0,
        })
        .collect())
}

/// How many clusters so many main points are divided into before those that hardly differ are merged: the square root
/// of half of them.
fn usual(points: usize) -> usize {
    (points.saturating_mul(2).isqrt().saturating_add(1) / 2).clamp(1, MOST_UNASKED)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;
    use crate::records::samples_for_tests::{id, point, scope, turn};
    use crate::{Store, StoreConfig};

    async fn filled(directory: &std::path::Path) -> Store {
        let store = Store::open(StoreConfig::idle(directory, 2)).await.unwrap();
        for position in 1..=6_u8 {
            let turn = turn(u32::from(position), &format!("turn {position}"));
            let nearly = f32::from(position) / 100.0;
            let vector = if position % 2 == 0 { vec![1.0, nearly] } else { vec![nearly, 1.0] };
            store.accept(vec![turn.clone()]).await.unwrap();
            store.complete(vec![(scope(), turn.id, vec![point(&turn, vector)])]).await.unwrap();
        }
        store
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_near_is_together_also_before_it_was_written_to_the_tables() {
        let directory = tempfile::tempdir().unwrap();
        let store = filled(directory.path()).await;
        let found = store.clusters(&scope(), Some(2)).await.unwrap();
        let turns: Vec<(TurnId, usize)> = found.points.iter().map(|point| (point.turn, point.cluster)).collect();
        let expected: Vec<(TurnId, usize)> =
            [0, 1, 0, 1, 0, 1].into_iter().zip(1..).map(|(cluster, at)| (id(at), cluster)).collect();
        assert_eq!((turns, found.count, found.total), (expected, 2, 6));
        assert_eq!(found.points.first().unwrap().text, "turn 1");
        let asked = store.turns(&scope(), &[id(1)]).await.unwrap();
        assert_eq!(found.points.first().unwrap().time, asked.first().unwrap().time);
        assert_eq!(store.clusters(&scope(), Some(2)).await.unwrap(), found, "the same each time");
        store.close().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_deleted_is_in_no_cluster_and_an_unknown_scope_has_none() {
        let directory = tempfile::tempdir().unwrap();
        let store = filled(directory.path()).await;
        store.delete_turns(&scope(), vec![id(2), id(4), id(6)]).await.unwrap();
        let found = store.clusters(&scope(), None).await.unwrap();
        assert_eq!((found.points.len(), found.count, found.total), (3, 1, 3));
        assert!(found.points.iter().all(|point| [id(1), id(3), id(5)].contains(&point.turn)));
        let unknown = Scope::new("nobody").unwrap();
        assert_eq!(store.clusters(&unknown, Some(7)).await.unwrap(), Clusters::default());
        store.close().await.unwrap();
    }

    #[test]
    fn more_main_points_are_divided_into_more_clusters_up_to_a_limit() {
        let usual: Vec<usize> = [0, 1, 4, 5, 8, 200, 1_800, 1_000_000].map(usual).to_vec();
        assert_eq!(usual, [1, 1, 1, 2, 2, 10, 30, 30]);
    }
}
