//! Every metric's name, meaning and unit, and the recorder that `/metrics` renders.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::stopwatch::Laps;
use mainpoint_engine::EngineStatus;
use mainpoint_store::{StorePart, StoreStatus, Trouble};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

const REQUESTS: &str = "mainpoint_requests_total";
const OVERHEAD: &str = "mainpoint_overhead_seconds";
const STEP: &str = "mainpoint_step_seconds";
const CONNECTIONS: &str = "mainpoint_connections";
const CLOSED: &str = "mainpoint_connections_closed_total";
const RETRIES: &str = "mainpoint_upstream_retries_total";
const UPSTREAM_FAILURES: &str = "mainpoint_upstream_failures_total";
const UPSTREAM: &str = "mainpoint_upstream_seconds";
const TOKENS_IN: &str = "mainpoint_tokens_in_total";
const TOKENS_FORWARDED: &str = "mainpoint_tokens_forwarded_total";
const MEMORIES: &str = "mainpoint_memories_recalled_total";
const ABSTENTIONS: &str = "mainpoint_abstentions_total";
const EVICTIONS: &str = "mainpoint_evictions_total";
/// What [`EVICTIONS`] was called; it is counted under both names for one release.
const EPOCHS: &str = "mainpoint_epochs_total";
const SHORTENED: &str = "mainpoint_shortened_results_total";
const READER_TOKENS: &str = "mainpoint_reader_tokens_total";
const READER_SPEED: &str = "mainpoint_reader_tokens_per_second";
const READER_QUEUE: &str = "mainpoint_reader_queue_depth";
const BACKLOG: &str = "mainpoint_backlog_turns";
const BACKLOG_REFUSED: &str = "mainpoint_backlog_refused_turns_total";
const LIMITED: &str = "mainpoint_limited_total";
const UNFLUSHED: &str = "mainpoint_unflushed_turns";
const STORE_DEGRADED: &str = "mainpoint_store_degraded";
const STORE_LOSSES: &str = "mainpoint_store_losses_total";
const UNREADABLE: &str = "mainpoint_unreadable_turns_total";
const MASKED: &str = "mainpoint_masked_secrets_total";
const FAILURES: &str = "mainpoint_failures_total";
const PASSTHROUGH: &str = "mainpoint_passthrough_total";
const HELD: &str = "mainpoint_held_bytes";
const NO_ROOM: &str = "mainpoint_no_room_total";
const TUNNELS: &str = "mainpoint_tunnels";
const ODD_MESSAGES: &str = "mainpoint_odd_messages_total";
const OVER_BUDGET: &str = "mainpoint_over_budget_total";

/// Values of labels that are shown from the start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labels<'a> {
    /// Why the memory does not apply to a request.
    pub(crate) passthrough: &'a [&'static str],
    /// Why a message stays as it came.
    pub(crate) odd_messages: &'a [&'static str],
}

/// The process's recorder, installed by the first call.
///
/// # Errors
/// When another recorder is already installed in this process.
pub(crate) fn recorder(labels: &Labels<'_>) -> Result<PrometheusHandle, BuildError> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new().set_buckets(&SECONDS)?.install_recorder()?;
    describe(labels);
    Ok(HANDLE.get_or_init(|| handle).clone())
}

/// One answered request.
pub(crate) fn request(route: &'static str, outcome: &'static str, status: u16) {
    counter!(REQUESTS, "route" => route, "outcome" => outcome, "status" => status.to_string()).increment(1);
}

/// Time that the memory path added to a chat request.
pub(crate) fn overhead(duration: Duration) {
    histogram!(OVERHEAD).record(duration);
}

/// Time that each step of the memory path took.
pub(crate) fn steps(laps: &Laps) {
    for (step, time) in laps.iter() {
        histogram!(STEP, "step" => step).record(time);
    }
}

/// Connections that are open.
pub(crate) fn connections(open: usize) {
    gauge!(CONNECTIONS).set(open as f64);
}

/// A connection that is closed, or a body that is given up, because a client is not waited for any longer.
pub(crate) fn closed(reason: &'static str) {
    counter!(CLOSED, "reason" => reason).increment(1);
}

/// A request that is sent again, because the connection it was sent on had been closed.
pub(crate) fn upstream_retry() {
    counter!(RETRIES).increment(1);
}

/// An upstream gave no answer, or not all of one.
pub(crate) fn upstream_failure(kind: &'static str) {
    counter!(UPSTREAM_FAILURES, "kind" => kind).increment(1);
}

/// Notes the time from sending a request upstream, its moment, to the end of the answer, with which this is dropped.
#[derive(Debug)]
pub(crate) struct UpstreamTimer(pub(crate) Instant);

impl Drop for UpstreamTimer {
    fn drop(&mut self) {
        histogram!(UPSTREAM).record(self.0.elapsed());
    }
}

