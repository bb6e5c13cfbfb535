//! The sketches of a scope's passages.

use mainpoint_store::{Ranking, Scope, Sketcher, Sketches, Store, Turn, TurnId, Within};

use crate::support::{config, conversation_id, id, open, point, read, scope, turn, until};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];

/// The last byte of what a passage is stored with, which in these tests is that of its turn's id.
fn sketcher() -> Sketcher {
    Sketcher::new(|ranking_data, sketches| sketches.extend(ranking_data.last()))
}

/// What each passage's sketch says, in order.
fn said(sketches: &Sketches) -> Vec<u8> {
    let mut said = Vec::new();
    for fragment in &sketches.fragments {
        assert_eq!(fragment.rows().len(), fragment.ends().len());
        let ends = fragment.ends().iter().map(|end| *end as usize);
        assert!(ends.eq(1..=fragment.bytes().len()), "each passage has one byte");
        said.extend(fragment.bytes());
    }
    said.sort_unstable();
    said
}

/// The sketches of a scope once all of them are there, which are those of the passages that lie in their rows.
async fn whole(store: &Store, scope: &Scope) -> Vec<u8> {
    let mut found = Vec::new();
    until("sketches", async || {
        let snapshot = store.snapshot(scope, &Within::Scope).await.unwrap();
        let sketches = snapshot.sketches(&sketcher()).await.unwrap();
        if !sketches.is_whole {
            return false;
        }
        let rows = sketches.fragments.iter().flat_map(|fragment| fragment.rows().to_vec()).collect();
        let passages = snapshot.identify(Ranking::default(), Ranking::default(), rows).await.unwrap().passages;
        found = said(&sketches);
        let mut turns: Vec<u8> = passages.iter().map(|passage| passage.turn.0[15]).collect();
        turns.sort_unstable();
        assert_eq!(turns, found);
        true
    })
    .await;
    found
}

fn of(numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
    numbers.into_iter().map(|number| id(number).0[15]).collect()
}

async fn now(store: &Store, scope: &Scope, within: &Within) -> Sketches {
    let snapshot = store.snapshot(scope, within).await.unwrap();
    snapshot.sketches(&sketcher()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sketches_are_those_of_the_passages_that_are_there_now_and_of_no_other_scope() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mine, other) = (open(directory.path()).await, scope("mine"), scope("other"));
    read(&store, &other, 50, &[("not mine", VECTOR)]).await;
    read(&store, &mine, 0, &[("a", VECTOR), ("b", VECTOR)]).await;
    assert_eq!(whole(&store, &mine).await, of([0, 1]));
    read(&store, &mine, 2, &[("pending", VECTOR)]).await;
    assert_eq!(whole(&store, &mine).await, of([0, 1, 2]));
    store.maintain().await.unwrap();
    assert_eq!(whole(&store, &mine).await, of([0, 1, 2]));
    let elsewhere = Turn { conversation: conversation_id(9), ..turn(&mine, 9, "another conversation") };
    store.accept(vec![elsewhere.clone()]).await.unwrap();
    store.complete(vec![(mine.clone(), elsewhere.id, vec![point(&elsewhere, VECTOR)])]).await.unwrap();
    assert_eq!(whole(&store, &mine).await, of([0, 1, 2, 9]));

    store.delete_conversation(&mine, conversation_id(0)).await.unwrap();
    let at_once = said(&now(&store, &mine, &Within::Scope).await);
    assert!(at_once.iter().all(|turn| *turn == id(9).0[15]), "what is deleted is not found: {at_once:?}");
    assert_eq!(whole(&store, &mine).await, of([9]));
    store.maintain().await.unwrap();
    assert_eq!(whole(&store, &mine).await, of([9]));
    assert_eq!(whole(&store, &other).await, of([50]));
    assert_eq!(whole(&store, &scope("empty")).await, of([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_memory_before_is_given_while_the_rest_is_loaded() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("a", VECTOR)]).await;
    assert_eq!(whole(&store, &scope).await, of([0]));
    read(&store, &scope, 1, &[("b", VECTOR)]).await;
    let first = now(&store, &scope, &Within::Scope).await;
    assert_eq!((said(&first), first.is_whole), (of([0]), false));
    assert_eq!(whole(&store, &scope).await, of([0, 1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_has_sketches_of_what_it_holds_whatever_is_loaded_for_others() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("a", VECTOR)]).await;
    let before = store.snapshot(&scope, &Within::Scope).await.unwrap();
    read(&store, &scope, 1, &[("b", VECTOR)]).await;
    assert_eq!(whole(&store, &scope).await, of([0, 1]));
    let sketches = before.sketches(&sketcher()).await.unwrap();
    assert_eq!((said(&sketches), sketches.is_whole), (of([0]), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_has_none() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (Store::open(config(directory.path())).await.unwrap(), scope("s"));
    read(&store, &scope, 0, &[("a", VECTOR)]).await;
    let ids: Vec<TurnId> = vec![id(0)];
    for within in [Within::Turns(ids), Within::Turns(vec![])] {
        let sketches = now(&store, &scope, &within).await;
        assert!(sketches.fragments.is_empty() && !sketches.is_whole);
    }
}
