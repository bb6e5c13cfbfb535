//! Reading by identity.

use std::fs;

use chrono::TimeDelta;
use mainpoint_store::{Turn, TurnId, TurnKind, Within};

use crate::support::{conversation_id, id, now, open, point, read, read_ids, say, scope, turn};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];

#[tokio::test(flavor = "multi_thread")]
async fn turns_come_in_the_order_asked_wherever_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("in LanceDB", VECTOR)]).await;
    store.flush().await.unwrap();
    read(&store, &scope, 1, &[("completed", VECTOR)]).await;
    store.accept(vec![turn(&scope, 2, "accepted")]).await.unwrap();
    let turns = store.turns(&scope, &[id(2), id(9), id(0), id(1), id(0)]).await.unwrap();
    let texts: Vec<_> = turns.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(texts, ["accepted", "in LanceDB", "completed", "in LanceDB"]);
    assert_eq!(store.turns(&scope, &[]).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_are_found_after_their_files_were_merged_and_no_longer_once_they_are_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let all: Vec<TurnId> = (0..6).map(id).collect();
    let texts = async || {
        let turns = store.turns(&scope, &all).await.unwrap();
        turns.into_iter().map(|turn| turn.text).collect::<Vec<_>>()
    };
    for number in 0..4 {
        read(&store, &scope, number, &[(&format!("turn {number}"), VECTOR)]).await;
        store.flush().await.unwrap();
    }
    // From here on the store knows the rows.
    assert_eq!(read_ids(&store, &scope, &all).await.len(), 4);
    for _ in 0..2 {
        assert_eq!(texts().await, ["turn 0", "turn 1", "turn 2", "turn 3"]);
    }
    assert!(store.maintain().await.unwrap().turns.files_removed > 1);
    for number in 4..6 {
        read(&store, &scope, number, &[(&format!("turn {number}"), VECTOR)]).await;
        store.flush().await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(texts().await, ["turn 0", "turn 1", "turn 2", "turn 3", "turn 4", "turn 5"]);
    }
    store.delete_conversation(&scope, conversation_id(0)).await.unwrap();
    for _ in 0..2 {
        assert!(texts().await.is_empty());
        store.maintain().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_matched_without_its_table_once_its_turns_are_known() {
    let (directory, scope) = (tempfile::tempdir().unwrap(), scope("s"));
    let store = open(directory.path()).await;
    let said = [(0, "first"), (1, "second")].map(|(number, text)| turn(&scope, number, text));
    let time = said[0].time;
    say(&store, &scope, 0, said.to_vec(), VECTOR).await;
    store.flush().await.unwrap();
    let (ids, kinds) = ([id(0), id(1)], [TurnKind::Telling; 2]);
    let first_seen = store.first_seen(&scope, &ids).await.unwrap();
    assert_eq!(first_seen.len(), 2);
    fs::remove_dir_all(directory.path().join("lance/turns.lance/data")).unwrap();
    assert_eq!(store.first_seen(&scope, &ids).await.unwrap(), first_seen);
    let first = (ids[..1].to_vec(), kinds[..1].to_vec());
    for (days, known) in [(0, 1), (3, 0)] {
        let (turns, kinds) = first.clone();
        let matched = store.match_conversation(&scope, turns, kinds, Some(time + TimeDelta::days(days)), |_, _| false);
        assert_eq!(matched.await.unwrap().known, known, "{days} days later");
    }
    assert!(store.turns(&scope, &ids).await.is_err(), "the table is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn read_or_unreadable_names_completed_turns_in_the_journal_in_lancedb_and_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let scope = scope("s");
    let all: Vec<TurnId> = (0..4).map(id).collect();
    let store = open(directory.path()).await;
    assert!(store.read_or_unreadable(&scope, &all).await.unwrap().is_empty());
    read(&store, &scope, 0, &[("a", VECTOR), ("b", VECTOR)]).await;
    store.accept(vec![turn(&scope, 2, "accepted only")]).await.unwrap();
    assert_eq!(read_ids(&store, &scope, &all).await, [id(0), id(1)]);
    store.flush().await.unwrap();
    assert_eq!(read_ids(&store, &scope, &all).await, [id(0), id(1)]);
    drop(store);
    let store = open(directory.path()).await;
    assert_eq!(read_ids(&store, &scope, &all).await, [id(0), id(1)]);
    assert_eq!(read_ids(&store, &scope, &all[1..2]).await, [id(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn points_of_a_conversation_come_in_its_order_and_not_more_than_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("a", VECTOR), ("b", VECTOR), ("c", VECTOR)]).await;
    let chain = Within::Turns(vec![id(2), id(0)]);
    let points = store.points(&scope, &chain, 10).await.unwrap();
    assert_eq!(points.iter().map(|point| point.turn).collect::<Vec<_>>(), [id(2), id(0)]);
    assert_eq!(points[0].ranking_data, id(2).0);
    assert_eq!(store.points(&scope, &Within::Scope, 2).await.unwrap().len(), 2);
    assert_eq!(store.points(&scope, &Within::Scope, 0).await.unwrap(), []);
    assert_eq!(store.points(&scope, &Within::Turns(vec![]), 10).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_are_listed_from_the_journal_and_from_lancedb() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    assert_eq!(store.scopes().await.unwrap(), []);
    read(&store, &scope("stored"), 0, &[("a", VECTOR)]).await;
    store.flush().await.unwrap();
    store.accept(vec![turn(&scope("accepted"), 0, "b")]).await.unwrap();
    assert_eq!(store.scopes().await.unwrap(), [scope("accepted"), scope("stored")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_of_every_scope_agrees_with_what_each_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    assert_eq!(store.scope_overviews().await.unwrap(), []);
    read(&store, &scope("stored"), 0, &[("a", VECTOR), ("b", VECTOR)]).await;
    store.flush().await.unwrap();
    read(&store, &scope("stored"), 2, &[("c", VECTOR)]).await;
    store.accept(vec![turn(&scope("accepted"), 0, "d")]).await.unwrap();
    let found = store.scope_overviews().await.unwrap();
    let told: Vec<(&str, usize)> = found.iter().map(|found| (found.scope.as_str(), found.turns)).collect();
    assert_eq!(told, [("accepted", 1), ("stored", 3)]);
    for overview in &found {
        let outline = store.outline(&overview.scope).await.unwrap();
        assert_eq!(overview.conversations, outline.len(), "{overview:?}");
        let turns: Vec<_> = outline.turns().into_iter().collect();
        let times = store.turns(&overview.scope, &turns).await.unwrap().into_iter().map(|turn| turn.time);
        let times: Vec<_> = times.collect();
        assert_eq!(Some(&overview.first_time), times.iter().min(), "{overview:?}");
        assert_eq!(Some(&overview.last_time), times.iter().max(), "{overview:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_is_as_large_as_it_and_its_parts_are_and_nothing_is_counted_twice() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let size = async |name: &str| {
        let size = store.size(&scope(name)).await.unwrap();
        (size.turns, size.bytes)
    };
    read(&store, &scope("k-1"), 0, &[("four", VECTOR), ("\u{e9}", VECTOR)]).await;
    read(&store, &scope("k-1.u-1"), 0, &[("four", VECTOR)]).await;
    for other in ["k-10", "k-1-u", "k-1:u", "k-0", "k"] {
        read(&store, &scope(other), 0, &[("another's", VECTOR)]).await;
    }
    for _ in 0..2 {
        assert_eq!((size("k-1").await, size("k-1.u-1").await, size("k-2").await), ((3, 10), (1, 4), (0, 0)));
        store.flush().await.unwrap();
    }
    store.accept(vec![turn(&scope("k-1.p-1.u-2"), 9, "waits")]).await.unwrap();
    assert_eq!(size("k-1").await, (4, 15));
    store.delete_scope(&scope("k-1")).await.unwrap();
    assert_eq!(size("k-1").await, (2, 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_are_the_turns_around_oldest_first_wherever_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("0", VECTOR), ("1", VECTOR), ("2", VECTOR)]).await;
    store.flush().await.unwrap();
    read(&store, &scope, 3, &[("3", VECTOR)]).await;
    store.accept(vec![turn(&scope, 4, "4")]).await.unwrap();
    let texts = async |number, radius| -> Vec<String> {
        store.neighbours(&scope, id(number), radius).await.unwrap().into_iter().map(|turn| turn.text).collect()
    };
    assert_eq!(texts(2, 1).await, ["1", "2", "3"]);
    assert_eq!(texts(2, 9).await, ["0", "1", "2", "3", "4"]);
    assert_eq!(texts(0, 1).await, ["0", "1"]);
    assert_eq!(texts(4, 0).await, ["4"]);
    assert!(texts(9, 2).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_stay_on_their_branch_and_a_fork_is_left_by_its_later_child() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let child = |number: u64, parent: u64, position: u32, text: &str| Turn {
        parent: Some(id(parent)),
        position,
        ..turn(&scope, number, text)
    };
    // 0 – 1 – 2 – 3, and from 1 the edited 12 – 13, seen later.
    let turns = vec![
        turn(&scope, 0, "root"),
        child(1, 0, 1, "answer"),
        child(2, 1, 2, "dead question"),
        child(3, 2, 3, "dead answer"),
        child(12, 1, 2, "edited question"),
        child(13, 12, 3, "new answer"),
    ];
    store.accept(turns.clone()).await.unwrap();
    let completed = turns.iter().map(|turn| (scope.clone(), turn.id, vec![point(turn, VECTOR)])).collect();
    store.complete(completed).await.unwrap();
    store.flush().await.unwrap();
    let texts = async |number, radius| -> Vec<String> {
        store.neighbours(&scope, id(number), radius).await.unwrap().into_iter().map(|turn| turn.text).collect()
    };
    assert_eq!(texts(3, 2).await, ["answer", "dead question", "dead answer"]);
    assert_eq!(texts(13, 2).await, ["answer", "edited question", "new answer"]);
    assert_eq!(texts(1, 2).await, ["root", "answer", "edited question", "new answer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_reach_over_turns_that_were_never_stored() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    // Turns 1 and 2 (a tool call and its result) have no text.
    let turns = vec![turn(&scope, 0, "question"), turn(&scope, 3, "answer"), turn(&scope, 4, "thanks")];
    store.accept(turns).await.unwrap();
    let texts = async |number| -> Vec<String> {
        store.neighbours(&scope, id(number), 1).await.unwrap().into_iter().map(|turn| turn.text).collect()
    };
    assert_eq!(texts(3).await, ["question", "answer", "thanks"]);
    assert_eq!(texts(0).await, ["question", "answer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_survives_to_the_microsecond() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let time = now();
    store.accept(vec![Turn { time, ..turn(&scope, 0, "text") }]).await.unwrap();
    store.complete(vec![(scope.clone(), id(0), vec![])]).await.unwrap();
    store.flush().await.unwrap();
    let stored = store.turns(&scope, &[id(0)]).await.unwrap()[0].time;
    assert_eq!(stored.timestamp_micros(), time.timestamp_micros());
}
