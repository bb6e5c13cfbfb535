//! How much of each caller is stored, where that is limited: the store counts it once, and what comes and goes since is counted here.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;
use mainpoint_store::{Scope, Store, Turn};
use tokio::sync::Semaphore;

use super::caller_limits::{CallerLimits, caller};
use super::queue::Load;
use crate::config::LimitsConfig;
use crate::error::MemoryError;
use crate::telemetry::metrics;

/// How much of each caller is stored, or about to be.
#[derive(Debug)]
pub(super) struct StoredAmounts {
    limits: CallerLimits,
    counted: Mutex<LruCache<String, Counted>>,
    /// Few are counted at a time: each is looked through.
    counting: Semaphore,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    load: Load,
    /// When the store counted it.
    at: Instant,
    /// Whether the log says that there is no room for more.
    is_told: bool,
}

impl StoredAmounts {
    pub(super) fn new(limits: CallerLimits) -> Self {
        Self { limits, counted: Mutex::new(LruCache::unbounded()), counting: Semaphore::new(COUNTED_AT_ONCE) }
    }

    /// Has the store count what a caller has stored, unless that is known, or not limited. Of somebody who has no room it is counted
    /// again after a while, since what is kept too long is deleted without anybody saying so here.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn count(&self, store: &Store, scope: &Scope) -> Result<(), MemoryError> {
        let Some(limit) = self.limit(scope) else { return Ok(()) };
        if self.is_known(scope, limit) {
            return Ok(());
        }
        // The semaphore is never closed.
        let _permit = self.counting.acquire().await.ok();
        if self.is_known(scope, limit) {
            return Ok(());
        }
        let size = store.size(&Scope::new(caller(scope))?).await?;
        let load = Load { turns: size.turns, bytes: size.bytes };
        let was_told = self.lock().peek(caller(scope)).is_some_and(|before| before.is_told);
        self.put(scope, load, was_told && !load.has_room(limit, 1));
        Ok(())
    }

    fn is_known(&self, scope: &Scope, limit: Load) -> bool {
        let known = self.lock().get(caller(scope)).copied();
        known.is_some_and(|known| known.load.has_room(limit, 1) || known.at.elapsed() < COUNTED_AGAIN)
    }

    /// Leaves those of these turns of one scope for which there is room, the first ones, which are counted from now on. Whether there is
    /// room for any.
    pub(super) fn take(&self, scope: &Scope, turns: &mut Vec<Turn>) -> bool {
        let Some(limit) = self.limit(scope) else { return true };
        let mut counted = self.lock();
        let Some(known) = counted.get_mut(caller(scope)) else { return true };
        let has_any = known.load.has_room(limit, 1);
        let come = turns.len();
        let mut is_over = false;
        turns.retain(|turn| {
            is_over |= !known.load.has_room(limit, turn.text.len());
            if !is_over {
                known.load.add(turn.text.len());
            }
            !is_over
        });
        metrics::limited("stored", come - turns.len());
        let is_news = is_over && !std::mem::replace(&mut known.is_told, is_over);
        drop(counted);
        if is_news {
            tracing::warn!(
                %scope,
                "as much of this caller is stored as limits.stored_turns and limits.stored_bytes allow: its requests pass, and new turns \
                 are not stored"
            );
        }
        has_any
    }

    /// Whether there is room for all of these turns of one scope, as far as that is known without asking the store.
    pub(super) fn has_room_for(&self, turns: &[Turn]) -> bool {
        let Some(scope) = turns.first().map(|turn| &turn.scope) else { return true };
        let Some(limit) = self.limit(scope) else { return true };
        let Some(mut load) = self.lock().peek(caller(scope)).map(|known| known.load) else { return true };
        turns.iter().all(|turn| {
            let has_room = load.has_room(limit, turn.text.len());
            load.add(turn.text.len());
            has_room
        })
    }

    /// These turns are stored, or about to be.
    pub(super) fn add(&self, turns: &[Turn]) {
        self.change(turns, Load::add);
    }

    /// These turns, which were counted, are not going to be stored.
    pub(super) fn subtract(&self, turns: &[Turn]) {
        self.change(turns, |load, bytes| {
            // Counted anew, it may have been without them.
            *load = Load { turns: load.turns.saturating_sub(1), bytes: load.bytes.saturating_sub(bytes) };
        });
    }

    /// Something of a scope was deleted: the store counts again what its caller has.
    pub(super) fn forget(&self, scope: &Scope) {
        self.lock().pop(caller(scope));
    }

    fn change(&self, turns: &[Turn], change: fn(&mut Load, usize)) {
        let mut counted = self.lock();
        if counted.is_empty() {
            return;
        }
        for turn in turns {
            if let Some(known) = counted.get_mut(caller(&turn.scope)) {
                change(&mut known.load, turn.text.len());
            }
        }
    }

    fn put(&self, scope: &Scope, load: Load, is_told: bool) {
        let mut counted = self.lock();
        counted.put(caller(scope).to_owned(), Counted { load, at: Instant::now(), is_told });
        while counted.len() > MOST {
            counted.pop_lru();
        }
    }

    fn limit(&self, scope: &Scope) -> Option<Load> {
        let LimitsConfig { stored_turns, stored_bytes, .. } = self.limits.of(scope);
        let most = |limit: usize| if limit == 0 { usize::MAX } else { limit };
        (stored_turns > 0 || stored_bytes > 0).then(|| Load { turns: most(stored_turns), bytes: most(stored_bytes) })
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<String, Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Callers whose amounts are known at once; those of others are counted again when they come.
const MOST: usize = 1 << 14;
const COUNTED_AGAIN: Duration = Duration::from_secs(60);
const COUNTED_AT_ONCE: usize = 2;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;
    use crate::memory::turns_for_tests as turns;

    /// Of callers who may have so much, `k-2` as much as it likes.
    fn amounts(stored_turns: usize, stored_bytes: usize) -> StoredAmounts {
        StoredAmounts::new(CallerLimits::new(move |caller| match caller {
            "k-2" => LimitsConfig::default(),
            _ => LimitsConfig { stored_turns, stored_bytes, ..LimitsConfig::default() },
        }))
    }

    fn scope(name: &str) -> Scope {
        Scope::new(name).unwrap()
    }

    /// So many turns of 4 bytes.
    fn come(scope: &Scope, count: u32) -> Vec<Turn> {
        (0..count).map(|number| Turn { scope: scope.clone(), ..turns::turn(number, "text") }).collect()
    }

    #[test]
    fn the_first_turns_find_room_with_all_the_callers_users_and_the_others_are_left_out() {
        let amounts = amounts(5, 0);
        let (own, user, free) = (scope("k-1"), scope("k-1.u-1"), scope("k-2"));
        amounts.put(&own, Load { turns: 2, bytes: 0 }, false);
        assert!(amounts.has_room_for(&come(&user, 3)) && !amounts.has_room_for(&come(&user, 4)));
        let mut turns = come(&user, 4);
        assert!(amounts.take(&user, &mut turns));
        assert_eq!(turns, come(&user, 3));
        let mut more = come(&own, 1);
        assert!(!amounts.take(&own, &mut more) && more.is_empty(), "nothing more is taken of anybody who is full");
        assert!(!amounts.take(&own, &mut Vec::new()), "nor a place for turns that are known");
        let mut others = come(&free, 9);
        assert!(amounts.take(&free, &mut others) && others.len() == 9);

        amounts.subtract(&turns[..1]);
        assert!(amounts.has_room_for(&come(&own, 1)), "what was not stored after all leaves its room");
        amounts.add(&turns[..1]);
        assert!(!amounts.has_room_for(&come(&own, 1)));
        amounts.forget(&user);
        assert!(amounts.has_room_for(&come(&own, 1)), "nothing is known until the store has counted again");
    }

    #[test]
    fn texts_are_limited_by_their_bytes_and_a_short_one_behind_a_long_one_does_not_pass_it() {
        let amounts = amounts(0, 10);
        let own = scope("k-1");
        amounts.put(&own, Load::default(), false);
        let mut turns = come(&own, 3);
        turns[1].text = "too long for it".to_owned();
        assert!(amounts.take(&own, &mut turns));
        assert_eq!(turns.len(), 1);
    }

    #[test]
    fn callers_beyond_the_bound_are_forgotten_and_counted_again_when_they_come() {
        let amounts = amounts(5, 0);
        for caller in 0..MOST + 100 {
            amounts.put(&scope(&format!("k-{caller}a")), Load::default(), false);
        }
        assert_eq!(amounts.lock().len(), MOST);
    }
}
