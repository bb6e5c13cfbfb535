//! Tests of what one connection is doing.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUTS: Timeouts =
    Timeouts { head: Duration::from_secs(30), body: Duration::from_secs(60), idle: Duration::from_secs(120) };

#[test]
fn a_silent_connection_and_half_a_head_are_given_the_time_of_a_head() {
    let now = Instant::now();
    let state = ConnectionState::new(now);
    assert_eq!(state.look(now, &TIMEOUTS), Ok(now + TIMEOUTS.head));
    state.received(1);
    assert_eq!(state.look(now + TIMEOUTS.head, &TIMEOUTS), Err(CloseReason::Head));
}

#[test]
fn a_kept_alive_connection_is_given_longer_than_a_head() {
    let state = ConnectionState::new(Instant::now());
    state.received(100);
    state.begins(false);
    state.arrived(false);
    state.ends();
    let later = Instant::now();
    assert!(state.look(later + TIMEOUTS.head + SECOND, &TIMEOUTS).is_ok());
    assert_eq!(state.look(later + TIMEOUTS.idle + SECOND, &TIMEOUTS), Err(CloseReason::Idle));
    state.received(1);
    let later = Instant::now();
    assert_eq!(state.look(later + TIMEOUTS.head, &TIMEOUTS), Err(CloseReason::Head), "the next head began");
}

#[test]
fn what_a_client_of_http2_says_between_requests_begins_no_head() {
    let state = ConnectionState::new(Instant::now());
    state.begins(true);
    state.ends_early(false);
    state.received(17);
    let later = Instant::now() + TIMEOUTS.head + SECOND;
    assert!(state.look(later, &TIMEOUTS).is_ok());
    state.begins(true);
    assert!(state.waiting(Instant::now()).unwrap() < SECOND, "its next request came just now");
}

#[test]
fn while_a_request_is_answered_nothing_is_waited_for() {
    let now = Instant::now();
    let state = ConnectionState::new(now);
    state.begins(false);
    state.holds();
    assert!(state.waiting(now).is_some() && state.holding() == 1);
    state.arrived(true);
    assert!(state.waiting(now).is_none() && state.holding() == 0);
    assert!(state.look(now + TIMEOUTS.idle * 10, &TIMEOUTS).is_ok());
    state.is_stuck();
    let later = Instant::now() + TIMEOUTS.body;
    assert_eq!(state.look(later, &TIMEOUTS), Err(CloseReason::Write));
    state.flows();
    assert!(state.look(later, &TIMEOUTS).is_ok());
}

#[test]
fn a_client_whose_request_waits_for_a_permit_is_not_to_blame() {
    let now = Instant::now();
    let state = ConnectionState::new(now);
    state.begins(false);
    let queued: Vec<_> = std::iter::from_fn(|| state.queue()).take(100).collect();
    assert_eq!(queued.len(), MOST_QUEUED, "others need room to wait, too");
    assert!(state.waiting(now).is_none());
    drop(queued);
    assert!(state.waiting(now).is_some() && state.queue().is_some());
}

#[test]
fn a_client_that_sends_quickly_counts_as_one_that_just_came() {
    let now = Instant::now();
    let (quick, slow) = (ConnectionState::new(now), ConnectionState::new(now));
    for state in [&quick, &slow] {
        state.begins(false);
    }
    quick.received(10 << 20);
    slow.received(10);
    let later = now + SECOND * 10;
    assert_eq!(quick.waiting(later).unwrap(), Duration::ZERO);
    assert_eq!(slow.waiting(later).unwrap(), SECOND * 10);
}

#[test]
fn looking_again_is_never_too_late() {
    let now = Instant::now();
    let state = ConnectionState::new(now);
    state.begins(false);
    state.arrived(false);
    // Whatever begins right after this look, its time-out is not over before the next.
    let next = state.look(now, &TIMEOUTS).unwrap();
    assert!(next <= now + TIMEOUTS.head.min(TIMEOUTS.body).min(TIMEOUTS.idle));
}
