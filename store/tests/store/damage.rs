//! Files that are removed or cut while the store is open: noticed, said, repaired, and the store goes on.

use std::fs;
use std::path::{Path, PathBuf};

use mainpoint_store::{Scope, Store};

use crate::support::{dense, id, lexical, newest_manifest, open, read, read_ids, scope, until};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];

/// A store with turns 0 and 1 in the tables, in a file of rows each, and turn 2 in the journal.
async fn store_with_three_turns(directory: &Path, scope: &Scope) -> Store {
    let store = open(directory).await;
    for number in 0..2 {
        read(&store, scope, number, &[(&format!("heron{number} by the pond"), VECTOR)]).await;
        store.flush().await.unwrap();
    }
    store.maintain().await.unwrap();
    read(&store, scope, 2, &[("heron2 by the pond", VECTOR)]).await;
    store
}

fn table(directory: &Path, name: &str) -> PathBuf {
    directory.join("lance").join(format!("{name}.lance"))
}

async fn until_repaired(store: &Store, losses: u64) {
    until("the tables are repaired", async || store.status().losses == losses).await;
    until("nothing is out of order", async || store.troubles().is_empty()).await;
}

/// Removes a directory at one stroke: while its files went one by one, the store would already put some of them back.
fn remove(directory: &Path) {
    let elsewhere = directory.with_extension("removed");
    fs::rename(directory, &elsewhere).unwrap();
    fs::remove_dir_all(elsewhere).unwrap();
}

