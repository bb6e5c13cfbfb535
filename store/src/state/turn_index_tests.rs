//! What `turn_index` promises.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use super::*;

fn scope(name: &str) -> Scope {
    Scope::new(name).unwrap()
}

fn id(number: u8) -> TurnId {
    TurnId([number; 16])
}

fn name(number: u8) -> ConversationId {
    ConversationId([number; 16])
}

fn found(number: u8, conversation: u8) -> FoundTurn {
    FoundTurn { id: id(number), conversation: name(conversation), seen: seen(u64::from(number) + 1000) }
}

/// A row, of a turn that was first seen so many seconds after an epoch.
fn seen(row: u64) -> Seen {
    Seen { row, time: time(row) }
}

fn time(row: u64) -> DateTime<Utc> {
    DateTime::from_timestamp(row as i64, 0).unwrap()
}

#[test]
fn a_turn_is_counted_where_it_is() {
    let (mut turn_index, scope) = (TurnIndex::holding(1_000_000), scope("a"));
    turn_index.set_pending(&scope, id(1), Pending::Accepted);
    turn_index.set_pending(&scope, id(2), Pending::Accepted);
    turn_index.set_pending(&scope, id(2), Pending::Completed);
    assert_eq!((turn_index.unread_len(), turn_index.unflushed_len()), (1, 1));
    assert!(turn_index.has_any_completed(&scope));
    assert!(turn_index.has_completed(&scope, &[id(2)]));
    assert!(!turn_index.has_completed(&scope, &[id(1)]));
    turn_index.set_stored(&scope, id(2), name(0));
    assert_eq!((turn_index.unread_len(), turn_index.unflushed_len()), (1, 0));
    assert!(!turn_index.has_any_completed(&scope));
    assert_eq!(turn_index.state(&scope, id(2)), Some(State::Stored));
    assert_eq!(turn_index.state(&scope, id(3)), None);
}

#[test]
fn a_load_that_began_before_a_delete_is_refused() {
    let (mut turn_index, scope) = (TurnIndex::holding(1_000_000), scope("a"));
    let generation = turn_index.begin_load(&scope).unwrap();
    turn_index.unload(&scope);
    assert!(!turn_index.load(&scope, generation, vec![found(1, 0)]));
    let generation = turn_index.begin_load(&scope).unwrap();
    assert!(turn_index.load(&scope, generation, vec![found(2, 0)]));
    assert_eq!(turn_index.state(&scope, id(1)), None);
    assert!(turn_index.begin_load(&scope).is_none());
}

#[test]
fn deleted_turns_are_forgotten_wherever_they_are_and_the_others_stay() {
    let (mut turn_index, scope) = (TurnIndex::holding(1_000_000), scope("a"));
    let generation = turn_index.begin_load(&scope).unwrap();
    assert!(turn_index.load(&scope, generation, vec![found(1, 0), found(2, 0)]));
    turn_index.set_pending(&scope, id(3), Pending::Accepted);
    turn_index.set_pending(&scope, id(4), Pending::Completed);
    turn_index.set_pending(&scope, id(5), Pending::Accepted);
    assert_eq!(turn_index.counts(&scope), ScopeCounts { turns: 5, waiting: 2 });
    turn_index.forget(&scope, |turn| [id(1), id(3), id(4)].contains(&turn));
    let mut known = turn_index.known(&scope);
    known.sort();
    assert_eq!(known, [id(2), id(5)]);
    assert_eq!((turn_index.unread_len(), turn_index.unflushed_len()), (1, 0));
    assert_eq!(turn_index.counts(&scope), ScopeCounts { turns: 2, waiting: 1 });
    assert!(!turn_index.load(&scope, generation, vec![found(1, 0)]), "it was read before");
}

#[test]
fn after_beginning_anew_only_what_the_journal_has_is_known_and_earlier_loads_are_refused() {
    let (mut turn_index, scope) = (TurnIndex::holding(1_000_000), scope("a"));
    turn_index.set_pending(&scope, id(1), Pending::Completed);
    turn_index.set_pending(&scope, id(2), Pending::Accepted);
    turn_index.set_stored(&scope, id(3), name(0));
    let generation = turn_index.begin_load(&scope).unwrap();
    turn_index.reset(&[((scope.clone(), id(2)), Pending::Completed)]);
    assert_eq!((turn_index.unread_len(), turn_index.unflushed_len()), (0, 1));
    assert!(!turn_index.load(&scope, generation, vec![found(3, 0)]));
    assert_eq!([1, 3].map(|number| turn_index.state(&scope, id(number))), [None, None]);
}

