//! What was said plainly after it had been sent with documents around it: both have the same words, are shown as one,
//! moved and deleted together.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use mainpoint_store::{ConversationAppend, PlacedTurn, PlainTurn, SaidTurn, Scope, Store, Turn, TurnId, TurnPlace};

use crate::support::{conversation_id, files_with, id, lexical, now, open, point, scope, turn};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];
const MARKER: &str = "Quixotryzzle";
/// The same question, sent with documents in two conversations and said plainly later.
const SENT: u64 = 1;
const SENT_AGAIN: u64 = 2;
const PLAIN: u64 = 11;
const OTHER: u64 = 3;

/// Has a turn said in a conversation of its own, and those in `plain` said plainly with it; read.
async fn say(store: &Store, scope: &Scope, said: (u64, DateTime<Utc>), text: &str, plain: Vec<PlainTurn>) {
    let (number, time) = said;
    let of = conversation_id(100 + number);
    let said = Turn { time, conversation: of, ..turn(scope, number, text) };
    let append = ConversationAppend {
        scope: scope.clone(),
        after: None,
        fresh: of,
        turns: vec![SaidTurn { turn: said.id, time }],
        plain,
    };
    store.accept_said(vec![said.clone()], vec![append]).await.unwrap();
    store.complete(vec![(scope.clone(), said.id, vec![point(&said, VECTOR)])]).await.unwrap();
}

/// The question sent at a time in two conversations, and plainly in a third request, where it has no place; and something else.
async fn said_plainly(store: &Store, scope: &Scope, time: DateTime<Utc>) {
    let around = format!("<context>whales</context> <query>the word is {MARKER}</query>");
    say(store, scope, (SENT, time), &around, Vec::new()).await;
    say(store, scope, (SENT_AGAIN, time), &format!("{around} twice"), Vec::new()).await;
    let plain = Turn { time, conversation: conversation_id(100 + SENT), ..turn(scope, PLAIN, &plain_words()) };
    store.accept(vec![plain.clone()]).await.unwrap();
    store.complete(vec![(scope.clone(), plain.id, vec![point(&plain, VECTOR)])]).await.unwrap();
    let wrapped = [SENT, SENT_AGAIN].map(|sent| PlainTurn { wrapped: id(sent), turn: id(PLAIN) });
    say(store, scope, (OTHER, now()), "something else", wrapped.to_vec()).await;
}

fn plain_words() -> String {
    format!("the word is {MARKER}")
}

