//! Reads what waits, batch by batch: each worker takes what the backlog gives it, looks the words up in the journal and has them
//! read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mainpoint_store::{Turn, TurnId};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::backlog::{Backlog, Lane, ReadBatch};
use super::turn_reader::{ReadingOutcome, TurnReader};
use super::unreadable::is_about_the_text;
use crate::error::MemoryError;
use crate::memory::small_talk::SmallTalk;
use crate::telemetry::logs::OncePerMinute;
use crate::telemetry::metrics;

/// A worker that reads, batch after batch.
#[derive(Clone)]
pub(super) struct ReadWorker {
    pub(super) reader: TurnReader,
    pub(super) backlog: Arc<Backlog>,
    pub(super) warnings: Arc<OncePerMinute>,
    pub(super) stop: CancellationToken,
    pub(super) small_talk: Arc<OnceCell<SmallTalk>>,
    /// Set when small talk was read for the first time, or could not be.
    pub(super) is_warm: Arc<AtomicBool>,
}

/// The lane of each worker: one for what is quickly read, and some for turns that take long, so that these are
/// read beside the others and not before them.
pub(super) const LANES: [Lane; 3] = [Lane::Short, Lane::Long, Lane::Long];

impl ReadWorker {
    /// Reads until told to stop, and ends the batch that it is at first unless that takes long; what is left is in the journal.
    pub(super) async fn run(self, lane: Lane) {
        let mut failures = 0_u32;
        // Before anything else: requests wait for it.
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            _ = SmallTalk::known(&self.small_talk, &self.reader.engine) => self.is_warm.store(true, Ordering::Release),
        }
        loop {
            let batch = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                batch = self.backlog.next(lane) => batch,
            };
            let result = tokio::select! {
                biased;
                result = self.read_batch(&batch) => result,
                () = self.grace_after_stop() => return,
            };
            failures = match result {
                Ok(()) => 0,
                Err(error) => {
                    self.report(&error);
                    failures.saturating_add(1)
                }
            };
            drop(batch);
            if failures > 0 {
                let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
                // Whether the time is over or all is stopped, the loop goes on.
                let _ = tokio::time::timeout(pause, self.stop.cancelled()).await;
            }
        }
    }

    async fn grace_after_stop(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    }

    /// Reads a batch. What is left of it after an error waits again.
    async fn read_batch(&self, batch: &ReadBatch) -> Result<(), MemoryError> {
        let store = &self.reader.store;
        let read = store.read_or_unreadable(&batch.scope, &batch.turns).await?;
        let known: Vec<TurnId> = read.iter().copied().collect();
        self.backlog.mark_read_or_unreadable(&batch.scope, &known, batch.era);

        let mut found = store.turns_as_they_came(&batch.scope, &batch.turns).await?;
        let is_there = |id: &TurnId| found.iter().any(|turn| turn.id == *id);
        // What is gone was deleted meanwhile.
        let gone: Vec<TurnId> = batch.turns.iter().copied().filter(|id| !is_there(id)).collect();
        self.backlog.let_go(&batch.scope, &gone, batch.era);
        found.retain(|turn| !read.contains(&turn.id));
        let over = |turn: &Turn, outcome: ReadingOutcome<'_>| match outcome {
            ReadingOutcome::Read => self.backlog.mark_read_or_unreadable(&turn.scope, &[turn.id], batch.era),
            ReadingOutcome::Unreadable(error) => {
                self.backlog.mark_read_or_unreadable(&turn.scope, &[turn.id], batch.era);
                self.report(error);
            }
            ReadingOutcome::Gone => self.backlog.let_go(&turn.scope, &[turn.id], batch.era),
        };
        self.reader.read_or_mark(&found, over).await
    }

    fn report(&self, error: &MemoryError) {
        let label = error.label();
        metrics::failure(label);
        if self.warnings.allows(label) {
            if is_about_the_text(error) {
                tracing::warn!(kind = label, error = %error, "a turn cannot be read; it stays in its prompt");
            } else {
                tracing::warn!(kind = label, error = %error, "turns wait in the journal until they can be read");
            }
        }
    }
}

/// How long a batch that is being read may still take after a stop; a long turn takes minutes.
const GRACE: Duration = Duration::from_secs(1);
/// The pause after a failure, twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
