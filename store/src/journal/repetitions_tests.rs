//! When turns count as said again, and when they were said last, whatever is said and deleted.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::Journal;
use super::rows::{GONE, REPETITIONS};
use crate::directory::Directory;
use crate::records::samples_for_tests::{conversation, id, scope, turn};
use crate::records::{
    ConversationAppend, ConversationId, ConversationView, OldTurns, Removal, Removed, SaidTurn, Scope, Turn, TurnId,
    TurnPlace,
};

fn on(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(day * 86_400, 0).unwrap()
}

fn day_of(time: DateTime<Utc>) -> i64 {
    time.timestamp() / 86_400
}

/// A place of conversation `number`.
fn at(number: u32, position: u32) -> TurnPlace {
    TurnPlace { conversation: conversation(100 + number), position }
}

fn said(after: Option<TurnPlace>, fresh: u32, turns: &[(u32, i64)]) -> ConversationAppend {
    let turns = turns.iter().map(|(turn, day)| SaidTurn { turn: id(*turn), time: on(*day) }).collect();
    ConversationAppend { scope: scope(), after, fresh: conversation(100 + fresh), turns, plain: Vec::new() }
}

fn open(root: &tempfile::TempDir) -> Journal {
    Journal::open(&Directory::prepare(&root.path().join("data")).unwrap()).unwrap()
}

/// What is known of turns that were said again: turn, conversation's place, and time.
fn repetitions(journal: &Journal) -> BTreeSet<(TurnId, ConversationId, u32, DateTime<Utc>)> {
    let all = journal.repetitions(&scope()).unwrap().into_iter();
    all.map(|again| (again.turn, again.place.conversation, again.place.position, again.time)).collect()
}

fn take(journal: &Journal, new: ConversationAppend) {
    let turns: Vec<Turn> = new.turns.iter().map(|said| named(said.turn, said.time)).collect();
    journal.accept(&turns, &[new], |_, _| false).unwrap();
}

fn old(turns: &[u32], day: i64) -> OldTurns {
    OldTurns { scope: scope(), turns: turns.iter().map(|turn| id(*turn)).collect(), time: on(day) }
}

/// The turns that go and the places that others leave, in order.
fn covered(journal: &Journal, old: &OldTurns) -> (Vec<u32>, Vec<(u32, TurnPlace)>) {
    let Removed::Turns { ids, places, .. } = journal.said_before(old).unwrap().what else { unreachable!() };
    let number = |turn: TurnId| (0..1000).find(|number| id(*number) == turn).unwrap();
    let mut ids: Vec<u32> = ids.into_iter().map(number).collect();
    let mut places: Vec<_> = places.into_iter().map(|(turn, place)| (number(turn), place)).collect();
    ids.sort_unstable();
    places.sort_by_key(|(turn, place)| (*turn, place.conversation, place.position));
    (ids, places)
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
    let first_seen = [1, 2, 3].map(|turn| (id(turn), on(5)));
    let times = |first_seen: &[_], most| journal.times(&scope(), first_seen, most).unwrap().remove(&id(1));
    assert_eq!(times(&first_seen, 2), Some(vec![on(9), on(6)]));
    assert_eq!(times(&first_seen, 9), Some(vec![on(9), on(6), on(2), on(5)]));
    assert_eq!(times(&first_seen[..1], 2), Some(vec![on(9), on(6)]), "looked for instead of looked through");
    assert_eq!(times(&first_seen[..1], 9), Some(vec![on(9), on(6), on(2), on(5)]));
    assert_eq!(journal.times(&scope(), &first_seen, 9).unwrap().len(), 1, "the others were said once");
    let at_place = |turn, place| journal.said_at(&scope(), id(turn), place).unwrap();
    assert_eq!([at_place(1, at(0, 0)), at_place(1, at(0, 2)), at_place(1, at(2, 0))], [None, Some(on(6)), Some(on(2))]);
}

