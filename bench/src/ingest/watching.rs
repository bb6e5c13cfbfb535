//! A running import: how long it runs, what it uses and how far it says that it is.
//!
//! It must not know why it is watched. The program names every quarter on standard error where that is no terminal.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tokio::process::Child;

use crate::BenchError;
use crate::progress::Progress;
use crate::running::program::end_of;
use crate::running::usage;

/// What a run took, whether or not it came to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Run {
    /// From its start to its end, models and all.
    pub(super) time: Duration,
    /// Seconds of processor time.
    pub(super) processor_s: f64,
    /// The most memory that it had, in MiB.
    pub(super) peak_mib: f64,
}

/// A child that is being watched.
#[derive(Debug)]
pub(super) struct Watched {
    /// The program.
    pub(super) child: Child,
    /// What it took so far.
    pub(super) run: Run,
    heard: Heard,
    log: PathBuf,
    started: Instant,
    patience: Duration,
    progress: Progress,
}

/// How far the program last said that it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Heard {
    /// In per cent: 0, 25, 50, 75 or 100.
    share: u32,
    /// How long after the start.
    after: Duration,
}

/// What messages call the program.
pub(super) const NAME: &str = "mainpoint import";
const POLL: Duration = Duration::from_millis(200);
/// The steps in which the program says how far it is, in per cent.
const QUARTER: u32 = 25;

impl Watched {
    /// Begins to watch a child that was just started. It has a `name`, and a `log` of its standard error.
    #[must_use]
    pub(super) fn new(child: Child, (name, log): (&str, PathBuf), patience: Duration) -> Self {
        Self {
            child,
            run: Run::default(),
            heard: Heard::default(),
            log,
            started: Instant::now(),
            patience,
            progress: Progress::begin(format!("importing, per cent, {name}"), 100),
        }
    }

    /// Waits until the child has ended, which gives its status, or until `is_enough` holds of what was heard of it and of how
    /// long it runs.
    ///
    /// # Errors
    /// [`BenchError::Program`] if that takes too long.
    pub(super) async fn watch(
        &mut self,
        is_enough: impl Fn(Heard, Duration) -> bool,
    ) -> Result<Option<ExitStatus>, BenchError> {
        loop {
            let ended = self.child.try_wait();
            let ended = ended.map_err(|error| self.failed(&format!("it cannot be waited for: {error}")))?;
            self.look();
            if ended.is_some() {
                return Ok(ended);
            }
            if is_enough(self.heard, self.run.time) {
                return Ok(None);
            }
            if self.run.time > self.patience {
                return Err(self.failed("it takes too long"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn look(&mut self) {
        self.run.time = self.started.elapsed();
        // A process that has ended has no number any more, and what it used was seen shortly before.
        if let Some(id) = self.child.id() {
            let used = usage::of_tree(id);
            self.run.processor_s = self.run.processor_s.max(used.processor_us / 1e6);
            self.run.peak_mib = self.run.peak_mib.max(used.peak_mib);
        }
        let share = share_read(&std::fs::read_to_string(&self.log).unwrap_or_default());
        if share > self.heard.share {
            self.progress.advance((share - self.heard.share) as usize);
            self.heard = Heard {
                share,
                after: self.run.time,
            };
        }
    }

    /// Why it is of no use, with the end of what it said.
    #[must_use]
    pub(super) fn failed(&self, reason: &str) -> BenchError {
        BenchError::program(NAME, format!("{reason}\n{}", end_of(&self.log)))
    }
}

impl Heard {
    /// Whether so many per cent have been read when the program has run for `time`: behind the last quarter that it named it
    /// goes on as fast as before. Nothing is known before the first quarter.
    #[must_use]
    pub(super) fn is_at(self, share: u32, time: Duration) -> bool {
        match self.share {
            0 => false,
            heard if heard + QUARTER <= share => false,
            heard => time >= self.after * share / heard,
        }
    }
}

/// The last quarter that a log names, in per cent; 0 before the first.
fn share_read(log: &str) -> u32 {
    log.lines().rev().find_map(named_share).unwrap_or(0)
}

fn named_share(line: &str) -> Option<u32> {
    let share = line.trim().strip_prefix("reading: ")?.strip_suffix(" %")?;
    share.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heard(share: u32, seconds: u64) -> Heard {
        Heard {
            share,
            after: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn the_last_quarter_in_a_log_counts() {
        assert_eq!(share_read("loading\nreading: 25 %\nreading: 50 %\nindexing\n"), 50);
        assert_eq!(share_read("reading: soon\n"), 0);
    }

    #[test]
    fn between_two_quarters_time_tells_how_far_it_is() {
        let at = |heard: Heard, seconds| heard.is_at(40, Duration::from_secs(seconds));
        assert!(!at(heard(0, 0), 1000), "nothing was heard");
        assert!(!at(heard(25, 100), 159) && at(heard(25, 100), 160));
        assert!(at(heard(50, 170), 170), "it was faster than expected");
        assert!(
            !heard(25, 100).is_at(60, Duration::from_secs(1000)),
            "the half comes first"
        );
    }

    proptest! {
        #[test]
        fn it_comes_at_the_latest_with_the_next_quarter(share in 25_u32..100, seconds in 1_u64..100_000) {
            let next = (share / QUARTER + 1) * QUARTER;
            prop_assert!(heard(next, seconds).is_at(share, Duration::from_secs(seconds)));
            let before = share / QUARTER * QUARTER;
            prop_assert!(heard(before, seconds).is_at(share, Duration::from_secs(4 * seconds)));
        }
    }
}
