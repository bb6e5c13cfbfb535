//! Whose turn it is to be read: laws that hold whatever comes, in whatever order.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::collections::HashMap;

use chrono::DateTime;
use proptest::prelude::*;

use super::super::deletion::OpenDeletion;
use super::*;
use crate::config::LimitsConfig;
use crate::memory::turns_for_tests as turns;
use crate::memory::turns_for_tests::id;

const SIZES: Sizes = Sizes { alone: 4000, shared: 1000 };

const ENOUGH: Load = Load { turns: 1000, bytes: 1 << 20 };

fn backlog(all: Load, each: Load) -> Arc<Backlog> {
    Arc::new(Backlog::new(BacklogLimits { all, each }, SIZES, CallerLimits::new(|_| LimitsConfig::default())))
}

/// Of whose odd callers so many tokens are read in a minute.
fn limited(read_tokens_per_minute: u32) -> Arc<Backlog> {
    let limits = CallerLimits::new(move |caller| match caller {
        "k-1" | "k-3" | "k-5" => LimitsConfig { read_tokens_per_minute, ..LimitsConfig::default() },
        _ => LimitsConfig::default(),
    });
    Arc::new(Backlog::new(BacklogLimits { all: ENOUGH, each: ENOUGH }, SIZES, limits))
}

impl Backlog {
    /// What is to be read next, if there is something in this lane.
    fn pick(self: &Arc<Self>, lane: Lane) -> Option<ReadBatch> {
        self.pick_at(lane, Instant::now()).ok()
    }
}

fn endless() -> Arc<Backlog> {
    backlog(ENOUGH, ENOUGH)
}

fn scope(number: u8) -> Scope {
    Scope::new(format!("k-{number}")).unwrap()
}

/// A scope of one of a caller's users.
fn of_user(caller: u8, user: u8) -> Scope {
    Scope::new(format!("k-{caller}.u-{user}")).unwrap()
}

/// A turn of 4 bytes whose time is its number.
fn turn(scope: &Scope, number: u32, tokens: u32) -> Turn {
    let time = DateTime::from_timestamp_micros(i64::from(number)).unwrap();
    Turn { scope: scope.clone(), time, tokens, ..turns::turn(number, "text") }
}

/// Takes turns in as if the journal had them; returns how many there was room for.
fn add(backlog: &Backlog, turns: Vec<Turn>) -> usize {
    let (admitted, _) = backlog.admit(turns);
    let ids: Vec<_> = admitted.iter().map(|turn| (turn.scope.clone(), turn.id)).collect();
    backlog.enqueue(&ids);
    ids.len()
}

fn read(batch: &ReadBatch) {
    batch.backlog.mark_read_or_unreadable(&batch.scope, &batch.turns, batch.era);
}

fn waiting(backlog: &Backlog) -> Load {
    backlog.lock().load
}

#[derive(Debug, Clone)]
enum Step {
    Comes { scope: u8, tokens: u32 },
    Reads,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let tokens = prop_oneof![4 => 1..800_u32, 2 => 800..4000_u32, 1 => 4001..100_000_u32];
    let comes = (0..6_u8, tokens).prop_map(|(scope, tokens)| Step::Comes { scope, tokens });
    proptest::collection::vec(prop_oneof![2 => comes, 1 => Just(Step::Reads)], 1..120)
}

/// The scopes of which something waits that the short lane takes.
fn ready(backlog: &Backlog) -> Vec<Scope> {
    let inner = backlog.lock();
    let is_ready = |scope: &&Scope| inner.queues[*scope].first_tokens() <= SIZES.alone;
    inner.round_robin.iter().filter(is_ready).cloned().collect()
}

