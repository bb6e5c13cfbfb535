//! Starts the parts in order, serves until told to stop, and ends them in order.
//!
//! Nothing is created on disk before the models have loaded.

mod another_reader;
mod caller_limits;
mod embedded_budget;
mod inheritance;
mod late_memory;
mod leaving;
mod own_address;
mod succession;
mod token_factors;

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mainpoint_engine::{EncoderConfig, Engine, EngineConfig, Projection, vectors_sha256};
use mainpoint_store::{Examination, Store, StoreConfig, StoreError};
use tokio_util::sync::CancellationToken;

use inheritance::Inheritance;
pub use own_address::check_upstream;

use crate::config::{Config, Mode};
use crate::conversation::request_preparer::RequestPreparer;
use crate::conversation::scope::ScopeKey;
use crate::ending::Ending;
use crate::error::StartError;
use crate::http::credentials::CallerHeaders;
use crate::http::headers::OwnHeaders;
use crate::http::identity::Identities;
use crate::memory::{Masker, Memory};
use crate::models::{ModelPaths, Sha256Digest};
use crate::openai::oddity::Oddity;
use crate::openai::tokens::{TokenCounter, Tokenizer};
use crate::prompt::Planner;
use crate::prompt::injections::quoted_turns;
use crate::reason::Reason;
use crate::room::Room;
use crate::server::{LatePlanner, Receipts, RequestLimits, Shared, Socket};
use crate::telemetry::metrics::Labels;
use crate::telemetry::{logs, metrics};
use crate::upstream::Upstream;
use crate::upstream::embedded::Embedded;
use crate::upstream::remote::Remote;
use crate::{models, server};

/// Runs the proxy until SIGTERM or SIGINT, or until another process has taken over, then lets running requests finish.
///
/// # Errors
/// When a part cannot start. Once it listens, nothing that happens to a request ends it.
pub async fn run(mut config: Config, paths: ModelPaths) -> Result<(), StartError> {
    let mut inheritance = Inheritance::find()?;
    let upgrades = leaving::upgrades()?;
    logs::start(&config.log)?;
    for key in &config.ignored {
        tracing::warn!("{key}");
    }
    let recorder = metrics::recorder(&Labels {
        passthrough: &Reason::ALL.map(Reason::label),
        odd_messages: &Oddity::ALL.map(Oddity::label),
    })
    .map_err(|error| StartError::Process { operation: "set up metrics", source: io::Error::other(error) })?;
    let identities = Arc::new(Identities::open(&config)?);
    let tls = server::tls::acceptor(&config.server)?;
    let most_connections = server::files::provide(config.server.max_connections);
    // Bound first: a port in use is found out before models load, and clients that connect early wait.
    let listener = inheritance.listen(&mut config).await?;
    let address =
        listener.local_addr().map_err(|source| StartError::Listen { address: config.server.listen, source })?;

    // Loading a tokenizer takes longer than a request may wait for its memory. Without memory nothing is counted.
    let counts = config.memory.mode != Mode::Off;
    let warm = counts.then(|| tokio::task::spawn_blocking(|| Tokenizer::new("gpt-4o")));
    let engine = match config.memory.mode {
        Mode::Off if config.upstream.url.is_some() => None,
        Mode::On | Mode::Shadow | Mode::Off => Some(load_engine(&config, &paths).await?),
    };
    let longest_prompt = engine.as_ref().and_then(Engine::longest_prompt);
    if let Some(longest) = longest_prompt.filter(|_| config.upstream.url.is_none()) {
        embedded_budget::fit(&mut config.memory, longest);
    }
    let planner = match (&engine, config.memory.mode) {
        (Some(engine), Mode::On | Mode::Shadow) if inheritance.has_predecessor() => {
            late_memory::take_over(&config, engine, &identities).await?
        }
        (Some(engine), Mode::On | Mode::Shadow) => late_memory::open(&config, engine, &identities).await?,
        _ => LatePlanner::default(),
    };
    let reader = engine.clone().filter(|_| planner.trouble().is_some());
    let room = Room::of(config.server.max_memory.traffic());
    let upstream = upstream(&config, &paths, engine, &room)?;
    if let Some(warm) = warm {
        warm.await
            .map_err(|error| StartError::Process { operation: "load a tokenizer", source: io::Error::other(error) })?;
    }
    let timeout = Duration::from_secs(config.server.drain_seconds);
    let url = format!("{}://{address}{}", config.server.scheme(), config.server.base_path);
    let (receipts, own_headers) = (Receipts::new(config.server.receipts), OwnHeaders::new(&config));
    let request_limits = RequestLimits::new(&config);
    let shared = Arc::new(Shared {
        config,
        upstream,
        cut: CancellationToken::new(),
        identities,
        request_limits,
        own_headers,
        planner,
        receipts,
        room,
        metrics: recorder.clone(),
    });
    let upkeep = tokio::spawn(keep_up(recorder));
    let factors = token_factors::Keeper::start(&shared);
    let opening = late_memory::open_later(&shared, reader);

    // Before this point a signal ends the process at once, which is safe.
    let stop = leaving::leaving(&listener, upgrades, timeout)?;
    announce(&url);
    inheritance.serving();
    let ending = server::serve(Socket { listener, tls, most_connections }, &shared, stop).await;
    upkeep.abort();
    if let Some(opening) = opening {
        opening.abort();
    }
    if let Some(factors) = factors {
        factors.stop(ending).await;
    }
    close(shared, ending).await;
    tracing::info!("stopped");
    Ok(())
}