#[test]
fn rows_stored_during_a_load_are_not_lost() {
    let (mut turn_index, scope) = (TurnIndex::holding(1_000_000), scope("a"));
    let generation = turn_index.begin_load(&scope).unwrap();
    turn_index.set_stored(&scope, id(1), name(0));
    assert!(turn_index.load(&scope, generation, vec![]));
    assert_eq!(turn_index.state(&scope, id(1)), Some(State::Stored));
}

#[test]
fn rows_and_times_are_those_of_which_turns_were_last_found() {
    let (mut turn_index, scope) = (TurnIndex::holding(1_000_000), scope("a"));
    let generation = turn_index.begin_load(&scope).unwrap();
    assert!(turn_index.load(&scope, generation, vec![found(1, 0), found(2, 0)]));
    turn_index.set_stored(&scope, id(3), name(0));
    let asked = [id(3), id(2), id(9), id(1)];
    assert_eq!(turn_index.rows(&scope, &asked), [1002, 1001]);
    for (number, row) in [(3, 7), (1, 8), (9, 9)] {
        turn_index.set_seen(&scope, id(number), seen(row));
    }
    assert_eq!(turn_index.rows(&scope, &asked), [7, 1002, 8]);
    let times = [(1, 8), (2, 1002), (3, 7)].map(|(number, row)| (id(number), time(row)));
    assert_eq!(turn_index.times(&scope, &asked), HashMap::from(times));
    turn_index.set_stored(&scope, id(1), name(0));
    assert_eq!(turn_index.times(&scope, &[id(1)]), HashMap::new(), "stored anew, and not looked up since");
    turn_index.unload(&scope);
    assert!(turn_index.rows(&scope, &asked).is_empty());
}

#[test]
fn above_its_capacity_the_scope_used_longest_ago_is_forgotten_unless_something_is_pending_there() {
    let mut turn_index = TurnIndex::holding(10);
    for (name, first) in [("pending", 0), ("old", 10), ("new", 20)] {
        let scope = scope(name);
        let generation = turn_index.begin_load(&scope).unwrap();
        if name == "pending" {
            turn_index.set_pending(&scope, id(100), Pending::Accepted);
        }
        assert!(turn_index.load(&scope, generation, (first..first + 4).map(|number| found(number, first)).collect()));
    }
    assert!(turn_index.begin_load(&scope("old")).is_some());
    assert!(turn_index.begin_load(&scope("new")).is_none());
    assert!(turn_index.begin_load(&scope("pending")).is_none());
}

#[test]
fn many_turns_are_named_by_their_conversations_and_the_few_that_are_not_asked_for() {
    let (mut turn_index, scope) = (TurnIndex::holding(1_000_000), scope("a"));
    assert_eq!(turn_index.complement(&scope, &[id(1)]), None, "not loaded");
    let generation = turn_index.begin_load(&scope).unwrap();
    let stored = (0..20).map(|number| found(number, 0)).chain((100..130).map(|number| found(number, 100)));
    assert!(turn_index.load(&scope, generation, stored.collect()));
    turn_index.set_pending(&scope, id(20), Pending::Completed);
    turn_index.set_pending(&scope, id(21), Pending::Accepted);

    let asked: Vec<TurnId> = (0..18).chain(200..210).map(id).collect();
    let mut complement = turn_index.complement(&scope, &asked).unwrap();
    complement.except.sort();
    assert_eq!(complement, Complement { conversations: vec![name(0)], except: vec![id(18), id(19), id(20)] });

    let few: Vec<TurnId> = (0..5).map(id).collect();
    assert_eq!(turn_index.complement(&scope, &few), None, "naming them is shorter");
    let unknown: Vec<TurnId> = (200..240).map(id).collect();
    assert_eq!(turn_index.complement(&scope, &unknown), None);
}
