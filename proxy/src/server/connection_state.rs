//! What one connection is doing: it waits for its client, or its requests are being answered.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::config::ServerConfig;
use crate::telemetry::metrics;

/// How long a connection may wait for its client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// For the head of a request, from its first byte; of the first request, from the beginning of the connection.
    pub(super) head: Duration,
    /// For more of a body, or until the client takes more of an answer.
    pub(super) body: Duration,
    /// For the next request.
    pub(super) idle: Duration,
}

impl Timeouts {
    /// As the configuration has it.
    pub(super) fn new(config: &ServerConfig) -> Self {
        Self { head: config.head_timeout, body: config.body_timeout, idle: config.keep_alive }
    }

    /// Whatever begins to be waited for is not given up before that.
    pub(super) fn shortest(&self) -> Duration {
        self.head.min(self.body).min(self.idle)
    }
}

/// Why a connection is closed before its client closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// Another connection needs its room.
    Cap,
    /// The process may not open more files.
    Files,
    /// A request's head did not come in time.
    Head,
    /// No further request came in time.
    Idle,
    /// The client does not take its answer.
    Write,
    /// The process stops.
    Stop,
}

impl CloseReason {
    /// The label of `mainpoint_connections_closed_total{reason}`.
    fn label(self) -> &'static str {
        match self {
            Self::Cap => "cap",
            Self::Files => "files",
            Self::Head => "head_timeout",
            Self::Idle => "idle",
            Self::Write => "write_timeout",
            Self::Stop => "stop",
        }
    }
}

/// What is known of a connection.
#[derive(Debug)]
pub(super) struct ConnectionState {
    state: Mutex<State>,
    closing: CancellationToken,
}

#[derive(Debug)]
struct State {
    /// Requests whose bodies are still coming.
    receiving: usize,
    /// Those of them that hold a permit all the same.
    holding: usize,
    /// Requests that wait for a permit.
    queued: usize,
    /// Requests that have come completely and whose answers have not ended.
    serving: usize,
    waits_for: Next,
    /// Since when the connection waits for its client. What happens on it while a request comes does not change this.
    since: Instant,
    /// Bytes that have come since then.
    received: u64,
    /// Since when the client takes nothing of its answer.
    stuck: Option<Instant>,
    speaks_http2: bool,
    /// Holds the permit of a connection that has become a tunnel.
    tunnel: Option<OwnedSemaphorePermit>,
}

/// What a connection without requests waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The rest of a head, or the first one.
    Head,
    /// Another request.
    Request,
}

