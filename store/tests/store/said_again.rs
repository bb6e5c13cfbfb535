//! What is said again word for word: one turn, as new as when it was said last.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mainpoint_store::{
    ConversationAppend, ConversationView, PlacedTurn, SaidTurn, Scope, Store, StoreConfig, Turn, TurnId, TurnKind,
    TurnPlace,
};

use crate::support::{self, config, conversation_id, id, now, open, open_with, point, scope, turn};

const OSLO: u64 = 1;
const BERGEN: u64 = 2;
const SWIMS: u64 = 3;
const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];

fn on(day: &str) -> DateTime<Utc> {
    format!("{day}T12:00:00Z").parse().unwrap()
}

fn at(conversation: u64, position: u32) -> TurnPlace {
    TurnPlace { conversation: conversation_id(conversation), position }
}

/// Has turns said on a day in a conversation of their own, and read.
async fn say(store: &Store, scope: &Scope, conversation: u64, day: &str, turns: &[u64]) {
    let said = |number: &u64| Turn { time: on(day), ..turn(scope, *number, "I live somewhere.") };
    support::say(store, scope, conversation, turns.iter().map(said).collect(), VECTOR).await;
}

/// Takes turns of a day in without their places, as a migration does.
async fn migrate(store: &Store, scope: &Scope, day: &str, turns: &[u64]) {
    let turns: Vec<Turn> =
        turns.iter().map(|number| Turn { time: on(day), ..turn(scope, *number, "I live somewhere.") }).collect();
    store.accept(turns.clone()).await.unwrap();
    let points = turns.iter().map(|turn| (scope.clone(), turn.id, vec![point(turn, VECTOR)]));
    store.complete(points.collect()).await.unwrap();
    store.flush().await.unwrap();
}

/// Oslo and that somebody swims in May, Bergen in June, Oslo again in August.
async fn moved_twice(store: &Store, scope: &Scope) {
    say(store, scope, 100, "2026-05-01", &[OSLO, SWIMS]).await;
    store.flush().await.unwrap();
    say(store, scope, 200, "2026-06-02", &[BERGEN]).await;
    say(store, scope, 300, "2026-08-03", &[OSLO]).await;
}

