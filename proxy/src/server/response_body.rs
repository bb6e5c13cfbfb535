//! The body of an answer on its way out; when it is over, so is the request.
//!
//! It must not know what is answered.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::request_guard::RequestGuard;
use crate::http::reply::{Body, BodyError};

/// The answer to a request.
#[derive(Debug)]
pub(super) struct ResponseBody {
    inner: Body,
    guard: Arc<RequestGuard>,
}

impl ResponseBody {
    /// `inner` answers the request that is `guard`.
    pub(super) fn new(inner: Body, guard: Arc<RequestGuard>) -> Self {
        Self { inner, guard }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.guard.end();
    }
}