impl ConnectionState {
    /// A connection that was accepted just now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            state: Mutex::new(State {
                receiving: 0,
                holding: 0,
                queued: 0,
                serving: 0,
                waits_for: Next::Head,
                since: now,
                received: 0,
                stuck: None,
                speaks_http2: false,
                tunnel: None,
            }),
            closing: CancellationToken::new(),
        }
    }

    /// Bytes came from the client.
    pub(super) fn received(&self, bytes: usize) {
        let mut state = self.lock();
        let is_idle = state.receiving + state.serving == 0 && state.waits_for == Next::Request;
        // A client of HTTP/2 says other things, too, while it asks for nothing.
        if is_idle && !state.speaks_http2 {
            state.wait_for(Next::Head, Instant::now());
        }
        state.received = state.received.saturating_add(bytes as u64);
    }

    /// The client takes nothing of its answer.
    pub(super) fn is_stuck(&self) {
        self.lock().stuck.get_or_insert_with(Instant::now);
    }

    /// The client takes its answer again.
    pub(super) fn flows(&self) {
        self.lock().stuck = None;
    }

    /// A request's head came; its body follows.
    pub(super) fn begins(&self, is_http2: bool) {
        let mut state = self.lock();
        state.speaks_http2 |= is_http2;
        // There no byte tells that a head begins.
        if is_http2 && state.receiving + state.serving == 0 {
            state.wait_for(Next::Request, Instant::now());
        }
        state.receiving += 1;
    }

    /// A request whose body is still coming holds a permit.
    pub(super) fn holds(&self) {
        self.lock().holding += 1;
    }

    /// The body of a request came completely.
    pub(super) fn arrived(&self, held: bool) {
        let mut state = self.lock();
        state.received_one(held);
        state.serving += 1;
    }

    /// A request is over before its body came completely.
    pub(super) fn ends_early(&self, held: bool) {
        let mut state = self.lock();
        state.received_one(held);
        state.ended_one();
    }

    /// The answer to a request that had come completely is over.
    pub(super) fn ends(&self) {
        let mut state = self.lock();
        state.serving = state.serving.saturating_sub(1);
        state.ended_one();
    }

    /// The connection speaks another protocol from now on, and is served until it ends.
    pub(super) fn becomes_tunnel(&self, permit: Option<OwnedSemaphorePermit>) {
        let mut state = self.lock();
        state.serving += 1;
        state.tunnel = permit;
    }

    /// How long the connection has been waiting for its client; less where much came meanwhile, so that a client that sends
    /// as fast as it can counts as one that came just now. `None` while anything is being answered.
    pub(super) fn waiting(&self, now: Instant) -> Option<Duration> {
        let state = self.lock();
        if state.serving + state.queued > 0 || self.closing.is_cancelled() {
            return None;
        }
        let credit = Duration::from_secs(state.received / QUICK);
        Some(now.saturating_duration_since(state.since).saturating_sub(credit))
    }

    /// How many requests hold a permit while their bodies are still coming.
    pub(super) fn holding(&self) -> usize {
        self.lock().holding
    }

    /// A request waits for a permit until the answer is dropped. Meanwhile its body is not read, so that its client is not to blame.
    /// `None` when enough requests of this connection wait already.
    pub(super) fn queue(&self) -> Option<Queued<'_>> {
        let mut state = self.lock();
        if state.queued >= MOST_QUEUED {
            return None;
        }
        state.queued += 1;
        Some(Queued(self))
    }

    /// Whether no request has come completely and nothing is being answered, and no body is coming either.
    pub(super) fn is_between_requests(&self) -> bool {
        let state = self.lock();
        state.receiving + state.serving == 0
    }

    /// Looks whether the connection has waited for too long, and if not, when to look again.
    pub(super) fn look(&self, now: Instant, timeouts: &Timeouts) -> Result<Instant, CloseReason> {
        let state = self.lock();
        // Nothing that begins from now on is over before this.
        let mut next = now + timeouts.shortest();
        let mut wait = |since: Instant, limit: Duration, reason: CloseReason| {
            let end = since + limit;
            if end <= now {
                return Err(reason);
            }
            next = next.min(end);
            Ok(())
        };
        if let Some(stuck) = state.stuck {
            wait(stuck, timeouts.body, CloseReason::Write)?;
        }
        if state.receiving + state.serving == 0 {
            match state.waits_for {
                Next::Head => wait(state.since, timeouts.head, CloseReason::Head)?,
                Next::Request => wait(state.since, timeouts.idle, CloseReason::Idle)?,
            }
        }
        Ok(next)
    }

    /// Closes the connection, once.
    pub(super) fn close(&self, reason: CloseReason) {
        if !self.closing.is_cancelled() {
            metrics::closed(reason.label());
            self.closing.cancel();
        }
    }

    /// Ready when the connection is to be closed.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits for a permit.
#[derive(Debug)]
pub(super) struct Queued<'a>(&'a ConnectionState);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.queued = state.queued.saturating_sub(1);
    }
}

impl State {
    fn received_one(&mut self, held: bool) {
        self.receiving = self.receiving.saturating_sub(1);
        self.holding = self.holding.saturating_sub(held.into());
    }

    fn ended_one(&mut self) {
        if self.receiving + self.serving == 0 {
            self.wait_for(Next::Request, Instant::now());
        }
    }

    fn wait_for(&mut self, next: Next, now: Instant) {
        self.waits_for = next;
        self.since = now;
        self.received = 0;
    }
}

/// So many requests of one connection may wait for a permit.
const MOST_QUEUED: usize = 8;
/// A client that sends so many bytes in a second, or more, does not count as waiting.
const QUICK: u64 = 16 << 10;

#[cfg(test)]
#[path = "connection_state_tests.rs"]
mod tests;
