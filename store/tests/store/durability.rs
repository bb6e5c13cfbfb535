//! Accepting and completing: idempotent, durable, visible at once.

use chrono::TimeDelta;
use mainpoint_store::{ConversationAppend, StoreError, TurnKind, WaitingTurn, Within};

use crate::support::{
    config, conversation_id, dense, id, lexical, open, open_with, point, prefix, query, read, read_ids, said_turns,
    scope, turn, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn accepting_again_names_only_what_is_new() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let turns = vec![turn(&scope, 0, "one"), turn(&scope, 1, "two")];
    assert_eq!(store.accept(turns.clone()).await.unwrap(), [id(0), id(1)]);
    assert_eq!(store.accept(turns.clone()).await.unwrap(), []);
    store.complete(vec![(scope.clone(), id(0), vec![])]).await.unwrap();
    assert_eq!(store.accept(turns.clone()).await.unwrap(), []);
    store.flush().await.unwrap();
    let grown = [turns, vec![turn(&scope, 2, "three")]].concat();
    assert_eq!(store.accept(grown).await.unwrap(), [id(2)]);
    assert_eq!(store.status().unread_turns, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_again_in_its_place_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let turns: Vec<_> = (0..2).map(|number| turn(&scope, number, "text")).collect();
    let said = |fresh, after| ConversationAppend {
        scope: scope.clone(),
        after,
        fresh: conversation_id(fresh),
        turns: said_turns(&scope, &[0, 1]),
        plain: Vec::new(),
    };
    store.accept_said(turns.clone(), vec![said(100, None)]).await.unwrap();
    let journal = || std::fs::read(directory.path().join("journal.redb")).unwrap();
    let before = journal();
    store.accept_said(turns.clone(), vec![said(100, None)]).await.unwrap();
    let mut later = said(100, None);
    later.turns.iter_mut().for_each(|said| said.time += TimeDelta::days(9));
    store.accept_said(turns.clone(), vec![later]).await.unwrap();
    assert!(journal() == before);
    store.accept_said(turns, vec![said(101, None)]).await.unwrap();
    assert!(journal() != before, "another conversation says the same");
    let matched = store
        .match_conversation(&scope, vec![id(0), id(1)], vec![TurnKind::Telling; 2], None, |_, _| false)
        .await
        .unwrap();
    assert_eq!(matched.known, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_in_another_scope_is_another_turn() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    for name in ["a", "b"] {
        read(&store, &scope(name), 0, &[(&format!("text of {name}"), [1.0, 0.0, 0.0, 0.0])]).await;
    }
    for name in ["a", "b"] {
        let turns = store.turns(&scope(name), &[id(0)]).await.unwrap();
        assert_eq!(turns[0].text, format!("text of {name}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_accepted_before_a_crash_come_back_unread_and_completed_ones_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let turns: Vec<_> = (0..3).map(|number| turn(&scope, number, "text")).collect();
    store.accept(turns.clone()).await.unwrap();
    store.complete(vec![(scope.clone(), id(1), vec![point(&turns[1], [1.0, 0.0, 0.0, 0.0])])]).await.unwrap();
    drop(store);
    let store = open(directory.path()).await;
    assert_eq!(store.unread().await.unwrap(), [turns[0].clone(), turns[2].clone()]);
    assert_eq!(read_ids(&store, &scope, &[id(0), id(1), id(2)]).await, [id(1)]);
    assert_eq!(store.status().unread_turns, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_read_comes_in_pages_each_turn_once_and_nothing_that_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let mut expected = Vec::new();
    for name in ["a", "b"] {
        let scope = scope(name);
        let turns: Vec<_> = (0..5).map(|number| turn(&scope, number, "text")).collect();
        store.accept(turns.clone()).await.unwrap();
        store.complete(vec![(scope.clone(), id(2), vec![])]).await.unwrap();
        expected.extend(turns.iter().filter(|turn| turn.id != id(2)).map(WaitingTurn::new));
    }
    for limit in [1, 3, 8, 100] {
        let mut found: Vec<WaitingTurn> = Vec::new();
        loop {
            let after = found.last().map(|turn| (turn.scope.clone(), turn.id));
            let page = store.waiting(after, limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found, expected, "pages of {limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_turn_is_searchable_before_any_flush() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("the harbour opens at dawn", [1.0, 0.0, 0.0, 0.0])]).await;
    assert_eq!(store.status().unflushed_turns, 1);
    assert_eq!(read_ids(&store, &scope, &[id(0)]).await, [id(0)]);
    assert_eq!(store.turns(&scope, &[id(0)]).await.unwrap()[0].text, "the harbour opens at dawn");
    assert_eq!(store.status().unflushed_turns, 1, "looking at the journal needs no flush");
    assert_eq!(lexical(&store, &scope, "harbour").await, [id(0)]);
    assert_eq!(dense(&store, &scope, [1.0, 0.0, 0.0, 0.0]).await, [id(0)]);
    read(&store, &scope, 1, &[("the ferry leaves at noon", [0.0, 1.0, 0.0, 0.0])]).await;
    assert_eq!(store.points(&scope, &Within::Scope, 10).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_of_a_scope_waits_for_the_turns_that_it_names_and_for_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("old", [1.0, 0.0, 0.0, 0.0])]).await;
    store.flush().await.unwrap();
    read(&store, &scope, 1, &[("new", [1.0, 0.0, 0.0, 0.0])]).await;
    let with = |ids| query(&scope, Within::ScopeWith(ids), [1.0, 0.0, 0.0, 0.0], "old");
    assert_eq!(store.search(&with(vec![id(0)])).await.unwrap().dense.len(), 1);
    assert_eq!(store.status().unflushed_turns, 1);
    assert_eq!(store.search(&with(vec![id(1)])).await.unwrap().dense.len(), 2);
    assert_eq!(store.status().unflushed_turns, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_in_a_conversation_does_not_flush_turns_outside_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("old", [1.0, 0.0, 0.0, 0.0])]).await;
    store.flush().await.unwrap();
    read(&store, &scope, 1, &[("new", [1.0, 0.0, 0.0, 0.0])]).await;
    let old = query(&scope, Within::Turns(vec![id(0)]), [1.0, 0.0, 0.0, 0.0], "old");
    assert_eq!(store.search(&old).await.unwrap().dense.len(), 1);
    assert_eq!(store.status().unflushed_turns, 1);
    let new = query(&scope, Within::Turns(vec![id(0), id(1)]), [1.0, 0.0, 0.0, 0.0], "new");
    assert_eq!(store.search(&new).await.unwrap().dense.len(), 2);
    assert_eq!(store.status().unflushed_turns, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn completing_what_is_not_waiting_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let unknown = turn(&scope, 5, "never accepted");
    store.complete(vec![(scope.clone(), unknown.id, vec![point(&unknown, [1.0, 0.0, 0.0, 0.0])])]).await.unwrap();
    assert!(store.read_or_unreadable(&scope, &[unknown.id]).await.unwrap().is_empty());
    read(&store, &scope, 0, &[("once", [1.0, 0.0, 0.0, 0.0])]).await;
    let again = turn(&scope, 0, "once");
    store.complete(vec![(scope.clone(), id(0), vec![point(&again, [0.0, 1.0, 0.0, 0.0])])]).await.unwrap();
    store.flush().await.unwrap();
    assert_eq!((store.status().turns, store.status().points), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_of_the_wrong_width_is_refused_and_its_turn_stays_unread() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let turn = turn(&scope, 0, "text");
    store.accept(vec![turn.clone()]).await.unwrap();
    let mut narrow = point(&turn, [1.0, 0.0, 0.0, 0.0]);
    narrow.vector.pop();
    let error = store.complete(vec![(scope.clone(), turn.id, vec![narrow])]).await.unwrap_err();
    assert!(matches!(error, StoreError::InvalidPoint { .. }), "{error}");
    assert_eq!(store.unread().await.unwrap(), [turn]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_background_task_flushes_by_itself_on_time_and_on_number() {
    let directory = tempfile::tempdir().unwrap();
    let scope = scope("s");
    let mut soon = config(directory.path());
    soon.flush_interval = std::time::Duration::from_millis(50);
    let store = open_with(soon).await;
    read(&store, &scope, 0, &[("one", [1.0, 0.0, 0.0, 0.0])]).await;
    until("the flush on time", async || store.status().turns == 1).await;
    store.close().await.unwrap();

    let mut many = config(directory.path());
    many.flush_turns = 2;
    let store = open_with(many).await;
    read(&store, &scope, 1, &[("two", [1.0, 0.0, 0.0, 0.0]), ("three", [1.0, 0.0, 0.0, 0.0])]).await;
    until("the flush on number", async || store.status().turns == 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_callers_that_accept_the_same_turn_are_not_both_told_that_it_is_new() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let turns: Vec<_> = (0..20).map(|number| turn(&scope, number, "text")).collect();
    let calls = (0..8).map(|_| store.accept(turns.clone()));
    let new = futures::future::try_join_all(calls).await.unwrap();
    assert_eq!(new.iter().map(Vec::len).sum::<usize>(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_closing_every_operation_says_so_and_the_rows_are_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("kept", [1.0, 0.0, 0.0, 0.0])]).await;
    let clone = store.clone();
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert!(!clone.status().alive);
    let closed = |error: StoreError| matches!(error, StoreError::Closed);
    assert!(closed(clone.accept(vec![turn(&scope, 1, "late")]).await.unwrap_err()));
    assert!(closed(clone.complete(vec![]).await.unwrap_err()));
    assert!(closed(clone.unread().await.unwrap_err()));
    assert!(closed(clone.read_or_unreadable(&scope, &[id(0)]).await.unwrap_err()));
    assert!(closed(clone.search(&query(&scope, Within::Scope, [1.0, 0.0, 0.0, 0.0], "")).await.unwrap_err()));
    assert!(closed(clone.ledger(&scope, &[prefix(0)]).await.unwrap_err()));
    assert!(closed(clone.record(&scope, vec![]).await.unwrap_err()));
    assert!(closed(clone.flush().await.unwrap_err()));
    assert!(closed(clone.maintain().await.unwrap_err()));
    assert!(closed(clone.delete_scope(&scope).await.unwrap_err()));
    let reopened = open(directory.path()).await;
    assert_eq!(reopened.status().turns, 1);
    assert_eq!(reopened.status().unflushed_turns, 0);
}
