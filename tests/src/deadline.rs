//! Waiting for a condition with a deadline, so that no test depends on how fast the machine is.

use std::future::Future;
use std::time::{Duration, Instant};

/// The pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks at `condition` until it holds.
///
/// # Panics
/// When it does not hold within `limit`; the message names `what`.
pub async fn wait_until<F, C>(what: &str, limit: Duration, mut condition: C)
where
    C: FnMut() -> F,
    F: Future<Output = bool>,
{
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < limit, "waited {limit:?} in vain until {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Awaits `future`.
///
/// # Panics
/// When it is not ready within `limit`; the message names `what`.
pub async fn within<F: Future>(what: &str, limit: Duration, future: F) -> F::Output {
    match tokio::time::timeout(limit, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {limit:?} in vain: {what}"),
    }
}

/// Looks at `condition` from a thread until it gives a value; `None` after `limit`.
pub fn poll<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if start.elapsed() >= limit {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}
