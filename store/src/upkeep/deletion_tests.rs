//! Deletions of which an attempt failed half way.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;

use super::*;
use crate::records::samples::{id, point, scope, turn};
use crate::{Store, StoreConfig};

/// Two turns in the tables, with a point each.
async fn flushed(directory: &std::path::Path) -> Store {
    let store = Store::open(StoreConfig::idle(directory, 2)).await.unwrap();
    for number in [1, 2] {
        let turn = turn(number, &format!("turn number {number}"));
        let points = vec![point(&turn, vec![1.0, 0.0])];
        store.accept(vec![turn.clone()]).await.unwrap();
        store.complete(vec![(scope(), turn.id, points)]).await.unwrap();
    }
    store.flush().await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_attempt_took_before_it_failed_is_told_by_the_one_that_ends_the_deletion() {
    let directory = tempfile::tempdir().unwrap();
    let store = flushed(directory.path()).await;
    let shared = store.shared();
    let _maintenance = shared.maintenance.lock().await;
    let mut writer = shared.writer.lock().await;
    let removal = Removal::of_turns(&scope(), [id(1)]);
    let mut deleted = HashSet::new();
    assert_eq!(take_from_tables(shared, &removal, &mut deleted).await.unwrap(), 2);
    assert_eq!((store.status().turns, store.status().points), (1, 1));
    carry_out(shared, &mut writer, &removal, &mut deleted, Purge::Due).await.unwrap();
    assert_eq!(deleted, HashSet::from([id(1)]), "nothing was left for the second attempt");
    assert_eq!(store.status().deletions, 1, "whoever knew of the turn asks again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_fails_tells_what_it_took_and_can_be_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = flushed(directory.path()).await;
    let shared = store.shared();
    let _maintenance = shared.maintenance.lock().await;
    let mut writer = shared.writer.lock().await;
    let removal = Removal::of_turns(&scope(), [id(1)]);
    let mut deleted = HashSet::new();
    // Where Lance would note the rows that are gone stands a file.
    let in_the_way = directory.path().join("lance").join("turns.lance").join("_deletions");
    fs::write(&in_the_way, "").unwrap();
    carry_out(shared, &mut writer, &removal, &mut deleted, Purge::NotDue).await.unwrap_err();
    assert_eq!(deleted, HashSet::from([id(1)]));
    assert_eq!((store.status().points, store.status().deletions), (1, 1), "its points are gone already");
    fs::remove_file(&in_the_way).unwrap();
    carry_out(shared, &mut writer, &removal, &mut deleted, Purge::Due).await.unwrap();
    assert_eq!(deleted, HashSet::from([id(1)]));
    assert_eq!((store.status().turns, store.status().points), (1, 1));
}
