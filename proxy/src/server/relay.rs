//! Relays a request as it is: both directions streaming, no byte changed.
//!
//! It must not know what the bytes mean.

use std::sync::Arc;
use std::time::Instant;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::Shared;
use super::reply::Body;
use crate::error::ProxyError;
use crate::upstream::{Call, CallBody, timed};

/// Sends the request on to the upstream and hands its answer back.
///
/// # Errors
/// When the upstream cannot be reached or does not answer in time.
pub(crate) async fn relay(
    shared: &Arc<Shared>,
    path: &str,
    request: Request<Incoming>,
) -> Result<Response<Body>, ProxyError> {
    let (parts, body) = request.into_parts();
    let call = Call {
        method: parts.method,
        path: path.to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body: CallBody::Stream(body),
    };
    let started = Instant::now();
    let response = shared.upstream.send(call).await?;
    Ok(response.map(|body| timed::Timed::new(body, started).boxed_unsync()))
}
