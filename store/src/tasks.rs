//! Running work that blocks, or that must not stop half way.

use crate::error::StoreError;

/// Runs blocking work on a thread for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(StoreError::Task)?
}

/// Runs an operation that must not stop half way to its end, even if the caller gives up.
pub(crate) async fn to_completion<T: Send + 'static>(
    operation: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(operation).await.map_err(StoreError::Task)?
}