/// Ends the parts, as far as they end in time.
async fn close(shared: Arc<Shared>, ending: Ending) {
    if let Some(memory) = shared.memory() {
        let for_reading = ending.left().saturating_sub(CLOSING);
        if tokio::time::timeout(ending.left().saturating_sub(LEAVING), memory.close(for_reading)).await.is_err() {
            tracing::warn!("the memory did not close in time; its journal is replayed at the next start");
        }
    }
    // The engine's threads are waited for when the last handle goes, which takes as long as what they are at.
    let gone = tokio::task::spawn_blocking(move || drop(shared));
    if tokio::time::timeout(ending.left().saturating_sub(LEAVING / 2), gone).await.is_err() {
        tracing::debug!("the models are still at work; they are not waited for");
    }
}

/// Looks at the store that a start would open, given the reader and the width of the vectors that it makes; `None` where
/// there is none yet. Nothing is created or changed.
///
/// # Errors
/// What would keep the proxy from using the store, or from creating one.
pub async fn examine_store(
    config: &Config,
    paths: &ModelPaths,
    width: usize,
) -> Result<Option<Examination>, StartError> {
    let failed = |source| StartError::Store { source };
    let directory = &config.store.directory;
    check_directory(directory)?;
    if !Store::is_there(directory).map_err(failed)? {
        return Ok(None);
    }
    let encoder = engine_settings(config, paths).encoder;
    let width = encoder.projection.as_ref().map_or(width, Projection::width);
    let digest = tokio::task::spawn_blocking(move || vectors_sha256(&encoder)).await;
    let digest = digest
        .map_err(|error| StartError::Process { operation: "read the reader", source: io::Error::other(error) })?
        .map_err(|source| StartError::Engine { source })?;
    let examined = match Store::examine(&store_settings(config, width, digest)).await {
        Ok(examined) => examined,
        Err(source) => return Err(another_reader::refusal(config, source).await),
    };
    let has_key = ScopeKey::exists(directory)?;
    match examined {
        Some(found) if found.holds_memories && !has_key => Err(ScopeKey::missing(directory)),
        examined => Ok(examined),
    }
}