/// Tokens of a chat prompt as it came and as it was forwarded.
pub(crate) fn tokens(came: usize, forwarded: usize) {
    counter!(TOKENS_IN).increment(came as u64);
    counter!(TOKENS_FORWARDED).increment(forwarded as u64);
}

/// Memories that were put into a prompt.
pub(crate) fn memories(count: usize) {
    counter!(MEMORIES).increment(count as u64);
}

/// Prompts that got no memories because none is near enough to the question.
pub(crate) fn abstentions(count: u64) {
    counter!(ABSTENTIONS).increment(count);
}

/// Evictions that were made.
pub(crate) fn evictions(count: u64) {
    counter!(EVICTIONS).increment(count);
    counter!(EPOCHS).increment(count);
}

/// Results of tools that were shortened in a prompt.
pub(crate) fn shortened_results(count: usize) {
    counter!(SHORTENED).increment(count as u64);
}

/// Turns that wait to be read.
pub(crate) fn backlog(turns: usize) {
    gauge!(BACKLOG).set(turns as f64);
}

/// Turns that were not taken in because too much waits, in all (`full`) or of their caller (`share`).
pub(crate) fn backlog_refused(reason: &'static str, turns: usize) {
    counter!(BACKLOG_REFUSED, "reason" => reason).increment(turns as u64);
}

/// Requests that were refused, or turns that were not stored, because their caller has used up a limit of `[limits]`.
pub(crate) fn limited(limit: &'static str, count: usize) {
    counter!(LIMITED, "limit" => limit).increment(count as u64);
}

/// A turn that cannot be read and was marked so.
pub(crate) fn unreadable(kind: &'static str) {
    counter!(UNREADABLE, "kind" => kind).increment(1);
}

/// A secret that was masked in a turn before it was stored.
pub(crate) fn masked_secret(kind: &'static str) {
    counter!(MASKED, "kind" => kind).increment(1);
}

/// A failure that the client did not see.
pub(crate) fn failure(kind: &'static str) {
    counter!(FAILURES, "kind" => kind).increment(1);
}

/// A request to which the memory did not apply.
pub(crate) fn passthrough(reason: &'static str) {
    counter!(PASSTHROUGH, "reason" => reason).increment(1);
}

/// Bytes that are held of requests and answers; called before rendering.
pub(crate) fn held(bytes: usize) {
    gauge!(HELD).set(bytes as f64);
}

/// Something that found no room in memory.
pub(crate) fn no_room(what: &'static str) {
    counter!(NO_ROOM, "what" => what).increment(1);
}

/// Tunnels that were opened, or closed if less than nothing.
pub(crate) fn tunnels(change: f64) {
    gauge!(TUNNELS).increment(change);
}

/// Messages of a request that stay as they came because something about them is odd.
pub(crate) fn odd_messages(reason: &'static str, count: usize) {
    counter!(ODD_MESSAGES, "reason" => reason).increment(count as u64);
}

/// Prompts that are over the budget although all has left that may leave now.
pub(crate) fn over_budget(count: u64) {
    counter!(OVER_BUDGET).increment(count);
}

/// What the engine says about itself; called before rendering.
pub(crate) fn engine(status: &EngineStatus) {
    counter!(READER_TOKENS).absolute(status.tokens_read);
    let speed = if status.seconds_reading > 0.0 { status.tokens_read as f64 / status.seconds_reading } else { 0.0 };
    gauge!(READER_SPEED).set(speed);
    gauge!(READER_QUEUE).set(status.reader_queue as f64);
}

/// What the store says about itself; called before rendering.
pub(crate) fn store(status: &StoreStatus, troubles: &[Trouble]) {
    gauge!(UNFLUSHED).set(status.unflushed_turns as f64);
    counter!(STORE_LOSSES).absolute(status.losses);
    store_troubles(troubles);
}

/// Shows what of the store does not work.
pub(crate) fn store_troubles(troubles: &[Trouble]) {
    for part in StorePart::ALL {
        let is_degraded = troubles.iter().any(|trouble| trouble.part == part);
        gauge!(STORE_DEGRADED, "part" => part.label()).set(if is_degraded { 1.0 } else { 0.0 });
    }
}

/// Before a connection, before the head of an answer, and within its body.
const UPSTREAM_FAILURE_KINDS: [&str; 8] =
    ["connect", "connect_timeout", "tls", "silent", "no_answer", "malformed", "silent_body", "broken_body"];
const SECONDS: [f64; 14] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

