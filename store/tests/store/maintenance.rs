//! Compaction, indices, pruning.

use std::time::Duration;

use mainpoint_store::Within;

use crate::support::{config, dense, id, lexical, open, open_with, query, read, scope, until};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_merges_small_files_indexes_rows_and_changes_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    for number in 0..6 {
        let text = format!("note {number} about heron{number}");
        read(&store, &scope, number, &[(&text, [1.0, number as f32, 0.0, 0.0])]).await;
        store.flush().await.unwrap();
    }
    let asked = query(&scope, Within::Scope, VECTOR, "heron3 notes");
    let before = store.search(&asked).await.unwrap();
    let points = store.points(&scope, &Within::Scope, 10).await.unwrap();
    let report = store.maintain().await.unwrap();
    assert_eq!((report.points.files_removed, report.points.files_added), (6, 1));
    assert_eq!((report.turns.rows_indexed, report.points.rows_indexed), (6, 6));
    assert_eq!(report.points.versions_removed, 0, "versions of the last hour stay");
    assert!(!report.purged);
    let after = store.search(&asked).await.unwrap();
    assert_eq!(after.dense, before.dense);
    assert_eq!(store.points(&scope, &Within::Scope, 10).await.unwrap(), points);
    assert_eq!(after.lexical[0].turn, id(3));
    assert_eq!(after.lexical.len(), before.lexical.len());

    let again = store.maintain().await.unwrap();
    assert_eq!((again.points.files_removed, again.points.rows_indexed), (0, 0));
    assert!(!again.journal_rewritten);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_background_task_maintains_by_itself_on_time() {
    let directory = tempfile::tempdir().unwrap();
    let scope = scope("s");
    let mut soon = config(directory.path());
    soon.maintenance_interval = Duration::from_millis(200);
    let store = open_with(soon).await;
    for number in 0..3 {
        read(&store, &scope, number, &[("text", VECTOR)]).await;
    }
    let data = directory.path().join("lance").join("turns.lance").join("_indices");
    let index_files = async || std::fs::read_dir(&data).unwrap().count();
    let before = index_files().await;
    until("the background maintenance", async || index_files().await > before && store.status().turns == 3).await;
    assert_eq!(dense(&store, &scope, VECTOR).await.len(), 3);
    assert_eq!(lexical(&store, &scope, "text").await.len(), 3);
}