proptest! {
    #[test]
    fn no_scope_waits_while_another_is_served_twice(steps in steps()) {
        let backlog = endless();
        let mut served: HashMap<Scope, HashMap<Scope, usize>> = HashMap::new();
        for (number, step) in (0..).zip(steps) {
            match step {
                Step::Comes { scope: of, tokens } => {
                    add(&backlog, vec![turn(&scope(of), number, tokens)]);
                }
                Step::Reads => {
                    let ready = ready(&backlog);
                    let Some(batch) = backlog.pick(Lane::Short) else {
                        prop_assert!(ready.is_empty());
                        continue;
                    };
                    read(&batch);
                    for other in ready.iter().filter(|other| **other != batch.scope) {
                        let by = served.entry(other.clone()).or_default();
                        let times = by.entry(batch.scope.clone()).or_default();
                        *times += 1;
                        prop_assert!(*times < 2, "{other} waits while {} is served", batch.scope);
                    }
                    served.retain(|scope, _| ready.contains(scope) && *scope != batch.scope);
                }
            }
        }
    }

    #[test]
    fn every_turn_is_read_once_and_those_of_a_scope_in_the_order_in_which_they_came(
        turns in proptest::collection::vec((0..5_u8, 1..9000_u32), 1..80),
    ) {
        let backlog = endless();
        for (number, (of, tokens)) in (0..).zip(&turns) {
            add(&backlog, vec![turn(&scope(*of), number, *tokens)]);
        }
        let mut found: Vec<(Scope, TurnId)> = Vec::new();
        while let Some(batch) = backlog.pick(Lane::Short).or_else(|| backlog.pick(Lane::Long)) {
            read(&batch);
            found.extend(batch.turns.iter().map(|id| (batch.scope.clone(), *id)));
        }
        for of in 0..5 {
            let expected: Vec<TurnId> = (0..)
                .zip(&turns)
                .filter(|(_, (scope, _))| *scope == of)
                .map(|(number, _)| id(number))
                .collect();
            let own = scope(of);
            let order: Vec<TurnId> = found.iter().filter(|(scope, _)| *scope == own).map(|(_, id)| *id).collect();
            prop_assert_eq!(order, expected);
        }
        prop_assert_eq!(waiting(&backlog), Load::default());
        let inner = backlog.lock();
        prop_assert!(inner.callers.is_empty() && inner.queues.is_empty() && inner.round_robin.is_empty());
    }

    #[test]
    fn a_slice_is_what_came_first_and_no_longer_than_it_may_be(
        tokens in proptest::collection::vec(1..3000_u32, 1..60),
        others_wait: bool,
    ) {
        let backlog = endless();
        for (number, tokens) in (0..).zip(&tokens) {
            add(&backlog, vec![turn(&scope(0), number, *tokens)]);
        }
        if others_wait {
            add(&backlog, vec![turn(&scope(1), 900, 1)]);
        }
        let most = if others_wait { SIZES.shared } else { SIZES.alone };
        let batch = backlog.pick(Lane::Short).unwrap();
        let expected: Vec<TurnId> = (0..).take(batch.turns.len()).map(id).collect();
        prop_assert_eq!(&batch.turns, &expected);
        let filled = |turns: usize| tokens.iter().take(turns).sum::<u32>() as usize;
        prop_assert!(batch.turns.len() == 1 || filled(batch.turns.len()) <= most);
        prop_assert!(batch.turns.len() == tokens.len() || filled(batch.turns.len() + 1) > most);
    }

    #[test]
    fn no_more_of_a_limited_caller_is_read_than_it_may_have_and_the_last_batch_and_nobody_else_waits_for_it(
        turns in proptest::collection::vec((0..6_u8, 0..2_u8, 1..900_u32), 1..80),
        pauses in proptest::collection::vec(0..20_u64, 1..120),
        limit in 200..3000_u32,
    ) {
        let backlog = limited(limit);
        for (number, (of, user, tokens)) in (0..).zip(&turns) {
            add(&backlog, vec![turn(&of_user(*of, *user), number, *tokens)]);
        }
        let (begin, mut read_of) = (Instant::now(), HashMap::<Scope, u32>::new());
        let mut now = begin;
        for pause in pauses {
            now += Duration::from_secs(pause);
            let batch = match backlog.pick_at(Lane::Short, now) {
                Ok(batch) => batch,
                Err(None) => break,
                Err(Some(wait)) => {
                    let unlimited = ready(&backlog).iter().any(|scope| backlog.rate(scope).is_none());
                    prop_assert!(!unlimited, "somebody without a limit waits");
                    prop_assert!(backlog.pick_at(Lane::Short, now + wait).is_ok(), "who waits as told has its turn");
                    continue;
                }
            };
            let tokens: u32 = turns.iter().zip(0..).filter(|(_, number)| batch.turns.contains(&id(*number))).map(|(turn, _)| turn.2).sum();
            read(&batch);
            let caller = Scope::new(caller(&batch.scope)).unwrap();
            let read = read_of.entry(caller.clone()).or_default();
            if backlog.rate(&caller).is_some() {
                let minutes = (now - begin).as_secs_f64() / 60.0;
                prop_assert!(f64::from(*read) <= f64::from(limit) * (1.0 + minutes) + 1.0, "{read} in {minutes}");
            }
            *read += tokens;
        }
    }

    #[test]
    fn nobody_fills_more_than_a_share_and_all_together_not_more_than_the_whole(
        turns in proptest::collection::vec((0..4_u8, 0..3_u8, 0..40_usize), 1..60),
    ) {
        let (all, each) = (Load { turns: 20, bytes: 300 }, Load { turns: 8, bytes: 100 });
        let backlog = backlog(all, each);
        let mut loads: HashMap<u8, Load> = HashMap::new();
        for (number, (of, user, bytes)) in (0..).zip(turns) {
            let text = "x".repeat(bytes);
            let before = (waiting(&backlog), loads.entry(of).or_default().to_owned());
            let (admitted, refused) = backlog.admit(vec![Turn { text, ..turn(&of_user(of, user), number, 1) }]);
            let fits = before.0.has_room(all, bytes) && before.1.has_room(each, bytes);
            prop_assert_eq!((admitted.len(), refused.is_empty()), (usize::from(fits), fits));
            if fits {
                loads.entry(of).or_default().add(bytes);
            } else {
                let share = before.0.has_room(all, bytes);
                prop_assert_eq!(refused[0], (if share { Refusal::Share } else { Refusal::Full }, 1));
            }
        }
    }
}

