//! Cuts answers off when the process does not wait for them any longer.
//!
//! It must not know what is answered, or by whom.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::error::ProxyError;
use crate::http::reply::{Body, BodyError};

/// Waits for `answer`, whose body breaks off when `cut` is cancelled.
///
/// # Errors
/// That of `answer`, or [`ProxyError::Stopping`] when there is none before that.
pub(crate) async fn cut_off(
    answer: impl Future<Output = Result<Response<Body>, ProxyError>>,
    cut: &CancellationToken,
) -> Result<Response<Body>, ProxyError> {
    let answer = tokio::select! {
        biased;
        answer = answer => answer?,
        () = cut.cancelled() => return Err(ProxyError::Stopping),
    };
    Ok(answer.map(|body| Cut::new(body, cut.clone()).boxed_unsync()))
}

struct Cut {
    inner: Body,
    token: CancellationToken,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Cut {
    fn new(inner: Body, token: CancellationToken) -> Self {
        let cancelled = Box::pin(token.clone().cancelled_owned());
        Self { inner, token, cancelled }
    }
}

impl HttpBody for Cut {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let over = match Pin::new(&mut self.inner).poll_frame(context) {
            // The end of a body is worth having at any time.
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(frame) if !self.token.is_cancelled() => return Poll::Ready(frame),
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => self.cancelled.as_mut().poll(context),
        };
        over.map(|()| Some(Err(BodyError::from(ProxyError::Stopping))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use futures::stream::{self, StreamExt};
    use http_body_util::StreamBody;

    use super::*;
    use crate::http::reply::whole;

    fn endless() -> Body {
        let first = stream::iter([Ok::<_, BodyError>(Frame::data(Bytes::from("first")))]);
        StreamBody::new(first.chain(stream::pending())).boxed_unsync()
    }

    #[tokio::test]
    async fn a_body_that_has_no_end_breaks_off_when_it_is_cut() {
        let cut = CancellationToken::new();
        let answer = cut_off(async { Ok(Response::new(endless())) }, &cut).await.unwrap();
        let mut body = answer.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
        cut.cancel();
        assert!(body.frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn who_has_no_answer_yet_is_told_that_the_process_stops() {
        let cut = CancellationToken::new();
        cut.cancel();
        let error = cut_off(std::future::pending(), &cut).await.unwrap_err();
        assert_eq!(error.refusal().status, 503);
        let whole = cut_off(async { Ok(Response::new(whole("x"))) }, &cut).await.unwrap();
        assert!(whole.into_body().collect().await.is_err());
    }
}
