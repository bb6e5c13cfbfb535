//! Everything that can go wrong in the store, in one enum.
//!
//! Responsible for: messages that name what is wrong and what to do, with the cause kept.

use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::trouble::one_line;

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory can't be created or written.
    #[error("the store directory {} can't be written; {}", path.display(), way_to_write(source))]
    Unwritable {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process (or another handle in this one) has the directory open.
    #[error("the store {} is in use by another mainpoint; stop it or name another directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The directory was written by a version with another layout.
    #[error("the store {} has layout version {found}, this mainpoint reads version {expected}; {}. Nothing was changed", path.display(), way_out(found))]
    Version {
        /// The directory.
        path: PathBuf,
        /// Version found; `none` when the table carries no version.
        found: String,
        /// Version this crate writes.
        expected: u32,
    },
    /// A store is there that a migration has left without its last step.
    #[error("the store {} was being migrated, and the last step of that is missing; run `mainpoint migrate`. Nothing was changed", path.display())]
    Migrating {
        /// The directory.
        path: PathBuf,
    },
    /// A store cannot be migrated because nothing can be put beside its directory.
    #[error("the store {} is a file system of its own, so no new store can be made beside it; move what is in it into a directory below and name that one (store.directory). Nothing was changed", path.display())]
    MountPoint {
        /// The directory.
        path: PathBuf,
    },
    /// A file or table was written in a format that is not known here, by a newer version most likely.
    #[error("{} holds {found}, this mainpoint reads {expected}; use the mainpoint that wrote it, or name another directory. Nothing was changed", path.display())]
    Format {
        /// The file or table.
        path: PathBuf,
        /// What it holds, and who wrote it where it says so.
        found: String,
        /// What can be read.
        expected: String,
    },
    /// A file of the store is there and can't be used; whether it is whole can't be said.
    #[error("{} is there and can't be used; correct what the system says of it, restore it from a backup, or move {} away to begin anew. Nothing was changed", path.display(), directory.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The store's directory.
        directory: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A table is there and does not open, though its files are whole as far as can be seen.
    #[error("the table {} can't be opened; correct what is said of it, restore it from a backup, or move {} away to begin anew. Nothing was changed", path.display(), directory.display())]
    TableRefused {
        /// The table.
        path: PathBuf,
        /// The store's directory.
        directory: PathBuf,
        /// What LanceDB said.
        #[source]
        source: Box<lancedb::Error>,
    },
    /// The journal is out of order for the moment; nothing was tried.
    #[error("the store's journal is out of order: {reason}")]
    JournalDown {
        /// What made it so.
        reason: String,
    },
    /// The store's directory is not the one that was opened: a file system was mounted over it, or is no longer mounted.
    #[error("{} is on another file system than when it was opened; mount it again, or restart", path.display())]
    Elsewhere {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds vectors of another width, that is, those of another model.
    #[error("the store {} holds vectors of width {found}, the model gives {expected}", path.display())]
    VectorWidth {
        /// The directory.
        path: PathBuf,
        /// Width found on disk.
        found: usize,
        /// Width asked for.
        expected: usize,
    },
    /// The directory holds vectors of another model.
    #[error("the store {} holds vectors of the model {found}, the one in use is {expected}", path.display())]
    Model {
        /// The directory.
        path: PathBuf,
        /// The model whose vectors it holds.
        found: String,
        /// The model in use.
        expected: String,
    },
    /// A setting is outside its range.
    #[error("store setting {key} is {value}, allowed is {allowed}")]
    InvalidConfig {
        /// Name of the setting.
        key: &'static str,
        /// Its value.
        value: String,
        /// What would be allowed.
        allowed: &'static str,
    },
    /// Text that is no scope.
    #[error("scope {value:?} is not allowed; a scope has 1 to 128 characters of a-z A-Z 0-9 _ - . :")]
    InvalidScope {
        /// The text.
        value: String,
    },
    /// Text that is no id of a turn, a conversation or a prefix.
    #[error("{what} id {value:?} is not allowed; a {what} id has 32 hexadecimal digits")]
    InvalidId {
        /// What it would identify.
        what: &'static str,
        /// The text.
        value: String,
    },
    /// A main point that can't be stored.
    #[error("passage {passage} of turn {turn} can't be stored: {reason}")]
    InvalidPoint {
        /// Its turn.
        turn: String,
        /// Its passage.
        passage: u32,
        /// What is wrong with it.
        reason: String,
    },
    /// A search that can't be run.
    #[error("the search can't be run: {reason}")]
    InvalidQuery {
        /// What is wrong with it.
        reason: String,
    },
    /// The journal failed.
    #[error("the store's journal failed to {action}")]
    Journal {
        /// What was being done.
        action: &'static str,
        /// What redb said.
        #[source]
        source: Box<redb::Error>,
    },
    /// LanceDB failed.
    #[error("the store's tables failed to {action}")]
    Lance {
        /// What was being done.
        action: &'static str,
        /// What LanceDB said.
        #[source]
        source: Box<lancedb::Error>,
    },
    /// A row does not have the form it was written with.
    #[error("the store holds a row that can't be read: {what}")]
    Unreadable {
        /// What was found.
        what: String,
    },
    /// Records can't be put into the form they are written in.
    #[error("records can't be put into rows")]
    Batch {
        /// What Arrow said.
        #[source]
        source: Box<arrow_schema::ArrowError>,
    },
    /// The operating system failed on a file of the store.
    #[error("the store failed to {action} {}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The disk is full, and nothing is left of what was kept free for deletions.
    #[error("the disk of the store {} is full, and there is no room left for a deletion; make some. What had begun is carried out then", path.display())]
    Full {
        /// The store's directory.
        path: PathBuf,
    },
    /// Something of the scope was deleted, and the tables may still hold it.
    #[error(
        "something of this memory was deleted and could not be taken off the disk yet; until that is done nothing is read from it and nothing is added to it. It is tried again by itself"
    )]
    DeletionDue,
    /// A background task of the store ended early.
    #[error("a task of the store was cancelled or panicked")]
    Task(#[source] tokio::task::JoinError),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// A short, stable name for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unwritable { .. } => "store_unwritable",
            Self::InUse { .. } => "store_in_use",
            Self::Version { .. } | Self::Migrating { .. } | Self::MountPoint { .. } => "store_version",
            Self::Format { .. } => "store_format",
            Self::Refused { .. } | Self::TableRefused { .. } => "store_refused",
            Self::JournalDown { .. } => "store_journal_down",
            Self::Elsewhere { .. } => "store_elsewhere",
            Self::VectorWidth { .. } => "store_vector_width",
            Self::Model { .. } => "store_model",
            Self::InvalidConfig { .. } => "store_config",
            Self::InvalidScope { .. } | Self::InvalidId { .. } => "store_identifier",
            Self::InvalidPoint { .. } => "store_point",
            Self::InvalidQuery { .. } => "store_query",
            Self::Journal { .. } => "store_journal",
            Self::Lance { .. } => "store_tables",
            Self::Batch { .. } => "store_batch",
            Self::Unreadable { .. } => "store_unreadable",
            Self::File { .. } => "store_file",
            Self::Full { .. } => "store_full",
            Self::DeletionDue => "store_deletion_due",
            Self::Task(_) => "store_task",
            Self::Closed => "store_closed",
        }
    }

    /// Whether the operating system said that the disk, or what we may have of it, is full: its space, its files, a quota, or how
    /// large a file may become.
    #[must_use]
    pub fn is_of_full_disk(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::File { source, .. } | Self::Refused { source, .. } | Self::Unwritable { source, .. } => {
                is_full(source)
            }
            // Libraries wrap what the system said in many ways, and some of them in words alone.
            Self::Journal { .. } | Self::Lance { .. } => {
                let text = one_line(self);
                [Errno::NOSPC, Errno::DQUOT, Errno::FBIG]
                    .iter()
                    .any(|code| text.contains(&format!("(os error {})", code.raw_os_error())))
            }
            _ => false,
        }
    }

    /// The same error, or [`Self::Full`] where it came of a full disk.
    pub(crate) fn or_full(self, directory: &Path) -> Self {
        if self.is_of_full_disk() { Self::Full { path: directory.to_owned() } } else { self }
    }

    /// For `map_err` on a result of Lance or LanceDB.
    pub(crate) fn lance<E: Into<lancedb::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Lance { action, source: Box::new(source.into()) }
    }

    /// For `map_err` on an operation on a file.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// For `map_err` on putting records into rows.
    pub(crate) fn batch(source: arrow_schema::ArrowError) -> Self {
        Self::Batch { source: Box::new(source) }
    }

    /// A row that does not have the form it was written with.
    pub(crate) fn unreadable(what: impl Into<String>) -> Self {
        Self::Unreadable { what: what.into() }
    }

    /// For `map_err` on any redb result.
    pub(crate) fn journal<E: Into<redb::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Journal { action, source: Box::new(source.into()) }
    }
}

