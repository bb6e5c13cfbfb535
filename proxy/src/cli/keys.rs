//! `mainpoint keys add|list|revoke`: who may use the proxy where callers have keys of its own.

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::Utc;
use clap::{Args, Subcommand};

use super::{CliError, ConfigOption};
use crate::config::{Config, IdentityFrom, Overrides, OwnLimits};
use crate::http::identity::{KeyFile, KeyFileError};
use crate::terminal;

/// How the commands are used, as `--help` shows it.
pub(super) const EXAMPLES: &str = "\
Examples:
  mainpoint keys add ann                                draw a key for ann, and show it once
  mainpoint keys add ci --requests-per-minute 60        one whose owner may send 60 requests a minute
  mainpoint keys list                                   who has a key, since when, and with which limits
  mainpoint keys revoke ann                             the proxy refuses it from now on, a second later if it is running

The keys are those of identity.keys_file, where identity.from is \"proxy-keys\". The file holds their SHA-256 alone. A memory belongs to
the name: whoever gets a new key under the same name finds it again.";

#[derive(Debug, Args)]
pub(super) struct KeysArguments {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Draw a key for somebody and show it, once.
    Add {
        #[command(flatten)]
        config: ConfigOption,
        /// Whose key it is, and whose memory is used with it.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        limits: LimitArguments,
    },
    /// Show who has a key.
    List {
        #[command(flatten)]
        config: ConfigOption,
    },
    /// Take somebody's keys out. What was remembered under the name stays.
    Revoke {
        #[command(flatten)]
        config: ConfigOption,
        /// Whose key it is.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// What whoever has the key may use, in the place of what `[limits]` says for all; 0 sets no limit.
#[derive(Debug, Args)]
struct LimitArguments {
    /// Most requests a minute, if not limits.requests_per_minute; 0 for any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=1_000_000_000))]
    requests_per_minute: Option<u32>,
    /// Most tokens of its turns that are read a minute, if not limits.read_tokens_per_minute; 0 for any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=1_000_000_000))]
    read_tokens_per_minute: Option<u32>,
    /// Most of its turns that are stored, if not limits.stored_turns; 0 for any number.
    #[arg(long, value_name = "N")]
    stored_turns: Option<u32>,
    /// Most bytes of their texts, if not limits.stored_bytes; 0 for any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=1 << 50))]
    stored_bytes: Option<u64>,
}

impl From<LimitArguments> for OwnLimits {
    fn from(arguments: LimitArguments) -> Self {
        Self {
            requests_per_minute: arguments.requests_per_minute,
            read_tokens_per_minute: arguments.read_tokens_per_minute,
            stored_turns: arguments.stored_turns.map(|turns| turns as usize),
            stored_bytes: arguments.stored_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        }
    }
}

pub(super) fn run(arguments: KeysArguments) -> Result<(), CliError> {
    match arguments.command {
        KeysCommand::Add { config, name, limits } => add(&key_file(&config)?, &name, limits.into()),
        KeysCommand::List { config } => list(&key_file(&config)?),
        KeysCommand::Revoke { config, name } => revoke(&key_file(&config)?, &name),
    }
}

fn add(path: &Path, name: &str, limits: OwnLimits) -> Result<(), CliError> {
    let key = KeyFile::new(path).add(name, limits, Utc::now()).map_err(|error| failed(error, path, name))?;
    let mut output = anstream::stdout();
    writeln!(output, "{key}")?;
    // On the other output, so that a script gets the key alone.
    anstream::eprintln!("This is the key of {name:?}. It is shown once: {} has its SHA-256 alone.", path.display());
    Ok(())
}

fn list(path: &Path) -> Result<(), CliError> {
    let keys = KeyFile::new(path).list().map_err(|error| failed(error, path, ""))?;
    let mut output = anstream::stdout();
    if keys.is_empty() {
        writeln!(output, "There is no key; `mainpoint keys add NAME` draws one.")?;
        return Ok(());
    }
    let columns = ["name", "created", "requests a minute", "tokens read a minute", "stored turns", "stored bytes"];
    let mut table = terminal::table(&columns);
    for key in keys {
        let created = key.created_at.map_or_else(|| "by hand".to_owned(), |time| time.format("%F %T UTC").to_string());
        let limits = key.limits;
        let numbers = [limits.requests_per_minute, limits.read_tokens_per_minute].map(|number| number.map(u64::from));
        let sizes = [limits.stored_turns, limits.stored_bytes].map(|size| size.map(|size| size as u64));
        let limits = numbers.into_iter().chain(sizes).map(|limit| match limit {
            None => "as configured".to_owned(),
            Some(0) => "no limit".to_owned(),
            Some(limit) => limit.to_string(),
        });
        table.add_row([key.name, created].into_iter().chain(limits));
    }
    writeln!(output, "{}", terminal::lines(&table))?;
    Ok(())
}

fn revoke(path: &Path, name: &str) -> Result<(), CliError> {
    KeyFile::new(path).revoke(name).map_err(|error| failed(error, path, name))?;
    writeln!(anstream::stdout(), "The key of {name:?} is revoked. What was remembered under the name stays.")?;
    Ok(())
}

/// The file that the configuration names, where it lets callers in by keys of this proxy.
fn key_file(option: &ConfigOption) -> Result<PathBuf, CliError> {
    let config: Config = option.load(&Overrides::default())?;
    match (config.identity.from, config.identity.keys_file) {
        (IdentityFrom::ProxyKeys, Some(path)) => Ok(path),
        (from, _) => Err(CliError::NoProxyKeys { from: from.label() }),
    }
}

fn failed(error: KeyFileError, path: &Path, name: &str) -> CliError {
    match error {
        KeyFileError::Name(allowed) => CliError::Argument(format!("NAME = {name:?}: {allowed}")),
        KeyFileError::Taken => CliError::Argument(format!(
            "NAME = {name:?}: there is a key of that name; expected another name, or `mainpoint keys revoke` before, which leaves \
             its memory"
        )),
        KeyFileError::Unknown => CliError::Argument(format!(
            "NAME = {name:?}: there is no key of that name; expected one that `mainpoint keys list` shows"
        )),
        KeyFileError::Read(source) => CliError::KeysFile { verb: "read", path: path.to_owned(), source },
        KeyFileError::Write(source) => CliError::KeysFile { verb: "write", path: path.to_owned(), source },
    }
}
