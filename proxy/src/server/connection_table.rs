//! Which connections there are, and how many requests are answered at once.
//!
//! Up to the limit connections come and go; beyond it the one that has waited longest for its client makes room for the
//! next, so that idle clients lock nobody out. When every connection is being served, a reserve remains for requests
//! about the process's health, and a bounded number of others wait for a permit.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection_state::{CloseReason, ConnectionState};
use crate::telemetry::metrics;

/// The connections of a server.
#[derive(Debug)]
pub(super) struct ConnectionTable {
    /// Most connections, and most requests that are answered at once.
    most: usize,
    permits: Arc<Semaphore>,
    queue: AtomicUsize,
    is_left: AtomicBool,
    states: Mutex<States>,
}

#[derive(Debug, Default)]
struct States {
    open: HashMap<u64, Arc<ConnectionState>>,
    /// Those that were closed and whose requests may still hold permits.
    leaving: Vec<Arc<ConnectionState>>,
    last: u64,
}

/// A connection's entry; it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    number: u64,
    state: Arc<ConnectionState>,
    connections: Arc<ConnectionTable>,
}

impl ConnectionTable {
    /// A table of at most `most` connections.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            permits: Arc::new(Semaphore::new(most)),
            queue: AtomicUsize::new(0),
            is_left: AtomicBool::new(false),
            states: Mutex::default(),
        })
    }

    /// Whether another connection can be taken in.
    pub(super) fn has_room(&self) -> bool {
        let states = self.lock();
        states.open.len() < self.most + RESERVE || states.longest_waiting(|_| true).is_some()
    }

    /// Takes a connection in. At the limit the one that has waited longest for its client is closed.
    pub(super) fn enter(self: &Arc<Self>) -> Entry {
        let mut states = self.lock();
        // More than one where the reserve was used. While that has room, whoever has only just come may send its request first.
        while states.open.len() >= self.most {
            let (now, is_full) = (Instant::now(), states.open.len() >= self.most + RESERVE);
            let fits = |state: &ConnectionState| is_full || state.waiting(now).is_some_and(|time| time >= NEWCOMER);
            if !states.close_longest_waiting(CloseReason::Cap, fits) {
                break;
            }
        }
        states.last += 1;
        let (number, state) = (states.last, Arc::new(ConnectionState::new(Instant::now())));
        states.open.insert(number, Arc::clone(&state));
        metrics::connections(states.open.len());
        Entry { number, state, connections: Arc::clone(self) }
    }

    /// A permit for a request. When there is none, this waits for a while, and requests whose bodies trickle make room; one whose body
    /// only began to come, or that has no permit itself, is left alone. `None` when waiting was in vain or too many wait already.
    pub(super) async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        if let Some(permit) = self.try_acquire() {
            return Some(permit);
        }
        let _waiting = Waiting::begin(&self.queue)?;
        let permit = std::pin::pin!(Arc::clone(&self.permits).acquire_owned());
        tokio::select! {
            biased;
            permit = permit => permit.ok(),
            () = self.make_room() => None,
        }
    }

    /// Closes connections whose bodies trickle, again and again, but no more than the requests that wait need. Ready when that was
    /// in vain.
    async fn make_room(&self) {
        let end = Instant::now() + LONGEST_WAIT;
        while Instant::now() < end {
            self.lock().free_permits(self.queue.load(Ordering::Relaxed));
            tokio::time::sleep(NEWCOMER).await;
        }
    }

    /// A permit for a request, if one is free.
    pub(super) fn try_acquire(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// Closes the connection that has waited longest for its client.
    pub(super) fn close_one(&self, reason: CloseReason) {
        self.lock().close_longest_waiting(reason, |_| true);
    }

    /// Closes the connections on which no request has begun.
    pub(super) fn close_unused(&self, reason: CloseReason) {
        for state in self.lock().open.values().filter(|state| state.is_between_requests()) {
            state.close(reason);
        }
    }

    /// From now on clients are told with every answer that their next request needs another connection.
    pub(super) fn leave(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }

    /// Whether they are told so.
    pub(super) fn is_left(&self) -> bool {
        self.is_left.load(Ordering::Relaxed)
    }

    /// How many connections there are.
    pub(super) fn count(&self) -> usize {
        self.lock().open.len()
    }

    fn lock(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl States {
    /// Only looked for at the limit, so that nothing is kept in order while there is room.
    fn longest_waiting(&self, fits: impl Fn(&ConnectionState) -> bool) -> Option<u64> {
        let now = Instant::now();
        let waiting = self
            .open
            .iter()
            .filter(|(_, state)| fits(state))
            .filter_map(|(number, state)| Some((state.waiting(now)?, *number)));
        // Of two that have waited equally long the earlier one.
        let longest = waiting.max_by_key(|(time, number)| (*time, std::cmp::Reverse(*number)));
        longest.map(|(_, number)| number)
    }

    /// Has so many permits become free, as far as the requests that hold them trickle.
    fn free_permits(&mut self, wanted: usize) {
        let now = Instant::now();
        self.leaving.retain(|state| state.holding() > 0);
        let mut leaving: usize = self.leaving.iter().map(|state| state.holding()).sum();
        while leaving < wanted {
            let fits = |state: &ConnectionState| {
                state.holding() > 0 && state.waiting(now).is_some_and(|time| time >= NEWCOMER)
            };
            let Some(state) = self.take_longest_waiting(fits) else {
                return;
            };
            leaving += state.holding();
            state.close(CloseReason::Cap);
            self.leaving.push(state);
        }
    }

    /// Whether there was one.
    fn close_longest_waiting(&mut self, reason: CloseReason, fits: impl Fn(&ConnectionState) -> bool) -> bool {
        let longest = self.take_longest_waiting(fits);
        if let Some(state) = &longest {
            state.close(reason);
        }
        longest.is_some()
    }

    /// What is closed no longer counts, although its socket may take a moment to close.
    fn take_longest_waiting(&mut self, fits: impl Fn(&ConnectionState) -> bool) -> Option<Arc<ConnectionState>> {
        let number = self.longest_waiting(fits)?;
        self.open.remove(&number)
    }
}

impl Entry {
    /// What is known of the connection.
    pub(super) fn state(&self) -> &Arc<ConnectionState> {
        &self.state
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut states = self.connections.lock();
        states.open.remove(&self.number);
        metrics::connections(states.open.len());
    }
}

/// One of a bounded number of requests that wait for a permit.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(queue: &'a AtomicUsize) -> Option<Self> {
        let waiting = Self(queue);
        // When there are too many already, dropping `waiting` takes this one out again.
        (queue.fetch_add(1, Ordering::Relaxed) < LONGEST_QUEUE).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// So many connections are taken in when every other one is being served.
pub(super) const RESERVE: usize = 64;
/// So many requests wait for a permit: less than the reserve, so that one who asks for the process's health comes in.
const LONGEST_QUEUE: usize = RESERVE / 2;
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// So long a client that has just come may take to begin its request before another takes its room.
const NEWCOMER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::super::request_guard::RequestGuard;
    use super::*;

    fn serve(entry: &Entry) {
        entry.state().begins(false);
        entry.state().arrived(false);
    }

    fn is_closed(entry: &Entry) -> bool {
        entry.state().closing().is_cancelled()
    }

    #[test]
    fn at_the_limit_the_connection_that_waits_longest_makes_room() {
        let connections = ConnectionTable::new(3);
        let entries = [connections.enter(), connections.enter(), connections.enter()];
        serve(&entries[0]);
        drop(connections.enter());
        assert!(!entries.iter().any(is_closed), "who has only just come is spared");
        // A client is no newcomer any more when this time has passed: that is what the limit is about.
        std::thread::sleep(NEWCOMER);
        let fourth = connections.enter();
        let closed: Vec<bool> = entries.iter().map(is_closed).collect();
        assert_eq!(closed, [false, true, false], "the first one is being served");
        assert_eq!(connections.count(), 3);
        drop(fourth);
        assert_eq!(connections.count(), 2);
    }

    #[test]
    fn when_all_are_served_there_is_a_reserve_and_then_an_end() {
        let connections = ConnectionTable::new(2);
        let mut entries = Vec::new();
        for _ in 0..2 + RESERVE {
            assert!(connections.has_room());
            entries.push(connections.enter());
            serve(entries.last().unwrap());
        }
        assert!(!connections.has_room());
        assert!(!entries.iter().any(is_closed));
        entries[5].state().ends();
        assert!(connections.has_room(), "one that waits can be closed");
    }

    #[tokio::test]
    async fn a_request_waits_for_a_permit_and_so_many_may_wait() {
        let connections = ConnectionTable::new(1);
        let permit = connections.acquire().await.unwrap();
        let waiting: Vec<_> = (0..LONGEST_QUEUE)
            .map(|_| {
                let connections = Arc::clone(&connections);
                tokio::spawn(async move { connections.acquire().await.is_some() })
            })
            .collect();
        while connections.queue.load(Ordering::Relaxed) < LONGEST_QUEUE {
            tokio::task::yield_now().await;
        }
        assert!(connections.acquire().await.is_none(), "the queue is full");
        drop(permit);
        for served in waiting {
            assert!(served.await.unwrap(), "each had the permit when the one before let it go");
        }
        assert_eq!(connections.queue.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_request_whose_body_is_still_coming_makes_room() {
        let connections = ConnectionTable::new(1);
        let trickling = connections.enter();
        let guard = RequestGuard::begin(trickling.state(), false);
        guard.hold(connections.acquire().await.unwrap());
        let next = {
            let connections = Arc::clone(&connections);
            tokio::spawn(async move { connections.acquire().await.is_some() })
        };
        trickling.state().closing().cancelled().await;
        drop(guard);
        assert!(next.await.unwrap());
    }
}
