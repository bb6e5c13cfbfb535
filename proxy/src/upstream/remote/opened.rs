//! Tells whether a request opened a connection of its own or was sent on one that had been kept alive.
//!
//! It must not know what is sent.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower::{Layer, Service};

tokio::task_local! {
    static OPENED: Cell<bool>;
}

/// Runs `sending`, and tells whether a connection was opened on the way.
pub(super) async fn noting<T>(sending: impl Future<Output = T>) -> (T, bool) {
    OPENED
        .scope(Cell::new(false), async {
            let sent = sending.await;
            (sent, OPENED.with(Cell::get))
        })
        .await
}

/// Notes every connection that a client opens, in the task that waits for it. One that is still opening when another becomes
/// free goes on elsewhere, and is not noted.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoteOpened;

/// A connector that notes what it opens.
#[derive(Debug, Clone)]
pub(super) struct Noting<S>(S);

impl<S> Layer<S> for NoteOpened {
    type Service = Noting<S>;

    fn layer(&self, inner: S) -> Noting<S> {
        Noting(inner)
    }
}

impl<S, R> Service<R> for Noting<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, destination: R) -> Self::Future {
        let opening = self.0.call(destination);
        Box::pin(async move {
            let opened = opening.await;
            // Elsewhere there is nobody to tell.
            let _ = OPENED.try_with(|noted| noted.set(true));
            opened
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    struct Echo;

    impl Service<&'static str> for Echo {
        type Response = &'static str;
        type Error = Infallible;
        type Future = std::future::Ready<Result<&'static str, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, destination: &'static str) -> Self::Future {
            std::future::ready(Ok(destination))
        }
    }

    #[tokio::test]
    async fn what_is_opened_while_a_request_is_sent_is_noted() {
        let mut connector = NoteOpened.layer(Echo);
        let (opened, noted) = noting(connector.call("upstream")).await;
        assert_eq!((opened.unwrap(), noted), ("upstream", true));
        let ((), noted) = noting(async {}).await;
        assert!(!noted);
        assert_eq!(connector.call("elsewhere").await.unwrap(), "elsewhere");
    }
}
