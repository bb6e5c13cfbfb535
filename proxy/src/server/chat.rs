//! The way of one request whose prompt may be rewritten, from its path to the end of its answer.
//!
//! The memory can only ever change what is forwarded; whether a request is answered does not depend on it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;

use uuid::Uuid;

use super::cors::AskedHeaders;
use super::observed::{ObservedBody, ReplyKind, ReplyListener};
use super::recall_tool::ToolLoop;
use super::{Shared, cors, recall_tool, relay, turn_recorder};
use crate::config::{Mode, RecallReach, Storing};
use crate::conversation::scope::Sender;
use crate::deadline::Deadline;
use crate::error::ProxyError;
use crate::http::RequestBody;
use crate::http::headers::{MEMORIES, MODE_NAME, OUTCOME, RECALL_NAME, STORE_NAME, TOKENS_FORWARDED, TOKENS_IN};
use crate::http::identity::Identity;
use crate::http::response::{Body, refused};
use crate::http::through::holding;
use crate::http::{body, credentials, encoding};
use crate::openai::request::Surface;
use crate::prompt::Planner;
use crate::prompt::blocking::block_in_place_if_large;
use crate::prompt::plan::{Plan, PlanOutcome, RequestContext};
use crate::prompt::receipt::Receipt;
use crate::reason::Reason;
use crate::room;
use crate::telemetry::metrics::{self, UpstreamTimer};
use crate::upstream::CallBody;

/// A request whose prompt may be rewritten.
#[derive(Debug)]
pub(crate) struct ChatCall<'a> {
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
    chat: ChatCall<'_>,
    request: Request<RequestBody>,
) -> Result<(Response<Body>, PlanOutcome), ProxyError> {
    let (parts, body) = request.into_parts();
    let (mode, reach) = (mode(shared, &parts.headers)?, reach(shared, &parts.headers)?);
    let storing = asked(&parts.headers, STORE_NAME, Storing::parse, Storing::ALLOWED)?;
    // Refused whatever the mode: a memory must not depend on which of two users or projects comes first.
    credentials::user(&parts.headers, &shared.config.memory.user_header)?;
    credentials::project(&parts.headers, &shared.config.memory.project_header)?;
    let body = body::read(body, &parts.headers, shared.config.server.max_body_bytes, &shared.room).await?;
    let time = chrono::Utc::now();
    let mut plan = match identity(shared, &parts, mode) {
        Ok(identity) => {
            let sender = Sender { headers: &parts.headers, identity: &identity };
            plan_and_measure(shared, RequestContext { surface: chat.surface, mode, reach, storing, sender, time }, body)
                .await
        }
        Err(reason) => Plan::not_applicable(body, reason),
    };
    let on_trust = plan.scope.as_ref().and_then(|_| shared.scope_on_trust(&parts.headers, &parts.uri));
    let is_on_trust = on_trust.is_some();

    let mut call = relay::call(shared, chat.path, parts, CallBody::Whole(plan.body.clone()));
    if plan.outcome == PlanOutcome::Rewritten {
        for about_the_original in &DESCRIBES_THE_BODY {
            call.headers.remove(about_the_original);
        }
    }
    if plan.reply_slot.is_some() || plan.recall_tool_context.is_some() {
        // The reply is read on its way, so it must not be compressed.
        call.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    let (outcome, memories) = (plan.outcome, plan.memories);
    if let Some(reason) = plan.reason {
        metrics::passthrough(reason.label());
    }
    let outcome_headers = OutcomeHeaders {
        outcome,
        reason: plan.reason,
        memories,
        tokens_in: plan.receipt.tokens_in,
        tokens_forwarded: plan.receipt.tokens_forwarded,
    };
    if let Some(scope) = plan.scope.take() {
        let receipt = std::mem::take(&mut plan.receipt);
        shared.receipts.put(
            chat.id,
            on_trust.unwrap_or(scope),
            completed(Receipt { time, ..receipt }, &chat, mode, outcome),
        );
    }
    let started = Instant::now();
    // What the requests of a tool loop take is held as long as the answer lasts; what is to be stored, until it is.
    let mut held = None;
    let answered = match plan.recall_tool_context.take() {
        Some(recall_tool_context) => {
            // What the answer says of tokens is the sum of several prompts.
            plan.estimated = None;
            held = plan.held.as_mut().map(|all| all.split(LOOP_COPIES * plan.body.len()));
            Box::pin(recall_tool::answer(ToolLoop::new(shared, chat.id, call, recall_tool_context))).await
        }
        None => shared.send(call).await,
    };
    let mut response = match answered {
        Ok(response) => response,
        Err(error) => refused(&error),
    };
    let accepted = response.status().is_success();
    if is_on_trust && !accepted {
        // Nobody confirms that this is whose memory it says, so that nothing is told about that.
        shared.receipts.forget(chat.id);
    } else {
        outcome_headers.write(response.headers_mut());
    }
    AskedHeaders::default().add(response.headers_mut());
    let listener = accepted.then(|| turn_recorder::listener(shared, chat.id, plan)).flatten();
    let response = response.map(|body| holding(body, (UpstreamTimer(started), held)));
    Ok((observed(shared, response, chat.surface, listener), outcome))
}

/// Who sends a request; or why the memory does not apply, whoever that is.
fn identity(shared: &Shared, head: &Parts, mode: Mode) -> Result<Identity, Reason> {
    if mode == Mode::Off || !shared.planner.has_memory() {
        return Err(Reason::ModeOff);
    }
    // The browser sends such a request before anybody has said what the page may do.
    if cors::comes_from_elsewhere(&head.headers, &head.uri, &shared.identities, &shared.config.server) {
        return Err(Reason::ForeignPage);
    }
    shared.identities.of(&head.headers, &head.uri, &head.extensions).ok_or_else(|| {
        let by_gateway = shared.identities.gateway_header().is_some();
        let is_foreign = by_gateway && shared.identities.foreign_host(&head.headers, &head.uri).is_some();
        if is_foreign { Reason::ForeignHost } else { Reason::NoIdentity }
    })
}

/// The mode that holds for a request: the header can lower what the configuration sets, never raise it.
fn mode(shared: &Shared, headers: &HeaderMap) -> Result<Mode, ProxyError> {
    let configured = shared.config.memory.mode;
    let asked = asked(headers, MODE_NAME, Mode::parse, Mode::ALLOWED)?;
    Ok(asked.map_or(configured, |asked| asked.min(configured)))
}

/// Whose turns are recalled for a request. All of them are the caller's own, so that the header may say either.
fn reach(shared: &Shared, headers: &HeaderMap) -> Result<RecallReach, ProxyError> {
    let asked = asked(headers, RECALL_NAME, RecallReach::parse, RecallReach::ALLOWED)?;
    Ok(asked.unwrap_or(shared.config.memory.recall))
}

/// What a header of mainpoint's own says.
fn asked<T>(
    headers: &HeaderMap,
    name: &'static str,
    parse: fn(&str) -> Option<T>,
    allowed: &str,
) -> Result<Option<T>, ProxyError> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let asked = value.to_str().ok().and_then(parse);
    asked.map(Some).ok_or_else(|| ProxyError::InvalidRequest {
        message: format!(
            "Invalid value for the header {name}: {:?}; allowed is {allowed}.",
            String::from_utf8_lossy(value.as_bytes()),
        ),
        param: Some(name),
    })
}

