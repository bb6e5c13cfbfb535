//! The way of one request whose prompt may be rewritten, from socket to socket.
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

use mainpoint_store::Scope;
use uuid::Uuid;

use super::body;
use super::observe::{OnReply, Reply, Watched};
use super::parse::Surface;
use super::plan::{Ask, Outcome, Plan};
use super::prepare::Seat;
use super::receipt::{Receipt, ReplyNote};
use crate::config::Mode;
use crate::error::ProxyError;
use crate::server::Shared;
use crate::server::reply::Body;
use crate::telemetry::metrics;
use crate::upstream::{Call, CallBody, timed::Timed};

/// A request whose prompt may be rewritten.
#[derive(Debug)]
pub(crate) struct Prompted<'a> {
    /// Its id, which its receipt has too.
    pub(crate) id: Uuid,
    /// Which of OpenAI's surfaces it speaks.
    pub(crate) surface: Surface,
    /// Its path after the base path.
    pub(crate) path: &'a str,
}

/// Answers a request whose prompt may be rewritten.
///
/// # Errors
/// When a header of mainpoint's own says nonsense, or the request's body cannot be read.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    prompted: Prompted<'_>,
    request: Request<Incoming>,
) -> Result<(Response<Body>, Outcome), ProxyError> {
    let (parts, body) = request.into_parts();
    let mode = mode(shared, &parts.headers)?;
    let body = body::read(body, &parts.headers, shared.config.server.max_body_bytes).await?;
    let ask = Ask {
        surface: prompted.surface,
        mode,
        headers: &parts.headers,
    };
    let plan = plan(shared, ask, body).await;

    let mut headers = parts.headers;
    headers.remove(MODE);
    // The reply is read on its way, so it must not be compressed.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let call = Call {
        method: parts.method,
        path: prompted.path.to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers,
        body: CallBody::Whole(plan.body.clone()),
    };
    let (outcome, memories) = (plan.outcome, plan.memories);
    let told = Told {
        outcome,
        memories,
        tokens_in: plan.receipt.tokens_in,
        tokens_forwarded: plan.receipt.tokens_forwarded,
    };
    if let Some(scope) = plan.scope {
        put_receipt(shared, &prompted, mode, (scope, outcome, plan.receipt));
    }
    let started = Instant::now();
    let mut response = match shared.upstream.send(call).await {
        Ok(response) => response,
        Err(error) => crate::server::routes::refused(&error),
    };
    told.write(response.headers_mut());
    let on_reply = plan.seat.map(|seat| remember(Arc::clone(shared), prompted.id, seat));
    Ok((
        watched(shared, response, (prompted.surface, on_reply), started),
        outcome,
    ))
}

/// The mode that holds for a request: the header can lower what the configuration sets, never raise it.
fn mode(shared: &Shared, headers: &HeaderMap) -> Result<Mode, ProxyError> {
    let configured = shared.config.memory.mode;
    let Some(value) = headers.get(MODE) else {
        return Ok(configured);
    };
    let asked = value.to_str().ok().and_then(Mode::parse);
    let asked = asked.ok_or_else(|| ProxyError::InvalidRequest {
        message: format!(
            "Invalid value for the header {MODE}: {:?}; allowed is {}.",
            String::from_utf8_lossy(value.as_bytes()),
            Mode::ALLOWED
        ),
        param: Some(MODE_NAME),
    })?;
    Ok(asked.min(configured))
}

fn put_receipt(
    shared: &Shared,
    prompted: &Prompted<'_>,
    mode: Mode,
    (scope, outcome, receipt): (Scope, Outcome, Receipt),
) {
    let receipt = Receipt {
        id: prompted.id.to_string(),
        time: chrono::Utc::now(),
        surface: prompted.surface.label(),
        mode: mode.label(),
        outcome: outcome.label(),
        ..receipt
    };
    shared.receipts.put(prompted.id, scope, receipt);
}

async fn plan(shared: &Shared, ask: Ask<'_>, body: Bytes) -> Plan {
    let Some(memory) = shared.memory.as_ref().filter(|_| ask.mode != Mode::Off) else {
        return Plan::passthrough(body);
    };
    let started = Instant::now();
    // A compressed body cannot be read, so it is forwarded as it is.
    let encoded = ask
        .headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity");
    let plan = if encoded {
        Plan::passthrough(body)
    } else {
        // Boxed, so that a request without a memory is as small as one that is only relayed.
        Box::pin(Plan::of(memory, ask, body)).await
    };
    metrics::overhead(started.elapsed());
    metrics::steps(&plan.receipt.milliseconds.steps);
    if let (Some(came), Some(forwarded)) = (plan.receipt.tokens_in, plan.receipt.tokens_forwarded) {
        metrics::tokens(came, forwarded);
    }
    metrics::memories(plan.memories);
    metrics::epochs(plan.begins_epoch.into());
    metrics::abstentions(plan.abstains.into());
    plan
}

/// Passes the reply on and reads along.
fn watched(
    shared: &Shared,
    response: Response<Body>,
    (surface, on_reply): (Surface, Option<OnReply>),
    started: Instant,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    // With the memory off nothing is read and nothing is added.
    let reply = if parts.status.is_success() && shared.memory.is_some() {
        kind_of(surface, &parts.headers)
    } else {
        Reply::Other
    };
    if matches!(reply, Reply::Events(_)) {
        // An error event may have to follow, so the length is not known.
        parts.headers.remove(CONTENT_LENGTH);
    }
    let timed = Timed::new(body, started).boxed_unsync();
    Response::from_parts(parts, Watched::new(timed, reply, on_reply).boxed_unsync())
}

fn remember(shared: Arc<Shared>, id: Uuid, seat: Seat) -> OnReply {
    Box::new(move |text| {
        shared.receipts.note_reply(id, ReplyNote::of(&text));
        if let (Some(memory), false) = (&shared.memory, text.trim().is_empty()) {
            let (turn, previous) = seat.take(text);
            memory.offer_reply(turn, previous);
        }
    })
}

/// What the client is told about its request in headers.
struct Told {
    outcome: Outcome,
    tokens_in: Option<usize>,
    tokens_forwarded: Option<usize>,
    memories: usize,
}

impl Told {
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

const MODE_NAME: &str = "x-mainpoint-mode";
const MODE: HeaderName = HeaderName::from_static(MODE_NAME);
const OUTCOME: HeaderName = HeaderName::from_static("x-mainpoint");
const TOKENS_IN: HeaderName = HeaderName::from_static("x-mainpoint-tokens-in");
const TOKENS_FORWARDED: HeaderName = HeaderName::from_static("x-mainpoint-tokens-forwarded");
const MEMORIES: HeaderName = HeaderName::from_static("x-mainpoint-memories");

fn kind_of(surface: Surface, headers: &HeaderMap) -> Reply {
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
        "text/event-stream" => Reply::Events(surface),
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
            Surface::ChatCompletions,
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
            Reply::Events(Surface::ChatCompletions)
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
    fn what_is_not_known_is_not_told() {
        let mut headers = HeaderMap::new();
        let told = Told {
            outcome: Outcome::Passthrough,
            tokens_in: None,
            tokens_forwarded: None,
            memories: 0,
        };
        told.write(&mut headers);
        assert_eq!(headers.get(OUTCOME).unwrap(), "passthrough");
        assert_eq!(headers.get(MEMORIES).unwrap(), "0");
        assert!(!headers.contains_key(TOKENS_IN));
    }
}
