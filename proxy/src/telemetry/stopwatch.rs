//! Times the steps of a piece of work, one after the other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

/// Running since the last step ended.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    since: Instant,
    laps: Laps,
}

/// How long each step took, by its name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Laps(BTreeMap<&'static str, Duration>);

impl Stopwatch {
    /// Starts with the first step.
    pub(crate) fn start() -> Self {
        Self { since: Instant::now(), laps: Laps::default() }
    }

    /// The step `name` ends, and the next one begins.
    pub(crate) fn lap(&mut self, name: &'static str) {
        let now = Instant::now();
        self.laps.add(name, now.duration_since(self.since));
        self.since = now;
    }

    /// Takes over steps that others have timed, and begins the next one.
    pub(crate) fn absorb(&mut self, laps: Laps) {
        self.laps.merge(laps);
        self.since = Instant::now();
    }

    /// The steps that have ended.
    pub(crate) fn laps(self) -> Laps {
        self.laps
    }
}

impl Laps {
    /// Adds to the time of a step.
    pub(crate) fn add(&mut self, name: &'static str, time: Duration) {
        *self.0.entry(name).or_default() += time;
    }

    /// Adds the times of other steps.
    pub(crate) fn merge(&mut self, other: Self) {
        for (name, time) in other.0 {
            self.add(name, time);
        }
    }

    /// Every step and its time.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, Duration)> + '_ {
        self.0.iter().map(|(name, time)| (*name, *time))
    }
}

/// In milliseconds.
impl Serialize for Laps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(name, time)| (name, time.as_secs_f64() * 1000.0)))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    #[test]
    fn steps_add_up_under_their_names_and_are_told_in_milliseconds() {
        let mut inner = Laps::default();
        inner.add("search", Duration::from_millis(2));
        inner.add("search", Duration::from_millis(3));
        let mut watch = Stopwatch::start();
        watch.lap("ledger");
        watch.absorb(inner);
        let laps = watch.laps();
        assert_eq!(laps.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["ledger", "search"]);
        assert_eq!(serde_json::to_value(&laps).unwrap()["search"], 5.0);
    }
}
