//! The product's own settings: which model reads, and how much is searched, as a configuration without a file has them.
//!
//! It must not know what is measured.

use mainpoint::config::{Config, MemoryConfig};
use mainpoint::{app, models};
use mainpoint_engine::{Engine, EngineConfig};

use crate::BenchError;

/// What the product would run with.
#[derive(Debug, Clone)]
pub struct Product {
    /// The model as `models.reader` names it; `None` for the product's own choice.
    pub reader: Option<String>,
    /// The engine's settings.
    pub engine: EngineConfig,
    /// The memory's settings.
    pub memory: MemoryConfig,
}

impl Product {
    /// The product with the model of this name, or with that of its defaults.
    ///
    /// # Errors
    /// [`BenchError::Program`] if there is no such model, or it is not installed.
    pub fn with(reader: Option<&str>) -> Result<Self, BenchError> {
        let text = overrides(reader)
            .iter()
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect::<String>();
        let refused = |reason: String| BenchError::program("mainpoint", reason);
        let config = Config::parse(&text).map_err(|error| refused(error.to_string()))?;
        let paths = models::resolve(&config.models).map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            reader: reader.map(str::to_owned),
            engine: app::engine_settings(&config, &paths),
            memory: config.memory,
        })
    }

    /// Starts the engine.
    ///
    /// # Errors
    /// [`BenchError::Engine`] if it does not start.
    pub fn start(&self) -> Result<Engine, BenchError> {
        Engine::start(&self.engine).map_err(BenchError::engine("starting"))
    }

    /// The keys and values that a started program needs to read with the same model.
    #[must_use]
    pub fn overrides(&self) -> Vec<(String, String)> {
        overrides(self.reader.as_deref())
    }
}

/// The keys and values of a configuration in which the model of this name reads.
pub(crate) fn overrides(reader: Option<&str>) -> Vec<(String, String)> {
    let setting = |name: &str| ("models.reader".to_owned(), format!("{name:?}"));
    reader.map(setting).into_iter().collect()
}