async fn times(store: &Store, scope: &Scope) -> Vec<(TurnId, DateTime<Utc>)> {
    let turns = store.turns(scope, &[id(OSLO), id(BERGEN), id(SWIMS)]).await.unwrap();
    turns.into_iter().map(|turn| (turn.id, turn.time)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_as_new_as_when_it_was_said_last_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let scope = scope("s");
    let mut store = open(directory.path()).await;
    moved_twice(&store, &scope).await;
    let expected = [(id(OSLO), on("2026-08-03")), (id(BERGEN), on("2026-06-02")), (id(SWIMS), on("2026-05-01"))];
    for restarted in [false, true] {
        if restarted {
            store.close().await.unwrap();
            drop(store);
            store = open(directory.path()).await;
        }
        assert_eq!(times(&store, &scope).await, expected, "restarted: {restarted}");
        let first = store.turns_as_they_came(&scope, &[id(OSLO)]).await.unwrap();
        assert_eq!(first[0].time, on("2026-05-01"));
        let clusters = store.clusters(&scope, Some(1)).await.unwrap();
        let newest = clusters.points.iter().map(|point| (point.time, point.turn)).max();
        assert_eq!(newest, Some((on("2026-08-03"), id(OSLO))));
        store.maintain().await.unwrap();
    }
    let outline = store.outline(&scope).await.unwrap();
    assert_eq!(outline.time_at(at(300, 0), id(OSLO)), Some(on("2026-08-03")));
    assert_eq!(outline.time_at(at(100, 0), id(OSLO)), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_came_without_its_places_keeps_its_times_when_a_client_sends_it() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    migrate(&store, &scope, "2026-05-01", &[OSLO, BERGEN, SWIMS]).await;
    say(&store, &scope, 100, "2026-08-03", &[OSLO, BERGEN, SWIMS]).await;
    let may = [OSLO, BERGEN, SWIMS].map(|number| (id(number), on("2026-05-01")));
    assert_eq!(times(&store, &scope).await, may);
    say(&store, &scope, 200, "2026-08-04", &[OSLO]).await;
    assert_eq!(times(&store, &scope).await[0], (id(OSLO), on("2026-08-04")), "that is another conversation");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_found_no_room_keeps_the_time_of_its_place_when_its_words_come_later() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let (may, june) = (on("2026-05-01"), on("2026-06-02"));
    let said = ConversationAppend {
        scope: scope.clone(),
        after: None,
        fresh: conversation_id(100),
        turns: [OSLO, SWIMS].map(|number| SaidTurn { turn: id(number), time: may }).to_vec(),
        plain: Vec::new(),
    };
    let words = |number: u64, time: DateTime<Utc>| Turn { time, ..turn(&scope, number, "I live somewhere.") };
    store.accept_said(vec![words(OSLO, may)], vec![said.clone()]).await.unwrap();
    let kinds = vec![TurnKind::Telling; 2];
    let turns = vec![id(OSLO), id(SWIMS)];
    let matched = store.match_conversation(&scope, turns, kinds, Some(june), |_, _| false).await.unwrap();
    assert_eq!(matched.known, 2, "both stand there, whether their words are there or not");
    assert_eq!(times(&store, &scope).await, [(id(OSLO), may)]);
    store.accept_said(vec![words(SWIMS, june)], vec![said]).await.unwrap();
    assert_eq!(times(&store, &scope).await, [(id(OSLO), may), (id(SWIMS), may)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_in_two_old_chats_was_said_when_they_were_recorded_also_in_the_one_that_is_sent_last() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    migrate(&store, &scope, "2026-05-01", &[OSLO, SWIMS]).await;
    migrate(&store, &scope, "2026-06-02", &[OSLO, BERGEN]).await;
    say(&store, &scope, 100, "2026-08-03", &[OSLO, SWIMS]).await;
    let (august, june) = (on("2026-08-04"), on("2026-06-02"));
    let sent = async |turns: &[u64]| {
        let (turns, kinds) = turns.iter().map(|number| (id(*number), TurnKind::Said)).unzip();
        store.match_conversation(&scope, turns, kinds, Some(august), |_, _| false).await.unwrap()
    };
    let matched = sent(&[OSLO, 8, BERGEN, SWIMS, 9]).await;
    assert_eq!((matched.tip, matched.known), (None, 0), "another chat than the first");
    assert_eq!(matched.said_earlier, BTreeMap::from([(0, june)]), "but neither what is new nor what follows is dated");
    let earlier = vec![SaidTurn { turn: id(OSLO), time: june }];
    let view = ConversationView { tip: None, now: august, earlier };
    let seen = store.turns_in(&scope, &[id(OSLO), id(SWIMS)], Some(view)).await.unwrap();
    assert_eq!(seen.iter().map(|turn| turn.time).collect::<Vec<_>>(), [june, august]);

    let time = |at: usize| matched.said_earlier.get(&at).copied().unwrap_or(august);
    let turns = [OSLO, 8, BERGEN, SWIMS, 9].into_iter().enumerate();
    let said = turns.map(|(at, number)| SaidTurn { turn: id(number), time: time(at) }).collect();
    let said = ConversationAppend {
        scope: scope.clone(),
        after: None,
        fresh: conversation_id(200),
        turns: said,
        plain: Vec::new(),
    };
    let new = [8, 9].map(|number| Turn { time: august, ..turn(&scope, number, "It is new.") });
    store.accept_said(new.to_vec(), vec![said]).await.unwrap();
    assert_eq!(times(&store, &scope).await, [(id(OSLO), june), (id(BERGEN), june), (id(SWIMS), august)]);
    assert_eq!(sent(&[OSLO, 8, BERGEN, SWIMS, 9]).await.said_earlier, BTreeMap::new(), "it has its places now");
    assert_eq!(store.delete_before(&scope, on("2026-06-01")).await.unwrap(), []);
    let outline = store.outline(&scope).await.unwrap();
    assert_eq!(outline.places(id(OSLO)), [at(200, 0)]);
    assert_eq!(outline.time_at(at(200, 0), id(OSLO)), Some(june));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_again_since_a_date_stays_and_leaves_what_was_said_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    moved_twice(&store, &scope).await;
    assert_eq!(store.delete_before(&scope, on("2026-06-01")).await.unwrap(), [id(SWIMS)]);
    let outline = store.outline(&scope).await.unwrap();
    assert!(outline.conversation(conversation_id(100)).is_none(), "all of it was said before");
    assert_eq!(outline.places(id(OSLO)), [at(300, 0)]);
    assert_eq!(store.delete_before(&scope, on("2026-06-01")).await.unwrap(), []);
    assert_eq!(store.delete_conversation(&scope, conversation_id(200)).await.unwrap(), [id(BERGEN)]);
    assert_eq!(store.delete_before(&scope, on("2026-08-04")).await.unwrap(), [id(OSLO)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_takes_the_time_along_at_which_a_turn_was_said_there() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    moved_twice(&store, &scope).await;
    assert_eq!(store.delete_conversation(&scope, conversation_id(300)).await.unwrap(), []);
    assert_eq!(times(&store, &scope).await[0], (id(OSLO), on("2026-05-01")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_a_date_goes_also_where_it_was_taken_in_later() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    say(&store, &scope, 300, "2026-08-03", &[OSLO]).await;
    store.flush().await.unwrap();
    // An old chat is imported.
    say(&store, &scope, 100, "2020-05-01", &[OSLO, SWIMS]).await;
    assert_eq!(store.delete_before(&scope, on("2021-01-01")).await.unwrap(), [id(SWIMS)]);
    assert_eq!(store.outline(&scope).await.unwrap().places(id(OSLO)), [at(300, 0)]);
    assert_eq!(times(&store, &scope).await, [(id(OSLO), on("2026-08-03"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_turn_was_said_first_goes_with_the_conversation_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    say(&store, &scope, 300, "2026-08-03", &[OSLO]).await;
    say(&store, &scope, 100, "2020-05-01", &[OSLO]).await;
    store.flush().await.unwrap();
    assert_eq!(store.delete_conversation(&scope, conversation_id(300)).await.unwrap(), []);
    let old = on("2020-05-01");
    assert_eq!(times(&store, &scope).await, [(id(OSLO), old)]);
    let clusters = store.clusters(&scope, Some(1)).await.unwrap();
    assert_eq!(clusters.points.iter().map(|point| point.time).collect::<Vec<_>>(), [old]);
    assert_eq!(store.delete_before(&scope, on("2021-01-01")).await.unwrap(), [id(OSLO)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_lately_is_too_old_at_the_places_where_it_was_said_long_ago() {
    let directory = tempfile::tempdir().unwrap();
    let scope = scope("s");
    let month = Some(Duration::from_secs(30 * 86_400));
    let store = open_with(StoreConfig { retain_for: month, ..config(directory.path()) }).await;
    let day = |ago| (now() - TimeDelta::days(ago)).format("%Y-%m-%d").to_string();
    say(&store, &scope, 200, &day(2), &[OSLO]).await;
    say(&store, &scope, 100, &day(90), &[OSLO]).await;
    assert_eq!(store.maintain().await.unwrap().turns_expired, 0);
    assert_eq!(store.outline(&scope).await.unwrap().places(id(OSLO)), [at(200, 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_again_lately_is_not_too_old() {
    let directory = tempfile::tempdir().unwrap();
    let scope = scope("s");
    let month = Some(Duration::from_secs(30 * 86_400));
    let store = open_with(StoreConfig { retain_for: month, ..config(directory.path()) }).await;
    let day = |ago| (now() - TimeDelta::days(ago)).format("%Y-%m-%d").to_string();
    say(&store, &scope, 100, &day(90), &[OSLO, SWIMS]).await;
    say(&store, &scope, 200, &day(2), &[OSLO]).await;
    assert_eq!(store.maintain().await.unwrap().turns_expired, 1);
    assert_eq!(store.maintain().await.unwrap().turns_expired, 0);
    let left: Vec<TurnId> = times(&store, &scope).await.into_iter().map(|(turn, _)| turn).collect();
    assert_eq!(left, [id(OSLO)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_that_is_moved_keeps_when_each_turn_was_said_at_each_place() {
    let directory = tempfile::tempdir().unwrap();
    let (store, from, to) = (open(directory.path()).await, scope("from"), scope("to"));
    moved_twice(&store, &from).await;
    let outline = store.outline(&from).await.unwrap();
    let (mut turns, mut placed) = (Vec::new(), Vec::new());
    // From the end, so that what was said last is there first.
    for (conversation, of) in outline.conversations().collect::<Vec<_>>().into_iter().rev() {
        for (position, id) in &of.turns {
            let place = TurnPlace { conversation, position: *position };
            let came = store.turns_as_they_came(&from, &[*id]).await.unwrap().remove(0);
            let time = outline.time_at(place, *id).unwrap_or(came.time);
            turns.push(Turn { scope: to.clone(), time, ..came });
            placed.push(PlacedTurn { scope: to.clone(), turn: *id, place, origin: None, time, plain: None });
        }
    }
    for _ in 0..2 {
        store.restore(turns.clone(), placed.clone()).await.unwrap();
        assert_eq!(times(&store, &to).await, times(&store, &from).await);
        let moved = store.outline(&to).await.unwrap();
        assert_eq!(moved.time_at(at(100, 0), id(OSLO)), Some(on("2026-05-01")));
        assert_eq!(moved.time_at(at(300, 0), id(OSLO)), None, "it was seen first there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_dates_its_turns_by_when_they_were_said_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    moved_twice(&store, &scope).await;
    let days = async |tip| {
        let view = ConversationView { tip, now: on("2026-09-09"), earlier: Vec::new() };
        let turns = store.turns_in(&scope, &[id(OSLO), id(BERGEN)], Some(view)).await.unwrap();
        turns.into_iter().map(|turn| turn.time).collect::<Vec<_>>()
    };
    assert_eq!(days(Some(at(100, 1))).await, [on("2026-05-01"), on("2026-09-09")]);
    assert_eq!(days(Some(at(300, 0))).await, [on("2026-08-03"), on("2026-09-09")]);
    assert_eq!(days(Some(at(200, 0))).await, [on("2026-09-09"), on("2026-06-02")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_words_tells_whether_a_first_message_says_again_what_the_conversations_said() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    say(&store, &scope, 100, "2026-05-01", &[OSLO, SWIMS]).await;
    let (new_clock, question) = (77, 78);
    let tip = async |is_stored: bool, says_again: bool| {
        if is_stored {
            store.flush().await.unwrap();
        }
        let turns = vec![id(new_clock), id(SWIMS), id(question)];
        let kinds = vec![TurnKind::Said, TurnKind::Answer, TurnKind::Said];
        let says_again =
            |at: usize, turn: &Turn| says_again && (at, turn.id, &*turn.text) == (0, id(OSLO), "I live somewhere.");
        store.match_conversation(&scope, turns, kinds, None, says_again).await.unwrap().tip
    };
    for is_stored in [false, true] {
        assert_eq!(tip(is_stored, true).await, Some(at(100, 1)));
        assert_eq!(tip(is_stored, false).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_begins_as_an_earlier_one_did_is_another_one_a_day_later() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    say(&store, &scope, 100, "2026-05-01", &[OSLO, SWIMS]).await;
    let tip = async |turns: &[u64], time| {
        let (turns, kinds) = turns.iter().map(|number| (id(*number), TurnKind::Said)).unzip();
        store.match_conversation(&scope, turns, kinds, Some(time), |_, _| false).await.unwrap().tip
    };
    let may = on("2026-05-01");
    assert_eq!(tip(&[OSLO], may).await, Some(at(100, 0)));
    assert_eq!(tip(&[OSLO, BERGEN], may + TimeDelta::hours(23)).await, Some(at(100, 0)), "another answer is wanted");
    let august = on("2026-08-03");
    assert_eq!(tip(&[OSLO], august).await, None);
    assert_eq!(tip(&[OSLO, BERGEN], august).await, None);
    assert_eq!(tip(&[OSLO, SWIMS], august).await, Some(at(100, 1)), "the conversation goes on");
    let matched =
        store.match_conversation(&scope, vec![id(OSLO)], vec![TurnKind::Said], None, |_, _| false).await.unwrap();
    assert_eq!(matched.tip, Some(at(100, 0)), "nobody knows when it was said");
    say(&store, &scope, 300, "2026-08-03", &[OSLO]).await;
    assert_eq!(tip(&[OSLO], august).await, Some(at(300, 0)), "it was sent again");
    say(&store, &scope, 400, "2026-10-04", &[SWIMS, OSLO]).await;
    assert_eq!(tip(&[OSLO], on("2026-10-04")).await, None, "what begins like it was not said that day");
}
