//! What was said plainly after it had been sent with documents around it: both have the same words, and are deleted together.

use chrono::{DateTime, TimeDelta, Utc};
use mainpoint_store::{ConversationAppend, PlainTurn, SaidTurn, Scope, Store, Turn, TurnId};

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
