//! The configuration: reads a TOML file, applies the command line's overrides and hands out values that are known to be valid.
//!
//! It must not know what the values are used for: no sockets are opened, no files but the configuration itself are read, and
//! nothing is created on disk.

mod document;
mod error;
mod raw;
mod removed;
mod types;
mod validate;

pub use error::{ConfigError, Place};
pub use mainpoint_store::Retain;
pub use types::{
    AttachmentPolicy, Config, LogConfig, MemoryConfig, Mode, PricesConfig, ReaderSettings, ServerConfig, StoreSettings,
    UpstreamConfig,
};

use std::path::{Path, PathBuf};

use document::Document;
use raw::RawConfig;
use validate::Validation;

/// What the command line may override. `None` leaves the file's value.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--listen`: the address to listen on, such as `127.0.0.1:8787`.
    pub listen: Option<String>,
    /// `--upstream`: the base URL including its `/v1`, or `embedded`.
    pub upstream: Option<String>,
    /// `--data-dir`: the directory of the store.
    pub data_dir: Option<PathBuf>,
    /// `--budget`: the token budget of a forwarded prompt.
    pub budget: Option<i64>,
}

impl Config {
    /// Reads the file at `path` and applies `overrides`.
    ///
    /// # Errors
    /// When the file cannot be read, is not TOML, holds an unknown key, a value that is not allowed or a literal secret, or
    /// names an environment variable that is not set.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
        Self::read(&text, Some(path), overrides, &process_environment)
    }

    /// Parses the text of a configuration file.
    ///
    /// # Errors
    /// As [`Config::load`], without those of reading a file.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::read(text, None, &Overrides::default(), &process_environment)
    }

    /// The defaults with `overrides` applied, for a start without any file.
    ///
    /// # Errors
    /// When an override is not allowed.
    pub fn without_file(overrides: &Overrides) -> Result<Self, ConfigError> {
        Self::read("", None, overrides, &process_environment)
    }

    fn read(
        text: &str,
        file: Option<&Path>,
        overrides: &Overrides,
        environment: Environment<'_>,
    ) -> Result<Self, ConfigError> {
        let document = Document::parse(text, file)?;
        document.refuse_literal_secrets()?;
        let raw: RawConfig = toml::from_str(text).map_err(|error| removed::explain(document.explain(&error)))?;
        Validation { document: &document, overrides, environment }.validate(raw)
    }
}

/// Looks up an environment variable; a parameter so that tests need not change the process's own environment.
type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod range_tests;
#[cfg(test)]
mod tests;
