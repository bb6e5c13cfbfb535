//! The failures of the proxy: what a client is told, what stops a start, and what makes the memory step aside.
//!
//! It must not know where the errors happen or how they are sent; it only names them and maps each to a status, an exit code
//! and a metric label.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use http::StatusCode;
use mainpoint_engine::EngineError;
use mainpoint_store::StoreError;

/// A failure that the client is told about, in OpenAI's error envelope.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// What came is no HTTP request.
    #[error("The request could not be read: it is not valid HTTP.")]
    Malformed,
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
    /// The process stops, and the request had no answer yet.
    #[error("The proxy is stopping. Try again in a moment.")]
    Stopping,
    /// The upstream broke off in the middle of an answer.
    #[error("The upstream broke off in the middle of its answer.")]
    UpstreamBroken,
    /// The embedded upstream could not answer.
    #[error("The embedded upstream cannot answer: {source}.")]
    Embedded {
        /// The cause.
        #[source]
        source: EngineError,
    },
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
            Self::UrlTooLong => (StatusCode::URI_TOO_LONG, "invalid_request_error", "url_too_long"),
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "invalid_request_error",
                "headers_too_large",
            ),
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "invalid_request_error", "unknown_url"),
            Self::NoReceipt { .. } => (StatusCode::NOT_FOUND, "invalid_request_error", "receipt_not_found"),
            Self::MethodNotAllowed { .. } => (
                StatusCode::METHOD_NOT_ALLOWED,
                "invalid_request_error",
                "method_not_allowed",
            ),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", "body_too_large"),
            Self::BodyUnreadable { .. } => (StatusCode::BAD_REQUEST, "invalid_request_error", "body_unreadable"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "invalid_request_error", "body_timeout"),
            Self::UnsupportedEncoding => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "invalid_request_error",
                "unsupported_encoding",
            ),
            Self::InvalidRequest { .. } => (StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_request"),
            Self::SeveralUsers { .. } => (StatusCode::BAD_REQUEST, "invalid_request_error", "several_users"),
            Self::UpstreamUnreachable { .. } => (StatusCode::BAD_GATEWAY, "api_error", "upstream_unreachable"),
            Self::UpstreamTimeout { .. } => (StatusCode::GATEWAY_TIMEOUT, "api_error", "upstream_timeout"),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "api_error", "overloaded"),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "api_error", "stopping"),
            Self::UpstreamBroken => (StatusCode::BAD_GATEWAY, "api_error", "upstream_broken"),
            Self::Embedded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "api_error", "embedded_upstream_failed"),
        };
        Refusal { status, kind, code }
    }

    /// The field or header of the request that is at fault, for `error.param`.
    #[must_use]
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::InvalidRequest { param, .. } => *param,
            Self::SeveralUsers { header } => Some(header),
            _ => None,
        }
    }
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
    /// The journal took too long to take turns.
    #[error("the journal did not take turns within memory.deadline_ms")]
    JournalSlow,
    /// The journal fails, and enough turns wait for it in memory.
    #[error("the journal fails, and no more turns can wait for it in memory")]
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
            Self::Deadline => "deadline",
            Self::Contention => "contention",
            Self::BacklogFull => "backlog_full",
            Self::BacklogShare => "backlog_share",
            Self::JournalSlow => "journal_slow",
            Self::JournalBusy => "journal_busy",
            Self::Readings { .. } => "readings",
            Self::Worker { .. } => "worker",
        }
    }
}

