//! Bodies on their way through: every poll passes a function, and all else is as the body has it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;

use super::response::{Body, BodyError};

/// What a body gives next; nothing at its end.
pub(crate) type Next = Option<Result<Frame<Bytes>, BodyError>>;

struct Through<B, P> {
    inner: B,
    pass: P,
}

/// `inner`, of which everything that it gives passes through `pass`. Both are dropped together.
pub(crate) fn through<B, P>(inner: B, pass: P) -> Body
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BodyError>,
    P: FnMut(&mut Context<'_>, Poll<Next>) -> Poll<Next> + Send + Unpin + 'static,
{
    Through { inner, pass }.boxed_unsync()
}

/// `inner`, with which `guard` is dropped: at its end or before.
pub(crate) fn holding(inner: Body, guard: impl Send + Unpin + 'static) -> Body {
    through(inner, move |_, next| {
        let _held = &guard;
        next
    })
}

impl<B, P> HttpBody for Through<B, P>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
    P: FnMut(&mut Context<'_>, Poll<Next>) -> Poll<Next> + Unpin,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Next> {
        let next = Pin::new(&mut self.inner).poll_frame(context);
        (self.pass)(context, next.map(|next| next.map(|frame| frame.map_err(Into::into))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
