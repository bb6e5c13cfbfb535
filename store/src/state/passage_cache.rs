//! Passages that searches found recently, in memory.
//!
//! Responsible for: handing them out by the rows that they lie in, and holding no more than it may.
//!
//! Lance reads every row of a few hundred by itself, on one of many threads, which takes longer than searching for them. A row
//! never changes: what is written or compacted anew lies in rows of other numbers.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::records::{IndexedPassage, TurnId};

/// The passages that were asked for last, by their rows.
#[derive(Debug)]
pub(crate) struct PassageCache {
    cached: Mutex<Cached>,
    most_bytes: usize,
}

#[derive(Debug)]
struct Cached {
    passages: LruCache<u64, IndexedPassage>,
    bytes: usize,
}

/// What a passage takes besides its ranking data: itself, and its place in the list and the table.
const OVERHEAD: usize = 160;
/// What most passages take.
const USUAL: usize = 2 << 10;

impl PassageCache {
    /// Holds at most so many bytes.
    pub(crate) fn new(most_bytes: usize) -> Self {
        let cached = Cached {
            // The table grows with what is in it.
            passages: LruCache::unbounded(),
            bytes: 0,
        };
        Self { cached: Mutex::new(cached), most_bytes }
    }

    /// Takes those of `rows` out that are known, and gives their passages.
    pub(crate) fn take_known(&self, rows: &mut Vec<u64>) -> Vec<IndexedPassage> {
        let mut cached = self.lock();
        let mut known = Vec::with_capacity(rows.len());
        rows.retain(|row| match cached.passages.get(row) {
            Some(passage) => {
                known.push(passage.clone());
                false
            }
            None => true,
        });
        known
    }

    /// Remembers passages, and forgets those that were not asked for the longest where there is no room.
    pub(crate) fn remember(&self, passages: &[IndexedPassage]) {
        let mut cached = self.lock();
        for passage in passages {
            cached.bytes += bytes(passage);
            if let Some((_, before)) = cached.passages.push(passage.row, passage.clone()) {
                cached.bytes -= bytes(&before);
            }
        }
        while cached.bytes > self.most_bytes
            && let Some((_, oldest)) = cached.passages.pop_lru()
        {
            cached.bytes -= bytes(&oldest);
        }
    }

    /// What a passage takes, on the mean of those that are held.
    pub(crate) fn mean_bytes(&self) -> usize {
        let cached = self.lock();
        cached.bytes.checked_div(cached.passages.len()).unwrap_or(USUAL)
    }

    /// Forgets the passages of these turns.
    pub(crate) fn forget(&self, turns: &HashSet<TurnId>) {
        let mut cached = self.lock();
        let of_turns = cached.passages.iter().filter(|(_, passage)| turns.contains(&passage.turn));
        let rows: Vec<u64> = of_turns.map(|(row, _)| *row).collect();
        for row in rows {
            if let Some(passage) = cached.passages.pop(&row) {
                cached.bytes -= bytes(&passage);
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let mut cached = self.lock();
        cached.passages.clear();
        cached.bytes = 0;
    }

    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes(passage: &IndexedPassage) -> usize {
    passage.ranking_data.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn passage(row: u64, length: usize) -> IndexedPassage {
        IndexedPassage { turn: TurnId([0; 16]), passage: 0, ranking_data: vec![0; length].into(), row }
    }

    #[test]
    fn what_was_asked_for_last_stays() {
        let recent = PassageCache::new(3 * OVERHEAD);
        recent.remember(&[passage(1, 0), passage(2, 0), passage(3, 0)]);
        assert_eq!(recent.take_known(&mut vec![1]).len(), 1);
        recent.remember(&[passage(4, 0)]);
        let mut rows = vec![1, 2, 3, 4];
        let known = recent.take_known(&mut rows);
        assert_eq!((known.len(), rows), (3, vec![2]));
        recent.clear();
        assert!(recent.take_known(&mut vec![1, 3, 4]).is_empty());
    }

    #[test]
    fn the_passages_of_deleted_turns_are_forgotten() {
        let recent = PassageCache::new(100 * OVERHEAD);
        let of = |turn: u8, row| IndexedPassage { turn: TurnId([turn; 16]), ..passage(row, 0) };
        recent.remember(&[of(1, 1), of(2, 2), of(1, 3)]);
        recent.forget(&HashSet::from([TurnId([1; 16])]));
        let mut rows = vec![1, 2, 3];
        assert_eq!(recent.take_known(&mut rows), [of(2, 2)]);
        assert_eq!(recent.lock().bytes, OVERHEAD);
    }

    proptest! {
        #[test]
        fn no_more_bytes_are_held_than_allowed_and_they_are_counted_rightly(
            rounds in proptest::collection::vec(proptest::collection::vec((0_u64..40, 0_usize..400), 0..20), 0..20),
        ) {
            let recent = PassageCache::new(2000);
            for round in rounds {
                let passages: Vec<IndexedPassage> = round.into_iter().map(|(row, length)| passage(row, length)).collect();
                recent.remember(&passages);
                let cached = recent.lock();
                prop_assert!(cached.bytes <= 2000);
                prop_assert_eq!(cached.bytes, cached.passages.iter().map(|(_, passage)| bytes(passage)).sum::<usize>());
            }
        }
    }
}
