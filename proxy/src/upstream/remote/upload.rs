//! The body of a request on its way to the upstream, such that it can be sent a second time as long as little of it has passed.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;

use super::movement::Movement;
use crate::http::RequestBody;
use crate::http::response::{Body, BodyError, whole};
use crate::upstream::CallBody;

/// A request's body.
#[derive(Debug)]
pub(super) enum Upload<B = RequestBody> {
    /// There is none.
    Nothing,
    /// There as a whole.
    Whole(Bytes),
    /// Still coming from the client.
    Coming(Arc<Coming<B>>),
}

/// A body that is still coming.
#[derive(Debug)]
pub(super) struct Coming<B> {
    movement: Arc<Movement>,
    source: Mutex<Source<B>>,
}

#[derive(Debug)]
struct Source<B> {
    rest: B,
    /// What has passed, as long as it is little.
    passed: Vec<Bytes>,
    /// Bytes that have passed.
    size: usize,
    can_be_repeated: bool,
    /// Which attempt to send it may read on.
    attempt: usize,
}

/// One attempt to send a body that is still coming.
#[derive(Debug)]
struct Attempt<B> {
    coming: Arc<Coming<B>>,
    number: usize,
    /// How many of the pieces that have passed were sent in this attempt.
    sent: usize,
}

impl Upload {
    /// The body of a call whose bytes `movement` counts.
    pub(super) fn new(body: CallBody, movement: &Arc<Movement>) -> Self {
        match body {
            CallBody::Whole(bytes) => Self::Whole(bytes),
            CallBody::Stream(body) if HttpBody::is_end_stream(&body) => Self::Nothing,
            CallBody::Stream(body) => Self::coming(body, movement),
        }
    }
}

impl<B> Upload<B>
where
    B: HttpBody<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BodyError>,
{
    fn coming(rest: B, movement: &Arc<Movement>) -> Self {
        let source = Source { rest, passed: Vec::new(), size: 0, can_be_repeated: true, attempt: 0 };
        Self::Coming(Arc::new(Coming { movement: Arc::clone(movement), source: Mutex::new(source) }))
    }

    /// The body for one more attempt to send it; an earlier attempt cannot read on.
    pub(super) fn attempt(&self) -> Body {
        match self {
            Self::Nothing => Body::default(),
            Self::Whole(bytes) => whole(bytes.clone()),
            Self::Coming(coming) => Attempt::begin(coming).boxed_unsync(),
        }
    }

    /// Whether everything that was sent is still there.
    pub(super) fn can_be_repeated(&self) -> bool {
        match self {
            Self::Nothing | Self::Whole(_) => true,
            Self::Coming(coming) => coming.lock().can_be_repeated,
        }
    }
}

impl<B> Coming<B> {
    fn lock(&self) -> MutexGuard<'_, Source<B>> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> Source<B> {
    /// Keeps what passes, as long as it is little.
    fn keep(&mut self, frame: &Frame<Bytes>) {
        let piece = frame.data_ref();
        self.size += piece.map_or(0, Bytes::len);
        match piece {
            Some(piece) if self.can_be_repeated && self.size <= MOST_KEPT => self.passed.push(piece.clone()),
            _ => {
                self.can_be_repeated = false;
                self.passed = Vec::new();
            }
        }
    }
}

impl<B> Attempt<B> {
    fn begin(coming: &Arc<Coming<B>>) -> Self {
        let mut source = coming.lock();
        source.attempt += 1;
        Self { coming: Arc::clone(coming), number: source.attempt, sent: 0 }
    }
}

impl<B> HttpBody for Attempt<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let coming = Arc::clone(&self.coming);
        let mut source = coming.lock();
        if source.attempt != self.number {
            return Poll::Ready(Some(Err("the request is being sent again".into())));
        }
        if let Some(piece) = source.passed.get(self.sent).cloned() {
            self.sent += 1;
            coming.movement.sent(piece.len());
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let Poll::Ready(frame) = Pin::new(&mut source.rest).poll_frame(context) else {
            coming.movement.waits_for_client();
            return Poll::Pending;
        };
        let piece = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        coming.movement.sent(piece.map_or(0, Bytes::len));
        if let Some(Ok(frame)) = &frame {
            source.keep(frame);
            self.sent += 1;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        let source = self.coming.lock();
        self.sent >= source.passed.len() && source.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let source = self.coming.lock();
        let unsent = source.passed.iter().skip(self.sent).map(Bytes::len).sum::<usize>() as u64;
        let rest = source.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(unsent));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(unsent));
        }
        hint
    }
}

/// A longer body is not sent a second time.
const MOST_KEPT: usize = 1 << 20;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use std::time::Duration;

    use futures::stream;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn upload(pieces: &[&'static [u8]]) -> Arc<Coming<impl HttpBody<Data = Bytes, Error = BodyError> + Unpin>> {
        let frames: Vec<_> =
            pieces.iter().map(|piece| Ok::<_, BodyError>(Frame::data(Bytes::from_static(piece)))).collect();
        let body = StreamBody::new(stream::iter(frames));
        match Upload::coming(body, &Movement::begin(Duration::from_secs(1), 0)) {
            Upload::Coming(coming) => coming,
            Upload::Nothing | Upload::Whole(_) => unreachable!("it is still coming"),
        }
    }

    #[tokio::test]
    async fn a_second_attempt_sends_what_has_passed_and_goes_on() {
        let coming = upload(&[b"one ", b"two ", b"three"]);
        let mut first = Attempt::begin(&coming);
        assert_eq!(first.frame().await.unwrap().unwrap().into_data().unwrap(), "one ");
        assert_eq!(first.frame().await.unwrap().unwrap().into_data().unwrap(), "two ");
        assert!(coming.lock().can_be_repeated);
        let second = Attempt::begin(&coming);
        assert!(first.frame().await.unwrap().is_err(), "the first one reads nothing more");
        assert_eq!(second.collect().await.unwrap().to_bytes(), "one two three");
        let third = Attempt::begin(&coming);
        assert_eq!(third.collect().await.unwrap().to_bytes(), "one two three");
    }

    #[tokio::test]
    async fn a_body_of_which_much_has_passed_is_not_kept() {
        static LARGE: [u8; MOST_KEPT] = [b'a'; MOST_KEPT];
        let pieces: [&'static [u8]; 3] = [b"x", &LARGE, b"y"];
        let coming = upload(&pieces);
        let whole = Attempt::begin(&coming).collect().await.unwrap().to_bytes();
        assert_eq!(whole.len(), MOST_KEPT + 2);
        let source = coming.lock();
        assert!(!source.can_be_repeated && source.passed.is_empty());
    }
}
