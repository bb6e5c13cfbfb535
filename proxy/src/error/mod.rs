//! The failures of the proxy: what a client is told, what stops a start, and what makes the memory step aside.

mod start;

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use mainpoint_engine::{EngineError, TokenCount};
use mainpoint_store::StoreError;

pub use start::StartError;

/// A failure that the client is told about, in OpenAI's error envelope.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// What came is no HTTP request.
    #[error("The request could not be read: it is not valid HTTP.")]
    Malformed,
    /// A request came without TLS to a socket that speaks TLS.
    #[error("This port speaks TLS: the URL must begin with https://.")]
    LacksTls,
    /// The request's URL is longer than can be taken.
    #[error("The request's URL is too long.")]
    UrlTooLong,
    /// The request's headers are larger or more than can be taken.
    #[error("The request's headers are too large, or too many.")]
    HeadTooLarge,
    /// Nothing is served at this path.
    #[error("Invalid URL ({method} {path}). The OpenAI API is served under {base_path}.")]
    NotFound {
        /// The request's method.
        method: String,
        /// The request's path.
        path: String,
        /// Where the OpenAI surface begins.
        base_path: String,
    },
    /// There is no such receipt, or it is another caller's.
    #[error(
        "There is no receipt with the id {id:?} for these credentials. Receipts are kept in memory for a while: server.receipts of them."
    )]
    NoReceipt {
        /// The id asked for.
        id: String,
    },
    /// One of mainpoint's own endpoints was called with another method.
    #[error("Not allowed to {method} on {path}; use {allowed}.")]
    MethodNotAllowed {
        /// The request's method.
        method: String,
        /// The request's path.
        path: String,
        /// The method that is allowed.
        allowed: &'static str,
    },
    /// The memory's API has nothing at this path.
    #[error("There is no {path}. GET /mainpoint/v1/openapi.json describes what there is.")]
    NoEndpoint {
        /// The request's path.
        path: String,
    },
    /// The memory is switched off.
    #[error("There is no memory here: memory.mode is \"off\".")]
    MemoryOff,
    /// The memory could not do what its API was asked for.
    #[error("The memory cannot do this now: {source}.")]
    Memory {
        /// The cause.
        #[from]
        source: MemoryError,
    },
    /// The memory does not hold what was asked for.
    #[error("There is no {what} {id} in this memory.")]
    NotInMemory {
        /// What was asked for.
        what: Held,
        /// Its id.
        id: String,
    },
    /// The store holds nothing of the scope that was named.
    #[error(
        "scope = {value}; expected a scope that the store holds, as GET /mainpoint/v1/scopes lists them. Only an import makes a new one."
    )]
    UnknownScope {
        /// Its name as it came.
        value: String,
    },
    /// The caller may not do this.
    #[error("{message}")]
    Forbidden {
        /// Why not, and who may.
        message: Cow<'static, str>,
        /// The parameter or header at fault.
        param: Option<&'static str>,
    },
    /// A parameter of the memory's API, or a key of a request to the embedded upstream, cannot be used.
    #[error("{name} = {value}; expected {allowed}.")]
    InvalidParameter {
        /// Its name.
        name: String,
        /// Its value as it came; `missing` where there is none.
        value: String,
        /// What would be allowed.
        allowed: String,
    },
    /// A line of a memory to be imported cannot be used.
    #[error(
        "line {line}: {}{value}; expected {allowed}. The lines before it were taken.",
        key.map(|key| format!("{key} = ")).unwrap_or_default()
    )]
    InvalidLine {
        /// The line, counted from 1.
        line: usize,
        /// The key at fault; `None` where the line is no object.
        key: Option<&'static str>,
        /// Its value as it came.
        value: String,
        /// What would be allowed.
        allowed: &'static str,
    },
    /// An import ended before its last line.
    #[error(
        "The lines before line {line} were taken; then the import ended: {source}. Send the rest, or all of it, again later."
    )]
    ImportHalted {
        /// The first line that was not taken, counted from 1.
        line: usize,
        /// Why it ended.
        source: MemoryError,
    },
    /// The request body is larger than `server.max_body_bytes`.
    #[error("The request body is larger than the {limit} bytes that server.max_body_bytes allows.")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The request body broke off or never came.
    #[error("The request body could not be read.")]
    BodyUnreadable {
        /// What the connection said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The request body stalled.
    #[error("The request body did not arrive in time.")]
    BodyTimeout,
    /// The request asks for something that this endpoint cannot do.
    #[error("{message}")]
    InvalidRequest {
        /// What is wrong and what is allowed.
        message: String,
        /// The field at fault.
        param: Option<&'static str>,
    },
    /// The request body is compressed in a way that the embedded upstream cannot undo.
    #[error("The request body's Content-Encoding is not known here; send it as gzip, deflate or zstd, or plainly.")]
    UnsupportedEncoding,

    /// The header that names a user came several times, so that it cannot be told whose memory is meant.
    #[error("The header {header} came several times; expected one user, or none.")]
    SeveralUsers {
        /// The header's name.
        header: String,
    },
    /// The header that names a project came several times, so that it cannot be told whose memory is meant.
    #[error("The header {header} came several times; expected one project, or none.")]
    SeveralProjects {
        /// The header's name.
        header: String,
    },
    /// The request brings none of the keys that callers of this proxy have.
    #[error("{problem}; expected one of this proxy's own keys, as \"Authorization: Bearer …\".")]
    UnknownKey {
        /// What came instead; never the key itself.
        problem: &'static str,
    },
    /// The caller has sent as many requests as it may.
    #[error(
        "Rate limit reached on requests per minute: limit {per_minute} for a caller of this proxy. Try again in {} s.",
        seconds(*wait)
    )]
    TooManyRequests {
        /// How many it may send in a minute.
        per_minute: u32,
        /// How long it takes until it may send the next one.
        wait: Duration,
    },
    /// No answer came from the upstream.
    #[error("The upstream cannot be reached: {reason}.")]
    UpstreamUnreachable {
        /// What the connection said, without the address.
        reason: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The upstream did not answer in time.
    #[error("The upstream did not answer in time.")]
    UpstreamTimeout {
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Every place is taken, and too many requests wait for one.
    #[error("All of server.max_connections are in use. Try again in a moment.")]
    Overloaded,
    /// As much is held of requests and answers as `server.max_memory` lets them.
    #[error("There is no room in memory for the request's body: server.max_memory. Try again in a moment.")]
    NoRoom,
    /// The process stops, and the request had no answer yet.
    #[error("The proxy is stopping. Try again in a moment.")]
    Stopping,
    /// The upstream broke off in the middle of an answer.
    #[error("The upstream broke off in the middle of its answer.")]
    UpstreamBroken,
    /// The embedded upstream has nothing at this path.
    #[error(
        "Invalid URL ({method} {path}). The embedded model answers POST {base_path}/chat/completions, GET {base_path}/models and nothing else; set upstream.url (or --upstream) to a service that has more."
    )]
    NotEmbedded {
        /// The request's method.
        method: String,
        /// The request's path.
        path: String,
        /// Where the OpenAI surface begins.
        base_path: String,
    },
    /// The embedded upstream has no such model.
    #[error("There is no model {asked:?}; the embedded model is {model:?}.")]
    ModelNotFound {
        /// The id asked for.
        asked: String,
        /// The id of the one that there is.
        model: String,
    },
    /// The prompt is longer than the embedded model takes.
    #[error(
        "This model's maximum context length is {window} tokens, of which the messages may take {most}; they have {tokens}. Send shorter or fewer messages."
    )]
    PromptTooLong {
        /// Tokens of the prompt, by the model's own tokenizer.
        tokens: TokenCount,
        /// Tokens that a prompt may have.
        most: usize,
        /// Tokens of a prompt and its reply together.
        window: usize,
    },
    /// The embedded upstream could not answer.
    #[error("The embedded upstream cannot answer: {source}.")]
    Embedded {
        /// The cause.
        #[source]
        source: EngineError,
    },
}

