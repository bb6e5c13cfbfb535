//! Broken files: rolled back, rebuilt from the journal, never silently.

use std::fs;
use std::path::Path;

use crate::support::{
    add_fields, copy_of, dense, id, lexical, manifests, newest_manifest, open, read, read_ids, scope,
};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];

fn set_aside(directory: &Path) -> usize {
    fs::read_dir(directory.join("broken")).map_or(0, Iterator::count)
}

/// A manifest as a power cut leaves it: the name is there, the bytes are not.
fn tear(manifest: &Path) {
    let whole = fs::read(manifest).unwrap();
    fs::write(manifest, &whole[..whole.len() / 2]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_torn_manifest_had_committed_is_written_again_from_the_journal() {
    let scope = scope("s");
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    read(&store, &scope, 0, &[("old and safe", VECTOR)]).await;
    store.flush().await.unwrap();
    read(&store, &scope, 1, &[("new and torn", VECTOR)]).await;
    // The search commits to LanceDB; nothing has been made durable or trimmed yet.
    assert_eq!(dense(&store, &scope, VECTOR).await.len(), 2);
    drop(store);
    for table in ["turns", "points"] {
        tear(&newest_manifest(directory.path(), table));
    }
    let store = open(directory.path()).await;
    assert_eq!(set_aside(directory.path()), 2);
    assert_eq!(read_ids(&store, &scope, &[id(0), id(1)]).await, [id(0), id(1)]);
    assert_eq!(dense(&store, &scope, VECTOR).await, [id(0), id(1)]);
    assert_eq!(lexical(&store, &scope, "torn").await, [id(1)]);
    store.flush().await.unwrap();
    assert_eq!((store.status().turns, store.status().points), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_manifest_and_one_that_is_gone_are_rolled_back_too() {
    for damage in [|path: &Path| fs::write(path, b"").unwrap(), |path: &Path| fs::remove_file(path).unwrap()] {
        let scope = scope("s");
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).await;
        read(&store, &scope, 0, &[("text", VECTOR)]).await;
        assert_eq!(dense(&store, &scope, VECTOR).await.len(), 1);
        drop(store);
        damage(&newest_manifest(directory.path(), "points"));
        let store = open(directory.path()).await;
        assert_eq!(dense(&store, &scope, VECTOR).await, [id(0)]);
        store.flush().await.unwrap();
        assert_eq!((store.status().turns, store.status().points), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_whose_points_were_lost_for_good_are_read_again() {
    let scope = scope("s");
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    read(&store, &scope, 0, &[("zero", VECTOR), ("one", VECTOR)]).await;
    store.close().await.unwrap();
    for manifest in manifests(directory.path(), "points") {
        fs::write(manifest, b"garbage").unwrap();
    }
    let store = open(directory.path()).await;
    let unread: Vec<_> = store.unread().await.unwrap().into_iter().map(|turn| (turn.id, turn.text)).collect();
    assert_eq!(unread, [(id(0), "zero".to_owned()), (id(1), "one".to_owned())]);
    assert!(store.read_or_unreadable(&scope, &[id(0), id(1)]).await.unwrap().is_empty());
    assert_eq!((store.status().turns, store.status().points), (0, 0));
    assert_eq!(dense(&store, &scope, VECTOR).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn points_whose_turns_were_lost_for_good_do_not_linger_and_can_be_read_again() {
    let scope = scope("s");
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    read(&store, &scope, 0, &[("zero", VECTOR)]).await;
    store.close().await.unwrap();
    for manifest in manifests(directory.path(), "turns") {
        fs::write(manifest, b"garbage").unwrap();
    }
    let store = open(directory.path()).await;
    assert_eq!(dense(&store, &scope, VECTOR).await, []);
    read(&store, &scope, 0, &[("zero", VECTOR)]).await;
    assert_eq!(dense(&store, &scope, VECTOR).await, [id(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_is_set_aside_and_what_lancedb_has_is_kept() {
    let scope = scope("s");
    let cut = [&b"redb\x1a\x0a\xa9\x0d\x0a"[..], &[0; 91]].concat();
    for damage in ["not a journal at all".as_bytes(), &[0; 8192], &cut] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).await;
        read(&store, &scope, 0, &[("kept", VECTOR)]).await;
        store.close().await.unwrap();
        fs::write(directory.path().join("journal.redb"), damage).unwrap();
        let store = open(directory.path()).await;
        assert_eq!(set_aside(directory.path()), 1);
        assert_eq!(dense(&store, &scope, VECTOR).await, [id(0)]);
        read(&store, &scope, 1, &[("goes on", VECTOR)]).await;
        assert_eq!(dense(&store, &scope, VECTOR).await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_which_no_manifest_says_what_was_written_are_moved_aside_and_begun_anew() {
    // Features that the Lance which wrote the tables does not have, for readers and for writers.
    for field in [9_u8, 10] {
        let scope = scope("s");
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).await;
        read(&store, &scope, 0, &[("zero", VECTOR)]).await;
        store.flush().await.unwrap();
        read(&store, &scope, 1, &[("one, in the journal", VECTOR)]).await;
        let copy = copy_of(directory.path());
        drop(store);
        for table in ["turns", "points"] {
            for manifest in manifests(&copy, table) {
                add_fields(&manifest, &[field << 3, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]);
            }
        }
        let store = open(&copy).await;
        assert_eq!(set_aside(&copy), 2);
        assert_eq!(store.status().losses, 1);
        assert_eq!(read_ids(&store, &scope, &[id(0), id(1)]).await, [id(1)], "what the journal has is there");
        read(&store, &scope, 0, &[("zero", VECTOR)]).await;
        assert_eq!(dense(&store, &scope, VECTOR).await.len(), 2);
        store.close().await.unwrap();
        drop(store);
        fs::remove_dir_all(copy).unwrap();
    }
}
