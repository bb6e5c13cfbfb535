//! A table of the simulation: the rows of turns, commit by commit.
//!
//! Responsible for: what a power loss leaves of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::records::TurnKey;

/// All rows of a table, by their turns.
pub(super) type Rows<R> = BTreeMap<TurnKey, Vec<R>>;

/// The commits of a table.
#[derive(Debug)]
pub(super) struct Commits<R> {
    /// The newest one that is durable, and those after it.
    states: Vec<Arc<Rows<R>>>,
    /// The version of the first.
    first: u64,
}

impl<R> Default for Commits<R> {
    fn default() -> Self {
        Self { states: vec![Arc::default()], first: 1 }
    }
}

impl<R: Clone> Commits<R> {
    pub(super) fn version(&self) -> u64 {
        self.first + self.states.len() as u64 - 1
    }

    pub(super) fn newest(&self) -> Arc<Rows<R>> {
        self.states.last().cloned().unwrap_or_default()
    }

    /// Commits a change; one that changes nothing is none.
    pub(super) fn commit(&mut self, change: impl FnOnce(&mut Rows<R>)) {
        let mut rows = Rows::clone(&self.newest());
        change(&mut rows);
        rows.retain(|_, rows| !rows.is_empty());
        self.states.push(Arc::new(rows));
    }

    pub(super) fn sync(&mut self) {
        self.keep(self.states.len() - 1);
    }

    /// Goes back to the commit that `pick` chooses; how many are gone.
    pub(super) fn lose(&mut self, pick: &mut impl FnMut(usize) -> usize) -> usize {
        let kept = pick(self.states.len() - 1);
        let lost = self.states.len() - 1 - kept;
        self.states.truncate(kept + 1);
        self.keep(kept);
        lost
    }

    fn keep(&mut self, at: usize) {
        self.states.drain(..at);
        self.first += at as u64;
    }
}