#[test]
fn in_a_conversation_a_turn_was_said_when_it_was_said_there() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(&root);
    take(&journal, said(None, 0, &[(1, 1), (2, 1), (3, 1)]));
    take(&journal, said(None, 1, &[(1, 5), (2, 5), (1, 6), (4, 6)]));
    // A branch of the second one, after turn 1 was said in it again.
    take(&journal, said(Some(at(1, 2)), 2, &[(2, 9)]));
    let first_seen = [(1, 1), (2, 1), (3, 1), (4, 6), (8, 3)].map(|(turn, day)| (id(turn), on(day)));
    let times = |tip, most| {
        let view = ConversationView { tip, now: on(20), earlier: Vec::new() };
        let found = journal.said_in(&scope(), &view, &first_seen, most).unwrap();
        let days =
            |turn| -> Vec<i64> { found.get(&id(turn)).into_iter().flatten().map(|time| day_of(*time)).collect() };
        [1, 2, 3, 4, 8].map(days)
    };
    assert_eq!(times(Some(at(0, 2)), 9), [vec![1], vec![1], vec![1], vec![20], vec![]]);
    assert_eq!(times(Some(at(1, 1)), 9), [vec![5], vec![5], vec![20], vec![20], vec![]]);
    assert_eq!(times(Some(at(2, 3)), 9), [vec![6, 5], vec![9, 5], vec![20], vec![20], vec![]]);
    assert_eq!(times(Some(at(2, 3)), 1), [vec![6], vec![9], vec![20], vec![20], vec![]]);
    assert_eq!(times(None, 9), [vec![20], vec![20], vec![20], vec![20], vec![]]);
}

#[test]
fn a_history_whose_words_alone_were_kept_is_not_said_when_it_is_sent_again_but_what_is_said_then_is() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(&root);
    let send = |new: ConversationAppend| {
        let turns: Vec<Turn> = new.turns.iter().map(|said| named(said.turn, said.time)).collect();
        let is_known = |_: &Scope, turn: TurnId| [id(1), id(2)].contains(&turn);
        journal.accept(&turns, &[new], is_known).unwrap();
    };
    // Turns 1 and 2 have been in the tables since long ago, turn 3 is new.
    send(said(None, 0, &[(1, 9), (2, 9), (1, 9), (3, 9)]));
    assert!(repetitions(&journal).is_empty(), "also where it says the same twice");
    send(said(None, 1, &[(1, 12), (3, 12)]));
    let again = BTreeSet::from([(id(1), conversation(101), 0, on(12)), (id(3), conversation(101), 1, on(12))]);
    assert_eq!(repetitions(&journal), again);
}

#[test]
fn a_place_whose_words_come_later_keeps_its_own_time() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(&root);
    // There was no room for the words of turn 2.
    journal.accept(&[named(id(1), on(3))], &[said(None, 0, &[(1, 3), (2, 3)])], |_, _| false).unwrap();
    let recorded = BTreeSet::from([(id(2), conversation(100), 1, on(3))]);
    assert_eq!(repetitions(&journal), recorded);
    // The next request brings them, and one turn more.
    let turns = [named(id(2), on(5)), named(id(3), on(5))];
    journal.accept(&turns, &[said(Some(at(0, 1)), 1, &[(3, 5)])], |_, _| false).unwrap();
    assert_eq!(repetitions(&journal), recorded);
    let last = journal.said_last(&scope(), &[(id(1), on(3)), (id(2), on(5)), (id(3), on(5))]).unwrap();
    assert_eq!(last, HashMap::from([(id(2), on(3))]), "the others were said when they were first seen");
    assert_eq!(covered(&journal, &old(&[1], 4)), (vec![1, 2], vec![]), "it is as old as its place");
}