/// Everything works, for a turn that is new as well.
async fn goes_on(store: &Store, scope: &Scope) {
    read(store, scope, 7, &[("the store goes on with swan7", VECTOR)]).await;
    store.flush().await.unwrap();
    assert_eq!(lexical(store, scope, "swan7").await, [id(7)]);
    store.maintain().await.unwrap();
    assert_eq!(lexical(store, scope, "swan7").await, [id(7)]);
    assert!(dense(store, scope, VECTOR).await.contains(&id(7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_turns_that_is_removed_is_begun_anew_and_takes_its_turns_again() {
    let (directory, scope) = (tempfile::tempdir().unwrap(), scope("s"));
    let store = store_with_three_turns(directory.path(), &scope).await;
    remove(&table(directory.path(), "turns"));
    until_repaired(&store, 1).await;

    assert_eq!(read_ids(&store, &scope, &[id(0), id(1), id(2)]).await, [id(2)], "what the journal had is there");
    assert_eq!(dense(&store, &scope, VECTOR).await, [id(2)], "no points linger without their turn");
    read(&store, &scope, 0, &[("heron0 by the pond", VECTOR)]).await;
    assert_eq!(lexical(&store, &scope, "heron0").await, [id(0)]);
    goes_on(&store, &scope).await;
    store.close().await.unwrap();
    assert_eq!(open(directory.path()).await.status().turns, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_points_that_is_removed_is_read_again_from_the_turns() {
    let (directory, scope) = (tempfile::tempdir().unwrap(), scope("s"));
    let store = store_with_three_turns(directory.path(), &scope).await;
    remove(&table(directory.path(), "points"));
    until_repaired(&store, 1).await;

    let unread: Vec<_> = store.unread().await.unwrap().iter().map(|turn| turn.id).collect();
    assert_eq!(unread, [id(0), id(1)], "their words are still there");
    assert_eq!(read_ids(&store, &scope, &[id(0), id(1), id(2)]).await, [id(2)]);
    goes_on(&store, &scope).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_tables_and_even_the_whole_directory_may_be_removed() {
    for everything in [false, true] {
        let (directory, scope) = (tempfile::tempdir().unwrap(), scope("s"));
        let data = directory.path().join("data");
        let store = store_with_three_turns(&data, &scope).await;
        remove(&if everything { data.clone() } else { data.join("lance") });
        until_repaired(&store, 1).await;
        assert_eq!(read_ids(&store, &scope, &[id(0), id(1), id(2)]).await, [id(2)]);
        goes_on(&store, &scope).await;
        store.close().await.unwrap();
        assert_eq!(open(&data).await.status().turns, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_removed_before_their_first_commit_is_known_to_be_on_disk_are_written_again_from_the_journal() {
    let (directory, scope) = (tempfile::tempdir().unwrap(), scope("s"));
    let store = open(directory.path()).await;
    read(&store, &scope, 0, &[("heron0 by the pond", VECTOR)]).await;
    // A search commits what was read, and nobody flushes.
    assert_eq!(lexical(&store, &scope, "heron0").await, [id(0)]);
    remove(&directory.path().join("lance"));
    until_repaired(&store, 1).await;

    assert_eq!(read_ids(&store, &scope, &[id(0)]).await, [id(0)], "the journal has it");
    assert_eq!(lexical(&store, &scope, "heron0").await, [id(0)]);
    goes_on(&store, &scope).await;
    store.close().await.unwrap();
    assert_eq!(open(directory.path()).await.status().turns, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_cut_or_removed_while_the_store_is_open_is_put_back_and_nothing_is_lost() {
    let damages = [
        |path: &Path| fs::write(path, b"").unwrap(),
        |path: &Path| fs::write(path, vec![0; 300]).unwrap(),
        |path: &Path| fs::remove_file(path).unwrap(),
        |path: &Path| fs::remove_dir_all(path.parent().unwrap()).unwrap(),
    ];
    for damage in damages {
        let (directory, scope) = (tempfile::tempdir().unwrap(), scope("s"));
        let store = store_with_three_turns(directory.path(), &scope).await;
        let manifests = ["turns", "points"].map(|name| newest_manifest(directory.path(), name));
        // The store has looked at them.
        tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
        let whole = manifests.clone().map(|path| fs::read(path).unwrap());
        manifests.iter().for_each(|path| damage(path));
        until("the manifests are put back", async || {
            manifests.iter().zip(&whole).all(|(path, whole)| fs::read(path).is_ok_and(|found| found == *whole))
        })
        .await;
        assert_eq!(store.status().losses, 0);
        assert_eq!(dense(&store, &scope, VECTOR).await.len(), 3);
        goes_on(&store, &scope).await;
        store.close().await.unwrap();
        let store = open(directory.path()).await;
        assert_eq!((store.status().turns, store.status().points), (4, 4));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rows_whose_file_is_gone_or_cut_only_they_are_lost() {
    let damages = [
        |path: &Path| fs::remove_file(path).unwrap(),
        |path: &Path| {
            let whole = fs::read(path).unwrap();
            fs::write(path, &whole[..whole.len() / 2]).unwrap();
        },
    ];
    for damage in damages {
        let (directory, scope) = (tempfile::tempdir().unwrap(), scope("s"));
        let store = open(directory.path()).await;
        for number in 0..3 {
            read(&store, &scope, number, &[(&format!("heron{number} by the pond"), VECTOR)]).await;
            store.flush().await.unwrap();
        }
        let mut files: Vec<(std::time::SystemTime, PathBuf)> =
            fs::read_dir(table(directory.path(), "turns").join("data"))
                .unwrap()
                .map(|entry| entry.unwrap())
                .map(|entry| (entry.metadata().unwrap().modified().unwrap(), entry.path()))
                .collect();
        files.sort();
        damage(&files[1].1);
        until_repaired(&store, 1).await;
        assert_eq!(read_ids(&store, &scope, &[id(0), id(1), id(2)]).await, [id(0), id(2)]);
        assert_eq!(dense(&store, &scope, VECTOR).await, [id(0), id(2)]);
        goes_on(&store, &scope).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn indices_that_are_removed_are_built_anew_and_no_turn_is_lost() {
    for while_open in [true, false] {
        let (directory, scope) = (tempfile::tempdir().unwrap(), scope("s"));
        let mut store = store_with_three_turns(directory.path(), &scope).await;
        let indices = ["turns", "points"].map(|name| table(directory.path(), name).join("_indices"));
        if !while_open {
            store.close().await.unwrap();
        }
        indices.iter().for_each(|path| remove(path));
        if while_open {
            until("the indices are there again", async || indices.iter().all(|path| path.exists())).await;
        } else {
            store = open(directory.path()).await;
        }
        until("searches work", async || {
            let asked = crate::support::query(&scope, mainpoint_store::Within::Scope, VECTOR, "heron1");
            store.search(&asked).await.is_ok_and(|found| found.lexical.len() == 1 && found.dense.len() == 3)
        })
        .await;
        assert_eq!(store.status().losses, 0);
        goes_on(&store, &scope).await;
    }
}

/// Writes something else into every file below a directory, as long as before.
fn overwrite(directory: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += overwrite(&path);
        } else {
            let length = fs::metadata(&path).unwrap().len() as usize;
            fs::write(&path, vec![0x55; length]).unwrap();
            count += 1;
        }
    }
    count
}

/// A search works, and so does looking up turns. Each failure is noted by the store.
async fn until_it_reads(store: &Store, scope: &Scope, word: &str, turn: u64) {
    until("searches work again", async || {
        let asked = crate::support::query(scope, mainpoint_store::Within::Scope, VECTOR, word);
        let found = store.search(&asked).await.is_ok_and(|found| found.lexical.iter().any(|hit| hit.turn == id(turn)));
        found && store.read_or_unreadable(scope, &[id(turn)]).await.is_ok()
    })
    .await;
    until("nothing is out of order", async || store.troubles().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn indices_that_hold_something_else_are_built_anew_and_no_turn_is_lost() {
    let (directory, scope) = (tempfile::tempdir().unwrap(), scope("s"));
    let store = store_with_three_turns(directory.path(), &scope).await;
    store.close().await.unwrap();
    drop(store);
    for name in ["turns", "points"] {
        assert!(overwrite(&table(directory.path(), name).join("_indices")) > 0);
    }
    let store = open(directory.path()).await;
    until_it_reads(&store, &scope, "heron1", 1).await;
    assert_eq!(dense(&store, &scope, VECTOR).await.len(), 3);
    assert_eq!(store.status().losses, 0);
    goes_on(&store, &scope).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_whose_file_holds_something_else_are_left_out_said_and_moved_aside_and_the_others_stay() {
    let (directory, scope) = (tempfile::tempdir().unwrap(), scope("s"));
    let store = open(directory.path()).await;
    for number in 0..2 {
        read(&store, &scope, number, &[(&format!("heron{number} by the pond"), VECTOR)]).await;
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    let mut files: Vec<(std::time::SystemTime, PathBuf)> = fs::read_dir(table(directory.path(), "turns").join("data"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.metadata().unwrap().modified().unwrap(), entry.path()))
        .collect();
    files.sort();
    let length = fs::metadata(&files[0].1).unwrap().len() as usize;
    fs::write(&files[0].1, vec![0x55; length]).unwrap();

    let store = open(directory.path()).await;
    until("the loss is counted", async || {
        // Whoever asks meets the damage.
        let _ = store.read_or_unreadable(&scope, &[id(0)]).await;
        let _ = store.turns(&scope, &[id(0), id(1)]).await;
        store.status().losses == 1
    })
    .await;
    until_it_reads(&store, &scope, "heron1", 1).await;
    assert_eq!(read_ids(&store, &scope, &[id(0), id(1)]).await, [id(1)]);
    assert_eq!(dense(&store, &scope, VECTOR).await, [id(1)], "no points linger without their turn");
    assert!(!files[0].1.exists() && fs::read_dir(directory.path().join("broken")).unwrap().count() == 1);
    goes_on(&store, &scope).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_that_names_the_model_is_put_back_and_that_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let config = || mainpoint_store::StoreConfig {
        model: Some("a-model".to_owned()),
        ..crate::support::config(directory.path())
    };
    let store = crate::support::open_with(config()).await;
    store.keep_file("scope.key", b"a secret");
    let (model, key) = (directory.path().join("model"), directory.path().join("scope.key"));
    let whole = fs::read(&model).unwrap();
    fs::remove_file(&model).unwrap();
    until("both files are there", async || {
        fs::read(&model).is_ok_and(|found| found == whole) && fs::read(&key).is_ok_and(|found| found == b"a secret")
    })
    .await;
    until("it is counted", async || store.status().losses > 0).await;
    store.close().await.unwrap();
    drop(store);
    crate::support::open_with(config()).await;
}
