//! A body that reports how long the upstream took, whether it was read to its end or dropped.
//!
//! It must not know what passes through.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::http::reply::{Body, BodyError};
use crate::telemetry::metrics;

/// Passes a body through and records the time from `started` until it is dropped.
#[derive(Debug)]
pub(crate) struct Timed {
    inner: Body,
    started: Instant,
}

impl Timed {
    /// Wraps `inner`, the answer to a request that was sent at `started`.
    pub(crate) fn new(inner: Body, started: Instant) -> Self {
        Self { inner, started }
    }
}

impl HttpBody for Timed {
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

impl Drop for Timed {
    fn drop(&mut self) {
        metrics::upstream(self.started.elapsed());
    }
}
