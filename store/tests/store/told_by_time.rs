//! Conversations that nothing but the times of what was said tells apart: examples that come with every question, and stock phrases.

use chrono::{DateTime, TimeDelta, Utc};
use mainpoint_store::{ConversationMatch, Scope, Store, Turn, TurnId, TurnKind, TurnPlace};

use crate::support::{self, conversation_id, id, open, scope, turn};

/// A first message with a clock in it, and the same an hour later.
const CLOCK: u64 = 500;
const LATER_CLOCK: u64 = 501;

fn noon() -> DateTime<Utc> {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

/// Odd ones are answers; those below 100 are short.
fn kind(number: u64) -> TurnKind {
    match (number, number % 2) {
        (CLOCK | LATER_CLOCK, _) => TurnKind::Telling,
        (..100, 1) => TurnKind::Answer,
        (..100, _) => TurnKind::Said,
        (_, 1) => TurnKind::TellingAnswer,
        _ => TurnKind::Telling,
    }
}

/// Has turns said in a new conversation, each so long after noon.
async fn say(store: &Store, scope: &Scope, conversation: u64, turns: &[(u64, TimeDelta)]) {
    let said = |(number, after): &(u64, TimeDelta)| Turn {
        time: noon() + *after,
        ..turn(scope, *number, "Something is said.")
    };
    support::say(store, scope, conversation, turns.iter().map(said).collect(), [1.0, 0.0, 0.0, 0.0]).await;
}

/// These turns in one request, and the last of them, an answer, a second later.
fn at_once(turns: &[u64]) -> Vec<(u64, TimeDelta)> {
    let answered = |at: usize| TimeDelta::seconds(i64::from(at + 1 == turns.len()));
    turns.iter().enumerate().map(|(at, number)| (*number, answered(at))).collect()
}

/// These turns one after the other.
fn in_turn(turns: &[u64]) -> Vec<(u64, TimeDelta)> {
    (0_i64..).zip(turns).map(|(second, number)| (*number, TimeDelta::seconds(second))).collect()
}

/// What a request so long after noon goes on with. The clock in its first message may have gone on.
async fn sent(store: &Store, scope: &Scope, turns: &[u64], after: TimeDelta) -> ConversationMatch {
    let (turns, kinds): (Vec<TurnId>, Vec<TurnKind>) = turns.iter().map(|number| (id(*number), kind(*number))).unzip();
    let has_later_clock = turns[0] == id(LATER_CLOCK);
    let ticks = |at: usize, known: &Turn| has_later_clock && (at, known.id) == (0, id(CLOCK));
    store.match_conversation(scope, turns, kinds, Some(noon() + after), ticks).await.unwrap()
}

fn at(conversation: u64, position: u32) -> Option<TurnPlace> {
    Some(TurnPlace { conversation: conversation_id(conversation), position })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_with_another_clock_and_the_same_examples_is_said_now() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let hour = TimeDelta::hours(1);
    // Examples 102 and 103, then a question and its answer.
    say(&store, &scope, 1, &at_once(&[CLOCK, 102, 103, 104, 105])).await;
    for flushed in [false, true] {
        if flushed {
            store.flush().await.unwrap();
        }
        let request = async |turns: &[u64]| sent(&store, &scope, turns, hour).await;
        assert_eq!(request(&[LATER_CLOCK, 102, 103, 104]).await, ConversationMatch::default(), "the same question");
        assert_eq!(request(&[LATER_CLOCK, 102, 103, 106]).await, ConversationMatch::default(), "another one");
        let goes_on = request(&[LATER_CLOCK, 102, 103, 104, 105, 106]).await;
        assert_eq!((goes_on.tip, goes_on.known), (at(1, 4), 5), "it has the answer");
        assert_eq!(request(&[CLOCK, 102, 103, 104]).await.tip, at(1, 3), "it is sent again as it was");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_chat_whose_clock_goes_on_a_question_is_asked_again_and_edited() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    say(&store, &scope, 1, &in_turn(&[CLOCK, 103, 104, 105])).await;
    let request = async |turns: &[u64]| sent(&store, &scope, turns, TimeDelta::hours(1)).await;
    let again = request(&[LATER_CLOCK, 103, 104]).await;
    assert_eq!((again.tip, again.replaced.len()), (at(1, 2), 1));
    assert_eq!(request(&[LATER_CLOCK, 103, 106]).await.tip, at(1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_examples_of_a_chat_are_another_ones_and_what_was_said_in_turn_is_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let turns = [100, 101, 102, 103, 104, 105, 106, 107];
    for (name, said, expected) in [("examples", at_once(&turns), None), ("chat", in_turn(&turns), at(1, 5))] {
        let scope = scope(name);
        say(&store, &scope, 1, &said).await;
        let window = [102, 103, 104, 105, 108];
        assert_eq!(sent(&store, &scope, &window, TimeDelta::hours(1)).await.tip, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_stock_phrases_or_an_answer_alone_tell_a_conversation_for_a_week_and_long_ones_always() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    say(&store, &scope, 1, &in_turn(&[100, 101, 2, 3])).await;
    say(&store, &scope, 2, &in_turn(&[110, 111, 112, 113])).await;
    say(&store, &scope, 3, &in_turn(&[120, 121])).await;
    for (days, stock, alone) in [(1, at(1, 3), at(3, 1)), (6, at(1, 3), at(3, 1)), (8, None, None)] {
        let after = TimeDelta::days(days);
        assert_eq!(sent(&store, &scope, &[2, 3, 104], after).await.tip, stock, "{days} days later");
        assert_eq!(sent(&store, &scope, &[121, 104], after).await.tip, alone, "{days} days later");
        assert_eq!(sent(&store, &scope, &[112, 113, 104], after).await.tip, at(2, 3), "{days} days later");
    }
}
