//! The part of the memory path that only computes: it parses a request, says whose memory it may see, and has its turns
//! named and its tokens counted.
//!
//! The work waits for nothing, so that it can run on a blocking thread ([`RequestPreparer::prepare`] waits for one),
//! and it changes nothing outside of the [`PreparedRequest`] that it makes. It takes time in proportion to the request,
//! and ends at the request's deadline.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use mainpoint_store::Scope;
use tokio::sync::Semaphore;

use super::prepared_request::PreparedRequest;
use super::scope::{ScopeKey, ScopePart, Sender};
use crate::deadline::Deadline;
use crate::error::MemoryError;
use crate::http::credentials::CallerHeaders;
use crate::openai::request::{ChatRequest, Surface};
use crate::openai::tokens::TokenCounter;
use crate::reason::Reason;

/// What requests are prepared with. One per process.
#[derive(Debug, Clone)]
pub(crate) struct RequestPreparer {
    /// The server's secret.
    pub(crate) keys: Arc<ScopeKey>,
    /// Counts tokens.
    pub(crate) counter: Arc<TokenCounter>,
    /// The headers that tell callers, their projects and their users apart.
    pub(crate) callers: CallerHeaders,
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct RawRequest<'a> {
    /// Which of OpenAI's interfaces it speaks.
    pub(crate) surface: Surface,
    /// Who sends it.
    pub(crate) sender: Sender<'a>,
    /// Its body.
    pub(crate) body: Bytes,
    /// When it came.
    pub(crate) time: DateTime<Utc>,
}

impl RequestPreparer {
    /// Prepares a request on a thread that may be blocked.
    ///
    /// # Errors
    /// As [`Self::prepare_here`], or when the worker ended abnormally.
    pub(crate) async fn prepare(
        &self,
        raw: RawRequest<'_>,
        deadline: &Deadline,
    ) -> Result<Result<PreparedRequest, Reason>, MemoryError> {
        let (own, deadline) = (self.clone(), deadline.clone());
        let (headers, identity) = (raw.sender.headers.clone(), raw.sender.identity.clone());
        let (surface, body, time) = (raw.surface, raw.body, raw.time);
        let permit = if body.len() >= LARGE {
            // The semaphore is never closed.
            LARGE_AT_ONCE.acquire().await.ok()
        } else {
            None
        };
        let work = move || {
            let _permit = permit;
            let sender = Sender { headers: &headers, identity: &identity };
            let raw = RawRequest { surface, sender, body, time };
            own.prepare_here(raw, &deadline)
        };
        tokio::task::spawn_blocking(work).await?
    }

    /// Prepares a request, until `deadline`; or says why the memory does not apply to it. Waits for nothing.
    ///
    /// # Errors
    /// When the scope or the token counts cannot be made, or the time is over.
    pub(crate) fn prepare_here(
        &self,
        raw: RawRequest<'_>,
        deadline: &Deadline,
    ) -> Result<Result<PreparedRequest, Reason>, MemoryError> {
        let request = match ChatRequest::parse_until(raw.surface, raw.body, deadline) {
            Ok(request) if request.messages.is_empty() => return Ok(Err(Reason::NoMessages)),
            Ok(request) => request,
            Err(error) => {
                tracing::debug!(error = %error, "relayed as it is");
                return Reason::of_unparsed(error).map_or(Err(MemoryError::Deadline), |reason| Ok(Err(reason)));
            }
        };
        // A request that names several users or projects was refused before.
        let (Ok(project), Ok(user)) = (self.callers.project(raw.sender.headers), self.callers.user(raw.sender.headers))
        else {
            return Ok(Err(Reason::UnknownShape));
        };
        let user = user.or(request.user.as_deref().map(str::as_bytes));
        let scope = self.keys.scope(&self.callers, raw.sender, ScopePart { project, user })?;
        PreparedRequest::until(deadline, &self.counter, request, scope, raw.time).map(Ok)
    }

    /// The scope that a caller has as a whole, whichever project and user a request was for.
    pub(crate) fn key_scope(&self, sender: Sender<'_>) -> Result<Scope, MemoryError> {
        Ok(self.keys.scope(&self.callers, sender, ScopePart::default())?)
    }
}

/// Bodies from this size on are prepared a few at a time, so that small ones are not kept waiting for a thread or a core.
const LARGE: usize = 256 << 10;
static LARGE_AT_ONCE: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Semaphore::new((cores / 2).max(2))
});