/// A failure that keeps mainpoint from starting. Its text is one line that names the fix.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", bind_reason(source))]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A model is missing or cannot be used.
    #[error("{source}{}", engine_fix(source))]
    Engine {
        /// The cause.
        #[source]
        source: EngineError,
    },
    /// The store cannot be opened.
    #[error("cannot open the store: {source}{}", store_fix(source))]
    Store {
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// The data directory, or a file in it, cannot be used.
    #[error("cannot use {}: {source}; check store.directory and its permissions", path.display())]
    Directory {
        /// The directory or file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// `scope.key` holds something else than a key.
    #[error(
        "{} is not a key of 32 bytes; restore it from a backup, or move the directory that it is in away to begin with empty memories",
        path.display()
    )]
    ScopeKey {
        /// The file.
        path: PathBuf,
    },
    /// `scope.key` is gone and memories are there.
    #[error(
        "{} is missing, and without it nobody can be told whose the memories beside it are; restore it from a backup, or move \
         {} away to begin with empty memories. Nothing was replaced",
        path.display(),
        directory.display()
    )]
    ScopeKeyMissing {
        /// The file.
        path: PathBuf,
        /// The store's directory.
        directory: PathBuf,
    },
    /// The upstream client cannot be built.
    #[error("cannot set up the connection to the upstream: {source}")]
    Client {
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
    /// `upstream.url` is none that requests can be sent to.
    #[error(
        "upstream.url = \"{url}\" is none that requests can be sent to; an example is \"https://api.openai.com/v1\""
    )]
    Upstream {
        /// The configured URL.
        url: String,
    },
    /// The upstream key cannot be put into a header.
    #[error(
        "the key that upstream.api_key_env names holds a character that no header can carry; set it to the key alone, without line breaks"
    )]
    ApiKey,
    /// `log.filter` is not a filter.
    #[error("log.filter = {filter:?} is not a log filter: {reason}; an example is \"info,mainpoint=debug\"")]
    LogFilter {
        /// The configured filter.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The process could not be prepared.
    #[error("cannot {operation}: {source}")]
    Process {
        /// What was being done.
        operation: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl StartError {
    /// The exit code by kind, as in sysexits.h (64–78).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Listen { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => NO_PERMISSION,
                _ => UNAVAILABLE,
            },
            Self::Engine { source } => match source {
                EngineError::ModelMissing { .. } => NO_INPUT,
                EngineError::Processor { .. } => UNAVAILABLE,
                EngineError::Thread { .. } => IO,
                EngineError::Setting { .. } => CONFIGURATION,
                _ => DATA,
            },
            Self::Store { source } => match source {
                StoreError::Unwritable { source, .. } => directory_code(source),
                StoreError::InUse { .. } => UNAVAILABLE,
                StoreError::Refused { source, .. } => match source.kind() {
                    io::ErrorKind::PermissionDenied => NO_PERMISSION,
                    _ => IO,
                },
                StoreError::Version { .. }
                | StoreError::Format { .. }
                | StoreError::TableRefused { .. }
                | StoreError::VectorWidth { .. }
                | StoreError::Model { .. }
                | StoreError::Migrating { .. }
                | StoreError::MountPoint { .. }
                | StoreError::Unreadable { .. } => DATA,
                StoreError::InvalidConfig { .. } => CONFIGURATION,
                _ => IO,
            },
            Self::Directory { source, .. } => directory_code(source),
            Self::ScopeKey { .. } | Self::ScopeKeyMissing { .. } => DATA,
            Self::Client { .. } | Self::Process { .. } => IO,
            Self::Upstream { .. } | Self::ApiKey | Self::LogFilter { .. } => CONFIGURATION,
        }
    }
}

const DATA: u8 = 65;
const NO_INPUT: u8 = 66;
const UNAVAILABLE: u8 = 69;
const CANNOT_CREATE: u8 = 73;
const IO: u8 = 74;
const NO_PERMISSION: u8 = 77;
const CONFIGURATION: u8 = 78;

fn directory_code(source: &io::Error) -> u8 {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => NO_PERMISSION,
        _ => CANNOT_CREATE,
    }
}

fn bind_reason(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use; stop the program that holds it, or set server.listen (or --listen) to another port"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "no permission; set server.listen (or --listen) to a port of 1024 or above".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine does not have the address; set server.listen (or --listen) to one that it has".to_owned()
        }
        _ => format!("{source}; set server.listen (or --listen) to another address"),
    }
}

fn engine_fix(source: &EngineError) -> &'static str {
    match source {
        EngineError::ModelMissing { .. } => {
            "; fetch it with `mainpoint models fetch`, or name another one (models.reader, models.chat)"
        }
        EngineError::ModelCorrupt { .. } => {
            "; check it with `mainpoint models verify`, or name another one (models.reader, models.chat)"
        }
        _ => "",
    }
}

fn store_fix(source: &StoreError) -> &'static str {
    match source {
        StoreError::VectorWidth { .. } | StoreError::Model { .. } => " (store.directory, models.reader)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_another_model_names_the_keys_that_choose_both() {
        let error = StartError::Store {
            source: StoreError::VectorWidth {
                path: "memories".into(),
                found: 384,
                expected: 768,
            },
        };
        let text = error.to_string();
        assert!(
            text.ends_with("(store.directory, models.reader)") && text.contains("384"),
            "{text}"
        );
        assert_eq!(error.exit_code(), 65);
    }

    #[test]
    fn a_port_in_use_names_the_address_and_the_fix() {
        let address = SocketAddr::from(([127, 0, 0, 1], 8787));
        let error = StartError::Listen {
            address,
            source: io::Error::from(io::ErrorKind::AddrInUse),
        };
        let text = error.to_string();
        assert!(
            text.contains("127.0.0.1:8787") && text.contains("server.listen"),
            "{text}"
        );
        assert!(!text.contains('\n'));
        assert_eq!(error.exit_code(), 69);
    }

    #[test]
    fn a_missing_model_and_a_directory_without_permission_have_their_own_codes() {
        let missing = StartError::Engine {
            source: EngineError::ModelMissing {
                path: "model.gguf".into(),
            },
        };
        assert_eq!(missing.exit_code(), 66);
        assert!(missing.to_string().contains("models fetch"));
        let denied = StartError::Directory {
            path: "data".into(),
            source: io::Error::from(io::ErrorKind::PermissionDenied),
        };
        assert_eq!(denied.exit_code(), 77);
    }
}
