//! Why a command failed, and the status to exit with.

use std::io;
use std::path::PathBuf;

use mainpoint_engine::EngineError;
use mainpoint_store::StoreError;
use url::Url;

use crate::config::ConfigError;
use crate::error::{MemoryError, StartError};
use crate::exit::ExitStatus;
use crate::models::ModelError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A model is missing, damaged or cannot be fetched.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The engine, the store or the server could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The engine failed at its work.
    #[error("the reader failed: {0}")]
    Engine(#[from] EngineError),
    /// The store failed at its work.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// The memory could not be searched.
    #[error("the search failed: {0}")]
    Search(#[source] MemoryError),
    /// The memory failed at reading a history.
    #[error("the import stopped: {0}; what was read is kept, and the same command goes on from there")]
    Memory(#[from] MemoryError),
    /// The file to work on cannot be read.
    #[error("cannot read {name}: {source}")]
    Read {
        /// The file, or `standard input`.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// The file to explain is not a conversation.
    #[error(
        "{name}: {reason}; expected {{\"messages\": […]}} or a list of messages, each with \"role\" and \"content\""
    )]
    Conversation {
        /// The file, or `standard input`.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A line of the history to import cannot be used.
    #[error("{name}: line {line}: {reason}")]
    History {
        /// The file.
        name: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong: the key, its value and what is allowed.
        reason: String,
    },
    /// Nothing of a history to import, or of a conversation to explain, can be used.
    #[error(
        "{name}: every message is passed over, as in a request; expected messages with a \"role\" that the proxy knows (such as \
         \"user\" and \"assistant\") and \"content\""
    )]
    NothingUsable {
        /// The file, or `standard input`.
        name: String,
    },
    /// There is no store to look into.
    #[error(
        "there is no store in {} (store.directory), and none was made; one is made when the proxy runs (`mainpoint serve`) or a \
         history is imported (`mainpoint import`); name another directory with --data-dir",
        directory.display()
    )]
    NoStore {
        /// Where it should be.
        directory: PathBuf,
    },
    /// A proxy has the store open.
    #[error(
        "the store {} is in use by a running mainpoint; ask it with {}, or stop it",
        directory.display(),
        asking(address.as_ref())
    )]
    StoreInUse {
        /// The store.
        directory: PathBuf,
        /// Where the configuration lets a proxy listen; `None` where that is any free port.
        address: Option<Url>,
    },
    /// A proxy does not answer as one.
    #[error(
        "{url} cannot be asked: {reason}; expected the address of a running proxy, as its line \"listening on\" names it"
    )]
    Unreachable {
        /// Its address.
        url: String,
        /// What happened.
        reason: String,
    },
    /// A proxy refused.
    #[error("{url} answers {status}: {message}")]
    Refused {
        /// Its address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// Callers are told otherwise than by keys of this proxy.
    #[error(
        "identity.from = \"{from}\": expected \"proxy-keys\", and the file of the keys in identity.keys_file, since no key of this \
         proxy lets anybody in else"
    )]
    NoProxyKeys {
        /// What they are told by.
        from: &'static str,
    },
    /// The file of this proxy's keys cannot be used.
    #[error("cannot {verb} {} (identity.keys_file): {source}{}", path.display(), keys_fix(source))]
    KeysFile {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not; never a key.
        source: io::Error,
    },
    /// A client of the Model Context Protocol broke off, or spoke something else.
    #[error("the client on standard input and output cannot be served: {reason}")]
    McpClient {
        /// What happened.
        reason: String,
    },
    /// An argument cannot be used.
    #[error("{0}")]
    Argument(String),
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {source}")]
    Output {
        /// Why not.
        #[from]
        source: io::Error,
    },
    /// Some models are not what they should be; each was shown in its own line.
    #[error("{failed} of {total} models failed")]
    Models {
        /// How many failed.
        failed: usize,
        /// How many there are.
        total: usize,
        /// The gravest of their statuses.
        status: ExitStatus,
    },
}

impl CliError {
    /// The status to exit with.
    #[must_use]
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Config(error) => error.exit_status(),
            Self::Model(error) => error.exit_status(),
            Self::Start(error) => error.exit_status(),
            Self::Engine(_) | Self::Store(_) | Self::Search(_) | Self::Memory(_) => ExitStatus::Software,
            Self::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ExitStatus::NoInput,
                io::ErrorKind::PermissionDenied => ExitStatus::NoPermission,
                _ => ExitStatus::InputOutput,
            },
            Self::NoProxyKeys { .. } => ExitStatus::Config,
            Self::KeysFile { verb, source, .. } => match (source.kind(), *verb) {
                (io::ErrorKind::InvalidData, _) => ExitStatus::Data,
                (io::ErrorKind::PermissionDenied, _) => ExitStatus::NoPermission,
                (io::ErrorKind::NotFound, "read") => ExitStatus::NoInput,
                (_, "read") => ExitStatus::InputOutput,
                _ => ExitStatus::CannotCreate,
            },
            Self::Conversation { .. } | Self::History { .. } | Self::NothingUsable { .. } => ExitStatus::Data,
            Self::NoStore { .. } => ExitStatus::NoInput,
            Self::StoreInUse { .. } | Self::Unreachable { .. } => ExitStatus::Unavailable,
            Self::Refused { status, .. } => match status {
                400..500 => ExitStatus::Usage,
                _ => ExitStatus::Unavailable,
            },
            Self::McpClient { .. } => ExitStatus::Data,
            Self::Argument(_) => ExitStatus::Usage,
            Self::Output { .. } => ExitStatus::InputOutput,
            Self::Models { status, .. } => *status,
        }
    }
}

/// What to do where there is no file of keys yet.
fn keys_fix(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => "; `mainpoint keys add NAME` makes it, in a directory that is there",
        _ => "",
    }
}

/// How a proxy is asked that listens there.
fn asking(address: Option<&Url>) -> String {
    match address {
        Some(address) => format!("--url {}", address.as_str().trim_end_matches('/')),
        None => "--url and its address, as its line \"listening on\" names it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn a_store_in_use_names_where_its_proxy_is_asked() {
        let said = |address: Option<&str>| {
            let address = address.map(|address| Url::parse(address).unwrap());
            CliError::StoreInUse { directory: "data".into(), address }.to_string()
        };
        let found = said(Some("http://127.0.0.1:9191"));
        assert!(found.ends_with("; ask it with --url http://127.0.0.1:9191, or stop it"), "{found}");
        assert!(said(None).contains("--url and its address, as its line"), "{}", said(None));
    }
}