async fn left(store: &Store, scope: &Scope) -> Vec<TurnId> {
    let turns = store.turns(scope, &[SENT, SENT_AGAIN, PLAIN, OTHER].map(id)).await.unwrap();
    turns.iter().map(|turn| turn.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_deletes_what_was_said_deletes_what_was_sent_and_the_other_way_round() {
    for deleted in [PLAIN, SENT, SENT_AGAIN] {
        let directory = tempfile::tempdir().unwrap();
        let (store, scope) = (open(directory.path()).await, scope("s"));
        said_plainly(&store, &scope, now()).await;
        store.flush().await.unwrap();
        assert_eq!(store.plain(&scope, &[SENT, SENT_AGAIN].map(id)).await.unwrap().len(), 2);
        let mut gone = store.delete_turns(&scope, vec![id(deleted)]).await.unwrap();
        gone.sort();
        assert_eq!(gone, [SENT, SENT_AGAIN, PLAIN].map(id), "{deleted}");
        assert_eq!(left(&store, &scope).await, [id(OTHER)]);
        assert_eq!(lexical(&store, &scope, MARKER).await, []);
        assert!(store.plain(&scope, &[SENT, SENT_AGAIN].map(id)).await.unwrap().is_empty());
        store.maintain().await.unwrap();
        assert_eq!(files_with(directory.path(), MARKER), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_takes_what_was_said_in_it_and_leaves_what_was_sent_in_another() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    said_plainly(&store, &scope, now()).await;
    store.delete_conversation(&scope, conversation_id(100 + SENT)).await.unwrap();
    assert_eq!(left(&store, &scope).await, [id(SENT_AGAIN), id(OTHER)]);
    assert!(store.plain(&scope, &[id(SENT_AGAIN)]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_a_time_goes_with_what_was_sent_then() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    said_plainly(&store, &scope, now() - TimeDelta::days(3)).await;
    store.delete_before(&scope, now() - TimeDelta::days(1)).await.unwrap();
    assert_eq!(left(&store, &scope).await, [id(OTHER)]);
    assert_eq!(lexical(&store, &scope, MARKER).await, []);
}

fn place(number: u64) -> TurnPlace {
    TurnPlace { conversation: conversation_id(number), position: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_is_listed_once_where_and_when_it_was_sent_first() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    // The tables keep microseconds.
    let time = (now() - TimeDelta::days(3)).trunc_subsecs(6);
    said_plainly(&store, &scope, time).await;
    for _ in 0..2 {
        let outline = store.outline(&scope).await.unwrap();
        let shown: Vec<_> =
            outline.conversations().flat_map(|(name, of)| of.turns.iter().map(move |one| (name, *one))).collect();
        let expected = [(101, PLAIN), (102, PLAIN), (103, OTHER)];
        assert_eq!(shown, expected.map(|(name, turn)| (conversation_id(name), (0, id(turn)))));
        assert_eq!(outline.places(id(PLAIN)), [place(101), place(102)]);
        assert_eq!(outline.sent_as(place(101), id(PLAIN)), Some(id(SENT)));
        assert_eq!(outline.sent_as(place(103), id(OTHER)), None);
        let sent = store.sent_as(&scope, &[PLAIN, OTHER].map(id)).await.unwrap();
        assert_eq!(sent, HashMap::from([(id(PLAIN), id(SENT))]));
        assert_eq!(outline.places(id(SENT)), [place(101)], "it can still be found");
        assert_eq!(store.turns(&scope, &[id(SENT)]).await.unwrap().len(), 1);
        let counts = store.counts(&scope).await.unwrap();
        assert_eq!((counts.turns, counts.waiting), (2, 0));
        let overview = store.scope_overviews().await.unwrap().remove(0);
        assert_eq!((overview.turns, overview.conversations, overview.first_time), (2, 3, time));
        store.flush().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_have_what_was_said_and_nothing_of_what_was_sent_around_it() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    said_plainly(&store, &scope, now()).await;
    store.flush().await.unwrap();
    let clusters = store.clusters(&scope, Some(1)).await.unwrap();
    let mut turns: Vec<TurnId> = clusters.points.iter().map(|point| point.turn).collect();
    turns.sort();
    assert_eq!((turns, clusters.total), ([OTHER, PLAIN].map(id).to_vec(), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_but_is_not_there_is_not_shown_in_the_place_of_what_was_sent() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    say(&store, &scope, (SENT, now()), "<context>whales</context> <query>who?</query>", Vec::new()).await;
    let plain = PlainTurn { wrapped: id(SENT), turn: id(PLAIN) };
    say(&store, &scope, (OTHER, now()), "something else", vec![plain]).await;
    let outline = store.outline(&scope).await.unwrap();
    assert_eq!(outline.turns(), HashSet::from([SENT, OTHER].map(id)));
    assert_eq!(store.counts(&scope).await.unwrap().turns, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_plainly_is_moved_with_what_was_sent() {
    let directory = tempfile::tempdir().unwrap();
    let (store, from, to) = (open(directory.path()).await, scope("s"), scope("t"));
    let time = now();
    said_plainly(&store, &from, time).await;
    let turns = store.turns_as_they_came(&from, &[SENT, SENT_AGAIN, PLAIN, OTHER].map(id)).await.unwrap();
    let turns: Vec<Turn> = turns.into_iter().map(|turn| Turn { scope: to.clone(), ..turn }).collect();
    let outline = store.outline(&from).await.unwrap();
    let placed = [SENT, SENT_AGAIN, OTHER].map(|number| {
        let turn = turns.iter().find(|turn| turn.id == id(number)).unwrap();
        let plain = (number != OTHER).then(|| id(PLAIN));
        PlacedTurn {
            scope: to.clone(),
            turn: turn.id,
            place: place(100 + number),
            origin: None,
            time: turn.time,
            plain,
        }
    });
    for new in [4, 0] {
        assert_eq!(store.restore(turns.clone(), placed.to_vec()).await.unwrap().len(), new);
        assert_eq!(store.outline(&to).await.unwrap(), outline);
    }
    assert_eq!(store.counts(&to).await.unwrap().turns, 2);
    let mut gone = store.delete_turns(&to, vec![id(PLAIN)]).await.unwrap();
    gone.sort();
    assert_eq!(gone, [SENT, SENT_AGAIN, PLAIN].map(id));
}