/// What a memory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// A turn.
    Turn,
    /// A conversation.
    Conversation,
}

impl std::fmt::Display for Held {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Turn => "turn",
            Self::Conversation => "conversation",
        })
    }
}

/// How a [`ProxyError`] is told: status, OpenAI's error type, OpenAI's error code and metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// `error.type` of the envelope.
    pub kind: &'static str,
    /// `error.code` of the envelope, also the metric label.
    pub code: &'static str,
}

impl ProxyError {
    /// The one place that decides how each failure is told.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let (status, kind, code) = match self {
            Self::Malformed => (StatusCode::BAD_REQUEST, "invalid_request_error", "malformed_request"),
            Self::LacksTls => (StatusCode::BAD_REQUEST, "invalid_request_error", "tls_required"),
            Self::UrlTooLong => (StatusCode::URI_TOO_LONG, "invalid_request_error", "url_too_long"),
            Self::HeadTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "invalid_request_error", "headers_too_large")
            }
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "invalid_request_error", "unknown_url"),
            Self::NoReceipt { .. } => (StatusCode::NOT_FOUND, "invalid_request_error", "receipt_not_found"),
            Self::MethodNotAllowed { .. } => {
                (StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", "method_not_allowed")
            }
            Self::NoEndpoint { .. } => (StatusCode::NOT_FOUND, "invalid_request_error", "unknown_url"),
            Self::MemoryOff => (StatusCode::SERVICE_UNAVAILABLE, "api_error", "memory_off"),
            Self::Memory { source: MemoryError::Store(error @ StoreError::Full { .. }) } => {
                (StatusCode::INSUFFICIENT_STORAGE, "api_error", error.label())
            }
            Self::Memory { source } => (StatusCode::SERVICE_UNAVAILABLE, "api_error", source.label()),
            Self::NotInMemory { what: Held::Turn, .. } => {
                (StatusCode::NOT_FOUND, "invalid_request_error", "turn_not_found")
            }
            Self::NotInMemory { what: Held::Conversation, .. } => {
                (StatusCode::NOT_FOUND, "invalid_request_error", "conversation_not_found")
            }
            Self::UnknownScope { .. } => (StatusCode::NOT_FOUND, "invalid_request_error", "scope_not_found"),
            Self::Forbidden { .. } => (StatusCode::FORBIDDEN, "invalid_request_error", "forbidden"),
            Self::InvalidParameter { .. } => (StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_parameter"),
            Self::InvalidLine { .. } => (StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_line"),
            Self::ImportHalted { source: MemoryError::BacklogFull | MemoryError::BacklogShare, .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "invalid_request_error", "backlog_full")
            }
            Self::ImportHalted { source: error @ MemoryError::StoredLimit, .. } => {
                (StatusCode::FORBIDDEN, "invalid_request_error", error.label())
            }
            Self::ImportHalted { source, .. } => (StatusCode::SERVICE_UNAVAILABLE, "api_error", source.label()),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", "body_too_large"),
            Self::BodyUnreadable { .. } => (StatusCode::BAD_REQUEST, "invalid_request_error", "body_unreadable"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "invalid_request_error", "body_timeout"),
            Self::UnsupportedEncoding => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request_error", "unsupported_encoding")
            }
            Self::InvalidRequest { .. } => (StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_request"),
            Self::SeveralUsers { .. } => (StatusCode::BAD_REQUEST, "invalid_request_error", "several_users"),
            Self::SeveralProjects { .. } => (StatusCode::BAD_REQUEST, "invalid_request_error", "several_projects"),
            Self::UnknownKey { .. } => (StatusCode::UNAUTHORIZED, "invalid_request_error", "invalid_api_key"),
            Self::TooManyRequests { .. } => (StatusCode::TOO_MANY_REQUESTS, "requests", "rate_limit_exceeded"),
            Self::UpstreamUnreachable { .. } => (StatusCode::BAD_GATEWAY, "api_error", "upstream_unreachable"),
            Self::UpstreamTimeout { .. } => (StatusCode::GATEWAY_TIMEOUT, "api_error", "upstream_timeout"),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "api_error", "overloaded"),
            Self::NoRoom => (StatusCode::SERVICE_UNAVAILABLE, "api_error", "no_room"),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "api_error", "stopping"),
            Self::UpstreamBroken => (StatusCode::BAD_GATEWAY, "api_error", "upstream_broken"),
            Self::NotEmbedded { .. } => (StatusCode::NOT_FOUND, "invalid_request_error", "unknown_url"),
            Self::ModelNotFound { .. } => (StatusCode::NOT_FOUND, "invalid_request_error", "model_not_found"),
            Self::PromptTooLong { .. } => (StatusCode::BAD_REQUEST, "invalid_request_error", "context_length_exceeded"),
            Self::Embedded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "api_error", "embedded_upstream_failed"),
        };
        Refusal { status, kind, code }
    }

    /// The field or header of the request that is at fault, for `error.param`.
    #[must_use]
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::InvalidRequest { param, .. } | Self::Forbidden { param, .. } => *param,
            Self::InvalidParameter { name, .. } => Some(name),
            Self::UnknownScope { .. } => Some("scope"),
            Self::InvalidLine { key, .. } => *key,
            Self::SeveralUsers { header } | Self::SeveralProjects { header } => Some(header),
            Self::ModelNotFound { .. } => Some("model"),
            Self::PromptTooLong { .. } => Some("messages"),
            _ => None,
        }
    }
}

