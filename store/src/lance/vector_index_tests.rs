//! The vector index, on a table that is small but treated as large.
//!
//! Responsible for: showing that it is built once, found good, used, and that conversations do without it. Must not
//! know: Lance's parameters.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use super::*;
use crate::records::Turn;
use crate::records::samples_for_tests::{id, point, scope, turn};
use crate::{SearchQuery, Store, StoreConfig, Within};

const WIDTH: usize = 16;
const ROWS: u32 = 600;

fn vector(number: u32) -> Vec<f32> {
    (0..WIDTH as u32).map(|axis| ((number * 31 + axis * 17) as f32 * 0.61).sin()).collect()
}

async fn filled(directory: &Path) -> Store {
    let store = Store::open(StoreConfig::idle(directory, WIDTH)).await.unwrap();
    let turns: Vec<Turn> = (0..ROWS).map(|number| turn(number, "text")).collect();
    let points = turns.iter().zip(0..).map(|(turn, number)| (scope(), turn.id, vec![point(turn, vector(number))]));
    let points = points.collect();
    store.accept(turns).await.unwrap();
    store.complete(points).await.unwrap();
    store.flush().await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_table_gets_an_index_that_finds_what_the_exact_search_finds() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path()).await;
    let points = &store.shared().tables().points;
    let scratch = directory.path().join("scratch.lance");
    assert_eq!(build_when_large(points, &scratch, ROWS as usize + 1).await.unwrap(), None, "not large enough");
    let recall = build_when_large(points, &scratch, ROWS as usize).await.unwrap().unwrap();
    assert!(recall >= RECALL_NEEDED, "{recall}");
    assert_eq!(build_when_large(points, &scratch, ROWS as usize).await.unwrap(), None, "it is there already");

    for within in [Within::Scope, Within::Turns((0..ROWS).map(id).collect())] {
        let query = SearchQuery { scope: scope(), within, vector: vector(77), text: String::new(), limit: 5 };
        let result = store.search(&query).await.unwrap();
        assert!((result.dense[0].score - 1.0).abs() < 1e-3, "{:?}", result.dense[0]);
        assert_eq!(result.dense.len(), 5);
        let exact = store.search_exactly(&query).await.unwrap();
        assert_eq!((exact[0].turn, exact.len()), (result.dense[0].turn, 5));
    }
    store.maintain().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_can_be_built_before_the_table_is_large() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path()).await;
    let recall = store.build_vector_index().await.unwrap();
    assert!(recall >= RECALL_NEEDED, "{recall}");
    let points = &store.shared().tables().points;
    let scratch = directory.path().join("scratch.lance");
    assert_eq!(build_when_large(points, &scratch, ROWS as usize).await.unwrap(), None, "it is there already");
}

#[test]
fn of_ten_times_as_many_rows_three_times_as_many_partitions_are_looked_into() {
    assert_eq!([0, 100_000, 1_000_000, 10_000_000].map(partitions), [8, 31, 100, 316]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_index_does_not_cover_are_found_too() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path()).await;
    store.build_vector_index().await.unwrap();
    let vector: Vec<f32> = (0..WIDTH).map(|axis| if axis == 3 { 1.0 } else { 0.0 }).collect();
    let turn = turn(ROWS, "new");
    let point = point(&turn, vector.clone());
    store.accept(vec![turn]).await.unwrap();
    store.complete(vec![(scope(), id(ROWS), vec![point])]).await.unwrap();
    let query = SearchQuery { scope: scope(), within: Within::Scope, vector, text: String::new(), limit: 5 };
    for _ in ["before the index covers it", "after"] {
        let found = store.search(&query).await.unwrap().dense;
        assert_eq!((found[0].turn, found.len()), (id(ROWS), 5));
        store.maintain().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_the_table_has_outgrown_is_known_by_its_partitions() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path()).await;
    let points = &store.shared().tables().points;
    assert_eq!(partitions_of(points).await.unwrap(), None);
    store.build_vector_index().await.unwrap();
    assert_eq!(partitions_of(points).await.unwrap(), Some(1));
}
