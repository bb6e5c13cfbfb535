//! Whether something of a scope was deleted while somebody was reading in it.
//!
//! Responsible for: marks, and what is deleted between two looks at them.
//!
//! What is kept of a scope's deletions is one number for each scope that had one since the start: a reader does not outlive the process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::records::{DeletionMark, Scope};

/// The deletions of each scope.
#[derive(Debug, Default)]
pub(super) struct Departures {
    scopes: Mutex<HashMap<Scope, Deletions>>,
}

#[derive(Debug, Default)]
struct Deletions {
    /// How many have ended.
    ended: u64,
    /// How many are at work.
    at_work: usize,
}

/// A deletion that is at work until this is dropped.
pub(super) struct Departing<'a> {
    departures: &'a Departures,
    scope: Scope,
}

impl Departures {
    /// Notes that a deletion begins. What was read before it and while it is at work may be gone after it.
    pub(super) fn begin(&self, scope: &Scope) -> Departing<'_> {
        self.scopes().entry(scope.clone()).or_default().at_work += 1;
        Departing { departures: self, scope: scope.clone() }
    }

    /// What has been deleted by now.
    pub(super) fn mark(&self, scope: &Scope) -> DeletionMark {
        match self.scopes().get(scope) {
            None => DeletionMark::settled(0),
            Some(Deletions { ended, at_work: 0 }) => DeletionMark::settled(*ended),
            Some(_) => DeletionMark::UNSETTLED,
        }
    }

    fn scopes(&self) -> MutexGuard<'_, HashMap<Scope, Deletions>> {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Departing<'_> {
    fn drop(&mut self) {
        if let Some(deletions) = self.departures.scopes().get_mut(&self.scope) {
            deletions.at_work = deletions.at_work.saturating_sub(1);
            deletions.ended += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples_for_tests::scope;

    #[test]
    fn what_was_read_before_a_deletion_or_beside_it_is_not_settled_after_it() {
        let departures = Departures::default();
        let before = departures.mark(&scope());
        assert!(before.is_still(departures.mark(&scope())));
        let (one, other) = (departures.begin(&scope()), departures.begin(&scope()));
        drop(one);
        let beside = departures.mark(&scope());
        assert!(!before.is_still(beside));
        drop(other);
        let after = departures.mark(&scope());
        assert!(!before.is_still(after) && !beside.is_still(after) && !beside.is_still(beside));
        assert!(after.is_still(departures.mark(&scope())));
    }
}
