//! A store is looked at before it is opened, and nothing of it changes.

use std::fs;

use mainpoint_store::{Examination, Store, StoreConfig, StoreError};

use crate::support::{WIDTH, add_fields, config, contents, layout_version, newest_manifest, open, read, scope, turn};

const VECTOR: [f32; WIDTH] = [1.0, 0.0, 0.0, 0.0];

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_store_none_is_found_and_none_is_made() {
    let root = tempfile::tempdir().unwrap();
    for directory in [root.path().to_owned(), root.path().join("a").join("b")] {
        assert!(!Store::is_there(&directory).unwrap());
        assert_eq!(Store::examine(&config(&directory)).await.unwrap(), None);
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_order_says_what_it_holds_and_whether_it_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let examine = || async { Store::examine(&config(directory.path())).await.unwrap().unwrap() };
    let empty = Examination {
        layout: 3,
        turns: 0,
        turns_waiting: 0,
        holds_memories: false,
        is_in_use: true,
        is_damaged: false,
    };
    assert_eq!(examine().await, empty);
    read(&store, &scope("s"), 0, &[("heron", VECTOR), ("pond", VECTOR)]).await;
    store.close().await.unwrap();
    let before = contents(directory.path());
    let full = Examination { turns: 2, holds_memories: true, is_in_use: false, ..empty };
    assert_eq!(examine().await, full);
    assert!(contents(directory.path()) == before, "something was changed");

    let store = open(directory.path()).await;
    store.accept([turn(&scope("s"), 2, "a turn that nobody reads")]).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(examine().await, Examination { turns_waiting: 1, ..full });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opening_would_refuse_is_refused_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let of = |model: &str| StoreConfig { model: Some(model.to_owned()), ..config(directory.path()) };
    let store = Store::open(of("one")).await.unwrap();
    read(&store, &scope("s"), 0, &[("heron", VECTOR)]).await;
    store.close().await.unwrap();
    let before = contents(directory.path());
    assert_eq!(Store::model(directory.path()).unwrap().as_deref(), Some("one"));
    let wider = StoreConfig { vector_width: WIDTH * 2, ..of("one") };
    let error = Store::examine(&wider).await.unwrap_err();
    assert!(matches!(error, StoreError::VectorWidth { found: WIDTH, .. }), "{error:?}");
    let error = Store::examine(&of("another")).await.unwrap_err();
    assert!(matches!(error, StoreError::Model { .. }), "{error:?}");
    assert!(contents(directory.path()) == before, "something was changed");

    for table in ["turns", "points"] {
        add_fields(&newest_manifest(directory.path(), table), &layout_version("2"));
    }
    let before = contents(directory.path());
    let error = Store::examine(&of("one")).await.unwrap_err();
    assert!(error.to_string().contains("mainpoint migrate"), "{error}");
    assert!(contents(directory.path()) == before, "something was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_damaged_is_named_and_not_moved() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).await.close().await.unwrap();
    let journal = directory.path().join("journal.redb");
    for content in [&b""[..], b"this is no journal"] {
        fs::write(&journal, content).unwrap();
        let found = Store::examine(&config(directory.path())).await.unwrap().unwrap();
        assert!(found.is_damaged && !found.is_in_use, "{found:?}");
        assert_eq!(fs::read(&journal).unwrap(), content);
    }
}
