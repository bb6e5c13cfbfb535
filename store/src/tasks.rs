//! Running work that blocks, or that must not stop half way.

use crate::error::StoreError;

/// Runs blocking work on a thread for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    #[cfg(test)]
    if simulated::step().await {
        return work();
    }
    tokio::task::spawn_blocking(work).await.map_err(StoreError::Task)?
}

/// Runs an operation that must not stop half way to its end, even if the caller gives up.
pub(crate) async fn to_completion<T: Send + 'static>(
    operation: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(operation).await.map_err(StoreError::Task)?
}

/// Time in the simulation of the store: everything runs on one thread, and who goes on next is chosen by a seed.
#[cfg(test)]
pub(crate) mod simulated {
    use std::cell::RefCell;

    thread_local! {
        static CHOICE: RefCell<Option<fastrand::Rng>> = const { RefCell::new(None) };
    }

    /// From here on the steps on this thread follow a seed; `None` ends that.
    pub(crate) fn follow(seed: Option<u64>) {
        CHOICE.with(|choice| *choice.borrow_mut() = seed.map(fastrand::Rng::with_seed));
    }

    /// Lets others go on for a while; false where nothing is simulated.
    pub(crate) async fn step() -> bool {
        let Some(others) = CHOICE.with(|choice| choice.borrow_mut().as_mut().map(|choice| choice.u8(0..4))) else {
            return false;
        };
        for _ in 0..others {
            tokio::task::yield_now().await;
        }
        true
    }
}