#[test]
fn a_turn_leaves_the_places_where_it_was_said_too_long_ago() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(&root);
    take(&journal, said(None, 0, &[(2, 1), (1, 1), (3, 1)]));
    take(&journal, said(None, 1, &[(1, 3), (4, 3)]));
    take(&journal, said(None, 2, &[(1, 8)]));
    let old = old(&[1, 2, 3, 4], 5);
    assert_eq!(covered(&journal, &old), (vec![2, 3, 4], vec![(1, at(0, 1)), (1, at(1, 0))]));
    // Turn 3 is said again after that was looked up.
    take(&journal, said(None, 3, &[(3, 9)]));
    let (removal, _) = journal.delete_old(&old, |_, _| Some(Vec::new())).unwrap();
    assert!(!removal.covers(id(3)) && removal.covers(id(2)));
    assert_eq!(
        repetitions(&journal),
        BTreeSet::from([(id(1), conversation(102), 0, on(8)), (id(3), conversation(103), 0, on(9))])
    );
    let left = journal.scope_places(&scope()).unwrap().placed;
    let left: Vec<TurnPlace> = left.into_iter().filter(|(_, turn)| *turn == id(1)).map(|(place, _)| place).collect();
    assert_eq!(left, [at(2, 0)]);
    assert_eq!(covered(&journal, &old).1, [], "once is enough");
}

#[test]
fn a_turn_that_was_first_seen_later_leaves_what_was_said_before_and_is_as_old_as_what_is_left() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(&root);
    take(&journal, said(None, 0, &[(1, 9), (2, 9)]));
    take(&journal, said(None, 1, &[(1, 2), (2, 2)]));
    let last = || journal.said_last(&scope(), &[(id(1), on(9)), (id(3), on(9))]).unwrap();
    assert_eq!(covered(&journal, &old(&[], 5)), (vec![], vec![(1, at(1, 0)), (2, at(1, 1))]));
    assert_eq!(journal.scopes_said_before(on(2)).unwrap(), BTreeSet::new());
    assert_eq!(journal.scopes_said_before(on(3)).unwrap(), BTreeSet::from([scope()]));
    assert_eq!(last(), HashMap::from([(id(1), on(9))]));
    let conversations = [conversation(100)].into();
    let what = Removed::Turns { ids: [].into(), conversations, places: [].into() };
    journal.delete(&Removal { scope: scope(), what }, |_, _| Some(Vec::new())).unwrap();
    assert_eq!(last(), HashMap::from([(id(1), on(2))]), "nothing is left of the day when it was first seen");
    assert_eq!(covered(&journal, &old(&[], 5)), (vec![1, 2], vec![]));
}

