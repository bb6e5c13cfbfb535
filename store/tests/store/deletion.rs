//! Delete is delete.

use std::fs;
use std::path::Path;

use mainpoint_store::{Store, Turn, Within};

use crate::support::{
    add_fields, conversation_id, dense, field, files_with, id, lexical, manifests, open, point, read, read_ids, scope,
    turn,
};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];
const MARKER: &str = "Quixotryzzle";

/// Turn `number` of conversation `first`, read.
async fn read_in(store: &Store, number: u64, first: u64, text: &str) {
    let scope = scope("s");
    let turn = Turn { conversation: conversation_id(first), ..turn(&scope, number, text) };
    store.accept(vec![turn.clone()]).await.unwrap();
    store.complete(vec![(scope, turn.id, vec![point(&turn, VECTOR)])]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_conversation_is_gone_from_every_answer_and_the_others_stay() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read_in(&store, 0, 0, "stored parrot").await;
    read_in(&store, 10, 10, "another stored parrot").await;
    store.flush().await.unwrap();
    read_in(&store, 1, 0, "pending parrot").await;
    read_in(&store, 11, 10, "another pending parrot").await;
    let unread = Turn { conversation: conversation_id(0), ..turn(&scope, 2, "unread parrot") };
    store.accept(vec![unread]).await.unwrap();

    assert_eq!(store.delete_conversation(&scope, conversation_id(0)).await.unwrap().len(), 3);
    assert_eq!(store.delete_conversation(&scope, conversation_id(0)).await.unwrap().len(), 0);

    let all = [id(0), id(1), id(2), id(10), id(11)];
    assert_eq!(read_ids(&store, &scope, &all).await, [id(10), id(11)]);
    assert_eq!(store.turns(&scope, &all).await.unwrap().len(), 2);
    assert_eq!(store.unread().await.unwrap(), []);
    for mut found in [lexical(&store, &scope, "parrot").await, dense(&store, &scope, VECTOR).await] {
        found.sort();
        assert_eq!(found, [id(10), id(11)]);
    }
    assert_eq!(store.points(&scope, &Within::Scope, 10).await.unwrap().len(), 2);
    assert_eq!((store.status().turns, store.status().points, store.status().unread_turns), (2, 2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_scope_is_gone_and_the_others_stay() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    for name in ["gone", "stays"] {
        read(&store, &scope(name), 0, &[("a", VECTOR), ("b", VECTOR)]).await;
    }
    assert_eq!(store.delete_scope(&scope("gone")).await.unwrap().len(), 2);
    assert_eq!(store.scopes().await.unwrap(), [scope("stays")]);
    assert_eq!(dense(&store, &scope("gone"), VECTOR).await, []);
    assert_eq!(dense(&store, &scope("stays"), VECTOR).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_leaves_no_byte_on_disk_after_maintenance() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read_in(&store, 0, 0, &format!("the password is {MARKER}")).await;
    read_in(&store, 10, 10, "an innocent sentence").await;
    store.maintain().await.unwrap();
    read_in(&store, 1, 0, &format!("once more, {MARKER}")).await;
    store.flush().await.unwrap();
    read_in(&store, 2, 0, &format!("pending: {MARKER}")).await;
    let unread = Turn { conversation: conversation_id(0), ..turn(&scope, 3, &format!("unread: {MARKER}")) };
    store.accept(vec![unread]).await.unwrap();
    assert!(!files_with(directory.path(), MARKER).is_empty(), "the search of the disk must be able to find it");
    assert_eq!(lexical(&store, &scope, MARKER).await.len(), 3);

    assert_eq!(store.delete_conversation(&scope, conversation_id(0)).await.unwrap().len(), 4);
    let report = store.maintain().await.unwrap();
    assert!(report.purged);
    assert!(report.points.versions_removed > 0);
    assert_eq!(files_with(directory.path(), MARKER), Vec::<String>::new());
    assert_eq!(lexical(&store, &scope, "innocent").await, [id(10)]);
    assert!(!store.maintain().await.unwrap().purged, "once is enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_moved_aside_as_damaged_goes_with_a_deletion_of_anything_and_stays_without_one() {
    for of_one_turn in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let (store, scope) = (open(directory.path()).await, scope("s"));
        read_in(&store, 0, 0, &format!("the password is {MARKER}")).await;
        store.close().await.unwrap();
        // A journal that was cut is moved aside with what it had.
        let journal = directory.path().join("journal.redb");
        fs::write(&journal, format!("damaged, and still {MARKER}")).unwrap();
        let store = open(directory.path()).await;
        store.maintain().await.unwrap();
        assert!(!files_with(&directory.path().join("broken"), MARKER).is_empty(), "nothing was deleted yet");

        match of_one_turn {
            true => assert_eq!(store.delete_turns(&scope, vec![id(0)]).await.unwrap(), [id(0)]),
            false => drop(store.delete_scope(&scope).await.unwrap()),
        }
        assert!(store.maintain().await.unwrap().purged);
        assert_eq!(files_with(directory.path(), MARKER), Vec::<String>::new());
        assert!(!directory.path().join("broken").exists());
        assert!(!store.maintain().await.unwrap().purged, "once is enough");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_during_a_purge_are_answered() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read_in(&store, 10, 10, "kept").await;
    for round in 0..5 {
        read_in(&store, 100 + round, 0, "deleted").await;
        store.flush().await.unwrap();
        store.delete_conversation(&scope, conversation_id(0)).await.unwrap();
        let searching = async {
            for _ in 0..20 {
                assert_eq!(dense(&store, &scope, VECTOR).await, [id(10)]);
                assert_eq!(lexical(&store, &scope, "kept").await, [id(10)]);
            }
        };
        let (report, ()) = tokio::join!(store.maintain(), searching);
        assert!(report.unwrap().purged);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_deleted_while_it_was_being_read_does_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let turn = turn(&scope, 0, "text");
    store.accept(vec![turn.clone()]).await.unwrap();
    store.delete_conversation(&scope, conversation_id(0)).await.unwrap();
    store.complete(vec![(scope.clone(), turn.id, vec![point(&turn, VECTOR)])]).await.unwrap();
    assert_eq!(dense(&store, &scope, VECTOR).await, []);
    assert_eq!(store.accept(vec![turn]).await.unwrap(), [id(0)], "sent again, it is read again");
}

/// Copies of a table's files of rows as a write would leave them that was cut off: under names that no version has.
fn leave_unnamed_copies(directory: &Path, table: &str) {
    let data = directory.join("lance").join(format!("{table}.lance")).join("data");
    let files: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
    for (number, file) in files.iter().enumerate() {
        fs::copy(file, data.join(format!("{number:056}.lance"))).unwrap();
        fs::copy(file, data.join(format!(".tmp{number}"))).unwrap();
    }
    let index = data.with_file_name("_indices").join("6e3f7f0c-7a0b-4c52-9d0c-0c9a35b1a6a1");
    fs::create_dir_all(&index).unwrap();
    fs::write(index.join("part_0.lance"), MARKER).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_a_write_left_which_was_cut_off_go_with_the_next_pruning_however_young_they_are() {
    for is_deleted in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let (store, scope) = (open(directory.path()).await, scope("s"));
        read_in(&store, 0, 0, &format!("the password is {MARKER}")).await;
        read_in(&store, 1, 1, "the innocent one").await;
        store.flush().await.unwrap();
        let whole = files_with(directory.path(), MARKER).len();
        for table in ["turns", "points"] {
            leave_unnamed_copies(directory.path(), table);
        }
        assert!(files_with(directory.path(), MARKER).len() > whole);
        if is_deleted {
            store.delete_turns(&scope, vec![id(0)]).await.unwrap();
        }
        store.maintain().await.unwrap();
        if is_deleted {
            assert_eq!(files_with(directory.path(), MARKER), Vec::<String>::new());
        }
        for table in ["turns", "points"] {
            let table = directory.path().join("lance").join(format!("{table}.lance"));
            assert!(
                !table.join("data").join(".tmp0").exists()
                    && !table.join("data").join(format!("{:056}.lance", 0)).exists()
            );
            assert!(!table.join("_indices").join("6e3f7f0c-7a0b-4c52-9d0c-0c9a35b1a6a1").join("part_0.lance").exists());
        }
        assert_eq!(lexical(&store, &scope, "innocent").await, [id(1)]);
        assert_eq!(lexical(&store, &scope, MARKER).await.len(), usize::from(!is_deleted));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_that_cannot_be_read_keep_nothing_that_was_deleted_on_the_disk() {
    for is_deleted in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let (store, scope) = (open(directory.path()).await, scope("s"));
        read_in(&store, 0, 0, &format!("the password is {MARKER}")).await;
        store.flush().await.unwrap();
        read_in(&store, 1, 1, "the innocent one").await;
        store.flush().await.unwrap();
        for table in ["turns", "points"] {
            let old = manifests(directory.path(), table).split_off(1);
            assert!(old.len() > 2, "{table}");
            for (number, manifest) in old.iter().enumerate() {
                match number % 3 {
                    // A field of the table that is no message, within a whole frame.
                    0 => add_fields(manifest, &field(1, &[0xff; 3])),
                    1 => fs::write(manifest, b"torn").unwrap(),
                    _ => {}
                }
            }
        }
        if is_deleted {
            store.delete_turns(&scope, vec![id(0)]).await.unwrap();
        }
        let report = store.maintain().await.unwrap();
        assert_eq!(report.purged, is_deleted);
        assert_eq!(store.troubles(), []);
        if is_deleted {
            assert_eq!(files_with(directory.path(), MARKER), Vec::<String>::new());
            assert_eq!(manifests(directory.path(), "points").len(), 1);
        }
        assert_eq!(directory.path().join("broken").exists(), !is_deleted, "nothing is removed without need");
        assert_eq!(lexical(&store, &scope, "innocent").await, [id(1)]);
        assert_eq!(lexical(&store, &scope, MARKER).await.len(), usize::from(!is_deleted));
    }
}
