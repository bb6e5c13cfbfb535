//! Deletions of which an attempt failed half way.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;

use super::*;
use crate::records::samples_for_tests::{conversation, id, point, scope, turn};
use crate::records::{ConversationAppend, SaidTurn, Turn, TurnPlace};
use crate::{Store, StoreConfig, TurnKind, Within};

/// Two turns in the tables, with a point each.
async fn flushed(directory: &std::path::Path) -> Store {
    let store = Store::open(StoreConfig::idle(directory, 2)).await.unwrap();
    for number in [1, 2] {
        let turn = turn(number, &format!("turn number {number}"));
        let points = vec![point(&turn, vec![1.0, 0.0])];
        store.accept(vec![turn.clone()]).await.unwrap();
        store.complete(vec![(scope(), turn.id, points)]).await.unwrap();
    }
    store.flush().await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_attempt_took_before_it_failed_is_told_by_the_one_that_ends_the_deletion() {
    let directory = tempfile::tempdir().unwrap();
    let store = flushed(directory.path()).await;
    let shared = store.shared();
    let _maintenance = shared.maintenance.lock().await;
    let mut writer = shared.writer.lock().await;
    let removal = Removal::of_turns(&scope(), [id(1)]);
    let mut deleted = HashSet::new();
    assert_eq!(take_from_tables(shared, &removal, &mut deleted).await.unwrap(), 2);
    assert_eq!((store.status().turns, store.status().points), (1, 1));
    carry_out(shared, &mut writer, &removal, &mut deleted, Purge::Due).await.unwrap();
    assert_eq!(deleted, HashSet::from([id(1)]), "nothing was left for the second attempt");
    assert_eq!(store.status().deletions, 1, "whoever knew of the turn asks again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_fails_tells_what_it_took_and_can_be_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = flushed(directory.path()).await;
    let shared = store.shared();
    let _maintenance = shared.maintenance.lock().await;
    let mut writer = shared.writer.lock().await;
    let removal = Removal::of_turns(&scope(), [id(1)]);
    let mut deleted = HashSet::new();
    // Where Lance would note the rows that are gone stands a file.
    let in_the_way = directory.path().join("lance").join("turns.lance").join("_deletions");
    fs::write(&in_the_way, "").unwrap();
    carry_out(shared, &mut writer, &removal, &mut deleted, Purge::NotDue).await.unwrap_err();
    assert_eq!(deleted, HashSet::from([id(1)]));
    assert_eq!((store.status().points, store.status().deletions), (1, 1), "its points are gone already");
    fs::remove_file(&in_the_way).unwrap();
    carry_out(shared, &mut writer, &removal, &mut deleted, Purge::Due).await.unwrap();
    assert_eq!(deleted, HashSet::from([id(1)]));
    assert_eq!((store.status().turns, store.status().points), (1, 1));
}

/// Takes a turn in and reads it.
async fn read(store: &Store, turn: Turn) {
    let points = vec![point(&turn, vec![1.0, 0.0])];
    assert_eq!(store.accept(vec![turn.clone()]).await.unwrap(), [turn.id]);
    store.complete(vec![(turn.scope.clone(), turn.id, points)]).await.unwrap();
}

async fn is_shut(store: &Store) -> bool {
    let refused = [
        store.snapshot(&scope(), &Within::Scope).await.err(),
        store.outline(&scope()).await.err(),
        store.turns(&scope(), &[id(1), id(2)]).await.err(),
        store.points(&scope(), &Within::Scope, 10).await.err(),
        store.match_conversation(&scope(), vec![id(1)], vec![TurnKind::Said], None, |_, _| false).await.err(),
    ];
    refused.iter().all(|refused| matches!(refused, Some(StoreError::DeletionDue)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_cannot_be_carried_out_does_not_keep_the_store_from_opening_and_shuts_its_scope_until_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let store = flushed(directory.path()).await;
    let other = Scope::new("other").unwrap();
    read(&store, Turn { scope: other.clone(), ..turn(5, "turn of another") }).await;
    store.flush().await.unwrap();
    // Where Lance would note the rows that are gone stands a file.
    let in_the_way = directory.path().join("lance").join("points.lance").join("_deletions");
    fs::write(&in_the_way, "").unwrap();
    store.delete_turns(&scope(), vec![id(1)]).await.unwrap_err();

    for reopened in [false, true] {
        let store = if reopened {
            store.close().await.unwrap();
            Store::open(StoreConfig::idle(directory.path(), 2)).await.unwrap()
        } else {
            store.clone()
        };
        assert!(is_shut(&store).await, "reopened: {reopened}");
        let trouble = store.troubles().into_iter().find(|trouble| trouble.part == StorePart::Maintenance);
        assert!(trouble.is_some_and(|trouble| trouble.reason.contains("deletion")), "reopened: {reopened}");
        assert_eq!(store.turns(&other, &[id(5)]).await.unwrap().len(), 1, "others are not concerned");
        assert_eq!(store.read_or_unreadable(&scope(), &[id(1), id(2)]).await.unwrap(), HashSet::from([id(2)]));
        if !reopened {
            continue;
        }
        // Said again meanwhile, the same words are new, and they outlive the deletion.
        read(&store, turn(1, "turn number 1")).await;
        store.flush().await.unwrap();
        assert_eq!(store.status().unflushed_turns, 1);
        fs::remove_file(&in_the_way).unwrap();
        store.maintain().await.unwrap();
        store.flush().await.unwrap();
        let found = store.turns(&scope(), &[id(1), id(2)]).await.unwrap();
        assert_eq!(found.iter().map(|turn| turn.id).collect::<Vec<_>>(), [id(1), id(2)]);
        assert_eq!((store.status().turns, store.status().points), (3, 3));
        assert!(!store.shared().deletions_due.is_any());
        store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_is_to_be_deleted_as_a_whole_is_not_listed_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let store = flushed(directory.path()).await;
    let removal = Removal { scope: scope(), what: Removed::Everything };
    store.shared().journal.delete(&removal, |_, _| Some(Vec::new())).unwrap();
    store.shared().deletions_due.note(NotedDeletion::Removal(removal));
    assert!(is_shut(&store).await);
    assert_eq!(store.scopes().await.unwrap(), []);
    store.maintain().await.unwrap();
    assert!(!store.shared().deletions_due.is_any());
    assert_eq!((store.status().turns, store.status().points), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_again_while_a_deletion_is_being_carried_out_is_new_and_outlives_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = flushed(directory.path()).await;
    let shared = store.shared();
    let maintenance = shared.maintenance.lock().await;
    let mut writer = shared.writer.lock().await;
    let asked = Covered::from(Removal::of_turns(&scope(), [id(1)]));
    let (at_work, _) = take_from_journal(shared, &asked).await.unwrap();
    // Whoever asks now looks into the tables, which have its rows still.
    shared.turn_index().unload(&scope());
    assert_eq!(store.read_or_unreadable(&scope(), &[id(1), id(2)]).await.unwrap(), HashSet::from([id(2)]));
    assert!(shared.deletions_due.ensure_none(&scope()).is_ok(), "nobody is kept from reading by it");
    read(&store, turn(1, "turn number 1")).await;

    let mut deleted = HashSet::new();
    carry_out(shared, &mut writer, at_work.removal(), &mut deleted, Purge::Due).await.unwrap();
    at_work.carried_out();
    drop((maintenance, writer));
    store.flush().await.unwrap();
    let found = store.turns(&scope(), &[id(1), id(2)]).await.unwrap();
    assert_eq!(found.iter().map(|turn| turn.id).collect::<Vec<_>>(), [id(1), id(2)]);
    assert_eq!((store.status().turns, store.status().points), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_a_conversation_after_a_deletion_of_it_has_looked_goes_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(StoreConfig::idle(directory.path(), 2)).await.unwrap();
    let say = async |number: u32, after: Option<TurnPlace>| {
        let turn = turn(number, &format!("turn number {number}"));
        let said = SaidTurn { turn: turn.id, time: turn.time };
        let fresh = conversation(1);
        let said = ConversationAppend { scope: scope(), after, fresh, turns: vec![said], plain: Vec::new() };
        store.accept_said(vec![turn], vec![said]).await.unwrap();
    };
    say(1, None).await;
    let extent = Extent::Conversation(conversation(1));
    let covered = resolve(store.shared(), Deletion { scope: scope(), extent }).await.unwrap();
    say(2, Some(TurnPlace { conversation: conversation(1), position: 0 })).await;
    let (at_work, removed) = take_from_journal(store.shared(), &covered).await.unwrap();
    assert!(at_work.removal().covers(id(2)) && removed.len() == 2, "{removed:?}");
    at_work.carried_out();
    assert_eq!(store.status().unread_turns, 0, "no turn is left that stands nowhere");
}
