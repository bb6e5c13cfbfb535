//! Calls the upstream with a request, and relays its answer: both directions streaming, no byte changed.

use std::sync::Arc;
use std::time::Instant;

use http::request::Parts;
use http::{HeaderValue, Request, Response};

use super::Shared;
use super::cors::AskedHeaders;
use crate::error::ProxyError;
use crate::http::RequestBody;
use crate::http::headers;
use crate::http::response::Body;
use crate::http::through::holding;
use crate::reason::Reason;
use crate::telemetry::metrics::{self, UpstreamTimer};
use crate::upstream::{Call, CallBody};

/// Sends the request on to the upstream and hands its answer back.
///
/// # Errors
/// When the upstream cannot be reached or does not answer in time.
pub(crate) async fn relay(
    shared: &Arc<Shared>,
    path: &str,
    request: Request<RequestBody>,
) -> Result<Response<Body>, ProxyError> {
    let (parts, body) = request.into_parts();
    let mut call = call(shared, path, parts, CallBody::Stream(body));
    let asked = AskedHeaders::strip_from(&mut call.headers, &shared.own_headers);
    let started = Instant::now();
    let mut response = shared.send(call).await?;
    asked.add(response.headers_mut());
    let reason = if shared.planner.has_memory() { Reason::OtherPath } else { Reason::ModeOff };
    tell(reason, &mut response);
    Ok(response.map(|body| holding(body, UpstreamTimer(started))))
}

/// The request as it goes to the upstream: without what is meant for mainpoint in its headers and its query, which every path takes
/// out here.
pub(crate) fn call(shared: &Shared, path: &str, parts: Parts, body: CallBody) -> Call {
    let mut request_headers = parts.headers;
    shared.own_headers.strip(&mut request_headers, parts.version);
    Call {
        method: parts.method,
        path: path.to_owned(),
        query: shared.own_headers.query(parts.uri.query()),
        headers: request_headers,
        body,
    }
}

/// Says, and counts, why the memory did not apply.
pub(crate) fn tell(reason: Reason, response: &mut Response<Body>) {
    metrics::passthrough(reason.label());
    let value = HeaderValue::from_static(reason.header());
    response.headers_mut().insert(headers::OUTCOME, value);
}