#[test]
fn places_that_an_earlier_version_recorded_without_a_time_are_as_old_as_what_stands_there() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(&root);
    take(&journal, said(None, 0, &[(1, 1), (2, 1)]));
    take(&journal, said(None, 1, &[(3, 4), (1, 4)]));
    let forgotten = journal.database.write("forget times", |transaction| {
        transaction.open_table(REPETITIONS)?.retain(|_, ()| false)?;
        Ok(())
    });
    forgotten.unwrap();
    let first_seen = [(1, 1), (2, 1), (3, 4)].map(|(turn, day)| (id(turn), on(day)));
    let view = ConversationView { tip: Some(at(1, 1)), now: on(20), earlier: Vec::new() };
    assert_eq!(journal.said_in(&scope(), &view, &first_seen, 9).unwrap()[&id(1)], [on(1)]);
    assert_eq!(journal.said_last(&scope(), &first_seen).unwrap(), HashMap::new());
    assert_eq!(covered(&journal, &old(&[1, 2], 3)), (vec![1, 2], vec![]), "all of its places are old");
    take(&journal, said(None, 2, &[(1, 9)]));
    assert_eq!(journal.said_last(&scope(), &first_seen[..1]).unwrap(), HashMap::from([(id(1), on(9))]));
    assert_eq!(covered(&journal, &old(&[1, 2], 3)), (vec![2], vec![(1, at(0, 0)), (1, at(1, 1))]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_place_has_its_own_time_until_it_is_deleted_and_over_restarts(
        spoken in prop::collection::vec((0..3_u32, 1..5_u32, 0..9_i64), 1..24), gone in 0..3_u32, deleted in 1..5_u32,
        before in 0..10_i64,
    ) {
        let root = tempfile::tempdir().unwrap();
        let mut journal = open(&root);
        let mut first: BTreeMap<u32, i64> = BTreeMap::new();
        let mut places: Vec<(u32, u32, u32, i64)> = Vec::new();
        for (of, turn, day) in spoken {
            let position = places.iter().filter(|(other, ..)| *other == of).count() as u32;
            let after = position.checked_sub(1).map(|before| at(of, before));
            take(&journal, said(after, of, &[(turn, day)]));
            first.entry(turn).or_insert(day);
            places.push((of, position, turn, day));
        }
        let expected = |places: &[(u32, u32, u32, i64)]| -> BTreeSet<_> {
            let again = places.iter().filter(|(_, _, turn, day)| first[turn] != *day);
            again.map(|(of, position, turn, day)| (id(*turn), conversation(100 + of), *position, on(*day))).collect()
        };
        prop_assert_eq!(repetitions(&journal), expected(&places));
        journal.close();
        journal = open(&root);
        journal.rewrite().unwrap();
        prop_assert_eq!(repetitions(&journal), expected(&places));
        places.retain(|(of, _, turn, _)| *of != gone && *turn != deleted);
        let (ids, conversations) = ([id(deleted)].into(), [conversation(100 + gone)].into());
        let what = Removed::Turns { ids, conversations, places: [].into() };
        journal.delete(&Removal { scope: scope(), what }, |_, _| Some(Vec::new())).unwrap();
        prop_assert_eq!(repetitions(&journal), expected(&places));

        let last = |places: &[(u32, u32, u32, i64)], turn: u32| -> Option<i64> {
            places.iter().filter(|(_, _, of, _)| *of == turn).map(|(.., day)| *day).max()
        };
        let there: Vec<u32> = (1..5).filter(|turn| last(&places, *turn).is_some()).collect();
        let first_seen: Vec<_> = there.iter().map(|turn| (id(*turn), on(first[turn]))).collect();
        let found = journal.said_last(&scope(), &first_seen).unwrap();
        for turn in &there {
            let said = found.get(&id(*turn)).copied().unwrap_or(on(first[turn]));
            prop_assert_eq!(said, on(last(&places, *turn).unwrap()));
        }
        let old_turns: Vec<u32> = there.iter().copied().filter(|turn| first[turn] < before).collect();
        let going: Vec<u32> = there.iter().copied().filter(|turn| last(&places, *turn) < Some(before)).collect();
        let mut leaving: Vec<(u32, TurnPlace)> = places
            .iter()
            .filter(|(_, _, turn, day)| !going.contains(turn) && *day < before)
            .map(|(of, position, turn, _)| (*turn, at(*of, *position)))
            .collect();
        leaving.sort_by_key(|(turn, place)| (*turn, place.conversation, place.position));
        prop_assert_eq!(covered(&journal, &old(&old_turns, before)), (going, leaving));
        journal.delete_old(&old(&old_turns, before), |_, _| Some(Vec::new())).unwrap();
        places.retain(|(_, _, _, day)| *day >= before);
        prop_assert_eq!(repetitions(&journal), expected(&places));
        let left: HashSet<_> = places.iter().map(|(of, position, turn, _)| (at(*of, *position), id(*turn))).collect();
        let placed = journal.scope_places(&scope()).unwrap().placed.into_iter();
        prop_assert_eq!(placed.filter(|(_, turn)| *turn != GONE).collect::<HashSet<_>>(), left);

        journal.delete(&Removal { scope: scope(), what: Removed::Everything }, |_, _| Some(Vec::new())).unwrap();
        prop_assert!(repetitions(&journal).is_empty());
    }
}
