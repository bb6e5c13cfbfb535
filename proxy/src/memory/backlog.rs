//! Which turns are on their way in, and which need not be offered again.
//!
//! It must not know how turns are read. Everything here is bounded.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use mainpoint_store::{Scope, TurnId};

use crate::telemetry::metrics;

/// A turn of a scope.
pub(super) type Key = (Scope, TurnId);

/// Turns in flight and turns that are settled.
#[derive(Debug)]
pub(super) struct Backlog {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    in_flight: HashSet<Key>,
    /// Read, or found unreadable; forgetting one only means asking the store again.
    settled: LruCache<Key, ()>,
}

impl Default for Backlog {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner {
                in_flight: HashSet::new(),
                settled: LruCache::new(REMEMBERED),
            }),
        }
    }
}

impl Backlog {
    /// Marks those of `names` as in flight that are neither in flight nor settled, and returns them.
    pub(super) fn begin(&self, scope: &Scope, names: impl IntoIterator<Item = TurnId>) -> HashSet<TurnId> {
        self.change(|inner| {
            let mut begun = HashSet::new();
            for name in names {
                let key = (scope.clone(), name);
                if inner.settled.get(&key).is_none() && inner.in_flight.insert(key) {
                    begun.insert(name);
                }
            }
            begun
        })
    }

    /// These turns are read, or never will be.
    pub(super) fn settle(&self, scope: &Scope, names: impl IntoIterator<Item = TurnId>) {
        self.change(|inner| {
            for name in names {
                let key = (scope.clone(), name);
                inner.in_flight.remove(&key);
                inner.settled.put(key, ());
            }
        });
    }

    /// These turns were not read; the next request of their conversation brings them again.
    pub(super) fn give_up(&self, scope: &Scope, names: impl IntoIterator<Item = TurnId>) {
        self.change(|inner| {
            for name in names {
                inner.in_flight.remove(&(scope.clone(), name));
            }
        });
    }

    fn change<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut inner);
        metrics::backlog(inner.in_flight.len());
        result
    }
}

/// How many settled turns are remembered, at about 150 bytes each.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(131_071);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    #[test]
    fn a_turn_in_flight_or_settled_is_not_begun_again_and_one_given_up_is() {
        let backlog = Backlog::default();
        let scope = Scope::new("k-a").unwrap();
        let other = Scope::new("k-b").unwrap();
        let (one, two) = (TurnId([1; 16]), TurnId([2; 16]));
        assert_eq!(backlog.begin(&scope, [one, two]), HashSet::from([one, two]));
        assert!(backlog.begin(&scope, [one, two]).is_empty());
        assert_eq!(backlog.begin(&other, [one]), HashSet::from([one]));
        backlog.settle(&scope, [one]);
        backlog.give_up(&scope, [two]);
        assert_eq!(backlog.begin(&scope, [one, two]), HashSet::from([two]));
    }
}
