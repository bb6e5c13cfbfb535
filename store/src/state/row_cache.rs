//! In which rows of their table the points of turns lie, in memory.
//!
//! Responsible for: remembering rows, and using what is remembered only where it holds in the version of the table that
//! is asked about.
//!
//! A row's number names its fragment and its place in it. In a version of the table the row is there, and holds the same,
//! wherever that fragment is there with the same deletions. So nobody has to tell when rows are added, deleted or compacted.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lance::Dataset;

use crate::records::{Scope, TurnId};

/// The fragments of one version of the table.
#[derive(Debug)]
pub(crate) struct Fragments {
    version: u64,
    /// What is deleted of each, as a number that is another one whenever that changes.
    deletions: HashMap<u64, Deletions>,
}

/// The version that wrote a fragment's list of deleted rows, and that list's number.
type Deletions = Option<(u64, u64)>;

/// Where the points of turns lie.
#[derive(Debug)]
pub(crate) struct RowCache {
    cached: Mutex<CachedRows>,
    most_turns: usize,
}

#[derive(Debug, Default)]
struct CachedRows {
    scopes: HashMap<Scope, HashMap<TurnId, Rows>>,
    turns: usize,
}

/// The rows of one turn.
#[derive(Debug)]
enum Rows {
    At(Box<[(u64, Deletions)]>),
    /// It had none in this version.
    NoneIn(u64),
}

/// What is remembered of some turns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lookup {
    pub(crate) rows: Vec<u64>,
    /// Turns of which nothing is remembered that holds.
    pub(crate) missing: Vec<TurnId>,
}

impl Fragments {
    /// Those of an open version.
    pub(crate) fn from_dataset(dataset: &Dataset) -> Self {
        let deletions = dataset.fragments().iter().map(|fragment| {
            let file = fragment.deletion_file.as_ref();
            (fragment.id, file.map(|file| (file.read_version, file.id)))
        });
        Self { version: dataset.version_id(), deletions: deletions.collect() }
    }

    fn deletions_beside(&self, row: u64) -> Option<Deletions> {
        self.deletions.get(&(row >> 32)).copied()
    }

    /// The rows, if they are what was remembered.
    fn hold<'a>(&self, rows: &'a Rows) -> Option<&'a [(u64, Deletions)]> {
        match rows {
            Rows::NoneIn(version) => (*version == self.version).then_some(&[]),
            Rows::At(rows) => {
                let holds = |(row, deletions): &(u64, Deletions)| self.deletions_beside(*row) == Some(*deletions);
                rows.iter().all(holds).then_some(rows)
            }
        }
    }
}

impl RowCache {
    /// Remembers the rows of at most so many turns, over all scopes; about 100 bytes each.
    pub(crate) fn holding(most_turns: usize) -> Self {
        Self { cached: Mutex::default(), most_turns }
    }

    /// Where the points of these turns lie.
    pub(crate) fn look_up(&self, fragments: &Fragments, scope: &Scope, turns: &[TurnId]) -> Lookup {
        let cached = self.lock();
        let known = cached.scopes.get(scope);
        let mut lookup = Lookup::default();
        for turn in turns {
            let rows = known.and_then(|known| known.get(turn));
            match rows.and_then(|rows| fragments.hold(rows)) {
                Some(rows) => lookup.rows.extend(rows.iter().map(|(row, _)| *row)),
                None => lookup.missing.push(*turn),
            }
        }
        lookup
    }

    /// Remembers that the points of `turns` lie in the rows of `found`, and nowhere else.
    pub(crate) fn remember(
        &self,
        fragments: &Fragments,
        scope: &Scope,
        turns: &[TurnId],
        found: &HashMap<TurnId, Vec<u64>>,
    ) {
        let mut cached = self.lock();
        if cached.turns + turns.len() > self.most_turns {
            *cached = CachedRows::default();
        }
        let known = cached.scopes.entry(scope.clone()).or_default();
        let before = known.len();
        for turn in turns {
            let rows = found.get(turn).map_or(&[][..], Vec::as_slice);
            let placed = rows.iter().filter_map(|row| Some((*row, fragments.deletions_beside(*row)?)));
            let rows = match rows {
                [] => Rows::NoneIn(fragments.version),
                _ => Rows::At(placed.collect()),
            };
            known.insert(*turn, rows);
        }
        let added = known.len() - before;
        cached.turns += added;
    }

    /// Forgets where the points of these turns lay.
    pub(crate) fn forget(&self, scope: &Scope, turns: &HashSet<TurnId>) {
        let mut cached = self.lock();
        let Some(known) = cached.scopes.get_mut(scope) else {
            return;
        };
        let before = known.len();
        known.retain(|turn, _| !turns.contains(turn));
        let removed = before - known.len();
        cached.turns -= removed;
    }

    fn lock(&self) -> MutexGuard<'_, CachedRows> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    fn turn(number: u8) -> TurnId {
        TurnId([number; 16])
    }

    fn fragments(version: u64, deletions: &[(u64, Deletions)]) -> Fragments {
        Fragments { version, deletions: deletions.iter().copied().collect() }
    }

    fn row(fragment: u64, offset: u64) -> u64 {
        (fragment << 32) + offset
    }

    #[test]
    fn rows_are_remembered_as_long_as_their_fragments_stay_as_they_are() {
        let (places, scope) = (RowCache::holding(100), Scope::new("s").unwrap());
        let turns = [turn(1), turn(2), turn(3)];
        let found = HashMap::from([(turn(1), vec![row(0, 7)]), (turn(2), vec![row(0, 8), row(1, 0)])]);
        let now = fragments(5, &[(0, None), (1, Some((4, 9)))]);
        places.remember(&now, &scope, &turns, &found);
        let missing = |fragments: &Fragments| places.look_up(fragments, &scope, &turns).missing;

        assert_eq!(missing(&now), []);
        let rows = places.look_up(&now, &scope, &turns[1..]).rows;
        assert_eq!(rows, [row(0, 8), row(1, 0)]);
        let appended = fragments(6, &[(0, None), (1, Some((4, 9))), (2, None)]);
        assert_eq!(missing(&appended), [turn(3)], "a turn without points may have some now");
        let deleted = fragments(7, &[(0, None), (1, Some((6, 1)))]);
        assert_eq!(missing(&deleted), [turn(2), turn(3)]);
        let compacted = fragments(8, &[(3, None)]);
        assert_eq!(missing(&compacted), turns);
        let elsewhere = Scope::new("t").unwrap();
        assert_eq!(places.look_up(&now, &elsewhere, &turns).missing, turns);
        places.forget(&scope, &HashSet::from([turn(1), turn(9)]));
        assert_eq!(missing(&now), [turn(1)]);
    }
}
