//! Tells whether a request opened a connection of its own or was sent on one that had been kept alive.

use std::cell::Cell;
use std::future::Future;

tokio::task_local! {
    static OPENED: Cell<bool>;
}

/// Runs `sending`, and tells whether a connection was opened on the way. One that is still opening when another becomes free
/// goes on in another task, and is not noted.
pub(super) async fn noting<T>(sending: impl Future<Output = T>) -> (T, bool) {
    let noted = async {
        let sent = sending.await;
        (sent, OPENED.with(Cell::get))
    };
    OPENED.scope(Cell::new(false), noted).await
}

/// A connection was opened, or could not be.
pub(super) fn note() {
    // Elsewhere there is nobody to tell.
    let _ = OPENED.try_with(|noted| noted.set(true));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_opened_while_a_request_is_sent_is_noted() {
        let ((), noted) = noting(async { note() }).await;
        assert!(noted);
        let ((), noted) = noting(async {}).await;
        assert!(!noted);
        note();
    }
}
