//! The product's own settings: which model reads, and how much is searched, as a configuration without a file has them.
//!
//! It must not know what is measured.

use mainpoint::config::{Config, MemoryConfig};
use mainpoint::{app, models};
use mainpoint_engine::{Engine, EngineConfig};

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
