//! Whether anything moves between us and an upstream: bytes of a request on their way there, or of its answer on their way back.
//!
//! A client that is slow to send its request is nothing that an upstream could be blamed for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as HttpBody;
use tokio::time::{Instant, sleep_until};

use crate::http::alarm::Alarm;
use crate::http::response::{Body, BodyError};
use crate::http::through::through;
use crate::telemetry::metrics;

/// One request to an upstream and its answer.
#[derive(Debug)]
pub(super) struct Movement {
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When something moved last, or when what was sent then has arrived, as far as one can see from here.
    last: Instant,
    /// Bytes that were sent.
    sent: usize,
    /// The client's next bytes are waited for.
    waits_for_client: bool,
}

/// Nothing moved for too long.
#[derive(Debug, thiserror::Error)]
#[error("nothing moved between us and the upstream for {} s", timeout.as_secs())]
pub(super) struct Silence {
    timeout: Duration,
}

impl Movement {
    /// A request that begins, in which nothing may move for `timeout`. `bytes` of it are handed over at once, and get the time
    /// that it takes to send them.
    pub(super) fn begin(timeout: Duration, bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            timeout,
            state: Mutex::new(State { last: Instant::now() + time_to_send(bytes), sent: 0, waits_for_client: false }),
        })
    }

    /// More of a request was handed over; the last of it may still lie in buffers on the way.
    pub(super) fn sent(&self, bytes: usize) {
        self.lock().sends(bytes, Instant::now());
    }

    /// Something came.
    pub(super) fn came(&self) {
        self.lock().moves(Instant::now());
    }

    /// The upstream took all there was, and the client has sent no more yet.
    pub(super) fn waits_for_client(&self) {
        self.lock().waits_for_client = true;
    }

    /// Ready when nothing has moved for too long.
    pub(super) async fn silence(&self) -> Silence {
        loop {
            let end = self.end();
            if end <= Instant::now() {
                return Silence { timeout: self.timeout };
            }
            sleep_until(end).await;
        }
    }

    fn end(&self) -> Instant {
        self.lock().silent_since(Instant::now()) + self.timeout
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn moves(&mut self, now: Instant) {
        self.last = now;
        self.waits_for_client = false;
    }

    fn sends(&mut self, bytes: usize, now: Instant) {
        self.sent = self.sent.saturating_add(bytes);
        self.moves(now + time_to_send(self.sent.min(MOST_BUFFERED)));
    }

    /// Since when nothing has moved for which the upstream could be blamed.
    fn silent_since(&self, now: Instant) -> Instant {
        if self.waits_for_client { now } else { self.last }
    }
}

/// What was handed over is expected to leave at so many bytes in a second, at least.
const LEAST_RATE: u64 = 32 << 10;
/// So many bytes fit into the buffers between us and an upstream.
const MOST_BUFFERED: usize = 8 << 20;

fn time_to_send(bytes: usize) -> Duration {
    Duration::from_secs(bytes as u64 / LEAST_RATE)
}

/// `inner`, which comes from the upstream in answer to this request; it breaks off when nothing moves for too long.
pub(super) fn moving<B>(inner: B, movement: Arc<Movement>) -> Body
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BodyError>,
{
    let mut alarm = Alarm::default();
    let mut broken = None;
    through(inner, move |context, next| {
        if let Some(error) = broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match next {
            Poll::Ready(Some(Err(error))) => {
                metrics::upstream_failure("broken_body");
                // What came before it is sent on first: hyper throws away what it has not written yet when a body fails.
                broken = Some(error);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(next) => {
                movement.came();
                Poll::Ready(next)
            }
            Poll::Pending => alarm.poll(context, || movement.end()).map(|()| {
                metrics::upstream_failure("silent_body");
                Some(Err(Silence { timeout: movement.timeout }.into()))
            }),
        }
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use futures::FutureExt;
    use futures::stream::{self, StreamExt};
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn state(now: Instant) -> State {
        State { last: now, sent: 0, waits_for_client: false }
    }

    #[test]
    fn silence_begins_with_the_last_movement() {
        let now = Instant::now();
        let mut state = state(now);
        assert_eq!(state.silent_since(now + SECOND), now);
        state.moves(now + SECOND * 5);
        assert_eq!(state.silent_since(now + SECOND * 7), now + SECOND * 5);
    }

    #[test]
    fn an_upstream_is_not_blamed_for_a_client_that_pauses() {
        let now = Instant::now();
        let mut state = state(now);
        state.waits_for_client = true;
        assert_eq!(state.silent_since(now + SECOND * 100), now + SECOND * 100);
        state.sends(10, now + SECOND * 100);
        assert_eq!(state.silent_since(now + SECOND * 200), now + SECOND * 100);
    }

    #[test]
    fn what_was_sent_has_time_to_arrive() {
        let now = Instant::now();
        let mut state = state(now);
        state.sends(1 << 20, now);
        let arrives = state.silent_since(now) - now;
        assert!(arrives > SECOND * 10 && arrives < SECOND * 60, "{arrives:?}");
        state.sends(usize::MAX, now);
        assert!(state.silent_since(now) - now < SECOND * 600, "no more than fits on the way");
        state.moves(now);
        assert_eq!(state.silent_since(now), now, "an answer says that it has arrived");
    }

    #[tokio::test]
    async fn a_body_that_falls_silent_breaks_off() {
        let first = stream::iter([Ok::<_, BodyError>(Frame::data(Bytes::from("x")))]);
        let silent = StreamBody::new(first.chain(stream::pending()));
        let mut body = moving(silent, Movement::begin(Duration::from_millis(20), 0));
        assert!(body.frame().await.unwrap().is_ok());
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(error.is::<Silence>());
    }

    #[tokio::test]
    async fn what_came_before_a_break_can_be_sent_first() {
        let pieces = stream::iter([Ok(Frame::data(Bytes::from("x"))), Err(BodyError::from("reset"))]);
        let mut body = moving(StreamBody::new(pieces), Movement::begin(SECOND, 0));
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().now_or_never().is_none(), "whoever sends it has time to do so");
        assert!(body.frame().await.unwrap().is_err());
    }
}
