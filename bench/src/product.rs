//! The product's parts as studies use them: its own settings, as a configuration without a file has them, its engine, and stores that
//! studies fill or look at themselves.

use std::path::Path;
use std::time::Duration;

use mainpoint::config::{Config, MemoryConfig};
use mainpoint::{app, models};
use mainpoint_engine::{Engine, EngineConfig};
use mainpoint_store::{CacheSizes, Retain, Store, StoreConfig};

use crate::{BenchError, Failing};

/// What the product would run with.
#[derive(Debug, Clone)]
pub(crate) struct Product {
    /// The model as `models.reader` names it; `None` for the product's own choice.
    pub(crate) reader: Option<String>,
    pub(crate) engine: EngineConfig,
    pub(crate) memory: MemoryConfig,
}

impl Product {
    /// The product with the model of this name, or with that of its defaults.
    pub(crate) fn with(reader: Option<&str>) -> Result<Self, BenchError> {
        let text = overrides(reader).iter().map(|(key, value)| format!("{key} = {value}\n")).collect::<String>();
        let config = Config::parse(&text).map_err(|error| BenchError::program("mainpoint", error))?;
        let paths = models::resolve(&config.models).map_err(|error| BenchError::program("mainpoint", error))?;
        Ok(Self {
            reader: reader.map(str::to_owned),
            engine: app::engine_settings(&config, &paths),
            memory: config.memory,
        })
    }

    pub(crate) fn start(&self) -> Result<Engine, BenchError> {
        Engine::start(&self.engine).in_engine("starting")
    }

    /// The keys and values that a started program needs to read with the same model.
    pub(crate) fn overrides(&self) -> Vec<(String, String)> {
        overrides(self.reader.as_deref())
    }
}

/// The keys and values of a configuration in which the model of this name reads.
pub(crate) fn overrides(reader: Option<&str>) -> Vec<(String, String)> {
    let setting = |name: &str| ("models.reader".to_owned(), format!("{name:?}"));
    reader.map(setting).into_iter().collect()
}

/// Longer than any study.
const NEVER: Duration = Duration::from_secs(7 * 86_400);

/// Opens the store in `directory` for vectors of `vector_width` numbers, in which nothing happens by itself.
pub(crate) async fn quiet_store(directory: &Path, vector_width: usize) -> Result<Store, BenchError> {
    let config = StoreConfig {
        directory: directory.to_owned(),
        vector_width,
        model: None,
        retain: Retain::Turns,
        flush_interval: NEVER,
        flush_turns: usize::MAX,
        maintenance_interval: NEVER,
        retain_for: None,
        quoted: |_, _| Some(Vec::new()),
        ledger_age: NEVER,
        caches: CacheSizes::shares_of(4 << 30),
        cpu_threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    };
    Store::open(config).await.in_store("opening")
}
