//! The configuration file as it is written: every key optional, numbers and strings not yet checked.
//!
//! It must not know defaults or ranges; the names of its fields are the names of the keys.

use std::path::PathBuf;

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawConfig {
    pub(super) server: RawServer,
    pub(super) upstream: RawUpstream,
    pub(super) memory: RawMemory,
    pub(super) prices: RawPrices,
    pub(super) store: RawStore,
    pub(super) models: RawModels,
    pub(super) reader: RawReader,
    pub(super) log: RawLog,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawServer {
    pub(super) listen: Option<String>,
    pub(super) base_path: Option<String>,
    pub(super) max_body_bytes: Option<i64>,
    pub(super) max_connections: Option<i64>,
    pub(super) head_timeout_seconds: Option<i64>,
    pub(super) body_timeout_seconds: Option<i64>,
    pub(super) keep_alive_seconds: Option<i64>,
    pub(super) drain_seconds: Option<i64>,
    pub(super) receipts: Option<i64>,
    pub(super) fault_injection: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawUpstream {
    pub(super) url: Option<String>,
    pub(super) api_key_env: Option<String>,
    pub(super) connect_timeout_seconds: Option<i64>,
    pub(super) idle_timeout_seconds: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawMemory {
    pub(super) mode: Option<String>,
    pub(super) budget_tokens: Option<i64>,
    pub(super) high_water: Option<f64>,
    pub(super) low_water: Option<f64>,
    pub(super) memory_tokens: Option<i64>,
    pub(super) digest_tokens: Option<i64>,
    pub(super) recall_turns: Option<i64>,
    pub(super) candidates: Option<i64>,
    pub(super) scan_passages: Option<i64>,
    pub(super) least_match: Option<f64>,
    pub(super) across_conversations: Option<bool>,
    pub(super) attachments: Option<String>,
    pub(super) deadline_ms: Option<i64>,
    pub(super) user_header: Option<String>,
    pub(super) credential_headers: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawPrices {
    pub(super) cache_read: Option<f64>,
    pub(super) cache_write: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawStore {
    pub(super) directory: Option<PathBuf>,
    pub(super) retain: Option<String>,
    pub(super) flush_interval_ms: Option<i64>,
    pub(super) flush_turns: Option<i64>,
    pub(super) maintenance_interval_seconds: Option<i64>,
    pub(super) ledger_days: Option<i64>,
    pub(super) backlog_turns: Option<i64>,
    pub(super) backlog_bytes: Option<i64>,
    pub(super) backlog_share: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawModels {
    pub(super) directory: Option<PathBuf>,
    pub(super) reader: Option<String>,
    pub(super) reader_sha256: Option<String>,
    pub(super) chat: Option<String>,
    pub(super) chat_sha256: Option<String>,
    pub(super) sources: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawReader {
    pub(super) threads: Option<i64>,
    pub(super) passage_tokens: Option<i64>,
    pub(super) keep: Option<f64>,
    pub(super) queue: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawLog {
    pub(super) filter: Option<String>,
}
