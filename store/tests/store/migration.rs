//! A store of the layout version before this one gives way to a new one, and nothing of it is lost.

use std::fs;
use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use mainpoint_store::{
    LedgerEntry, LedgerKey, LedgerKind, Migration, OldStore, Scope, Store, StoreError, Turn, TurnId, begin_migration,
};

use crate::support::{
    add_fields, config, contents, conversation_id, dense, id, layout_version, newest_manifest, open, point, prefix,
    read, read_ids, scope, turn,
};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];

fn entry(kind: LedgerKind) -> LedgerEntry {
    let key = if kind == LedgerKind::Unreadable { LedgerKey::Turn(id(1)) } else { prefix(1) };
    LedgerEntry { kind, key, conversation: conversation_id(0), value: b"value".to_vec() }
}

/// Makes a store one of the layout version before this one, as far as can be seen from outside.
fn make_old(directory: &Path) {
    for table in ["turns", "points"] {
        add_fields(&newest_manifest(directory, table), &layout_version("2"));
    }
    fs::write(directory.join("embedder"), "before\n").unwrap();
}

/// An old store of four turns: 0 and 1 in the tables, 2 read and 3 not read in the journal.
async fn old_store(directory: &Path) {
    let (store, scope) = (open(directory).await, scope("s"));
    read(&store, &scope, 0, &[("heron", VECTOR), ("pond", VECTOR)]).await;
    store.flush().await.unwrap();
    read(&store, &scope, 2, &[("reed", VECTOR)]).await;
    store.accept(vec![turn(&scope, 3, "swan")]).await.unwrap();
    let entries = [LedgerKind::Block, LedgerKind::Unreadable].map(entry);
    store.record(&scope, entries.into()).await.unwrap();
    // As after a crash: what is completed stays in the journal.
    let before = crate::support::copy_of(directory);
    store.close().await.unwrap();
    fs::remove_dir_all(directory).unwrap();
    fs::rename(before, directory).unwrap();
    make_old(directory);
}

async fn due(directory: &Path) -> OldStore {
    let Migration::Due(old) = begin_migration(directory).await.unwrap() else {
        unreachable!("{} is to be migrated", directory.display());
    };
    *old
}

async fn turns_of(old: &OldStore) -> Vec<(Scope, Vec<Turn>)> {
    old.read().await.unwrap().try_collect().await.unwrap()
}

/// What `mainpoint migrate` does, but for the reading.
async fn read_again(old: &OldStore) -> Store {
    let store = open(&old.fresh()).await;
    store.adopt(old).await.unwrap();
    for (scope, turns) in turns_of(old).await {
        let points = turns.iter().map(|turn| (scope.clone(), turn.id, vec![point(turn, VECTOR)]));
        let points = points.collect();
        store.accept(turns).await.unwrap();
        store.complete(points).await.unwrap();
    }
    store
}

fn beside(directory: &Path, ending: &str) -> PathBuf {
    let mut name = directory.to_owned().into_os_string();
    name.push(ending);
    name.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_store_is_refused_with_the_command_that_reads_it_again() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    old_store(&data).await;
    let before = contents(&data);
    let error = Store::open(config(&data)).await.unwrap_err();
    assert!(matches!(error, StoreError::Version { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("layout version 2") && text.contains("`mainpoint migrate`"), "{text}");
    assert!(contents(&data) == before, "something was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_turn_of_an_old_store_and_its_ledger_are_in_the_new_one_and_the_old_one_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let (data, scope) = (root.path().join("data"), scope("s"));
    old_store(&data).await;
    let old = due(&data).await;
    assert_eq!((old.turns(), old.tokens()), (4, 28));
    assert!(matches!(begin_migration(&data).await, Err(StoreError::InUse { .. })));
    let mut texts: Vec<String> =
        turns_of(&old).await.into_iter().flat_map(|(_, turns)| turns).map(|turn| turn.text).collect();
    texts.sort();
    assert_eq!(texts, ["heron", "pond", "reed", "swan"]);

    read_again(&old).await.close().await.unwrap();
    let kept = old.give_way().unwrap();
    assert_eq!(kept, beside(&data.canonicalize().unwrap(), ".version-2"));
    assert!(!beside(&data, ".migrating").exists());
    let store = open(&data).await;
    let all = [0, 1, 2, 3].map(id);
    assert_eq!(read_ids(&store, &scope, &all).await, all);
    assert_eq!(dense(&store, &scope, VECTOR).await, all);
    let ledger = store.ledger(&scope, &[prefix(1), LedgerKey::Turn(id(1))]).await.unwrap();
    assert_eq!(ledger, [entry(LedgerKind::Block)], "a turn that could not be read is tried again");
    store.close().await.unwrap();
    assert!(matches!(begin_migration(&data).await.unwrap(), Migration::Nothing));
    assert_eq!(due(&kept).await.turns(), 4, "the old store is whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_migration_goes_on_and_forgets_what_was_deleted_meanwhile() {
    let root = tempfile::tempdir().unwrap();
    let (data, scope) = (root.path().join("data"), scope("s"));
    old_store(&data).await;
    // Something of an earlier attempt that the old store no longer has.
    let deleted = Turn { id: id(100), conversation: conversation_id(100), ..turn(&scope, 0, "deleted since") };
    let fresh = open(&beside(&data, ".migrating")).await;
    fresh.accept(vec![deleted.clone()]).await.unwrap();
    let points = vec![point(&deleted, VECTOR)];
    fresh.complete(vec![(scope.clone(), deleted.id, points)]).await.unwrap();
    read(&fresh, &scope, 0, &[("heron", VECTOR)]).await;
    fresh.close().await.unwrap();

    let old = due(&data).await;
    let store = read_again(&old).await;
    let found: Vec<TurnId> = dense(&store, &scope, VECTOR).await;
    assert_eq!(found, [0, 1, 2, 3].map(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_was_interrupted_while_the_stores_changed_places_is_ended() {
    for exchanged in [true, false] {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        old_store(&data).await;
        let old = due(&data).await;
        read_again(&old).await.close().await.unwrap();
        drop(old);
        let (fresh, kept) = (beside(&data, ".migrating"), beside(&data, ".version-2"));
        if exchanged {
            fs::rename(&data, root.path().join("other")).unwrap();
            fs::rename(&fresh, &data).unwrap();
            fs::rename(root.path().join("other"), &fresh).unwrap();
        } else {
            fs::rename(&data, &kept).unwrap();
            let error = Store::open(config(&data)).await.unwrap_err();
            assert!(matches!(error, StoreError::Migrating { .. }), "{error:?}");
        }
        let ended = begin_migration(&data).await.unwrap();
        assert!(matches!(ended, Migration::Finished(path) if path.ends_with("data.version-2")));
        assert_eq!(open(&data).await.status().turns, 4);
        assert_eq!(due(&kept).await.turns(), 4);
    }
}