/// The plan's receipt with what is known of the request besides.
fn completed(receipt: Receipt, chat: &ChatCall<'_>, mode: Mode, outcome: PlanOutcome) -> Receipt {
    Receipt {
        id: chat.id.to_string(),
        surface: chat.surface.label(),
        mode: mode.label(),
        outcome: outcome.label(),
        ..receipt
    }
}

/// Plans what is forwarded, and notes in the metrics what came of it and how long it took.
async fn plan_and_measure(shared: &Shared, context: RequestContext<'_>, body: Bytes) -> Plan {
    let Some(planner) = shared.planner.get() else {
        shared.planner.report();
        return Plan { outcome: PlanOutcome::FailedOpen, ..Plan::passthrough(body) };
    };
    let started = Instant::now();
    // Boxed, so that a request without a memory is as small as one that is only relayed.
    let plan = Box::pin(plan_decompressed(shared, planner, context, body)).await;
    metrics::overhead(started.elapsed());
    metrics::steps(&plan.receipt.milliseconds.steps);
    if let (Some(came), Some(forwarded)) = (plan.receipt.tokens_in, plan.receipt.tokens_forwarded) {
        metrics::tokens(came, forwarded);
    }
    metrics::memories(plan.memories);
    metrics::evictions(plan.evicts.into());
    metrics::shortened_results(plan.shortens);
    metrics::abstentions(plan.abstains.into());
    plan
}