#[test]
fn a_long_turn_is_left_to_the_long_lane_and_its_scope_waits_for_it() {
    let backlog = endless();
    let (long, short) = (scope(1), scope(2));
    add(&backlog, vec![turn(&long, 0, 4001), turn(&long, 1, 1)]);
    add(&backlog, vec![turn(&short, 2, 1)]);
    let taken = backlog.pick(Lane::Long).unwrap();
    assert_eq!((&taken.scope, &taken.turns), (&long, &vec![id(0)]));
    assert!(backlog.pick(Lane::Long).is_none());
    assert_eq!(backlog.pick(Lane::Short).unwrap().scope, short);
    let again = backlog.pick(Lane::Short).unwrap();
    assert_eq!(again.scope, short, "what was dropped unread waits again");
    read(&again);
    drop(again);
    assert!(backlog.pick(Lane::Short).is_none(), "one batch of a scope at a time");
    read(&taken);
    drop(taken);
    assert_eq!(backlog.pick(Lane::Short).unwrap().turns, [id(1)]);
}

#[test]
fn what_the_journal_does_not_have_yet_is_offered_again_and_what_is_done_is_not() {
    let backlog = endless();
    let (own, other) = (scope(1), scope(2));
    let ids = [id(1), id(2), id(3), id(4)];
    let turns: Vec<Turn> = (1..=3).map(|number| turn(&own, number, 1)).collect();
    let (admitted, _) = backlog.admit(turns.clone());
    assert_eq!(admitted.len(), 3);
    assert_eq!(backlog.unseen(&own, &ids), [0, 1, 2, 3]);
    assert!(backlog.pick(Lane::Short).is_none(), "nothing is read before the journal has it");
    backlog.enqueue(&[(own.clone(), id(1)), (own.clone(), id(2))]);
    backlog.forget(&[(own.clone(), id(3))]);
    assert_eq!(backlog.unseen(&own, &ids), [2, 3]);
    assert_eq!(backlog.unseen(&other, &ids), [0, 1, 2, 3]);
    assert_eq!(add(&backlog, turns), 1, "only the one that was forgotten");
    backlog.mark_read_or_unreadable(&own, &[id(1), id(2)], backlog.era());
    assert_eq!(backlog.unseen(&own, &ids), [3]);
    assert_eq!(backlog.unseen(&other, &ids), [0, 1, 2, 3]);
    assert_eq!(waiting(&backlog).turns, 1);
}

