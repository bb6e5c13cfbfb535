//! Until when a request's memory work may go on. Work that blocks a thread asks in its loops, because nobody can interrupt it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::MemoryError;

/// When the memory's work for a request must end. Copies share it.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    /// `None` when there is all the time in the world.
    until: Option<Instant>,
    abandoned: Arc<AtomicBool>,
}

/// Somebody wants the result. When this is dropped, as with a future that was given up, the work need not go on.
#[derive(Debug)]
pub(crate) struct AbandonOnDrop(Arc<AtomicBool>);

impl Deadline {
    /// From now on for this long.
    pub(crate) fn after(timeout: Duration) -> Self {
        Self { until: Instant::now().checked_add(timeout), abandoned: Arc::default() }
    }

    /// No end, for work that nobody waits for with a clock in hand.
    pub(crate) fn none() -> Self {
        Self { until: None, abandoned: Arc::default() }
    }

    /// Is over as soon as the result is dropped, as a future is whose request was given up.
    pub(crate) fn abandon_on_drop(&self) -> AbandonOnDrop {
        AbandonOnDrop(Arc::clone(&self.abandoned))
    }

    /// Whether the work may go on.
    ///
    /// # Errors
    /// [`MemoryError::Deadline`] when it is over.
    pub(crate) fn check(&self) -> Result<(), MemoryError> {
        if self.is_over() { Err(MemoryError::Deadline) } else { Ok(()) }
    }

    /// Waits for work until the deadline, which the work itself need not ask about.
    ///
    /// # Errors
    /// [`MemoryError::Deadline`] when the deadline passes first.
    pub(crate) async fn wait_for<T>(&self, work: impl Future<Output = T>) -> Result<T, MemoryError> {
        match self.until {
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                tokio::time::timeout(left, work).await.map_err(|_| MemoryError::Deadline)
            }
            None => Ok(work.await),
        }
    }

    /// Whether it has passed.
    pub(crate) fn is_over(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed) || self.until.is_some_and(|until| Instant::now() >= until)
    }
}

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_may_go_on_until_the_time_is_up_or_nobody_wants_it() {
        assert!(Deadline::after(Duration::ZERO).check().is_err());
        let deadline = Deadline::after(Duration::from_secs(3600));
        let copy = deadline.clone();
        let abandon = deadline.abandon_on_drop();
        assert!(copy.check().is_ok() && Deadline::none().check().is_ok());
        drop(abandon);
        assert!(copy.is_over());
    }

    #[tokio::test]
    async fn what_is_waited_for_one_after_the_other_shares_the_time() {
        let deadline = Deadline::after(Duration::from_millis(20));
        let first = deadline.wait_for(std::future::pending::<()>()).await;
        assert!(matches!(first, Err(MemoryError::Deadline)));
        let second = deadline.wait_for(std::future::pending::<()>()).await;
        assert!(matches!(second, Err(MemoryError::Deadline)) && deadline.is_over());
        assert!(matches!(Deadline::none().wait_for(std::future::ready(1)).await, Ok(1)));
    }
}
