//! Cuts answers off when the process does not wait for them any longer.

use std::future::Future;
use std::task::Poll;

use http::Response;
use tokio_util::sync::CancellationToken;

use crate::error::ProxyError;
use crate::http::response::{Body, BodyError};
use crate::http::through::through;

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
    Ok(answer.map(|body| until_cut(body, cut.clone())))
}

/// `body`, which breaks off when `cut` is cancelled.
fn until_cut(body: Body, cut: CancellationToken) -> Body {
    let mut cancelled = Box::pin(cut.clone().cancelled_owned());
    through(body, move |context, next| {
        let over = match next {
            // The end of a body is worth having at any time.
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(frame) if !cut.is_cancelled() => return Poll::Ready(frame),
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => cancelled.as_mut().poll(context),
        };
        over.map(|()| Some(Err(BodyError::from(ProxyError::Stopping))))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use bytes::Bytes;
    use futures::stream::{self, StreamExt};
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;
    use crate::http::response::whole;

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
