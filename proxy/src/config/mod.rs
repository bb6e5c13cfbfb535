//! The configuration: reads a TOML file, applies the command line's overrides and hands out values that are known to be valid.

mod checked;
mod complete;
mod document;
mod error;
mod identity;
mod limits;
mod memory;
mod memory_bound;
mod models;
mod prices;
mod removed;
mod secret_kinds;
mod server;
mod store;

pub use error::{ConfigError, Place};
pub use identity::{IdentityConfig, IdentityFrom};
pub use limits::LimitsConfig;
pub(crate) use limits::OwnLimits;
pub use mainpoint_store::Retain;
pub use memory::{AttachmentPolicy, MemoryConfig, Mode, RecallReach, Storing};
pub use memory_bound::MemoryBound;
pub(crate) use prices::Prices;
pub use prices::{PricePreset, PricesConfig};
pub use removed::IgnoredKey;
pub use secret_kinds::SecretKind;
pub use server::{LogConfig, ServerConfig, UpstreamConfig};
pub use store::{ReaderSettings, StoreSettings};

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeValue;

use crate::models::ModelsConfig;
use checked::section;
use document::Document;

section! {
    /// Everything that can be set. Every value that [`Config::load`] and its like give is allowed.
    pub struct Config {
        /// The socket that clients talk to.
        server: ServerConfig = ServerConfig::default(),
        /// Where requests are forwarded to.
        upstream: UpstreamConfig = UpstreamConfig::default(),
        /// Whose memory a request may see.
        identity: IdentityConfig = IdentityConfig::default(),
        /// What one caller may use.
        limits: LimitsConfig = LimitsConfig::default(),
        /// When and how prompts are rewritten.
        memory: MemoryConfig = MemoryConfig::default(),
        /// What a provider charges for a prompt.
        prices: PricesConfig = PricesConfig::default(),
        /// Where memories are kept.
        store: StoreSettings = StoreSettings::default(),
        /// Which models are used and where they lie.
        #[serde(deserialize_with = "models::read")]
        models: ModelsConfig = models::defaults(),
        /// How the model reads.
        reader: ReaderSettings = ReaderSettings::default(),
        /// What is logged.
        log: LogConfig = LogConfig::default(),
        /// Keys of earlier versions that were found and do nothing.
        #[serde(skip)]
        ignored: Vec<IgnoredKey> = Vec::new(),
    }
}

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

/// Whether the secrets are read that the file names environment variables for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// All of them, as the proxy needs them.
    Read,
    /// None, so that no variable has to be set. The configuration has no secret then.
    Unread,
}

impl Config {
    /// The configuration that holds when nothing is set. `config.toml` at the root of the repository says the same.
    #[must_use]
    pub fn defaults() -> Self {
        Self::default()
    }

    /// Reads the file at `path` and applies `overrides`.
    ///
    /// # Errors
    /// When the file cannot be read, is not TOML, holds an unknown key, a value that is not allowed or a literal secret, or
    /// names an environment variable that is not set.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        Self::load_with(path, overrides, Secrets::Read)
    }

    /// The same, with secrets or without.
    ///
    /// # Errors
    /// As [`Config::load`]; where no secrets are read, none about their variables.
    pub fn load_with(path: &Path, overrides: &Overrides, secrets: Secrets) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(path).map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
        let text = document::text_of(&bytes, path)?;
        Self::read(text, Some(path), overrides, Environment::of_process(secrets))
    }

    /// Parses the text of a configuration file.
    ///
    /// # Errors
    /// As [`Config::load`], without those of reading a file.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::read(text, None, &Overrides::default(), Environment::of_process(Secrets::Read))
    }

    /// The defaults with `overrides` applied, for a start without any file.
    ///
    /// # Errors
    /// When an override is not allowed.
    pub fn without_file(overrides: &Overrides) -> Result<Self, ConfigError> {
        Self::read("", None, overrides, Environment::of_process(Secrets::Read))
    }

    fn read(
        text: &str,
        file: Option<&Path>,
        overrides: &Overrides,
        environment: Environment<'_>,
    ) -> Result<Self, ConfigError> {
        let budget = overrides.budget.map(|budget| budget.to_string());
        let mut document = Document::parse(text, file)?;
        document.refuse_literal_secrets()?;
        let flags = [
            ("server", "listen", "--listen", overrides.listen.as_deref().map(string)),
            ("upstream", "url", "--upstream", overrides.upstream.as_deref().map(string)),
            ("memory", "budget_tokens", "--budget", budget.as_deref().and_then(number)),
            (
                "store",
                "directory",
                "--data-dir",
                overrides.data_dir.as_deref().map(Path::to_string_lossy).map(DeValue::String),
            ),
        ];
        for (section, key, flag, value) in flags {
            if let Some(value) = value {
                document.put(section, key, flag, value)?;
            }
        }
        let ignored = removed::take_ignored(&mut document);
        let mut config: Self = document.read().map_err(removed::explain)?;
        config.ignored = ignored;
        // A path need not be text as the document is.
        if let Some(directory) = &overrides.data_dir {
            config.store.directory.clone_from(directory);
        }
        complete::complete(&mut config, &document, environment)?;
        Ok(config)
    }
}

fn string(text: &str) -> DeValue<'_> {
    DeValue::String(text.into())
}

fn number(text: &str) -> Option<DeValue<'_>> {
    DeValue::parse(text).ok().map(Spanned::into_inner)
}

/// Looks up an environment variable.
type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where environment variables are looked up, so that tests need not change the process's own, and which are.
#[derive(Clone, Copy)]
struct Environment<'a> {
    variables: Variables<'a>,
    secrets: Secrets,
}

impl Environment<'_> {
    fn of_process(secrets: Secrets) -> Self {
        Self { variables: &process_environment, secrets }
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.variables)(name)
    }
}

fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod default_tests;
#[cfg(test)]
mod identity_tests;
#[cfg(test)]
mod range_tests;
#[cfg(test)]
mod tests;