#[test]
fn a_deleted_turn_is_unseen_wherever_it_was_and_what_is_said_meanwhile_stays() {
    let (backlog, own) = (endless(), scope(1));
    let ids: Vec<TurnId> = (1..=4).map(id).collect();
    add(&backlog, (1..=3).map(|number| turn(&own, number, 1)).collect());
    backlog.mark_read_or_unreadable(&own, &[id(1)], backlog.era());
    let began = backlog.begin_deletion(&own);
    add(&backlog, vec![turn(&own, 4, 1)]);
    backlog.end_deletion(&own, &ids, began);
    assert_eq!(backlog.unseen(&own, &ids), [0, 1, 2], "1 is read, 2 and 3 waited, and 4 is new");
    assert_eq!(waiting(&backlog).turns, 1);
    assert_eq!(backlog.pick(Lane::Short).unwrap().turns, [id(4)]);
}

#[test]
fn while_a_scope_is_being_deleted_what_came_before_is_taken_in_again_and_what_comes_since_is_known() {
    let (backlog, own, other) = (endless(), scope(1), scope(2));
    let ids = [id(1), id(2), id(3)];
    add(&backlog, vec![turn(&own, 1, 1), turn(&own, 2, 1), turn(&other, 1, 1)]);
    backlog.mark_read_or_unreadable(&own, &[id(3)], backlog.era());
    let began = backlog.begin_deletion(&own);
    assert_eq!(backlog.unseen(&own, &ids), [0, 1, 2], "any of them may be gone by now");
    assert!(backlog.unseen(&other, &[id(1)]).is_empty());
    backlog.mark_read_or_unreadable(&own, &[id(3)], backlog.era());
    assert_eq!(backlog.unseen(&own, &[id(3)]), [0], "what is found out meanwhile may be no longer so at the end");
    assert_eq!(add(&backlog, vec![turn(&own, 1, 1)]), 1, "said again");
    assert_eq!(backlog.unseen(&own, &ids), [1, 2]);
    assert_eq!(backlog.journalled_before(&own, began), [id(2)]);
    backlog.end_deletion(&own, &[id(1), id(2)], began);
    assert_eq!(backlog.unseen(&own, &ids), [1, 2]);
    assert_eq!(backlog.pick(Lane::Short).map(|batch| batch.turns.clone()), Some(vec![id(1)]));
}

#[test]
fn a_turn_that_is_gone_and_said_again_while_it_is_looked_for_waits_to_be_read() {
    let (backlog, own) = (endless(), scope(1));
    add(&backlog, vec![turn(&own, 1, 1), turn(&own, 2, 1)]);
    let began = backlog.begin_deletion(&own);
    let batch = backlog.pick(Lane::Short).unwrap();
    assert_eq!(add(&backlog, vec![turn(&own, 1, 1)]), 1, "said again");
    backlog.let_go(&own, &batch.turns, batch.era);
    drop(batch);
    backlog.end_deletion(&own, &[id(1), id(2)], began);
    let left = backlog.pick(Lane::Short).unwrap();
    assert_eq!(left.turns, [id(1)]);
    assert!(backlog.pick(Lane::Short).is_none());
}

#[test]
fn a_deletion_of_which_nobody_knows_how_it_ended_ends_and_leaves_nothing_known_that_came_before() {
    let (backlog, own, other) = (endless(), scope(1), scope(2));
    let turns = [turn(&own, 1, 1), turn(&own, 2, 1)];
    add(&backlog, vec![turns[0].clone(), turn(&other, 3, 1)]);
    let open = OpenDeletion::begin(&backlog, &own);
    assert_eq!(open.journalled_before(), [id(1)]);
    add(&backlog, vec![turns[1].clone()]);
    assert!(!backlog.take_to_be_listed());
    drop(open);
    assert_eq!(backlog.unseen(&own, &[id(1), id(2)]), [0], "what came since is known");
    assert!(backlog.unseen(&other, &[id(3)]).is_empty());
    assert!(backlog.take_to_be_listed() && !backlog.take_to_be_listed());
    backlog.list(&turns.map(|turn| WaitingTurn::new(&turn)));
    assert_eq!(waiting(&backlog).turns, 3, "what is still there waits again");
    backlog.mark_read_or_unreadable(&own, &[id(1)], backlog.era());
    assert!(backlog.unseen(&own, &[id(1)]).is_empty(), "nothing is being deleted any more");
}

