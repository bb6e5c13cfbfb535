//! The way of one chat request, from socket to socket.
//!
//! It must not know how a prompt is rewritten. The memory can only ever change what is forwarded; whether a request is
//! answered does not depend on it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::body;
use super::observe::{OnReply, Reply, Watched};
use super::plan::{Outcome, Plan};
use super::prepare::Seat;
use crate::error::ProxyError;
use crate::server::Shared;
use crate::server::reply::Body;
use crate::telemetry::metrics;
use crate::upstream::{Call, CallBody, timed::Timed};

/// Answers a chat request.
///
/// # Errors
/// When the request's body cannot be read or the upstream gives no answer.
pub(crate) async fn chat(
    shared: &Arc<Shared>,
    path: &str,
    request: Request<Incoming>,
) -> Result<(Response<Body>, Outcome), ProxyError> {
    let (parts, body) = request.into_parts();
    let body = body::read(body, &parts.headers, shared.config.server.max_body_bytes).await?;
    let plan = plan(shared, &parts.headers, body).await;

    let mut headers = parts.headers;
    // The reply is read on its way, so it must not be compressed.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let call = Call {
        method: parts.method,
        path: path.to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers,
        body: CallBody::Whole(plan.body.clone()),
    };
    let receipt = Receipt::of(&plan);
    let started = Instant::now();
    let mut response = match shared.upstream.send(call).await {
        Ok(response) => response,
        Err(error) => crate::server::routes::refused(&error),
    };
    receipt.write(response.headers_mut());
    Ok((watched(shared, response, plan.seat, started), receipt.outcome))
}

async fn plan(shared: &Shared, headers: &HeaderMap, body: Bytes) -> Plan {
    let Some(memory) = &shared.memory else {
        return Plan::passthrough(body);
    };
    let started = Instant::now();
    // A compressed body cannot be read, so it is forwarded as it is.
    let encoded = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity");
    let plan = if encoded {
        Plan::passthrough(body)
    } else {
        Plan::of(memory, headers, body).await
    };
    metrics::overhead(started.elapsed());
    if let (Some(came), Some(forwarded)) = (plan.tokens_in, plan.tokens_forwarded) {
        metrics::tokens(came, forwarded);
    }
    metrics::memories(plan.memories);
    plan
}

/// Passes the reply on and reads along.
fn watched(shared: &Arc<Shared>, response: Response<Body>, seat: Option<Seat>, started: Instant) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    // With the memory off nothing is read and nothing is added.
    let reply = if parts.status.is_success() && shared.memory.is_some() {
        kind_of(&parts.headers)
    } else {
        Reply::Other
    };
    if reply == Reply::Events {
        // An error event may have to follow, so the length is not known.
        parts.headers.remove(CONTENT_LENGTH);
    }
    let timed = Timed::new(body, started).boxed_unsync();
    let on_reply = seat.map(|seat| remember(Arc::clone(shared), seat));
    Response::from_parts(parts, Watched::new(timed, reply, on_reply).boxed_unsync())
}

fn remember(shared: Arc<Shared>, seat: Seat) -> OnReply {
    Box::new(move |text| {
        if let (Some(memory), false) = (&shared.memory, text.trim().is_empty()) {
            let (turn, before) = seat.take(text);
            memory.offer_reply(turn, before);
        }
    })
}

/// What the client is told about its request.
struct Receipt {
    outcome: Outcome,
    tokens_in: Option<usize>,
    tokens_forwarded: Option<usize>,
    memories: usize,
}

impl Receipt {
    fn of(plan: &Plan) -> Self {
        Self {
            outcome: plan.outcome,
            tokens_in: plan.tokens_in,
            tokens_forwarded: plan.tokens_forwarded,
            memories: plan.memories,
        }
    }

    /// Counts that are not known are left out.
    fn write(&self, headers: &mut HeaderMap) {
        headers.insert(OUTCOME, HeaderValue::from_static(self.outcome.label()));
        headers.insert(MEMORIES, HeaderValue::from(self.memories));
        for (name, count) in [(TOKENS_IN, self.tokens_in), (TOKENS_FORWARDED, self.tokens_forwarded)] {
            match count {
                Some(count) => headers.insert(name, HeaderValue::from(count)),
                None => headers.remove(name),
            };
        }
    }
}

const OUTCOME: HeaderName = HeaderName::from_static("x-mainpoint");
const TOKENS_IN: HeaderName = HeaderName::from_static("x-mainpoint-tokens-in");
const TOKENS_FORWARDED: HeaderName = HeaderName::from_static("x-mainpoint-tokens-forwarded");
const MEMORIES: HeaderName = HeaderName::from_static("x-mainpoint-memories");
fn kind_of(headers: &HeaderMap) -> Reply {
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        return Reply::Other;
    }
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "text/event-stream" => Reply::Events,
        "application/json" => Reply::Document(
            headers
                .get(CONTENT_LENGTH)
                .and_then(|length| length.to_str().ok()?.parse().ok()),
        ),
        _ => Reply::Other,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    fn kind(pairs: &[(HeaderName, &'static str)]) -> Reply {
        kind_of(
            &pairs
                .iter()
                .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
                .collect(),
        )
    }

    #[test]
    fn only_replies_that_can_be_read_are_read() {
        assert_eq!(
            kind(&[(CONTENT_TYPE, "text/event-stream; charset=utf-8")]),
            Reply::Events
        );
        assert_eq!(
            kind(&[(CONTENT_TYPE, "application/json"), (CONTENT_LENGTH, "5")]),
            Reply::Document(Some(5))
        );
        assert_eq!(
            kind(&[(CONTENT_TYPE, "application/json"), (CONTENT_ENCODING, "gzip")]),
            Reply::Other
        );
        assert_eq!(kind(&[]), Reply::Other);
    }

    #[test]
    fn a_receipt_leaves_out_what_is_not_known() {
        let mut headers = HeaderMap::new();
        Receipt::of(&Plan::passthrough(Bytes::new())).write(&mut headers);
        assert_eq!(headers.get(OUTCOME).unwrap(), "passthrough");
        assert_eq!(headers.get(MEMORIES).unwrap(), "0");
        assert!(!headers.contains_key(TOKENS_IN));
    }
}
