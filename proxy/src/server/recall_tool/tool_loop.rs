//! The requests of one tool loop: the first one, and one more for each answer that only calls our tool.

use std::sync::Arc;

use http::{HeaderMap, Method, Response};
use uuid::Uuid;

use crate::error::ProxyError;
use crate::http::response::Body;
use crate::openai::recall_tool::{Asked, ToolChoice};
use crate::prompt::recall_tool_context::{Found, RecallToolContext};
use crate::room::Room;
use crate::server::Shared;
use crate::telemetry::metrics;
use crate::upstream::{Call, CallBody};

/// A request that offers our tool, and how often that was called.
pub(in crate::server) struct ToolLoop {
    shared: Arc<Shared>,
    /// Whose receipt says what was recalled.
    id: Uuid,
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    recall_tool_context: RecallToolContext,
    /// Answers that called the tool.
    rounds: usize,
}

impl ToolLoop {
    /// The loop that begins with `call`, whose body `recall_tool_context` has, and whose receipt has this id.
    pub(in crate::server) fn new(
        shared: &Arc<Shared>,
        id: Uuid,
        call: Call,
        recall_tool_context: RecallToolContext,
    ) -> Self {
        let Call { method, path, query, headers, .. } = call;
        Self { shared: Arc::clone(shared), id, method, path, query, headers, recall_tool_context, rounds: 0 }
    }

    /// Whether the tool may not be called any more.
    pub(super) fn is_last(&self) -> bool {
        self.rounds >= MOST_ROUNDS
    }

    /// What its answers take their places in.
    pub(super) fn room(&self) -> &Room {
        &self.shared.room
    }

    /// Sends the next request.
    ///
    /// # Errors
    /// When no answer comes.
    pub(super) async fn send(&self) -> Result<Response<Body>, ProxyError> {
        let choice = if self.is_last() { ToolChoice::Forbidden } else { ToolChoice::Allowed };
        let call = Call {
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            body: CallBody::Whole(self.recall_tool_context.offer.body(choice)),
        };
        self.shared.send(call).await
    }

    /// Answers the calls of our tool, and sends the request with them.
    ///
    /// # Errors
    /// When no answer comes.
    pub(super) async fn go_on(&mut self, asked: Asked) -> Result<Response<Body>, ProxyError> {
        let mut results = Vec::with_capacity(asked.calls.len());
        for (number, call) in asked.calls.iter().enumerate() {
            let found =
                if number < MOST_CALLS { self.recall(&call.query, asked.calls.len()).await } else { Found::default() };
            results.push(found.text().to_owned());
            metrics::memories(found.sources.len());
            self.shared.receipts.note_recall(self.id, found);
        }
        self.recall_tool_context.offer.add(asked, &results);
        self.rounds += 1;
        self.send().await
    }

    async fn recall(&self, query: &str, calls: usize) -> Found {
        let Some(planner) = self.shared.planner.get() else {
            return Found::default();
        };
        let _passing = planner.memory.in_flight();
        self.recall_tool_context.recall(planner, query, calls.min(MOST_CALLS)).await
    }
}

/// How often the tool may be called before the last request.
const MOST_ROUNDS: usize = 2;
/// Most calls of one answer for which anything is recalled.
const MOST_CALLS: usize = 4;
