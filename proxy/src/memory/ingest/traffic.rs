//! Knows whether requests are on the memory path right now, so that reading begins in the idle moments between them.
//!
//! Reading has the lowest priority as it is, but a pass that is under way shares caches and memory bandwidth with
//! whoever waits for an answer.

use std::time::Duration;

use tokio::sync::watch;

/// How many requests are on the memory path.
#[derive(Debug, Default)]
pub(crate) struct Traffic(watch::Sender<usize>);

/// One request on the memory path, until dropped.
#[derive(Debug)]
pub(crate) struct InFlight<'a>(&'a Traffic);

impl Traffic {
    /// A request comes.
    pub(crate) fn in_flight(&self) -> InFlight<'_> {
        self.0.send_modify(|passing| *passing += 1);
        InFlight(self)
    }

    /// Waits until no request is on the memory path, for at most `timeout`: a proxy that is never idle reads, too.
    pub(crate) async fn idle(&self, timeout: Duration) {
        let mut passing = self.0.subscribe();
        // Idle or not, the work begins.
        let _ = tokio::time::timeout(timeout, passing.wait_for(|passing| *passing == 0)).await;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|passing| *passing = passing.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn requests_are_idle_when_the_last_one_has_passed() {
        let traffic = Arc::new(Traffic::default());
        traffic.idle(LONG).await;
        let (first, second) = (traffic.in_flight(), traffic.in_flight());
        let waiting = Arc::clone(&traffic);
        let mut waiting = tokio::spawn(async move { waiting.idle(LONG).await });
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        assert!((&mut waiting).await.is_ok());
    }

    #[tokio::test]
    async fn without_idle_moments_patience_ends() {
        let traffic = Traffic::default();
        let passing = traffic.in_flight();
        traffic.idle(Duration::from_millis(1)).await;
        assert_eq!(*traffic.0.borrow(), 1);
        drop(passing);
        assert_eq!(*traffic.0.borrow(), 0);
    }
}
