//! The body of a request on its way in: a client that sends nothing, or next to nothing, is given up after a while.

use std::error::Error;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::alarm::Alarm;
use crate::error::ProxyError;
use crate::telemetry::metrics;

/// Hears that a request is there.
pub(crate) trait Arrival: Debug + Send + Sync {
    /// Nothing more of the request will be read.
    fn arrived(&self);
}

/// A request's body as it comes from the client.
#[derive(Debug)]
pub(crate) struct RequestBody {
    inner: Incoming,
    arrival: Arc<dyn Arrival>,
    wait: Wait,
    alarm: Alarm,
    is_late: bool,
}

/// Why a body did not come completely.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArrivalError {
    /// The client stopped sending, or sent next to nothing.
    #[error("the request's body did not arrive in time")]
    Late,
    /// The connection broke off.
    #[error("the request's body broke off")]
    Broken(#[source] hyper::Error),
}

impl RequestBody {
    /// A body that tells `arrival` when nothing more of it will be read. Whoever reads it waits for at most `timeout` for more of it.
    pub(crate) fn new(inner: Incoming, arrival: Arc<dyn Arrival>, timeout: Duration) -> Self {
        if inner.is_end_stream() {
            arrival.arrived();
        }
        Self { inner, arrival, wait: Wait::new(timeout), alarm: Alarm::default(), is_late: false }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = ArrivalError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ArrivalError>>> {
        if self.is_late {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) else {
            let Self { alarm, wait, .. } = &mut *self;
            ready!(alarm.poll(context, || wait.end(Instant::now())));
            self.is_late = true;
            self.arrival.arrived();
            metrics::closed("body_timeout");
            return Poll::Ready(Some(Err(ArrivalError::Late)));
        };
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) | None => 0,
        };
        self.wait.received(bytes, Instant::now());
        if !matches!(frame, Some(Ok(_))) || self.inner.is_end_stream() {
            self.arrival.arrived();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(ArrivalError::Broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_late || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.arrival.arrived();
    }
}

/// What a client is told whose body could not be read because of `error`.
pub(crate) fn unreadable(error: Box<dyn Error + Send + Sync>) -> ProxyError {
    if is_late(&*error) { ProxyError::BodyTimeout } else { ProxyError::BodyUnreadable { source: error } }
}

/// Whether `error` comes from a client that did not send its body in time.
fn is_late(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|error| matches!(error.downcast_ref(), Some(ArrivalError::Late)))
}

/// An error, and what caused it, from the outside in.
pub(crate) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// How long a client has been waited for. Time in which nobody wanted more of the body does not count.
#[derive(Debug)]
struct Wait {
    timeout: Duration,
    /// Since when it is being waited for.
    since: Option<Instant>,
    /// All waiting before that.
    before: Duration,
    received: u64,
}

impl Wait {
    fn new(timeout: Duration) -> Self {
        Self { timeout, since: None, before: Duration::ZERO, received: 0 }
    }

    fn received(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.since.take() {
            self.before += now.saturating_duration_since(since);
        }
        self.received = self.received.saturating_add(bytes as u64);
    }

    /// When waiting ends: a pause may take `timeout`, and so may all pauses together, with a second more for every
    /// [`LEAST_RATE`] bytes.
    fn end(&mut self, now: Instant) -> Instant {
        let since = *self.since.get_or_insert(now);
        let together = self.timeout + Duration::from_secs(self.received / LEAST_RATE);
        since + self.timeout.min(together.saturating_sub(self.before))
    }
}

/// A client that sends fewer bytes in a second, on the whole, is given up.
const LEAST_RATE: u64 = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const TIMEOUT: Duration = Duration::from_secs(60);

    /// How long a client is waited for that sends `bytes` after every pause of one second.
    fn endured(bytes: usize, until: Duration) -> Duration {
        let start = Instant::now();
        let mut wait = Wait::new(TIMEOUT);
        let mut now = start;
        while now < start + until {
            let end = wait.end(now);
            now += SECOND;
            if end <= now {
                return end - start;
            }
            wait.received(bytes, now);
        }
        until
    }

    #[test]
    fn a_client_that_trickles_is_given_up_like_one_that_is_silent() {
        assert_eq!(endured(0, SECOND * 1000), TIMEOUT);
        assert_eq!(endured(1, SECOND * 1000), TIMEOUT);
        let slow = endured(512, SECOND * 1000);
        assert!(slow > TIMEOUT && slow < TIMEOUT * 3, "{slow:?}");
    }

    #[test]
    fn a_client_that_sends_may_take_as_long_as_it_takes() {
        assert_eq!(endured(2048, SECOND * 10_000), SECOND * 10_000);
    }

    #[test]
    fn after_much_a_pause_is_no_longer_than_any_other() {
        let now = Instant::now();
        let mut wait = Wait::new(TIMEOUT);
        wait.end(now);
        wait.received(30 << 20, now + SECOND);
        assert_eq!(wait.end(now + SECOND), now + SECOND + TIMEOUT);
    }

    #[test]
    fn a_late_client_is_recognised_whatever_is_around_its_error() {
        let late = ProxyError::BodyUnreadable { source: Box::new(ArrivalError::Late) };
        assert!(is_late(&late));
        assert!(matches!(unreadable(Box::new(ArrivalError::Late)), ProxyError::BodyTimeout));
        assert!(!is_late(&std::io::Error::other("reset")));
    }
}
