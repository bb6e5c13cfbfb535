//! A full disk, and one that became read-only: everything goes on by itself when it is over.

use std::time::Duration;

use mainpoint_store::{LedgerEntry, LedgerKind, Store, StoreConfig, StoreError, StorePart, Within};
use tokio::time::Instant;

use crate::disk::{Disk, Frozen};
use crate::support::{
    config, conversation_id, dense, id, lexical, open, open_with, prefix, query, read, read_ids, scope, turn, until,
};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];
/// More than the journal's file has free.
const LARGE: usize = 256 << 10;

fn parts_in_trouble(store: &Store) -> Vec<StorePart> {
    store.troubles().iter().map(|trouble| trouble.part).collect()
}

/// Accepts large turns until the journal cannot take any more. Returns how many it took.
async fn accept_until_it_fails(store: &Store, first: u64) -> u64 {
    let mut taken = 0;
    while store.accept(vec![turn(&scope("s"), first + taken, &"x".repeat(LARGE))]).await.is_ok() {
        taken += 1;
        assert!(taken < 200, "a full disk takes everything");
    }
    taken
}

/// How soon the journal works again.
async fn works_again(store: &Store) {
    until("the journal works again", async || store.troubles().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_full_disk_the_journal_goes_on_without_a_restart_and_has_lost_nothing() {
    let disk = Disk::new();
    let (store, scope) = (open(&disk.store()).await, scope("s"));
    read(&store, &scope, 0, &[("the harbour opens at dawn", VECTOR)]).await;
    store.flush().await.unwrap();
    read(&store, &scope, 1, &[("the ferry leaves at noon", VECTOR)]).await;

    disk.fill();
    let taken = accept_until_it_fails(&store, 10).await;
    assert_eq!(parts_in_trouble(&store), [StorePart::Journal]);
    let begun = Instant::now();
    for number in 300..400 {
        let refused = store.accept(vec![turn(&scope, number, "small")]).await.unwrap_err();
        assert!(matches!(refused, StoreError::JournalDown { .. }), "{refused}");
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "nothing is tried for each call");

    disk.free();
    works_again(&store).await;
    read(&store, &scope, 2, &[("the bridge closes at night", VECTOR)]).await;
    let accepted: Vec<_> = (10..10 + taken).map(id).collect();
    let unread: Vec<_> = store.unread().await.unwrap().iter().map(|turn| turn.id).collect();
    assert!(accepted.iter().all(|id| unread.contains(id)), "what was acknowledged is there");
    store.flush().await.unwrap();
    for reopened in [false, true] {
        let store = if reopened {
            store.close().await.unwrap();
            open(&disk.store()).await
        } else {
            store.clone()
        };
        assert_eq!(read_ids(&store, &scope, &[id(0), id(1), id(2)]).await, [id(0), id(1), id(2)]);
        assert_eq!(dense(&store, &scope, VECTOR).await.len(), 3);
        assert_eq!(store.status().losses, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_at_the_ledger_is_got_over_and_what_it_held_holds() {
    let disk = Disk::new();
    let (store, scope) = (open(&disk.store()).await, scope("s"));
    let entry = |number: u64, size: usize| LedgerEntry {
        kind: LedgerKind::Block,
        key: prefix(number),
        conversation: conversation_id(0),
        value: vec![7; size],
    };
    store.record(&scope, vec![entry(0, 10)]).await.unwrap();
    disk.fill();
    let mut failed = 0;
    for number in 1..100 {
        failed += usize::from(store.record(&scope, vec![entry(number, LARGE)]).await.is_err());
    }
    assert!(failed > 50, "{failed}");
    disk.free();
    works_again(&store).await;
    assert_eq!(store.record(&scope, vec![entry(0, 99)]).await.unwrap(), [entry(0, 10)], "the first writer wins");
    store.record(&scope, vec![entry(200, LARGE)]).await.unwrap();
    assert_eq!(store.ledger(&scope, &[prefix(0), prefix(200)]).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_tables_have_no_space_for_waits_in_the_journal_and_is_found_afterwards_once() {
    let disk = Disk::new();
    let soon = StoreConfig { flush_interval: Duration::from_millis(100), ..config(&disk.store()) };
    let (store, scope) = (open_with(soon).await, scope("s"));
    read(&store, &scope, 0, &[("the harbour opens at dawn", VECTOR)]).await;
    until("the first flush", async || store.status().turns == 1).await;
    // The journal has free pages for small rows; the tables need new files for theirs.
    store.accept(vec![turn(&scope, 1, "the ferry leaves at noon")]).await.unwrap();
    disk.fill();
    let point = crate::support::point(&turn(&scope, 1, "the ferry leaves at noon"), VECTOR);
    if store.complete(vec![(scope.clone(), id(1), vec![point.clone()])]).await.is_ok() {
        until("the tables are in trouble", async || parts_in_trouble(&store) == [StorePart::Tables]).await;
        let asked = query(&scope, Within::Scope, VECTOR, "harbour ferry");
        assert_eq!(store.search(&asked).await.unwrap().dense.len(), 1, "searches find what the tables hold");
        assert_eq!(read_ids(&store, &scope, &[id(0), id(1)]).await, [id(0), id(1)]);
    }
    disk.free();
    works_again(&store).await;
    // Where even the journal had no page left, the reader brings its readings again.
    store.complete(vec![(scope.clone(), id(1), vec![point])]).await.unwrap();
    until("the turn is in the tables", async || store.status().turns == 2).await;
    assert_eq!((store.status().points, store.status().unflushed_turns), (2, 0));
    assert_eq!(lexical(&store, &scope, "ferry").await, [id(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_that_finds_no_space_changes_no_answer_and_is_made_good_later() {
    let disk = Disk::new();
    let (store, scope) = (open(&disk.store()).await, scope("s"));
    for number in 0..4 {
        read(&store, &scope, number, &[(&format!("note about heron{number}"), VECTOR)]).await;
        store.flush().await.unwrap();
    }
    disk.fill();
    store.maintain().await.unwrap_err();
    assert_eq!(dense(&store, &scope, VECTOR).await.len(), 4);
    assert_eq!(lexical(&store, &scope, "heron2").await, [id(2)]);
    disk.free();
    works_again(&store).await;
    let report = store.maintain().await.unwrap();
    assert_eq!(report.points.files_added, 1, "{report:?}");
    assert_eq!(lexical(&store, &scope, "heron2").await, [id(2)]);
    assert_eq!((store.status().turns, store.status().points), (4, 4));
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "whoever runs the tests is told")]
async fn a_store_on_a_full_disk_is_opened_for_a_deletion_in_the_room_that_is_kept_for_it() {
    let (disk, scope) = (Disk::new(), scope("s"));
    if !disk.is_mounted() {
        eprintln!("SKIPPED: a store is opened for a deletion on a full disk, because no tmpfs can be mounted here");
        return;
    }
    let store = open(&disk.store()).await;
    read(&store, &scope, 0, &[("the harbour opens at dawn", VECTOR), ("the ferry leaves at noon", VECTOR)]).await;
    store.flush().await.unwrap();
    let reserve = disk.store().join("reserve");
    disk.fill();
    let in_use = Store::open_for_deletion(config(&disk.store())).await.unwrap_err();
    assert!(matches!(in_use, StoreError::InUse { .. }) && reserve.exists(), "the room is another's: {in_use}");
    disk.free();
    store.close().await.unwrap();
    drop(store);

    disk.fill();
    let store = Store::open_for_deletion(config(&disk.store())).await.unwrap();
    assert_eq!(store.delete_turns(&scope, vec![id(0)]).await.unwrap(), [id(0)]);
    assert_eq!(read_ids(&store, &scope, &[id(0), id(1)]).await, [id(1)]);
    disk.free();
    until("room is kept for the next deletion", async || reserve.exists() && store.troubles().is_empty()).await;
    store.maintain().await.unwrap();
    assert_eq!(dense(&store, &scope, VECTOR).await, [id(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_that_became_read_only_are_got_over_when_they_are_writable_again() {
    let directory = tempfile::tempdir().unwrap();
    let soon = StoreConfig {
        flush_interval: Duration::from_millis(100),
        maintenance_interval: Duration::from_millis(300),
        ..config(directory.path())
    };
    let (store, scope) = (open_with(soon).await, scope("s"));
    read(&store, &scope, 0, &[("kept", VECTOR)]).await;
    until("the first flush", async || store.status().turns == 1).await;

    let tables = directory.path().join("lance");
    let folders: Vec<_> = ["turns", "points"]
        .iter()
        .flat_map(|name| ["data", "_versions"].map(|folder| tables.join(format!("{name}.lance")).join(folder)))
        .collect();
    let frozen = Frozen::new(folders);
    read(&store, &scope, 1, &[("kept, too", VECTOR)]).await;
    until("the tables are in trouble", async || parts_in_trouble(&store).contains(&StorePart::Tables)).await;
    assert_eq!(dense(&store, &scope, VECTOR).await, [id(0)]);
    drop(frozen);
    works_again(&store).await;
    until("the second flush", async || store.status().turns == 2).await;
    assert_eq!(dense(&store, &scope, VECTOR).await.len(), 2);
    assert_eq!(store.status().points, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "whoever runs the tests is told")]
async fn a_store_opens_on_a_full_disk_can_be_read_there_and_goes_on_when_there_is_space() {
    let disk = Disk::new();
    if !disk.is_mounted() {
        eprintln!("SKIPPED: a store on a full disk is opened only where a tmpfs can be mounted");
        return;
    }
    let scope = scope("s");
    let store = open(&disk.store()).await;
    read(&store, &scope, 0, &[("the harbour opens at dawn", VECTOR), ("the ferry leaves at noon", VECTOR)]).await;
    store.flush().await.unwrap();
    store.close().await.unwrap();
    drop(store);
    disk.fill();

    let store = open(&disk.store()).await;
    assert_eq!(dense(&store, &scope, VECTOR).await.len(), 2);
    assert_eq!(lexical(&store, &scope, "ferry").await, [id(1)]);
    let taken = accept_until_it_fails(&store, 10).await;
    assert!(parts_in_trouble(&store).contains(&StorePart::Journal));
    until("the journal can be read again", async || store.outline(&scope).await.is_ok()).await;
    assert_eq!(store.unread().await.unwrap().len() as u64, taken, "nobody who only reads waits for space");
    assert_eq!(dense(&store, &scope, VECTOR).await.len(), 2, "and so is what the tables hold");

    disk.free();
    works_again(&store).await;
    read(&store, &scope, 2, &[("the bridge closes at night", VECTOR)]).await;
    store.flush().await.unwrap();
    assert_eq!(dense(&store, &scope, VECTOR).await.len(), 3);
    assert_eq!(store.status().losses, 0);
}