/// Plans for the body without its compression. Unless it is rewritten, the bytes that came are forwarded.
async fn plan_decompressed(shared: &Shared, planner: &Planner, context: RequestContext<'_>, body: Bytes) -> Plan {
    // Decompressing and planning share `memory.deadline_ms`.
    let deadline = Deadline::after(planner.config.deadline);
    let limit = shared.config.server.max_body_bytes;
    let decoding = encoding::decompressed(context.sender.headers, &body, limit, &shared.room);
    let without = |reason: Reason| {
        if reason == Reason::NoRoom {
            metrics::no_room("request");
        }
        Plan::not_applicable(body.clone(), reason)
    };
    match deadline.wait_for(decoding).await {
        Ok(Ok(decompressed)) => {
            let needed = block_in_place_if_large(decompressed.len(), || room::for_reading(&decompressed));
            let Some(mut held) = shared.room.try_take(needed) else {
                return without(Reason::NoRoom);
            };
            let _passing = planner.memory.in_flight();
            let plan = planner.plan(context, decompressed, &deadline).await;
            let body = match plan.outcome {
                PlanOutcome::Rewritten => held.split(plan.body.len()).around(plan.body.clone()),
                PlanOutcome::Passthrough | PlanOutcome::FailedOpen => body,
            };
            held.keep(held_after(&plan));
            Plan { body, held: Some(held), ..plan }
        }
        Ok(Err(error)) => without(error.into()),
        Err(error) => {
            planner.report(&error);
            Plan { outcome: PlanOutcome::FailedOpen, ..Plan::passthrough(body) }
        }
    }
}

/// What is held of a request once its prompt is planned, besides its body.
fn held_after(plan: &Plan) -> usize {
    let stored: usize = plan.intake.turns.iter().map(|turn| turn.text.len()).sum();
    let loops = plan.recall_tool_context.as_ref().map_or(0, |_| LOOP_COPIES * plan.body.len());
    stored + loops
}

/// How often a request's body is there that goes through a tool loop: as it was offered, as it is sent, and with what was found.
const LOOP_COPIES: usize = 3;

/// Passes the reply on and reads along.
fn observed(
    shared: &Shared,
    response: Response<Body>,
    surface: Surface,
    listener: Option<Box<dyn ReplyListener>>,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    // With the memory off nothing is read and nothing is added.
    let reply = if parts.status.is_success() && shared.planner.get().is_some() {
        ReplyKind::of(surface, &parts.headers)
    } else {
        ReplyKind::Other
    };
    if matches!(reply, ReplyKind::Events(_)) {
        // An error event may have to follow, so the length is not known.
        parts.headers.remove(CONTENT_LENGTH);
    }
    let observed = ObservedBody::new(body, reply, listener, &shared.room);
    Response::from_parts(parts, observed.boxed_unsync())
}

/// What the client is told about its request in headers.
struct OutcomeHeaders {
    outcome: PlanOutcome,
    reason: Option<Reason>,
    tokens_in: Option<usize>,
    tokens_forwarded: Option<usize>,
    memories: usize,
}

impl OutcomeHeaders {
    /// The outcome, with the reason if the memory did not apply.
    fn word(&self) -> &'static str {
        match (self.outcome, self.reason) {
            (PlanOutcome::Passthrough, Some(reason)) => reason.header(),
            (outcome, _) => outcome.label(),
        }
    }

    /// Counts that are not known are left out.
    fn write(&self, headers: &mut HeaderMap) {
        headers.insert(OUTCOME, HeaderValue::from_static(self.word()));
        headers.insert(MEMORIES, HeaderValue::from(self.memories));
        for (name, count) in [(TOKENS_IN, self.tokens_in), (TOKENS_FORWARDED, self.tokens_forwarded)] {
            match count {
                Some(count) => headers.insert(name, HeaderValue::from(count)),
                None => headers.remove(name),
            };
        }
    }
}

/// What a request says about the very bytes of its body; not true of a rewritten one, which is sent without compression.
static DESCRIBES_THE_BODY: [HeaderName; 5] = [
    CONTENT_ENCODING,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    #[test]
    fn what_is_not_known_is_not_told() {
        let mut headers = HeaderMap::new();
        let outcome_headers = OutcomeHeaders {
            outcome: PlanOutcome::Passthrough,
            reason: None,
            tokens_in: None,
            tokens_forwarded: None,
            memories: 0,
        };
        outcome_headers.write(&mut headers);
        assert_eq!(headers.get(OUTCOME).unwrap(), "passthrough");
        assert_eq!(headers.get(MEMORIES).unwrap(), "0");
        assert!(!headers.contains_key(TOKENS_IN));
    }
}