fn describe(labels: &Labels<'_>) {
    describe_counter!(REQUESTS, "Requests answered, by route, outcome and HTTP status.");
    describe_gauge!(CONNECTIONS, "Connections of clients that are open.");
    describe_counter!(CLOSED, "Connections closed before their clients closed them, and bodies given up, by reason.");
    describe_counter!(
        RETRIES,
        "Requests sent again because the kept-alive connection to the upstream had been closed."
    );
    describe_counter!(UPSTREAM_FAILURES, "Requests that the upstream did not answer, or not to the end, by kind.");
    for kind in UPSTREAM_FAILURE_KINDS {
        counter!(UPSTREAM_FAILURES, "kind" => kind).increment(0);
    }
    describe_histogram!(OVERHEAD, Unit::Seconds, "Time the memory path added to a chat request, without the upstream.");
    describe_histogram!(STEP, Unit::Seconds, "Time that each step of the memory path took, by step.");
    describe_histogram!(UPSTREAM, Unit::Seconds, "Time from sending a request upstream to the end of its answer.");
    describe_counter!(TOKENS_IN, "Prompt tokens of chat requests as clients sent them.");
    describe_counter!(TOKENS_FORWARDED, "Prompt tokens of chat requests as they were forwarded.");
    describe_counter!(MEMORIES, "Memories put into prompts.");
    describe_counter!(ABSTENTIONS, "Prompts that got no memories because none is near enough to the question.");
    describe_counter!(EVICTIONS, "Times that old turns left a prompt, down to the low-water mark.");
    describe_counter!(EPOCHS, "Deprecated: the same as mainpoint_evictions_total, and gone in the next release.");
    describe_counter!(SHORTENED, "Results of tools shortened to their main points in prompts, each counted once.");
    describe_counter!(READER_TOKENS, "Tokens the reader has read.");
    describe_gauge!(READER_SPEED, "Tokens the reader reads in a second, averaged since the start.");
    describe_gauge!(READER_QUEUE, "Requests waiting for the reader.");
    describe_gauge!(BACKLOG, "Turns taken in and not yet read; 0 means that everything is read.");
    describe_counter!(
        BACKLOG_REFUSED,
        "Turns not taken in because too many wait to be read, in all or of their caller, by reason."
    );
    describe_counter!(
        LIMITED,
        "Requests refused (requests_per_minute) and turns not stored (stored) because their caller has used up a limit, by limit."
    );
    for limit in ["requests_per_minute", "stored"] {
        counter!(LIMITED, "limit" => limit).increment(0);
    }
    describe_gauge!(
        UNFLUSHED,
        "Turns read and not yet found by searches of other conversations; the store's next flush takes them."
    );
    describe_gauge!(
        STORE_DEGRADED,
        "1 while a part of the store (journal, tables, maintenance) can't do its work, such as on a full disk; else 0."
    );
    describe_counter!(
        STORE_LOSSES,
        "Times that turns were lost for good because files of the store were removed or damaged."
    );
    describe_counter!(UNREADABLE, "Turns that cannot be read, by kind; they stay in their conversations' prompts.");
    describe_counter!(MASKED, "Secrets masked in turns before they were stored, by kind.");
    describe_counter!(FAILURES, "Failures that clients did not see, by kind.");
    for kind in [
        "reader_stopped",
        "questions_stopped",
        "store_stopped",
        "deadline",
        "backlog_full",
        "backlog_share",
        "journal_slow",
    ] {
        counter!(FAILURES, "kind" => kind).increment(0);
    }
    describe_counter!(PASSTHROUGH, "Requests to which the memory did not apply, or could not yet, by reason.");
    for reason in labels.passthrough {
        counter!(PASSTHROUGH, "reason" => *reason).increment(0);
    }
    for reason in ["cap", "files", "head_timeout", "body_timeout", "write_timeout", "idle", "stop"] {
        counter!(CLOSED, "reason" => reason).increment(0);
    }
    describe_counter!(
        ODD_MESSAGES,
        "Messages that stay as they came because something about them is odd, by reason; counted with every request that holds them."
    );
    for reason in labels.odd_messages {
        counter!(ODD_MESSAGES, "reason" => *reason).increment(0);
    }
    describe_counter!(
        OVER_BUDGET,
        "Prompts that are over the budget all the same, because of what stays whatever happens or has not been read."
    );
    for name in [RETRIES, TOKENS_IN, TOKENS_FORWARDED, MEMORIES, ABSTENTIONS, EVICTIONS, EPOCHS, SHORTENED, OVER_BUDGET]
    {
        counter!(name).increment(0);
    }
    for reason in ["full", "share"] {
        counter!(BACKLOG_REFUSED, "reason" => reason).increment(0);
    }
    describe_gauge!(
        HELD,
        Unit::Bytes,
        "Bytes held of requests, what is made of them, and answers; server.max_memory bounds them."
    );
    describe_counter!(
        NO_ROOM,
        "Times that server.max_memory left no room, by what for: a body is refused, all else done without."
    );
    for what in ["body", "request", "answer", "recall"] {
        counter!(NO_ROOM, "what" => what).increment(0);
    }
    gauge!(BACKLOG).set(0.0);
    gauge!(CONNECTIONS).set(0.0);
    describe_gauge!(TUNNELS, "WebSockets that are passed on at the moment.");
    gauge!(TUNNELS).set(0.0);
}
