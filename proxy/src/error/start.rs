//! What keeps mainpoint from starting, in one line each that names the fix, and the exit code of each.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use mainpoint_engine::EngineError;
use mainpoint_store::StoreError;

use crate::exit::ExitStatus;

/// A failure that keeps mainpoint from starting. Its text is one line that names the fix.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", bind_reason(source))]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The socket that a service manager passed on cannot be used.
    #[error(
        "cannot use what was passed on to listen on (LISTEN_FDS): {source}; expected one TCP socket that listens, such as ListenStream=8787 \
         of a systemd socket unit"
    )]
    Inherited {
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// Others can connect to the socket that a service manager passed on.
    #[error(
        "the socket that was passed on listens on {address}, where others can connect, and the operator has no token: name the environment \
         variable that holds one in server.admin_token_env"
    )]
    InheritedAddress {
        /// Where it listens.
        address: SocketAddr,
    },
    /// A model is missing or cannot be used.
    #[error("{source}{}", engine_fix(source))]
    Engine {
        /// The cause.
        #[source]
        source: EngineError,
    },
    /// The store cannot be opened.
    #[error("cannot open the store: {source}")]
    Store {
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// Another reader filled the store.
    #[error(
        "cannot open the store: it was filled {}, and models.reader is \"{configured}\"; name another store.directory and import the \
         history (`mainpoint import`), or {} ({source})",
        filled_by(reader.as_deref()),
        old_reader(reader.as_deref())
    )]
    AnotherReader {
        /// The cause.
        #[source]
        source: Box<StoreError>,
        /// The short name of the reader that filled the store; `None` when that cannot be told.
        reader: Option<String>,
        /// The configured reader.
        configured: String,
    },
    /// The data directory, or a file in it, cannot be used.
    #[error("cannot use {}: {source}; {}", path.display(), directory_fix(source))]
    Directory {
        /// The directory or file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// `scope.key` holds something else than a key.
    #[error(
        "{} is not a key of 32 bytes; restore it from a backup, or move the directory that it is in away to begin with empty memories",
        path.display()
    )]
    ScopeKey {
        /// The file.
        path: PathBuf,
    },
    /// `scope.key` is gone and memories are there.
    #[error(
        "{} is missing, and without it nobody can be told whose the memories beside it are; restore it from a backup, or move \
         {} away to begin with empty memories. Nothing was replaced",
        path.display(),
        directory.display()
    )]
    ScopeKeyMissing {
        /// The file.
        path: PathBuf,
        /// The store's directory.
        directory: PathBuf,
    },
    /// The upstream client cannot be built.
    #[error("cannot set up the connection to the upstream: {source}")]
    Client {
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
    /// `upstream.url` is none that requests can be sent to.
    #[error(
        "upstream.url = \"{url}\" is none that requests can be sent to; an example is \"https://api.openai.com/v1\""
    )]
    Upstream {
        /// The configured URL.
        url: String,
    },
    /// `upstream.url` is the address that the proxy itself listens on.
    #[error(
        "upstream.url = \"{url}\" is the proxy's own address (server.listen = \"{listen}\"), so that every request would come back; \
         expected the base URL of another service, such as \"https://api.openai.com/v1\", or \"embedded\""
    )]
    OwnAddress {
        /// The configured URL.
        url: String,
        /// The configured address.
        listen: SocketAddr,
    },
    /// The upstream key cannot be put into a header.
    #[error(
        "the key that upstream.api_key_env names holds a character that no header can carry; set it to the key alone, without line breaks"
    )]
    ApiKey,
    /// A file of keys or certificates that the configuration names cannot be used.
    #[error("{key} = {path:?}: {source}; expected {expected}")]
    File {
        /// The key of the configuration.
        key: &'static str,
        /// The configured file.
        path: PathBuf,
        /// What is wrong with it; never a key.
        #[source]
        source: io::Error,
        /// What the file has to hold.
        expected: &'static str,
    },
    /// `[identity]` lacks what it needs.
    #[error("identity.from = \"{from}\" needs {needs}")]
    Identity {
        /// The configured source.
        from: &'static str,
        /// The key that is missing, or cannot be used.
        needs: &'static str,
    },
    /// `log.filter` is not a filter.
    #[error("log.filter = {filter:?} is not a log filter: {reason}; an example is \"info,mainpoint=debug\"")]
    LogFilter {
        /// The configured filter.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The process could not be prepared.
    #[error("cannot {operation}: {source}")]
    Process {
        /// What was being done.
        operation: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl StartError {
    /// Whether the disk of the store is full, so that it may be tried again when there is space.
    pub(crate) fn is_of_full_disk(&self) -> bool {
        match self {
            Self::Store { source } => source.is_of_full_disk(),
            Self::Directory { source, .. } => is_full(source),
            _ => false,
        }
    }

    /// How the program ends because of it.
    #[must_use]
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Listen { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => ExitStatus::NoPermission,
                _ => ExitStatus::Unavailable,
            },
            Self::Engine { source } => match source {
                EngineError::ModelMissing { .. } => ExitStatus::NoInput,
                EngineError::Processor { .. } => ExitStatus::Unavailable,
                EngineError::Thread { .. } => ExitStatus::InputOutput,
                EngineError::Setting { .. } => ExitStatus::Config,
                _ => ExitStatus::Data,
            },
            Self::Store { source } => store_status(source),
            Self::AnotherReader { source, .. } => store_status(source),
            Self::Directory { source, .. } => directory_code(source),
            Self::ScopeKey { .. } | Self::ScopeKeyMissing { .. } => ExitStatus::Data,
            Self::Client { .. } | Self::Process { .. } => ExitStatus::InputOutput,
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ExitStatus::NoInput,
                io::ErrorKind::PermissionDenied => ExitStatus::NoPermission,
                io::ErrorKind::InvalidData => ExitStatus::Data,
                _ => ExitStatus::InputOutput,
            },
            Self::Inherited { .. }
            | Self::InheritedAddress { .. }
            | Self::Upstream { .. }
            | Self::OwnAddress { .. }
            | Self::ApiKey
            | Self::Identity { .. }
            | Self::LogFilter { .. } => ExitStatus::Config,
        }
    }
}

