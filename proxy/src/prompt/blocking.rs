//! Runs work that grows with the request where it keeps nobody else waiting.
//!
//! Work that waits for something has no place here.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs `work` for a request whose body has `bytes`: at once if that is little, else on a thread that the other requests' tasks
/// have left.
pub(crate) fn block_in_place_if_large<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let has_others = || Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes >= LARGE && has_others() { tokio::task::block_in_place(work) } else { work() }
}

/// Moving the other tasks costs more than the work of a smaller request.
const LARGE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    #[test]
    fn work_is_done_on_every_kind_of_runtime_and_on_none() {
        assert_eq!(block_in_place_if_large(LARGE, || 1), 1);
        let single = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(single.block_on(async { block_in_place_if_large(LARGE, || 2) }), 2);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn the_only_worker_does_something_else_meanwhile() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let working = tokio::spawn(async move { block_in_place_if_large(LARGE, || receiver.recv()) });
        tokio::spawn(async move { sender.send(3) }).await.unwrap().unwrap();
        assert_eq!(working.await.unwrap(), Ok(3));
    }
}
