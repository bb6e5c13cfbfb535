//! Crashes at every point of a flush, simulated by dropping the store there.
//!
//! Responsible for: showing that a replay doubles nothing and loses nothing.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::records::samples_for_tests::{id, point, scope, turn};
use crate::records::{Point, Removal};
use crate::{Store, StoreConfig};

async fn open(directory: &Path) -> Store {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match Store::open(StoreConfig::idle(directory, 2)).await {
            // The background task of a store just dropped may hold it for a moment longer.
            Err(StoreError::InUse { .. }) if Instant::now() < deadline => tokio::task::yield_now().await,
            opened => return opened.unwrap(),
        }
    }
}

async fn read(store: &Store, number: u8) {
    let turn = turn(number.into(), &format!("turn number {number}"));
    let point = Point { ranking_data: vec![number], ..point(&turn, vec![1.0, f32::from(number)]) };
    let points = vec![point.clone(), Point { passage: 1, ..point }];
    assert_eq!(store.accept(vec![turn.clone()]).await.unwrap(), [turn.id]);
    store.complete(vec![(scope(), turn.id, points)]).await.unwrap();
}

/// A flush that comes no further than the points.
async fn flush_points_alone(store: &Store) {
    let keys = store.shared().turn_index().completed();
    let completed = pending_rows(store.shared(), keys).await.unwrap();
    append_points(store.shared(), &completed, &KnownRows::default()).await.unwrap();
}

/// Everything is there once, in LanceDB and not in the journal.
async fn assert_flushed(store: &Store, turns: usize) {
    store.flush().await.unwrap();
    let shared = store.shared();
    assert_eq!(shared.tables().turns.count_rows(None).await.unwrap(), turns);
    assert_eq!(shared.tables().points.count_rows(None).await.unwrap(), 2 * turns);
    assert_eq!((store.status().turns, store.status().points), (turns as u64, 2 * turns as u64));
    assert!(shared.journal.keys().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_the_flush_loses_and_doubles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    read(&store, 1).await;
    drop(store);
    let store = open(directory.path()).await;
    assert_eq!(store.status().unflushed_turns, 1);
    assert_flushed(&store, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_the_points_and_their_turn_loses_and_doubles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    read(&store, 1).await;
    read(&store, 2).await;
    flush_points_alone(&store).await;
    drop(store);
    let store = open(directory.path()).await;
    read(&store, 3).await;
    assert_flushed(&store, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_lancedb_and_the_trim_loses_and_doubles_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    read(&store, 1).await;
    commit(store.shared()).await.unwrap();
    assert_eq!(store.shared().journal.keys().unwrap().len(), 1);
    drop(store);
    let store = open(directory.path()).await;
    read(&store, 2).await;
    assert_flushed(&store, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_that_failed_half_way_in_this_process_is_made_good_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    read(&store, 1).await;
    assert_flushed(&store, 1).await;
    read(&store, 2).await;
    flush_points_alone(&store).await;
    store.shared().writer.lock().await.uncertain = true;
    assert_flushed(&store, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_wait_for_one_commit_share_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    read(&store, 1).await;
    let before = store.shared().tables().turns.version().await.unwrap();
    let scope = scope();
    let everything = Within::Scope;
    let commits = (0..8).map(|_| commit_for(store.shared(), &scope, &everything));
    futures::future::try_join_all(commits).await.unwrap();
    assert_eq!(store.shared().tables().turns.version().await.unwrap(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_interrupted_after_the_journal_is_carried_out_at_the_next_opening() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    read(&store, 1).await;
    assert_flushed(&store, 1).await;
    let removal = Removal::of_turns(&scope(), [id(1)]);
    store.shared().journal.delete(&removal, |_, _| Some(Vec::new())).unwrap();
    drop(store);
    let store = open(directory.path()).await;
    assert_flushed(&store, 0).await;
    assert!(store.shared().journal.deletions().unwrap().is_empty());
    assert!(store.shared().journal.purge_due().unwrap());
}
