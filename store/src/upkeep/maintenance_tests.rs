//! What pruning keeps and what it waits for.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;
use std::path::Path;

use super::*;
use crate::lance::manifest;
use crate::records::samples_for_tests::{id, point, scope, turn};
use crate::{Store, StoreConfig};

async fn commit(store: &Store, number: u32) {
    let turn = turn(number, &format!("turn number {number}"));
    let points = vec![point(&turn, vec![1.0, 0.0])];
    store.accept(vec![turn.clone()]).await.unwrap();
    store.complete(vec![(scope(), turn.id, points)]).await.unwrap();
    store.flush().await.unwrap();
}

/// A store with one turn that was maintained since it was opened.
async fn maintained(directory: &Path) -> Store {
    let store = Store::open(StoreConfig::idle(directory, 2)).await.unwrap();
    commit(&store, 1).await;
    assert!(store.shared().has_leftovers.load(Ordering::Acquire), "the process before may have left some");
    store.maintain().await.unwrap();
    assert!(!store.shared().has_leftovers.load(Ordering::Acquire));
    store
}

async fn prune_as_usual(store: &Store) {
    let mut report = MaintenanceReport::default();
    prune_tables(store.shared(), &store.shared().tables(), &mut report).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_pruning_does_not_wait_for_who_writes() {
    let directory = tempfile::tempdir().unwrap();
    let store = maintained(directory.path()).await;
    let _writer = store.shared().writer.lock().await;
    prune_as_usual(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_no_version_names_may_be_of_a_write_under_way_and_go_after_one_that_failed() {
    let directory = tempfile::tempdir().unwrap();
    let store = maintained(directory.path()).await;
    let data = store.shared().directory.table("turns").join("data");
    let files = [data.join(format!("{:056}.lance", 0)), data.join(".tmp0")];
    for file in &files {
        fs::write(file, "half of a row").unwrap();
    }
    prune_as_usual(&store).await;
    assert!(files.iter().all(|file| file.exists()));

    let failed = async { Err::<(), _>(StoreError::unreadable("a write that fails")) };
    store.shared().writing(failed).await.unwrap_err();
    prune_as_usual(&store).await;
    assert!(!files.iter().any(|file| file.exists()));
    assert_eq!(store.turns(&scope(), &[id(1)]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_made_durable_stays_with_those_that_came_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = maintained(directory.path()).await;
    let shared = store.shared();
    let durable = tables::dataset(&shared.tables().turns).await.unwrap();
    commit(&store, 2).await;
    prune(&shared.directory, "turns", &durable, Outdated::AllButTheNewest).await.unwrap();
    let versions = manifest::list(&shared.directory.table("turns")).unwrap();
    let versions: Vec<u64> = versions.into_iter().map(|(version, _)| version).collect();
    assert_eq!(versions, [durable.version_id() + 1, durable.version_id()]);
    assert_eq!(store.turns(&scope(), &[id(1), id(2)]).await.unwrap().len(), 2);
}
