//! How the journal is doing: whether it fails, how much waits for it, what is said of that, and why turns are refused.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::backlog::Refusal;
use crate::error::MemoryError;
use crate::telemetry::logs::OncePerMinute;
use crate::telemetry::metrics;

/// How the journal is doing.
#[derive(Debug)]
pub(super) struct JournalHealth {
    pub(super) is_down: watch::Sender<bool>,
    /// Why the last write failed; `None` while none has, and once one has succeeded after it.
    failure: Mutex<Option<&'static str>>,
    /// Of the texts that wait for the writer.
    pub(super) waiting_bytes: AtomicUsize,
    /// Most of them.
    most_bytes: usize,
    /// How long anybody waits for the journal.
    pub(super) timeout: Duration,
    /// How long the writer waits before it tries again.
    pub(super) pause: Duration,
    warnings: OncePerMinute,
}

impl JournalHealth {
    /// So many bytes may wait for the writer, or one request's alone.
    pub(super) fn new(timeout: Duration, pause: Duration, most_bytes: usize) -> Self {
        Self {
            is_down: watch::Sender::new(false),
            failure: Mutex::default(),
            waiting_bytes: AtomicUsize::new(0),
            most_bytes,
            timeout,
            pause,
            warnings: OncePerMinute::default(),
        }
    }

    /// Whether more may wait for the writer.
    pub(super) fn enter(&self, bytes: usize) -> bool {
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
        let is_allowed = self.has_room(waiting, bytes);
        if !is_allowed {
            self.leave(bytes);
        }
        is_allowed
    }

    fn has_room(&self, waiting: usize, bytes: usize) -> bool {
        let is_down = *self.is_down.borrow();
        let most = if is_down { self.most_bytes.min(MOST_BYTES_WHILE_DOWN) } else { self.most_bytes };
        waiting.saturating_add(bytes) <= most || (waiting == 0 && !is_down)
    }

    pub(super) fn leave(&self, bytes: usize) {
        self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    pub(super) fn set_down(&self, is_down: bool) {
        self.is_down.send_if_modified(|before| std::mem::replace(before, is_down) != is_down);
    }

    /// A write ended in `time`.
    pub(super) fn note_written(&self, time: Duration) {
        *self.last_failure() = None;
        if time < self.timeout / 2 {
            self.set_down(false);
        }
    }

    /// A write failed: nothing is stored until one succeeds.
    pub(super) fn note_failed(&self, error: &MemoryError) {
        *self.last_failure() = Some(error.label());
        self.set_down(true);
    }

    /// Why texts of so many bytes would not be stored for now, as the label of the metric: the last write failed and the journal does
    /// not work, or no more can wait for it. A journal may come to work again without a write.
    pub(super) fn refuses(&self, bytes: usize, works: impl FnOnce() -> bool) -> Option<&'static str> {
        let is_full = || !self.has_room(self.waiting_bytes.load(Ordering::Acquire), bytes);
        let failure = self.failure().filter(|_| !works());
        failure.or_else(|| is_full().then(|| MemoryError::JournalBusy.label()))
    }

    /// Why the last write failed, as the label of the metric, if it did.
    pub(super) fn failure(&self) -> Option<&'static str> {
        *self.last_failure()
    }

    fn last_failure(&self) -> MutexGuard<'_, Option<&'static str>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn report(&self, error: &MemoryError) {
        let label = error.label();
        metrics::failure(label);
        if self.warnings.allows(label) {
            let meaning = match error {
                MemoryError::JournalSlow => {
                    "answers are passed on without waiting for the journal until it is quick again"
                }
                _ => "turns were answered and not stored; the conversation's next request brings them again",
            };
            tracing::warn!(kind = label, error = %error, "{meaning}");
        }
    }
}

impl Refusal {
    /// The label of the metric.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Share => "share",
        }
    }
}

impl From<Refusal> for MemoryError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Full => Self::BacklogFull,
            Refusal::Share => Self::BacklogShare,
        }
    }
}

/// While the journal fails, so much at most waits in memory until it works again.
const MOST_BYTES_WHILE_DOWN: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use mainpoint_store::StoreError;

    use super::*;

    /// More than may wait for a journal that is down.
    const MOST: usize = 2 * MOST_BYTES_WHILE_DOWN;

    fn health() -> JournalHealth {
        JournalHealth::new(Duration::from_secs(60), Duration::ZERO, MOST)
    }

    #[test]
    fn a_failure_is_a_reason_only_as_long_as_the_journal_does_not_work_and_no_write_has_succeeded() {
        let health = health();
        assert_eq!(health.refuses(1, || false), None, "nothing has failed yet");
        health.note_failed(&StoreError::Closed.into());
        assert_eq!(health.refuses(1, || false), Some("store_closed"));
        assert_eq!(health.refuses(1, || true), None, "it works again, though nothing has been written since");
        health.note_written(Duration::ZERO);
        assert_eq!(health.refuses(1, || false), None);
    }

    #[test]
    fn what_would_not_be_let_in_to_wait_for_a_slow_journal_is_said_to_be_refused() {
        let health = health();
        assert!(health.enter(MOST_BYTES_WHILE_DOWN));
        assert_eq!(health.refuses(1, || true), None, "while the journal is quick, more may wait");
        health.set_down(true);
        assert_eq!(health.refuses(1, || true), Some("journal_busy"));
        assert!(!health.enter(1));
        health.leave(10);
        assert_eq!((health.refuses(10, || true), health.refuses(11, || true)), (None, Some("journal_busy")));
        assert!(health.enter(10) && !health.enter(1));
    }
    #[test]
    fn a_request_that_brings_more_than_may_wait_is_taken_when_nothing_else_waits() {
        let health = health();
        assert!(health.enter(MOST + 1), "it would never be taken else");
        assert!(!health.enter(1));
        health.leave(MOST + 1);
        assert!(health.enter(1) && !health.enter(MOST));
    }
}