/// Whether an error says that the disk, or what we may have of it, is full.
pub(crate) fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// What can be done about a directory that can't be written.
fn way_to_write(source: &std::io::Error) -> &'static str {
    if is_full(source) {
        "the disk is full, or what may be used of it; make room"
    } else {
        "name another one or correct its permissions"
    }
}

/// What can be done about a store of another layout version.
fn way_out(version: &str) -> &'static str {
    match version {
        OLD_VERSION => "run `mainpoint migrate`, which reads its turns again into a new store",
        _ => "use the mainpoint that wrote it or name another directory",
    }
}

/// The layout version before this one, whose turns can be read again.
pub(crate) const OLD_VERSION: &str = "2";

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_full_disk_is_told_by_whatever_names_it_and_by_nothing_else() {
        let at = Path::new("/data");
        let system = |code: Errno| Error::from_raw_os_error(code.raw_os_error());
        let of_table = |code: Errno| StoreError::lance("delete rows")(lance::Error::from(system(code)));
        let of_journal = |error: Error| StoreError::journal("delete")(redb::Error::Io(error));
        for full in [
            StoreError::file("write to", at)(system(Errno::NOSPC)),
            StoreError::file("write to", at)(ErrorKind::QuotaExceeded.into()),
            of_journal(system(Errno::NOSPC)),
            of_journal(Error::other(system(Errno::DQUOT))),
            of_table(Errno::NOSPC),
            of_table(Errno::DQUOT),
            of_table(Errno::FBIG),
            StoreError::Unwritable { path: at.to_owned(), source: system(Errno::NOSPC) },
            StoreError::file("write to", at)(system(Errno::FBIG)),
            StoreError::Full { path: at.to_owned() },
        ] {
            assert!(full.is_of_full_disk(), "{full:?}");
            assert_eq!(full.or_full(at).label(), "store_full");
        }
        for other in [
            StoreError::file("write to", at)(system(Errno::ROFS)),
            of_journal(system(Errno::IO)),
            of_table(Errno::ROFS),
            StoreError::Unwritable { path: at.to_owned(), source: system(Errno::ACCESS) },
            StoreError::JournalDown { reason: one_line(&system(Errno::NOSPC)) },
            StoreError::Closed,
        ] {
            let label = other.label();
            assert!(!other.is_of_full_disk(), "{other:?}");
            assert_eq!(other.or_full(at).label(), label);
        }
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_said_to_be_full_or_to_want_permissions() {
        let said = |code: Errno| {
            let source = Error::from_raw_os_error(code.raw_os_error());
            StoreError::Unwritable { path: "/data".into(), source }.to_string()
        };
        let (full, denied) = (said(Errno::NOSPC), said(Errno::ACCESS));
        assert!(full.contains("make room") && !full.contains("permissions"), "{full}");
        assert!(denied.contains("permissions") && !denied.contains("room"), "{denied}");
    }
}
