//! Turns that are deleted one by one, by age, or because they have become too old; and what of them is nowhere any more.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mainpoint_store::{
    ConversationAppend, LedgerEntry, LedgerKind, PlacedTurn, SaidTurn, Scope, Store, StoreConfig, Turn, TurnId,
    TurnPlace, Within,
};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};

use crate::support::{
    Published, config, conversation_id, dense, files_with, id, lexical, now, open, open_with, point, prefix, published,
    read, read_ids, said_turns, scope, turn,
};

const VECTOR: [f32; 4] = [1.0, 0.0, 0.0, 0.0];
const MARKER: &str = "Quixotryzzle";

/// A store whose ledger says whose words it holds.
async fn telling(directory: &Path) -> Store {
    open_with(StoreConfig { quoted: turns_in_first_line, ..config(directory) }).await
}

/// The turns that the first line of a value names.
fn turns_in_first_line(_: LedgerKind, value: &[u8]) -> Option<Vec<TurnId>> {
    let text = std::str::from_utf8(value).ok()?;
    text.lines().next().unwrap_or_default().split_whitespace().map(|name| name.parse().ok()).collect()
}

fn quoting(prompt: u64, conversation: u64, turns: &[TurnId], text: &str) -> LedgerEntry {
    let names: Vec<String> = turns.iter().map(TurnId::to_string).collect();
    let value = format!("{}\n{text}", names.join(" ")).into_bytes();
    LedgerEntry { kind: LedgerKind::Block, key: prefix(prompt), conversation: conversation_id(conversation), value }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_turns_are_gone_from_every_answer_wherever_they_were_and_the_others_stay() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("stored parrot", VECTOR), ("another stored parrot", VECTOR)]).await;
    store.flush().await.unwrap();
    read(&store, &scope, 2, &[("pending parrot", VECTOR), ("another pending parrot", VECTOR)]).await;
    store.accept(vec![turn(&scope, 4, "unread"), turn(&scope, 5, "another unread")]).await.unwrap();

    assert_eq!(store.delete_turns(&scope, vec![id(0), id(2), id(4), id(99)]).await.unwrap().len(), 3);
    assert_eq!(store.delete_turns(&scope, vec![id(0), id(2), id(4)]).await.unwrap().len(), 0);

    let all: Vec<TurnId> = (0..6).map(id).collect();
    assert_eq!(read_ids(&store, &scope, &all).await, [id(1), id(3)]);
    let left: Vec<TurnId> = store.turns(&scope, &all).await.unwrap().iter().map(|turn| turn.id).collect();
    assert_eq!(left, [id(1), id(3), id(5)]);
    for mut found in [lexical(&store, &scope, "parrot").await, dense(&store, &scope, VECTOR).await] {
        found.sort();
        assert_eq!(found, [id(1), id(3)]);
    }
    assert_eq!(store.points(&scope, &Within::Scope, 10).await.unwrap().len(), 2);
    let status = store.status();
    assert_eq!((status.turns, status.points, status.unread_turns, status.deletions), (2, 2, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_was_deleted_is_taken_in_anew_when_it_is_said_again() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    read(&store, &scope, 0, &[("said twice", VECTOR), ("said once", VECTOR)]).await;
    store.flush().await.unwrap();
    assert_eq!(dense(&store, &scope, VECTOR).await.len(), 2);
    for _ in 0..2 {
        store.delete_turns(&scope, vec![id(0)]).await.unwrap();
        assert_eq!(dense(&store, &scope, VECTOR).await, [id(1)]);
        read(&store, &scope, 0, &[("said twice", VECTOR)]).await;
        assert_eq!(lexical(&store, &scope, "twice").await, [id(0)]);
        store.maintain().await.unwrap();
        assert_eq!(lexical(&store, &scope, "twice").await, [id(0)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_was_deleted_while_it_was_being_read_is_not_completed() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let (gone, stays) = (turn(&scope, 0, "gone"), turn(&scope, 1, "stays"));
    store.accept(vec![gone.clone(), stays.clone()]).await.unwrap();
    store.delete_turns(&scope, vec![gone.id]).await.unwrap();
    let points = |turn: &Turn| (scope.clone(), turn.id, vec![point(turn, VECTOR)]);
    let completed = store.complete(vec![points(&gone), points(&stays)]).await.unwrap();
    assert_eq!(completed, [(scope.clone(), stays.id)]);
    assert_eq!(dense(&store, &scope, VECTOR).await, [stays.id]);
    assert_eq!(store.accept(vec![gone.clone()]).await.unwrap(), [gone.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_quotes_a_turn_goes_with_it_and_one_that_comes_too_late_is_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (telling(directory.path()).await, scope("s"));
    let text = format!("the password is {MARKER}");
    read(&store, &scope, 0, &[(&text, VECTOR), ("innocent", VECTOR)]).await;
    let (names_it, names_the_other) = (quoting(70, 9, &[id(0), id(1)], &text), quoting(71, 9, &[id(1)], "innocent"));
    store.record(&scope, vec![names_it.clone(), names_the_other.clone()]).await.unwrap();

    store.delete_turns(&scope, vec![id(0)]).await.unwrap();
    assert_eq!(store.ledger(&scope, &[prefix(70), prefix(71)]).await.unwrap(), [names_the_other]);
    let late = quoting(72, 9, &[id(0)], &text);
    assert_eq!(store.record(&scope, vec![late.clone()]).await.unwrap(), [late], "its request goes on");
    assert_eq!(store.ledger(&scope, &[prefix(72)]).await.unwrap(), []);
    store.maintain().await.unwrap();
    assert_eq!(files_with(directory.path(), MARKER), Vec::<String>::new());

    read(&store, &scope, 0, &[(&text, VECTOR)]).await;
    store.record(&scope, vec![names_it.clone()]).await.unwrap();
    assert_eq!(store.ledger(&scope, &[prefix(70)]).await.unwrap(), [names_it], "said again, it can be quoted again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_whose_quotes_were_read_before_a_turn_left_a_place_is_not_kept_after_that() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (telling(directory.path()).await, scope("s"));
    let oslo = Turn { time: on(1), ..turn(&scope, 0, "I live in Oslo.") };
    for (name, day) in [(100, 1), (200, 9)] {
        let turns = vec![SaidTurn { turn: oslo.id, time: on(day) }];
        let said = ConversationAppend {
            scope: scope.clone(),
            after: None,
            fresh: conversation_id(name),
            turns,
            plain: Vec::new(),
        };
        store.accept_said(vec![oslo.clone()], vec![said]).await.unwrap();
    }
    let before = store.deletion_mark(&scope);
    assert_eq!(store.delete_before(&scope, on(5)).await.unwrap(), [], "it was said again since");
    let (dated, silent) = (quoting(70, 200, &[oslo.id], "On the first day: Oslo"), quoting(71, 200, &[], "nothing"));
    let entries = vec![dated.clone(), silent.clone()];
    let held = store.record_read_since(&scope, before, entries.clone()).await.unwrap();
    assert_eq!(held, entries, "its request goes on");
    assert_eq!(store.ledger(&scope, &[prefix(70), prefix(71)]).await.unwrap(), [silent]);
    let after = store.deletion_mark(&scope);
    store.record_read_since(&scope, after, entries.clone()).await.unwrap();
    assert_eq!(store.ledger(&scope, &[prefix(70), prefix(71)]).await.unwrap(), entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_what_is_older_than_a_time_leaves_what_is_as_old_or_younger() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mine, other) = (open(directory.path()).await, scope("mine"), scope("other"));
    let at = |scope: &Scope, number: u64, day: i64| Turn {
        time: DateTime::from_timestamp(1_700_000_000 + day * 86_400, 0).unwrap(),
        ..turn(scope, number, &format!("day {day}"))
    };
    let turns: Vec<Turn> = (0..6).map(|number| at(&mine, number, number as i64)).collect();
    store.accept(turns.clone()).await.unwrap();
    store.accept(vec![at(&other, 0, 0)]).await.unwrap();
    let completed: Vec<_> =
        turns.iter().step_by(2).map(|turn| (mine.clone(), turn.id, vec![point(turn, VECTOR)])).collect();
    store.complete(completed).await.unwrap();
    store.flush().await.unwrap();

    assert_eq!(store.delete_before(&mine, turns[3].time).await.unwrap().len(), 3);
    let all: Vec<TurnId> = (0..6).map(id).collect();
    let left: Vec<TurnId> = store.turns(&mine, &all).await.unwrap().iter().map(|turn| turn.id).collect();
    assert_eq!(left, [id(3), id(4), id(5)]);
    assert_eq!(store.turns(&other, &all).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_older_than_they_may_be_go_at_maintenance_and_off_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let scope = scope("s");
    let month = Duration::from_secs(30 * 86_400);
    let store = open_with(StoreConfig { retain_for: Some(month), ..config(directory.path()) }).await;
    let aged =
        |number: u64, days: i64, text: &str| Turn { time: now() - TimeDelta::days(days), ..turn(&scope, number, text) };
    let stored = [aged(0, 40, &format!("old, {MARKER}")), aged(1, 29, "young")];
    store.accept(stored.to_vec()).await.unwrap();
    let completed = stored.iter().map(|turn| (scope.clone(), turn.id, vec![point(turn, VECTOR)])).collect();
    store.complete(completed).await.unwrap();
    store.flush().await.unwrap();
    store.accept(vec![aged(2, 400, &format!("old and unread, {MARKER}"))]).await.unwrap();

    let report = store.maintain().await.unwrap();
    assert_eq!((report.turns_expired, report.purged), (2, true));
    assert_eq!(store.turns(&scope, &[id(0), id(1), id(2)]).await.unwrap().len(), 1);
    assert_eq!(files_with(directory.path(), MARKER), Vec::<String>::new());
    let again = store.maintain().await.unwrap();
    assert_eq!((again.turns_expired, again.purged), (0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_conversations_have_stays_with_the_one_that_is_not_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (open(directory.path()).await, scope("s"));
    let said = |fresh: u64, turns: &[u64]| ConversationAppend {
        scope: scope.clone(),
        after: None,
        fresh: conversation_id(fresh),
        turns: said_turns(&scope, turns),
        plain: Vec::new(),
    };
    let turns: Vec<Turn> = [(1, 100), (2, 100), (3, 200)]
        .map(|(number, of)| Turn { conversation: conversation_id(of), ..turn(&scope, number, "x") })
        .into();
    store.accept_said(turns, vec![said(100, &[1, 2]), said(200, &[1, 3])]).await.unwrap();
    assert_eq!(store.delete_conversation(&scope, conversation_id(100)).await.unwrap().len(), 1);
    let outline = store.outline(&scope).await.unwrap();
    assert_eq!(outline.len(), 1);
    let line: Vec<TurnId> = outline.line(conversation_id(200)).into_iter().map(|(_, turn)| turn).collect();
    assert_eq!(line, [id(1), id(3)]);
    assert_eq!(store.delete_conversation(&scope, conversation_id(200)).await.unwrap().len(), 2);
    assert!(store.outline(&scope).await.unwrap().is_empty());
}

/// How far a turn of a generated store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Unread,
    Read,
    /// In LanceDB, and there since an earlier maintenance if so.
    Flushed,
}

#[derive(Debug, Clone)]
struct Said {
    /// The conversations that it stands in, the one that it came with first, and the day on which it was said in each.
    places: Vec<(u64, i64)>,
    /// The day on which it was first seen.
    day: i64,
    reached: Reached,
    /// Whether an entry of the ledger quotes it.
    is_quoted: bool,
}

#[derive(Debug, Clone)]
enum Deleting {
    Turns(Vec<u64>),
    Conversation(u64),
    Before(i64),
    Everything,
}

const CONVERSATIONS: u64 = 3;
const FIRST_CONVERSATION: u64 = 1000;
const FIRST_PROMPT: u64 = 2000;

fn some_said() -> impl Strategy<Value = Said> {
    let reached = prop_oneof![1 => Just(Reached::Unread), 1 => Just(Reached::Read), 2 => Just(Reached::Flushed)];
    let places = prop::collection::btree_map(0..CONVERSATIONS, 0..10_i64, 1..3);
    // Often it was first seen at one of its places.
    let first_seen = prop_oneof![Just(None), (0..10_i64).prop_map(Some)];
    (places, first_seen, reached, any::<bool>()).prop_map(|(places, first_seen, reached, is_quoted)| {
        let places: Vec<(u64, i64)> =
            places.into_iter().map(|(number, day)| (FIRST_CONVERSATION + number, day)).collect();
        Said { day: first_seen.unwrap_or(places[0].1), places, reached, is_quoted }
    })
}

fn some_deletion() -> impl Strategy<Value = Deleting> {
    prop_oneof![
        3 => prop::collection::vec(0..12_u64, 1..5).prop_map(Deleting::Turns),
        3 => (0..CONVERSATIONS).prop_map(|number| Deleting::Conversation(FIRST_CONVERSATION + number)),
        2 => (0..11_i64).prop_map(Deleting::Before),
        1 => Just(Deleting::Everything),
    ]
}

fn marker(number: u64) -> String {
    let letter = |place: u64| char::from(b'a' + (number / 5_u64.pow(place as u32) % 5) as u8);
    format!("Zq{}v{}w{}kxj", letter(0), letter(1), letter(2))
}

fn on(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + day * 86_400, 0).unwrap()
}

fn as_turn(scope: &Scope, number: u64, said: &Said) -> Turn {
    Turn {
        conversation: conversation_id(said.places[0].0),
        time: on(said.day),
        ..turn(scope, number, &format!("it is called {}, as ever", marker(number)))
    }
}

/// The places that are left of a turn.
fn left_of(number: u64, said: &Said, deletion: &Deleting) -> Vec<(u64, i64)> {
    let stays = |(conversation, day): &(u64, i64)| match deletion {
        Deleting::Turns(turns) => !turns.contains(&number),
        Deleting::Conversation(gone) => conversation != gone,
        Deleting::Before(first_day) => day >= first_day,
        Deleting::Everything => false,
    };
    said.places.iter().copied().filter(stays).collect()
}

/// Which turns a deletion takes along.
fn going(all: &[Said], deletion: &Deleting) -> BTreeSet<u64> {
    let numbered = (0..).zip(all);
    numbered.filter(|(number, said)| left_of(*number, said, deletion).is_empty()).map(|(number, _)| number).collect()
}

async fn fill(store: &Store, scope: &Scope, all: &[Said]) {
    let turns: Vec<Turn> = (0..).zip(all).map(|(number, said)| as_turn(scope, number, said)).collect();
    let mut conversations: BTreeMap<u64, Vec<SaidTurn>> = BTreeMap::new();
    for (turn, said) in turns.iter().zip(all) {
        for (conversation, day) in &said.places {
            let said = SaidTurn { turn: turn.id, time: on(*day) };
            conversations.entry(*conversation).or_default().push(said);
        }
    }
    let said: Vec<ConversationAppend> = conversations
        .into_iter()
        .map(|(name, turns)| ConversationAppend {
            scope: scope.clone(),
            after: None,
            fresh: conversation_id(name),
            turns,
            plain: Vec::new(),
        })
        .collect();
    store.accept_said(turns.clone(), said).await.unwrap();
    for reached in [Reached::Flushed, Reached::Read] {
        let of_it = turns.iter().zip(all).filter(|(_, said)| said.reached == reached);
        let points = of_it.map(|(turn, _)| (scope.clone(), turn.id, vec![point(turn, VECTOR)]));
        store.complete(points.collect()).await.unwrap();
        if reached == Reached::Flushed {
            store.maintain().await.unwrap();
        }
    }
    let quoted = turns.iter().zip(all).zip(FIRST_PROMPT..).filter(|((_, said), _)| said.is_quoted);
    let entries = quoted.map(|((turn, said), prompt)| quoting(prompt, said.places[0].0, &[turn.id], &turn.text));
    store.record(scope, entries.collect()).await.unwrap();
}

async fn check_deletion(all: &[Said], deletion: &Deleting) -> TestCaseResult {
    let directory = tempfile::tempdir().unwrap();
    let (store, scope) = (telling(directory.path()).await, scope("s"));
    fill(&store, &scope, all).await;
    let gone = going(all, deletion);
    for number in &gone {
        prop_assert!(!files_with(directory.path(), &marker(*number)).is_empty(), "the disk must show it before");
    }
    let deleted = match deletion {
        Deleting::Turns(turns) => store.delete_turns(&scope, turns.iter().copied().map(id).collect()).await,
        Deleting::Conversation(name) => store.delete_conversation(&scope, conversation_id(*name)).await,
        Deleting::Before(day) => store.delete_before(&scope, on(*day)).await,
        Deleting::Everything => store.delete_scope(&scope).await,
    };
    let mut deleted = deleted.unwrap();
    deleted.sort();
    prop_assert_eq!(deleted, gone.iter().copied().map(id).collect::<Vec<_>>());
    let numbers: Vec<u64> = (0..all.len() as u64).collect();
    let left: Vec<TurnId> = numbers.iter().filter(|number| !gone.contains(number)).map(|number| id(*number)).collect();
    for maintained in [false, true] {
        if maintained {
            store.maintain().await.unwrap();
        }
        let ids: Vec<TurnId> = numbers.iter().copied().map(id).collect();
        let turns = store.turns(&scope, &ids).await.unwrap();
        let there: Vec<TurnId> = turns.iter().map(|turn| turn.id).collect();
        prop_assert_eq!(&there, &left);
        let outline = store.outline(&scope).await.unwrap();
        prop_assert_eq!(outline.turns(), left.iter().copied().collect::<HashSet<_>>());
        for turn in &turns {
            let (number, said) = (0..).zip(all).find(|(number, _)| id(*number) == turn.id).unwrap();
            let places = left_of(number, said, deletion);
            prop_assert_eq!(Some(turn.time), places.iter().map(|(_, day)| on(*day)).max());
            let stands: Vec<_> = outline.places(turn.id).iter().map(|place| place.conversation).collect();
            prop_assert_eq!(
                stands,
                places.iter().map(|(conversation, _)| conversation_id(*conversation)).collect::<Vec<_>>()
            );
            let entries = store.ledger(&scope, &[prefix(FIRST_PROMPT + number)]).await.unwrap();
            let is_left_whole = places.len() == said.places.len();
            prop_assert_eq!(entries.len(), usize::from(said.is_quoted && is_left_whole), "its date may be quoted");
        }
        for number in &gone {
            prop_assert_eq!(lexical(&store, &scope, &marker(*number)).await, []);
            prop_assert_eq!(store.ledger(&scope, &[prefix(FIRST_PROMPT + number)]).await.unwrap(), []);
        }
    }
    for number in &gone {
        prop_assert_eq!(files_with(directory.path(), &marker(*number)), Vec::<String>::new());
    }
    let again: Vec<Turn> = gone.iter().map(|number| as_turn(&scope, *number, &all[*number as usize])).collect();
    prop_assert_eq!(store.accept(again).await.unwrap().len(), gone.len(), "said again, they are new");
    Ok(())
}

/// So many stores are deleted from in every run of the tests.
const STORES: u32 = 24;
/// So many are deleted from for the figure that is published.
const PUBLISHED_STORES: u32 = 1000;

#[test]
fn after_any_deletion_and_maintenance_no_byte_of_what_was_deleted_is_left() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let cases = published().map_or(STORES, |_| PUBLISHED_STORES);
    let config = ProptestConfig { cases, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() };
    let some_store = (prop::collection::vec(some_said(), 2..12), some_deletion());
    let deleted_from =
        TestRunner::new(config).run(&some_store, |(all, deletion)| runtime.block_on(check_deletion(&all, &deletion)));
    deleted_from.unwrap();
    if let Some(directory) = published() {
        Published { bench: "forget", arm: "mainpoint" }
            .write(&directory, &[("stores", cases), ("files_with_deleted_text", 0)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outline_has_every_turn_where_it_stands_and_can_be_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let (store, from, to) = (open(directory.path()).await, scope("from"), scope("to"));
    let turns = |scope: &Scope| -> Vec<Turn> {
        let first = (1..=4).map(|number| (number, 100, number as u32 - 1));
        let all = first.chain([(33, 200, 2), (7, 300, 5)]);
        let turn = |(number, conversation, position)| Turn {
            conversation: conversation_id(conversation),
            position,
            ..turn(scope, number, "text")
        };
        all.map(turn).collect()
    };
    let at = |conversation: u64, position| TurnPlace { conversation: conversation_id(conversation), position };
    let said = |after, fresh, turns: &[u64]| ConversationAppend {
        scope: from.clone(),
        after,
        fresh: conversation_id(fresh),
        turns: said_turns(&from, turns),
        plain: Vec::new(),
    };
    // Turn 7 has no place; 88 has no words.
    let mut said = vec![said(None, 100, &[1, 2, 3, 4]), said(Some(at(100, 1)), 200, &[33, 1, 88])];
    let again = said[1].turns[1].time + TimeDelta::days(9);
    said[1].turns[1].time = again;
    store.accept_said(turns(&from), said).await.unwrap();
    let half: Vec<_> = turns(&from).iter().step_by(2).map(|turn| (from.clone(), turn.id, vec![])).collect();
    store.complete(half).await.unwrap();
    store.flush().await.unwrap();

    let outline = store.outline(&from).await.unwrap();
    let shown: Vec<_> = outline.conversations().map(|(name, of)| (name, of.origin, of.turns.clone())).collect();
    let own =
        |turns: &[(u32, u64)]| turns.iter().map(|(position, number)| (*position, id(*number))).collect::<Vec<_>>();
    let expected = [
        (conversation_id(100), None, own(&[(0, 1), (1, 2), (2, 3), (3, 4)])),
        (conversation_id(200), Some(at(100, 1)), own(&[(2, 33), (3, 1)])),
        (conversation_id(300), None, own(&[(5, 7)])),
    ];
    assert_eq!(shown, expected);
    assert_eq!(outline.places(id(1)), [at(100, 0), at(200, 3)]);
    assert_eq!(outline.time_at(at(200, 3), id(1)), Some(again));
    assert_eq!(outline.time_at(at(100, 0), id(1)), None, "it was said there first");
    let counts = store.counts(&from).await.unwrap();
    assert_eq!((counts.turns, counts.waiting), (6, 3));
    assert!(store.bytes_on_disk().await.unwrap() > 1000);

    let first: BTreeMap<TurnId, DateTime<Utc>> = turns(&from).into_iter().map(|turn| (turn.id, turn.time)).collect();
    let all: Vec<TurnId> = first.keys().copied().chain([id(999)]).collect();
    let seen = store.first_seen(&from, &all).await.unwrap();
    assert_eq!(seen.into_iter().collect::<BTreeMap<_, _>>(), first, "read or not, and no other");
    let time = |place, turn: TurnId| outline.time_at(place, turn).unwrap_or_else(|| first[&turn]);
    let placed: Vec<_> = outline
        .conversations()
        .flat_map(|(conversation, of)| {
            let place = move |position| TurnPlace { conversation, position };
            let origin = of.origin;
            of.turns.iter().map(move |(position, turn)| PlacedTurn {
                scope: scope("to"),
                turn: *turn,
                place: place(*position),
                origin,
                time: time(place(*position), *turn),
                plain: None,
            })
        })
        .collect();
    assert_eq!(store.restore(turns(&to), placed.clone()).await.unwrap().len(), 6);
    assert_eq!(store.outline(&to).await.unwrap(), outline);
    assert!(store.restore(turns(&to), placed).await.unwrap().is_empty(), "once is as good as twice");
    assert_eq!(store.outline(&to).await.unwrap(), outline);
}