/// A time to wait in whole seconds, none of them too few.
pub(crate) fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).clamp(1, u128::from(u64::MAX)) as u64
}

/// Why the memory stepped aside and the original bytes were forwarded, or why a turn was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part has ended.
    #[error("the {part} has stopped")]
    Stopped {
        /// `reader`, `questions` or `store`.
        part: &'static str,
    },
    /// The store could not be opened at the start, for want of space or because the process before this one has it.
    #[error(
        "the store is not open: the disk was full when the proxy started, or the process before it still has the store; it is opened by \
         itself when there is space and that one has ended"
    )]
    NotOpen,
    /// The memory path took longer than `memory.deadline_ms`.
    #[error("the memory path took longer than memory.deadline_ms")]
    Deadline,
    /// Other requests of the conversation kept being first.
    #[error("other requests of the same conversation kept writing to its ledger first")]
    Contention,
    /// As many turns wait to be read as may.
    #[error("as many turns wait to be read as store.backlog_turns and store.backlog_bytes allow")]
    BacklogFull,
    /// As many turns of one caller wait to be read as may.
    #[error("as many turns of one caller wait to be read as store.backlog_share allows")]
    BacklogShare,
    /// As much of one caller is stored as may be.
    #[error("as much of this caller is stored as limits.stored_turns and limits.stored_bytes allow")]
    StoredLimit,
    /// The journal took too long to take turns.
    #[error("the journal did not take turns within memory.deadline_ms")]
    JournalSlow,
    /// The journal fails or is behind, and enough turns wait for it in memory.
    #[error("no more turns can wait for the journal in memory")]
    JournalBusy,
    /// The engine answered with another number of readings than turns.
    #[error("the reader returned {found} readings for {expected} turns")]
    Readings {
        /// Turns sent.
        expected: usize,
        /// Readings received.
        found: usize,
    },
    /// A defect: a worker ended abnormally.
    #[error("a memory worker ended abnormally")]
    Worker {
        /// What the runtime said.
        #[from]
        source: tokio::task::JoinError,
    },
}

impl MemoryError {
    /// The label of `mainpoint_failures_total{kind}`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Engine(error) => error.label(),
            Self::Store(error) => error.label(),
            Self::Stopped { part } => match *part {
                "reader" => "reader_stopped",
                "questions" => "questions_stopped",
                _ => "store_stopped",
            },
            Self::NotOpen => "store_not_open",
            Self::Deadline => "deadline",
            Self::Contention => "contention",
            Self::BacklogFull => "backlog_full",
            Self::BacklogShare => "backlog_share",
            Self::StoredLimit => "stored_limit",
            Self::JournalSlow => "journal_slow",
            Self::JournalBusy => "journal_busy",
            Self::Readings { .. } => "readings",
            Self::Worker { .. } => "worker",
        }
    }
}