fn directory_fix(source: &io::Error) -> &'static str {
    if is_full(source) { "make room" } else { "check store.directory and its permissions" }
}

/// Whether the disk, or what may be used of it, is full.
fn is_full(source: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn store_status(source: &StoreError) -> ExitStatus {
    match source {
        StoreError::Unwritable { source, .. } => directory_code(source),
        StoreError::InUse { .. } => ExitStatus::Unavailable,
        StoreError::Refused { source, .. } => match source.kind() {
            io::ErrorKind::PermissionDenied => ExitStatus::NoPermission,
            _ => ExitStatus::InputOutput,
        },
        StoreError::Version { .. }
        | StoreError::Format { .. }
        | StoreError::TableRefused { .. }
        | StoreError::VectorWidth { .. }
        | StoreError::Model { .. }
        | StoreError::Migrating { .. }
        | StoreError::MountPoint { .. }
        | StoreError::Unreadable { .. } => ExitStatus::Data,
        StoreError::InvalidConfig { .. } => ExitStatus::Config,
        _ => ExitStatus::InputOutput,
    }
}

fn directory_code(source: &io::Error) -> ExitStatus {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ExitStatus::NoPermission,
        _ => ExitStatus::CannotCreate,
    }
}

fn bind_reason(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use; stop the program that holds it, or set server.listen (or --listen) to another port"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "no permission; set server.listen (or --listen) to a port of 1024 or above".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine does not have the address; set server.listen (or --listen) to one that it has".to_owned()
        }
        _ => format!("{source}; set server.listen (or --listen) to another address"),
    }
}

fn engine_fix(source: &EngineError) -> &'static str {
    match source {
        EngineError::ModelMissing { .. } => {
            "; fetch it with `mainpoint models fetch`, or name another one (models.reader, models.chat)"
        }
        EngineError::ModelCorrupt { .. } => {
            "; check it with `mainpoint models verify`, or name another one (models.reader, models.chat)"
        }
        _ => "",
    }
}

fn filled_by(reader: Option<&str>) -> String {
    let unknown = || "by another reader or by an earlier version of the same one".to_owned();
    reader.map_or_else(unknown, |reader| format!("with \"{reader}\""))
}

fn old_reader(reader: Option<&str>) -> String {
    let unknown = || "use the reader that filled it".to_owned();
    reader.map_or_else(unknown, |reader| format!("set models.reader to \"{reader}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_another_reader_names_both_then_what_to_do_and_then_what_was_found() {
        for (reader, filled, old) in [
            (
                Some("all-minilm-l6-v2".to_owned()),
                "filled with \"all-minilm-l6-v2\"",
                "or set models.reader to \"all-minilm-l6-v2\"",
            ),
            (None, "by another reader or by an earlier version of the same one", "or use the reader that filled it"),
        ] {
            let source = Box::new(StoreError::VectorWidth { path: "memories".into(), found: 384, expected: 768 });
            let error = StartError::AnotherReader { source, reader, configured: "embeddinggemma-300m".to_owned() };
            let text = error.to_string();
            let places = [
                filled,
                "models.reader is \"embeddinggemma-300m\"",
                "name another store.directory",
                "`mainpoint import`",
                old,
                "memories",
                "384",
            ]
            .map(|word| text.find(word));
            assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
            assert!(!text.contains('\n'), "{text}");
            assert_eq!(error.exit_status().code(), 65);
        }
    }

    #[test]
    fn a_port_in_use_names_the_address_and_the_fix() {
        let address = SocketAddr::from(([127, 0, 0, 1], 8787));
        let error = StartError::Listen { address, source: io::Error::from(io::ErrorKind::AddrInUse) };
        let text = error.to_string();
        assert!(text.contains("127.0.0.1:8787") && text.contains("server.listen"), "{text}");
        assert!(!text.contains('\n'));
        assert_eq!(error.exit_status().code(), 69);
    }

    #[test]
    fn a_missing_model_and_a_directory_without_permission_have_their_own_codes() {
        let missing = StartError::Engine { source: EngineError::ModelMissing { path: "model.gguf".into() } };
        assert_eq!(missing.exit_status().code(), 66);
        assert!(missing.to_string().contains("models fetch"));
        let denied =
            StartError::Directory { path: "data".into(), source: io::Error::from(io::ErrorKind::PermissionDenied) };
        assert_eq!(denied.exit_status().code(), 77);
    }
}
