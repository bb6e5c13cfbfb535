//! The ledger: what was injected into a prompt is found again, byte for byte.

use std::slice::from_ref;
use std::time::Duration;

use mainpoint_store::{LedgerEntry, LedgerKind, StoreConfig};

use crate::support::{config, conversation_id, files_with, open, open_with, prefix, read, scope};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];
const MARKER: &str = "Quixotryzzle";

/// An entry in conversation 0.
fn entry(kind: LedgerKind, number: u64, value: &str) -> LedgerEntry {
    LedgerEntry { kind, key: prefix(number), conversation: conversation_id(0), value: value.as_bytes().to_vec() }
}

fn block(number: u64, value: &str) -> LedgerEntry {
    entry(LedgerKind::Block, number, value)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_there_after_reopening_in_the_order_asked() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let eviction = entry(LedgerKind::Eviction, 2, "the eviction of two");
    let recorded = vec![eviction.clone(), block(2, "two \0 \u{1f980}"), block(4, "")];
    assert_eq!(store.record(&scope, recorded.clone()).await.unwrap(), recorded);
    drop(store);

    let store = open(directory.path()).await;
    let found = store.ledger(&scope, &[prefix(4), prefix(9), prefix(2)]).await.unwrap();
    assert_eq!(found, [block(4, ""), block(2, "two \0 \u{1f980}"), eviction]);
    assert_eq!(store.ledger(&scope, &[prefix(9)]).await.unwrap(), []);
    assert_eq!(store.ledger(&scope, &[]).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_writer_wins_and_the_later_one_is_told_what_holds() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    store.record(&scope, vec![block(0, "first")]).await.unwrap();
    let later = vec![block(2, "new"), block(0, "second"), block(2, "newer")];
    let held = store.record(&scope, later).await.unwrap();
    assert_eq!(held, [block(2, "new"), block(0, "first"), block(2, "new")]);
    assert_eq!(store.ledger(&scope, &[prefix(0), prefix(2)]).await.unwrap(), [block(0, "first"), block(2, "new")]);
    assert_eq!(store.record(&scope, vec![]).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_agree_on_one_entry() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let calls = (0..8).map(|writer| store.record(&scope, vec![block(0, &format!("of writer {writer}"))]));
    let held = futures::future::try_join_all(calls).await.unwrap();
    let found = store.ledger(&scope, &[prefix(0)]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(held.iter().all(|one| *one == found), "{held:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_do_not_see_each_others_entries() {
    let directory = tempfile::tempdir().unwrap();
    let (store, one, other) = (open(directory.path()).await, scope("a"), scope("a.b"));
    store.record(&one, vec![block(0, "of one")]).await.unwrap();
    assert_eq!(store.ledger(&other, &[prefix(0)]).await.unwrap(), []);
    let held = store.record(&other, vec![block(0, "of the other")]).await.unwrap();
    assert_eq!(held, [block(0, "of the other")]);

    store.delete_scope(&one).await.unwrap();
    assert_eq!(store.ledger(&one, &[prefix(0)]).await.unwrap(), []);
    assert_eq!(store.ledger(&other, &[prefix(0)]).await.unwrap(), [block(0, "of the other")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_conversation_takes_its_entries_along_and_off_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("text of the one that stays", VECTOR)]).await;
    let stays = block(0, "stays");
    let going = |entry: LedgerEntry| LedgerEntry { conversation: conversation_id(10), ..entry };
    let gone = [block(10, MARKER), entry(LedgerKind::Eviction, 12, MARKER)].map(going);
    store.record(&scope, [gone.to_vec(), vec![stays.clone()]].concat()).await.unwrap();
    assert!(!files_with(directory.path(), MARKER).is_empty());

    assert_eq!(store.delete_conversation(&scope, conversation_id(10)).await.unwrap().len(), 0);
    let all = [prefix(10), prefix(12), prefix(0)];
    assert_eq!(store.ledger(&scope, &all).await.unwrap(), from_ref(&stays));
    assert!(store.maintain().await.unwrap().journal_rewritten);
    assert_eq!(files_with(directory.path(), MARKER), Vec::<String>::new());

    let anew = going(block(10, "anew"));
    assert_eq!(store.record(&scope, vec![anew.clone()]).await.unwrap(), from_ref(&anew));
    assert_eq!(store.ledger(&scope, &all).await.unwrap(), [anew, stays]);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_survive_maintenance_that_rewrites_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let recorded = vec![block(0, "a memory"), entry(LedgerKind::Eviction, 0, "an eviction")];
    store.record(&scope, recorded.clone()).await.unwrap();
    read(&store, &scope, 0, &[("text", VECTOR)]).await;
    let report = store.maintain().await.unwrap();
    assert!(report.journal_rewritten);
    assert_eq!(report.ledger_expired, 0);
    assert_eq!(store.ledger(&scope, &[prefix(0)]).await.unwrap(), recorded);
    store.close().await.unwrap();
    let store = open(directory.path()).await;
    assert_eq!(store.ledger(&scope, &[prefix(0)]).await.unwrap(), recorded);
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_forgets_silent_conversations_and_clears_the_disk_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let scope = scope("s");
    let store = open_with(StoreConfig { ledger_age: Duration::from_micros(1), ..config(directory.path()) }).await;
    read(&store, &scope, 0, &[("text", VECTOR)]).await;
    let recorded = vec![block(0, MARKER), entry(LedgerKind::Eviction, 2, MARKER)];
    store.record(&scope, recorded).await.unwrap();
    assert!(!files_with(directory.path(), MARKER).is_empty());

    let report = store.maintain().await.unwrap();
    assert_eq!((report.ledger_expired, report.journal_rewritten), (2, true));
    assert_eq!(store.ledger(&scope, &[prefix(0), prefix(2)]).await.unwrap(), []);
    assert_eq!(files_with(directory.path(), MARKER), Vec::<String>::new());
    assert_eq!(store.maintain().await.unwrap().ledger_expired, 0);
}
