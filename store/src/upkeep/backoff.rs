//! How long to wait before something that failed is tried again.
//!
//! Responsible for: waiting longer after every failure in a row, up to a limit.

use std::time::Duration;

use tokio::time::Instant;

/// The waits between attempts; each is twice as long as the one before.
#[derive(Debug)]
pub(crate) struct Backoff {
    failures: u32,
    next: Option<Instant>,
    longest: Duration,
}

const FIRST: Duration = Duration::from_millis(250);
/// Space that is back is found out this soon.
const LONGEST: Duration = Duration::from_secs(5);
/// Work that may take minutes is not begun anew at once.
const LONGEST_OF_LONG_WORK: Duration = Duration::from_secs(20);

impl Default for Backoff {
    fn default() -> Self {
        Self { failures: 0, next: None, longest: LONGEST }
    }
}

impl Backoff {
    /// For work that takes long.
    pub(crate) fn for_long_work() -> Self {
        Self { longest: LONGEST_OF_LONG_WORK, ..Self::default() }
    }

    /// When the next attempt is due; `None` when the last one went well.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.next
    }

    /// Whether it is too early for another attempt.
    pub(crate) fn is_waiting(&self) -> bool {
        self.next.is_some_and(|next| Instant::now() < next)
    }

    /// Failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The attempt failed.
    pub(crate) fn failed(&mut self) {
        self.next = Some(Instant::now() + wait_after(self.failures).min(self.longest));
        self.failures = self.failures.saturating_add(1);
    }

    /// The attempt went well.
    pub(crate) fn succeeded(&mut self) {
        (self.failures, self.next) = (0, None);
    }
}

/// Ready when an attempt is due, never without one.
pub(crate) async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// The wait after a failure, with so many before it.
fn wait_after(failures: u32) -> Duration {
    FIRST.saturating_mul(1 << failures.min(16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit() {
        let waits: Vec<u128> = (0..5).map(|failures| wait_after(failures).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000]);
        let mut backoff = Backoff::default();
        (0..100).for_each(|_| backoff.failed());
        let due = backoff.due().map(|due| due - Instant::now());
        assert!(due.is_some_and(|due| due <= LONGEST));
    }

    #[test]
    fn after_a_success_the_next_attempt_is_not_waited_for() {
        let mut backoff = Backoff::default();
        assert!(!backoff.is_waiting());
        backoff.failed();
        assert!(backoff.is_waiting() && backoff.failures() == 1);
        backoff.succeeded();
        assert!(!backoff.is_waiting() && backoff.failures() == 0);
    }
}
