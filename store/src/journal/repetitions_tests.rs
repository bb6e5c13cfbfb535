//! When turns count as said again, and when they were said last, whatever is said and deleted.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::Journal;
use crate::directory::Directory;
use crate::records::samples::{id, scope, turn};
use crate::records::{ConversationAppend, Removal, Removed, SaidTurn, Turn, TurnId, TurnPlace};

fn on(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(day * 86_400, 0).unwrap()
}

/// A place of conversation `number`.
fn at(number: u32, position: u32) -> TurnPlace {
    TurnPlace { conversation: id(100 + number), position }
}

fn said(after: Option<TurnPlace>, fresh: u32, turns: &[(u32, i64)]) -> ConversationAppend {
    let turns = turns.iter().map(|(turn, day)| SaidTurn { turn: id(*turn), time: on(*day) }).collect();
    ConversationAppend { scope: scope(), after, fresh: id(100 + fresh), turns }
}

fn open(root: &tempfile::TempDir) -> Journal {
    Journal::open(&Directory::prepare(&root.path().join("data")).unwrap()).unwrap()
}

/// What is known of turns that were said again: turn, conversation's place, and time.
fn repetitions(journal: &Journal) -> BTreeSet<(TurnId, TurnId, u32, DateTime<Utc>)> {
    let all = journal.repetitions(&scope()).unwrap().into_iter();
    all.map(|again| (again.turn, again.place.conversation, again.place.position, again.time)).collect()
}

fn take(journal: &Journal, new: ConversationAppend) {
    let turns: Vec<Turn> = new.turns.iter().map(|said| named(said.turn, said.time)).collect();
    journal.accept(&turns, &[new], |_| false).unwrap();
}

fn named(id: TurnId, time: DateTime<Utc>) -> Turn {
    Turn { id, time, ..turn(0, "text") }
}

#[test]
fn what_is_said_once_has_no_record_however_often_it_is_sent() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(&root);
    for day in [1, 5] {
        take(&journal, said(None, 0, &[(1, day), (2, day)]));
        take(&journal, said(Some(at(0, 1)), 1, &[(3, day)]));
    }
    assert!(repetitions(&journal).is_empty());
}

#[test]
fn what_is_said_again_was_said_last_then_whatever_comes_in_later() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(&root);
    take(&journal, said(None, 0, &[(1, 5), (2, 5), (1, 6)]));
    take(&journal, said(None, 1, &[(1, 9)]));
    take(&journal, said(None, 2, &[(1, 2), (2, 5)]));
    let again = journal.said_again(&scope(), &[id(1), id(2), id(3)], 2).unwrap();
    assert_eq!(again, HashMap::from([(id(1), vec![on(9), on(6)])]));
    let is_said = |turn, from, to| journal.is_said_between(&scope(), id(turn), &(on(from)..=on(to))).unwrap();
    assert!(is_said(1, 7, 9) && is_said(1, 9, 30) && !is_said(1, 7, 8) && !is_said(2, 0, 30));
}

#[test]
fn a_history_whose_words_alone_were_kept_is_not_said_when_it_is_sent_again_but_what_is_said_then_is() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(&root);
    let send = |new: ConversationAppend| {
        let turns: Vec<Turn> = new.turns.iter().map(|said| named(said.turn, said.time)).collect();
        let is_known = |turn: &Turn| [id(1), id(2)].contains(&turn.id);
        journal.accept(&turns, &[new], is_known).unwrap();
    };
    // Turns 1 and 2 have been in the tables since long ago, turn 3 is new.
    send(said(None, 0, &[(1, 9), (2, 9), (1, 9), (3, 9)]));
    assert!(repetitions(&journal).is_empty(), "also where it says the same twice");
    send(said(None, 1, &[(1, 12), (3, 12)]));
    let again = BTreeSet::from([(id(1), id(101), 0, on(12)), (id(3), id(101), 1, on(12))]);
    assert_eq!(repetitions(&journal), again);
}

#[test]
fn a_turn_leaves_the_places_where_it_was_said_too_long_ago() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(&root);
    take(&journal, said(None, 0, &[(2, 1), (1, 1), (3, 1)]));
    take(&journal, said(None, 1, &[(1, 3), (4, 3)]));
    take(&journal, said(None, 2, &[(1, 8)]));
    let old = HashSet::from([id(1), id(2), id(3), id(4)]);
    let since = journal.said_since(&scope(), &old, on(5)).unwrap();
    assert_eq!(since, HashMap::from([(id(1), vec![at(0, 1), at(1, 0)])]));
    let places = since[&id(1)].iter().map(|place| (id(1), *place)).collect();
    let what = Removed::Turns { ids: HashSet::new(), conversations: HashSet::new(), places };
    journal.delete(&Removal { scope: scope(), what }, |_, _| Some(Vec::new())).unwrap();
    assert_eq!(repetitions(&journal), BTreeSet::from([(id(1), id(102), 0, on(8))]));
    let left = journal.scope_places(&scope()).unwrap().placed;
    let left: Vec<TurnPlace> = left.into_iter().filter(|(_, turn)| *turn == id(1)).map(|(place, _)| place).collect();
    assert_eq!(left, [at(2, 0)]);
    assert!(journal.said_since(&scope(), &old, on(5)).unwrap()[&id(1)].is_empty(), "once is enough");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_place_has_its_own_time_until_it_is_deleted_and_over_restarts(
        spoken in prop::collection::vec((0..3_u32, 1..5_u32, 0..9_i64), 1..24), gone in 0..3_u32, deleted in 1..5_u32,
    ) {
        let root = tempfile::tempdir().unwrap();
        let mut journal = open(&root);
        let mut first: BTreeMap<u32, i64> = BTreeMap::new();
        let mut places: Vec<(u32, u32, u32, i64)> = Vec::new();
        for (conversation, turn, day) in spoken {
            let position = places.iter().filter(|(of, ..)| *of == conversation).count() as u32;
            let after = position.checked_sub(1).map(|before| at(conversation, before));
            take(&journal, said(after, conversation, &[(turn, day)]));
            first.entry(turn).or_insert(day);
            places.push((conversation, position, turn, day));
        }
        let expected = |places: &[(u32, u32, u32, i64)]| -> BTreeSet<_> {
            let again = places.iter().filter(|(_, _, turn, day)| first[turn] != *day);
            again.map(|(of, position, turn, day)| (id(*turn), id(100 + of), *position, on(*day))).collect()
        };
        prop_assert_eq!(repetitions(&journal), expected(&places));
        journal.close();
        journal = open(&root);
        journal.rewrite().unwrap();
        prop_assert_eq!(repetitions(&journal), expected(&places));
        places.retain(|(of, _, turn, _)| *of != gone && *turn != deleted);
        let (ids, conversations) = (HashSet::from([id(deleted)]), HashSet::from([id(100 + gone)]));
        let what = Removed::Turns { ids, conversations, places: HashSet::new() };
        journal.delete(&Removal { scope: scope(), what }, |_, _| Some(Vec::new())).unwrap();
        prop_assert_eq!(repetitions(&journal), expected(&places));
        journal.delete(&Removal { scope: scope(), what: Removed::Everything }, |_, _| Some(Vec::new())).unwrap();
        prop_assert!(repetitions(&journal).is_empty());
    }
}