/// Makes sure that the directory of a store can be used or created, without creating anything.
///
/// # Errors
/// [`StartError::Directory`].
pub fn check_directory(directory: &Path) -> Result<(), StartError> {
    let refused = |source| StartError::Directory { path: directory.to_path_buf(), source };
    let existing = directory.ancestors().find(|path| path.as_os_str().is_empty() || path.exists());
    let existing = match existing {
        Some(path) if !path.as_os_str().is_empty() => path,
        _ => Path::new("."),
    };
    if !existing.is_dir() {
        return Err(refused(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    // A nameless file says for certain whether this process may write here; it is gone at once.
    match tempfile::tempfile_in(existing).map(drop).map_err(refused) {
        // A full disk says nothing against the directory, and a start gets over it.
        Err(error) if error.is_of_full_disk() => Ok(()),
        written => written,
    }
}

/// Loads the models. Blocking; returns when every model has passed its self-check.
///
/// # Errors
/// When a model is missing or cannot be used.
pub fn engine(config: &Config, paths: &ModelPaths) -> Result<Engine, StartError> {
    Engine::start(&engine_settings(config, paths)).map_err(|source| StartError::Engine { source })
}

/// What the engine needs to start with these models.
#[must_use]
pub fn engine_settings(config: &Config, paths: &ModelPaths) -> EngineConfig {
    let reader = &config.models.reader;
    EngineConfig {
        encoder: EncoderConfig {
            model: paths.reader.clone(),
            model_sha256: paths.reader_sha256.map(Sha256Digest::bytes),
            prompts: models::prompts(reader),
            mean: models::mean(reader),
            projection: models::projection(reader),
            threads: config.reader.threads,
            passage_tokens: config.reader.passage_tokens,
            main_point_share: config.reader.keep,
            queue: config.reader.queue,
        },
        chat: paths.chat.clone(),
        chat_threads: config.reader.threads,
    }
}

/// Opens the store for what the configured model read.
///
/// # Errors
/// When the directory cannot be used or holds something else.
pub async fn store(config: &Config, engine: &Engine) -> Result<Store, StartError> {
    match Store::open(settings_for(config, engine)).await {
        Ok(store) => Ok(store),
        Err(source) => Err(another_reader::refusal(config, source).await),
    }
}

/// The same for who is going to delete something, which also works on a full disk.
///
/// # Errors
/// As [`store`].
pub(crate) async fn store_for_deletion(config: &Config, engine: &Engine) -> Result<Store, StartError> {
    match Store::open_for_deletion(settings_for(config, engine)).await {
        Ok(store) => Ok(store),
        Err(source) => Err(another_reader::refusal(config, source).await),
    }
}

fn settings_for(config: &Config, engine: &Engine) -> StoreConfig {
    store_settings(config, engine.vector_width(), engine.vectors_sha256().to_owned())
}

/// Makes sure that the store is of the present layout, whichever reader filled it. Nothing is changed.
///
/// # Errors
/// What would keep any reader from using the store.
pub async fn examine_layout(config: &Config) -> Result<(), StartError> {
    let settings = StoreConfig { model: None, ..store_settings(config, 1, String::new()) };
    match Store::examine(&settings).await {
        // The width is compared when the layout is known to be right.
        Ok(_) | Err(StoreError::VectorWidth { .. }) => Ok(()),
        Err(source) => Err(StartError::Store { source }),
    }
}

fn store_settings(config: &Config, vector_width: usize, model: String) -> StoreConfig {
    StoreConfig {
        directory: config.store.directory.clone(),
        vector_width,
        model: Some(model),
        caches: config.server.max_memory.caches(),
        retain: config.store.retain,
        flush_interval: config.store.flush_interval,
        flush_turns: config.store.flush_turns,
        maintenance_interval: config.store.maintenance_interval,
        retain_for: config.store.retain_for,
        quoted: quoted_turns,
        ledger_age: config.store.ledger_age,
        cpu_threads: config.reader.threads,
    }
}

/// What names and counts the turns of a request.
///
/// # Errors
/// When the server's secret can be neither read nor made, and when it is missing beside memories that it made the names of.
pub(crate) async fn preparer(config: &Config, engine: &Engine, store: &Store) -> Result<RequestPreparer, StartError> {
    let keys = scope_key(&config.store.directory, store).await?;
    store.keep_file(ScopeKey::FILE, keys.bytes());
    let tokenizer = engine.clone();
    let factors = token_factors::load(&config.store.directory);
    let counter = TokenCounter::new(Arc::new(move |text| tokenizer.count_tokens(text)), factors);
    Ok(RequestPreparer {
        keys: Arc::new(keys),
        counter: Arc::new(counter),
        callers: CallerHeaders::new(&config.memory),
    })
}

/// What masks secrets as the configuration says.
///
/// # Errors
/// When a rule is wrong, which tests rule out.
pub(crate) fn masker(config: &Config) -> Result<Masker, StartError> {
    let failed =
        |error| StartError::Process { operation: "compile the rules for secrets", source: io::Error::other(error) };
    Masker::new(&config.memory).map_err(failed)
}

/// So much of the time for stopping is kept for closing the store when the reader has ended, or has not.
const CLOSING: Duration = Duration::from_millis(800);
/// So much of it is kept for what comes after the store.
const LEAVING: Duration = Duration::from_millis(300);

/// The server's secret. Another one would make every memory nobody's, so one is made only where there are none.
async fn scope_key(directory: &Path, store: &Store) -> Result<ScopeKey, StartError> {
    if !ScopeKey::exists(directory)? {
        let is_empty = store.is_empty().await.map_err(|source| StartError::Store { source })?;
        if !is_empty {
            return Err(ScopeKey::missing(directory));
        }
    }
    ScopeKey::load_or_create(directory)
}

const UPKEEP: Duration = Duration::from_secs(5);

async fn load_engine(config: &Config, paths: &ModelPaths) -> Result<Engine, StartError> {
    let (config, paths) = (config.clone(), paths.clone());
    tokio::task::spawn_blocking(move || engine(&config, &paths))
        .await
        .map_err(|error| StartError::Process { operation: "load the models", source: io::Error::other(error) })?
}

async fn remember(config: &Config, engine: &Engine, identities: &Arc<Identities>) -> Result<Planner, StartError> {
    let store = store(config, engine).await?;
    let preparer = preparer(config, engine, &store).await?;
    let limits = caller_limits::of_all(config, identities, &preparer);
    let memory = Memory::start(engine.clone(), store, masker(config)?, config, limits);
    Ok(Planner::new(memory, preparer, config))
}

fn upstream(config: &Config, paths: &ModelPaths, engine: Option<Engine>, room: &Room) -> Result<Upstream, StartError> {
    match (&config.upstream.url, engine) {
        (Some(url), _) => {
            tracing::info!(upstream = %shown(url), "forwarding");
            Ok(Upstream::Remote(Box::new(Remote::new(url, &config.upstream)?)))
        }
        (None, Some(engine)) => {
            let file = paths.chat.as_deref().unwrap_or(Path::new("embedded"));
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            tracing::warn!(
                model = name,
                "no upstream.url is set: a small model (models.chat) answers by itself. It is meant for trying mainpoint out \
                 and is often wrong. Set upstream.url (or --upstream) to a real one"
            );
            Ok(Upstream::Embedded(Embedded::new(engine, name, &config.server, room)))
        }
        (None, None) => Err(StartError::Process {
            operation: "choose an upstream",
            source: io::Error::other("the engine is not running"),
        }),
    }
}

/// The URL without a user name and password that someone may have put into it.
fn shown(url: &url::Url) -> String {
    let mut url = url.clone();
    // These fail only for URLs that cannot carry credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

/// Once on stdout, for programs that read the port, and once in the log.
fn announce(url: &str) {
    let line = format!("mainpoint listening on {url}");
    tracing::info!("{line}");
    let mut out = io::stdout().lock();
    // Whoever started us may have closed our output; that is no reason to stop.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

async fn keep_up(recorder: metrics_exporter_prometheus::PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        recorder.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;
    use crate::models::ModelReference;

    #[test]
    fn a_check_creates_nothing_and_finds_a_directory_that_cannot_be_made() {
        let root = tempfile::tempdir().unwrap();
        check_directory(&root.path().join("a").join("b")).unwrap();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);

        let file = root.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let error = check_directory(&file.join("data")).unwrap_err();
        assert_eq!(error.exit_status().code(), 73, "{error}");
    }

    #[test]
    fn the_engine_is_told_how_the_configured_model_wants_to_be_asked() {
        let paths = ModelPaths { reader: "a.gguf".into(), reader_sha256: None, chat: Some("b.gguf".into()) };
        let settings = engine_settings(&Config::defaults(), &paths);
        assert_eq!(settings.encoder.prompts.question, "task: search result | query: ");
        assert_eq!((settings.encoder.model, settings.chat), (paths.reader, paths.chat));

        let mut config = Config::defaults();
        config.models.reader = ModelReference::catalogue("all-minilm-l6-v2");
        assert_eq!(engine_settings(&config, &models::paths(&config.models)).encoder.prompts.question, "");
    }

    #[test]
    fn an_upstreams_password_is_not_shown() {
        let url = url::Url::parse("https://user:hidden@example.com/v1?key=hidden").unwrap();
        assert_eq!(shown(&url), "https://example.com/v1");
    }
}