#[test]
fn a_deletion_that_says_what_is_gone_leaves_the_rest() {
    let (backlog, own) = (endless(), scope(1));
    add(&backlog, vec![turn(&own, 1, 1), turn(&own, 2, 1)]);
    OpenDeletion::begin(&backlog, &own).end(&[id(1)]);
    assert_eq!(backlog.unseen(&own, &[id(1), id(2)]), [0]);
    assert!(!backlog.take_to_be_listed());
}

#[test]
fn what_was_found_out_before_a_deletion_is_not_believed_after_it() {
    let (backlog, own) = (endless(), scope(1));
    add(&backlog, vec![turn(&own, 1, 1), turn(&own, 2, 1)]);
    let batch = backlog.pick(Lane::Short).unwrap();
    let began = backlog.begin_deletion(&own);
    backlog.end_deletion(&own, &[id(1)], began);
    assert_eq!(add(&backlog, vec![turn(&own, 1, 1)]), 1, "said again");
    read(&batch);
    assert_eq!(backlog.unseen(&own, &[id(1), id(2)]), [1], "the store is asked about 2");
    drop(batch);
    assert_eq!(backlog.pick(Lane::Short).unwrap().turns, [id(1)]);
    let before = backlog.era();
    backlog.forget_read();
    backlog.mark_read_or_unreadable(&own, &[id(2)], before);
    assert_eq!(backlog.unseen(&own, &[id(2)]), [0]);
    backlog.mark_read_or_unreadable(&own, &[id(2)], backlog.era());
    assert!(backlog.unseen(&own, &[id(2)]).is_empty());
}

#[test]
fn a_turn_that_an_earlier_process_accepted_is_listed_once_though_there_is_no_room() {
    let none = Load { turns: 0, bytes: 0 };
    let backlog = backlog(none, none);
    let turns: Vec<WaitingTurn> = [2, 1].map(|number| WaitingTurn::new(&turn(&scope(1), number, 2000))).to_vec();
    backlog.set_unlisted(3);
    backlog.list(&turns);
    assert_eq!(backlog.lock().unlisted, 1, "what is listed is counted once");
    backlog.list(&turns);
    assert_eq!(waiting(&backlog), Load { turns: 2, bytes: 8 });
    assert_eq!(backlog.pick(Lane::Short).unwrap().turns, [id(1), id(2)]);
    assert_eq!(backlog.is_full(&scope(1)), Some(Refusal::Full));
    let (admitted, refused) = backlog.admit(vec![turn(&scope(1), 1, 2000)]);
    assert!(admitted.is_empty() && refused.is_empty(), "what is here is not refused");
}

#[test]
fn what_is_beyond_a_callers_minute_waits_with_all_its_users_while_others_are_read_and_is_read_in_the_end() {
    let backlog = limited(1000);
    let (own, user, other) = (scope(1), of_user(1, 1), scope(2));
    add(&backlog, vec![turn(&own, 0, 3000), turn(&own, 1, 10), turn(&user, 2, 10)]);
    let now = Instant::now();
    let pick = |now| backlog.pick_at(Lane::Short, now);
    let first = pick(now).unwrap();
    assert_eq!(first.turns, [id(0)], "one turn is read whole, however long it is");
    read(&first);
    drop(first);
    add(&backlog, vec![turn(&other, 3, 10)]);
    let second = pick(now).unwrap();
    assert_eq!(second.scope, other);
    read(&second);
    drop(second);
    let wait = pick(now).unwrap_err().unwrap();
    assert!((119..=121).contains(&wait.as_secs()), "2,000 tokens too many are two minutes: {wait:?}");
    let third = pick(now + wait).unwrap();
    read(&third);
    drop(third);
    let later = now + wait + Duration::from_secs(60);
    let fourth = pick(later).unwrap();
    assert_eq!(fourth.turns.len(), 1);
    read(&fourth);
    drop(fourth);
    assert_eq!((waiting(&backlog), pick(later).unwrap_err()), (Load::default(), None));
}

#[tokio::test]
async fn a_hand_that_waits_is_woken_by_what_arrives() {
    let backlog = endless();
    let waits = tokio::spawn({
        let backlog = Arc::clone(&backlog);
        async move { backlog.next(Lane::Short).await.turns.clone() }
    });
    tokio::task::yield_now().await;
    add(&backlog, vec![turn(&scope(1), 7, 1)]);
    assert_eq!(waits.await.unwrap(), [id(7)]);
}
