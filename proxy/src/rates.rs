//! How much somebody may use in a minute: a bucket that holds a minute's worth and fills evenly, and a table of those who have used some.
//!
//! Time is passed in. Whoever has used nothing for a minute needs no entry, and the table has a bound whatever names are made up.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use lru::LruCache;

/// So much a minute. Up to so much may be used at once, and then as much as comes again with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate(NonZeroU32);

impl Rate {
    /// `None` for 0, which limits nothing.
    pub(crate) fn new(per_minute: u32) -> Option<Self> {
        NonZeroU32::new(per_minute).map(Self)
    }

    /// How long one takes to come again.
    fn interval(self) -> Duration {
        MINUTE / self.0.get()
    }
}

/// What somebody has used: the moment when all of it will have come again, whatever the rate.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    until: Option<Instant>,
}

impl Used {
    /// How much is left now.
    pub(crate) fn left(self, rate: Rate, now: Instant) -> usize {
        let left = MINUTE.saturating_sub(self.owed(now)).as_nanos() / rate.interval().as_nanos();
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// How long it takes until one is left.
    pub(crate) fn wait(self, rate: Rate, now: Instant) -> Duration {
        (self.owed(now) + rate.interval()).saturating_sub(MINUTE)
    }

    /// Uses so much, also more than is left: then nothing is until that has come again.
    pub(crate) fn take(&mut self, rate: Rate, amount: usize, now: Instant) {
        let amount = u32::try_from(amount).unwrap_or(u32::MAX);
        let owed = self.owed(now).saturating_add(rate.interval().saturating_mul(amount));
        self.until = now.checked_add(owed).or(self.until);
    }

    fn owed(self, now: Instant) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}

/// What those have used who used something last, at most [`MOST`] of them. Whoever is forgotten has all of it again.
#[derive(Debug)]
pub(crate) struct UsedBy<K: Hash + Eq>(LruCache<K, Used>);

impl<K: Hash + Eq> Default for UsedBy<K> {
    fn default() -> Self {
        // Its bound is kept below, so that it takes room only for those who come.
        Self(LruCache::unbounded())
    }
}

impl<K: Hash + Eq> UsedBy<K> {
    /// What somebody has used.
    pub(crate) fn of<Q: Hash + Eq + ?Sized>(&self, who: &Q) -> Used
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.peek(who).copied().unwrap_or_default()
    }

    /// Uses so much of what somebody may use.
    pub(crate) fn take(&mut self, who: K, rate: Rate, amount: usize, now: Instant) {
        self.0.get_or_insert_mut(who, Used::default).take(rate, amount, now);
        while self.0.len() > MOST {
            self.0.pop_lru();
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);
/// A few megabytes. To be forgotten somebody would have to let so many others come by, who need keys that count.
const MOST: usize = 1 << 16;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;

    fn rate(per_minute: u32) -> Rate {
        Rate::new(per_minute).unwrap()
    }

    proptest! {
        #[test]
        fn in_any_time_no_more_is_let_in_than_a_minutes_worth_and_what_comes_again_meanwhile(
            per_minute in 1..200_u32,
            pauses in proptest::collection::vec(0..3000_u64, 1..300),
        ) {
            let (rate, begin) = (rate(per_minute), Instant::now());
            let (mut used, mut now, mut let_in) = (Used::default(), begin, Vec::new());
            for pause in pauses {
                now += Duration::from_millis(pause);
                let (left, wait) = (used.left(rate, now), used.wait(rate, now));
                prop_assert_eq!(left == 0, !wait.is_zero(), "{} {:?}", left, wait);
                if left > 0 {
                    used.take(rate, 1, now);
                    let_in.push(now);
                } else {
                    prop_assert!(used.left(rate, now + wait) > 0, "who waits as told is let in");
                }
            }
            for (at, from) in let_in.iter().enumerate() {
                let since = let_in.iter().skip(at);
                for (count, to) in (1_u64..).zip(since) {
                    let again = to.duration_since(*from).as_millis() as u64 * u64::from(per_minute) / 60_000;
                    prop_assert!(count <= u64::from(per_minute) + again + 1);
                }
            }
        }

        #[test]
        fn who_waits_a_minute_has_all_of_it_again_unless_more_was_used_than_there_was(
            per_minute in 1..1_000_000_000_u32,
            amount in 0..100_000_usize,
        ) {
            let (rate, now) = (rate(per_minute), Instant::now());
            let mut used = Used::default();
            used.take(rate, amount, now);
            let minutes = u32::try_from(amount).unwrap() / per_minute + 1;
            prop_assert!(used.left(rate, now + MINUTE * minutes) >= per_minute as usize);
            let left = (per_minute as usize).saturating_sub(amount);
            prop_assert!(used.left(rate, now).abs_diff(left) <= 1 + left / 10, "{} {}", used.left(rate, now), left);
        }
    }

    #[test]
    fn any_amount_can_be_used_at_any_rate() {
        let now = Instant::now();
        for per_minute in [1, u32::MAX] {
            let mut used = Used::default();
            used.take(rate(per_minute), usize::MAX, now);
            used.take(rate(per_minute), usize::MAX, now);
            let _ = (used.left(rate(per_minute), now), used.wait(rate(per_minute), now));
        }
    }

    #[test]
    fn a_million_made_up_names_take_no_more_room_than_the_table_has() {
        let (mut table, now) = (UsedBy::default(), Instant::now());
        for name in 0..1_000_000_u64 {
            table.take(name, rate(1), 1, now);
        }
        assert_eq!(table.0.len(), MOST);
        assert_eq!(table.of(&999_999).left(rate(1), now), 0);
        assert_eq!(table.of(&0).left(rate(1), now), 1, "whoever came first is forgotten");
    }
}
