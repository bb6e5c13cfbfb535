//! What a start refuses: said with who wrote it and what to do, and nothing is moved, replaced or begun anew.

use std::fs;
use std::path::Path;

use mainpoint_store::{Store, StoreError};

use crate::support::{
    add_fields, config, contents, field, layout_version, manifests, newest_manifest, open, read, scope,
};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];

fn written_by_version_99() -> Vec<u8> {
    field(13, &[field(1, b"lance"), field(2, b"99.0.0")].concat())
}

/// Reader (or writer) flags with the bit 40.
fn unknown_feature(number: u8) -> Vec<u8> {
    vec![number << 3, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]
}

async fn filled(directory: &Path) {
    let store = open(directory).await;
    read(&store, &scope("s"), 0, &[("kept", VECTOR)]).await;
    store.flush().await.unwrap();
    read(&store, &scope("s"), 1, &[("kept in the journal", VECTOR)]).await;
    store.close().await.unwrap();
}

/// A start says all of `words`, and leaves everything as it is.
async fn is_refused(directory: &Path, words: &[&str]) -> StoreError {
    let before = contents(directory);
    let error = Store::open(config(directory)).await.unwrap_err();
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    assert!(contents(directory) == before, "{text}, and something was changed");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_a_newer_version_wrote_is_refused_with_the_version_and_stays_as_it_is() {
    for table in ["turns", "points"] {
        for feature in [9, 10] {
            let directory = tempfile::tempdir().unwrap();
            filled(directory.path()).await;
            let newer = [unknown_feature(feature), written_by_version_99()].concat();
            add_fields(&newest_manifest(directory.path(), table), &newer);
            let words = ["lance 99.0.0", "use the mainpoint that wrote it", table, "Nothing was changed"];
            let error = is_refused(directory.path(), &words).await;
            assert!(matches!(error, StoreError::Format { .. }), "{error:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_layout_is_refused_also_where_the_newest_manifest_is_torn_and_the_one_before_it_is_newer() {
    for torn in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path()).await;
        for manifest in manifests(directory.path(), "points") {
            add_fields(&manifest, &layout_version("4"));
        }
        if torn {
            fs::write(newest_manifest(directory.path(), "points"), b"").unwrap();
        }
        let error = is_refused(directory.path(), &["layout version 4", "reads version 3"]).await;
        assert!(matches!(error, StoreError::Version { .. }), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_table_beside_a_damaged_journal_is_refused_before_the_journal_is_touched() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    fs::write(directory.path().join("journal.redb"), b"damaged").unwrap();
    for manifest in manifests(directory.path(), "turns") {
        add_fields(&manifest, &layout_version("4"));
    }
    is_refused(directory.path(), &["layout version 4"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_table_beside_a_newer_journal_is_refused_before_the_table_is_touched() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let journal = directory.path().join("journal.redb");
    let mut newer = fs::read(&journal).unwrap();
    (newer[64], newer[192]) = (4, 4);
    fs::write(&journal, newer).unwrap();
    fs::write(newest_manifest(directory.path(), "turns"), b"").unwrap();
    is_refused(directory.path(), &["redb's file format 4", "use the mainpoint that wrote it"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_something_else_are_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path()).await;
    let journal = directory.path().join("journal.redb");
    fs::remove_file(&journal).unwrap();
    fs::create_dir(&journal).unwrap();
    let error = is_refused(directory.path(), &["journal.redb", "restore it from a backup", "move"]).await;
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    fs::remove_dir(&journal).unwrap();

    let manifest = newest_manifest(directory.path(), "turns");
    fs::remove_file(&manifest).unwrap();
    fs::create_dir(&manifest).unwrap();
    let error = is_refused(directory.path(), &["manifest", "restore it from a backup"]).await;
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
}
