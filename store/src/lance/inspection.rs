//! What is wrong with the files of a LanceDB table, and moving aside what provably is.
//!
//! Responsible for: looking at a table without changing anything, telling damage from what only this version cannot
//! read, and naming the files that a version needs and does not have. Nothing is deleted.
//!
//! The journal is trimmed only after LanceDB's files are on disk, so whatever a torn newest manifest had committed is
//! still in the journal and is written again by the next flush.

use std::error::Error as _;
use std::fs;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use lance::Dataset;
use lance::dataset::builder::DatasetBuilder;
use lance::index::DatasetIndexExt;
use lance::table::format::{DeletionFile, Fragment};
use lancedb::Session;

use super::manifest::{self, Manifest};
use super::schema;
use crate::directory::Directory;
use crate::error::StoreError;
use crate::trouble::one_line;

/// What a look at a table's directory says.
#[derive(Debug)]
pub(crate) struct Inspection {
    /// Manifests that provably are not what was written, newest first.
    torn: Vec<(u64, PathBuf)>,
    /// The newest version that can be opened.
    newest: Option<Dataset>,
    /// Whether there is anything at all.
    exists: bool,
}

/// Files that a version of a table needs and that are gone, cut short or longer than they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Fragments of which a file of rows, or of deleted rows, is not what it was.
    pub(crate) fragments: Vec<u64>,
    /// Rows of those fragments.
    pub(crate) rows: u64,
    /// Names of indices of which a file is not what it was.
    pub(crate) indices: Vec<String>,
}

/// Looks at a table without changing anything.
///
/// # Errors
/// [`StoreError::Format`] for one that was written by a newer version, [`StoreError::Refused`] and
/// [`StoreError::TableRefused`] for one that cannot be used for a reason that says nothing of its files.
pub(crate) async fn inspect(
    directory: &Directory,
    name: &str,
    session: &Arc<Session>,
) -> Result<Inspection, StoreError> {
    let path = directory.table(name);
    let refused = |path: &Path| {
        let (path, directory) = (path.to_owned(), directory.path().to_owned());
        move |source| StoreError::Refused { path, directory, source }
    };
    let exists = match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        found => found.map(|_| true).map_err(refused(&path))?,
    };
    let manifests = manifest::list(&path).map_err(refused(&path.join("_versions")))?;
    // A table whose creation failed, such as on a full disk, has neither versions nor rows.
    let exists = exists && (!manifests.is_empty() || holds_rows(&path) || !path.is_dir());
    let mut found = Inspection { torn: Vec::new(), newest: None, exists };
    for (version, manifest) in manifests {
        let written_by = match manifest::read(&manifest).map_err(refused(&manifest))? {
            Manifest::Torn => {
                found.torn.push((version, manifest));
                continue;
            }
            Manifest::Whole { written_by } => written_by,
        };
        if found.newest.is_some() {
            continue;
        }
        let format = |reason: String| StoreError::Format {
            path: path.clone(),
            found: format!("a table that {written_by} wrote ({reason})"),
            expected: "what lance 14 writes".to_owned(),
        };
        let is_known = is_known(&written_by);
        match load(&path, version, Some(session)).await {
            Ok(dataset) if is_known && is_nonsense(&dataset) => {
                tracing::error!(table = name, version, "a manifest is whole in its frame, and says what nobody writes");
                found.torn.push((version, manifest));
            }
            Ok(dataset) if dataset.manifest().writer_feature_flags & !KNOWN_TO_WRITERS != 0 => {
                let flags = dataset.manifest().writer_feature_flags;
                return Err(format(format!("writers need to know the features {flags:#x}")));
            }
            Ok(dataset) => found.newest = Some(dataset),
            Err(lance::Error::NotSupported { source, .. }) if !is_known => {
                return Err(format(source.to_string()));
            }
            // What one of the versions that are known here wrote is understood here, unless it is damaged.
            Err(error) if is_damage(&error) || (is_known && !is_of_system(&error)) => {
                tracing::error!(table = name, version, %error, "a manifest is whole in its frame, and its content is not");
                found.torn.push((version, manifest));
            }
            Err(error) => {
                return Err(StoreError::TableRefused {
                    path: path.clone(),
                    directory: directory.path().to_owned(),
                    source: Box::new(error.into()),
                });
            }
        }
    }
    Ok(found)
}

/// Whether there are files of rows.
fn holds_rows(table: &Path) -> bool {
    fs::read_dir(table.join("data")).is_ok_and(|mut files| files.next().is_some())
}

impl Inspection {
    /// The newest version that can be opened.
    pub(crate) fn newest(&self) -> Option<&Dataset> {
        self.newest.as_ref()
    }

    /// Whether there is anything that opening moves aside.
    pub(crate) fn is_damaged(&self) -> bool {
        !self.torn.is_empty() || (self.exists && self.newest.is_none())
    }

    /// Moves what is damaged aside: torn manifests, or the whole table where no version of it is left. True if rows may
    /// have been lost.
    ///
    /// # Errors
    /// [`StoreError::File`] when something can't be moved.
    pub(crate) fn set_aside(&self, directory: &Directory, name: &str) -> Result<bool, StoreError> {
        let Some(newest) = &self.newest else {
            if self.exists {
                let moved_to = directory.set_aside(&directory.table(name))?;
                tracing::error!(
                    table = name, moved_to = %moved_to.display(),
                    "a table has no readable version left; moved aside and begun anew. The journal writes again what it has"
                );
            }
            return Ok(self.exists);
        };
        let kept = newest.version_id();
        for (version, manifest) in &self.torn {
            let moved_to = directory.set_aside(manifest)?;
            // Lance's note of the newest version only saves it a listing.
            let _ = fs::remove_file(manifest.with_file_name("latest_version_hint.json"));
            tracing::error!(
                table = name, version, kept, moved_to = %moved_to.display(),
                "a table's manifest is damaged; moved aside. The journal writes again what it has of it"
            );
        }
        Ok(self.torn.iter().any(|(version, _)| *version > kept))
    }
}

/// Names what a version of a table needs and does not have.
///
/// # Errors
/// When Lance can't list the indices, and when the system can't say whether a file is there.
pub(crate) async fn missing(table: &Path, dataset: &Dataset) -> Result<Missing, StoreError> {
    let indices = dataset.load_indices().await.map_err(StoreError::lance("list indices"))?;
    let mut missing = Missing::default();
    for fragment in dataset.fragments().iter() {
        if !is_there(table, fragment)? {
            missing.fragments.push(fragment.id);
            missing.rows += fragment.physical_rows.unwrap_or_default() as u64;
        }
    }
    for index in indices.iter() {
        let folder = table.join("_indices").join(index.uuid.to_string());
        for file in index.files.iter().flatten() {
            if !is_as_long(&folder.join(&file.path), Some(file.size_bytes))? && !missing.indices.contains(&index.name) {
                missing.indices.push(index.name.clone());
            }
        }
    }
    Ok(missing)
}

impl Missing {
    /// Whether nothing is missing.
    pub(crate) fn is_empty(&self) -> bool {
        self.fragments.is_empty() && self.indices.is_empty()
    }
}

fn is_there(table: &Path, fragment: &Fragment) -> Result<bool, StoreError> {
    for file in &fragment.files {
        let length = file.file_size_bytes.get().map(u64::from);
        if !is_as_long(&table.join("data").join(&file.path), length)? {
            return Ok(false);
        }
    }
    match &fragment.deletion_file {
        Some(deletions) => is_as_long(&deletion_path(table, fragment.id, deletions), None),
        None => Ok(true),
    }
}

fn deletion_path(table: &Path, fragment: u64, deletions: &DeletionFile) -> PathBuf {
    let DeletionFile { read_version, id, file_type, .. } = deletions;
    let name = format!("{fragment}-{read_version}-{id}.{}", file_type.suffix());
    table.join("_deletions").join(name)
}

/// Whether a file is there, as long as it was written, and not empty.
fn is_as_long(path: &Path, length: Option<u64>) -> Result<bool, StoreError> {
    match fs::metadata(path) {
        Ok(file) => Ok(length.map_or(file.len() > 0, |length| file.len() == length)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::file("look at", path)(error)),
    }
}

/// Opens a version of a table, without what a session has in memory where none is given.
///
/// # Errors
/// What Lance says of it.
pub(super) async fn load(table: &Path, version: u64, session: Option<&Arc<Session>>) -> lance::Result<Dataset> {
    let mut builder = DatasetBuilder::from_uri(table.to_string_lossy()).with_version(version);
    if let Some(session) = session {
        builder = builder.with_session(Arc::clone(session));
    }
    let loading = async {
        let dataset = builder.load().await?;
        // What the columns are is only found out when somebody asks.
        let _ = arrow_schema::Schema::from(dataset.schema());
        Ok(dataset)
    };
    // What a manifest says may make Lance panic; that tells no other tale than an error would.
    let loaded = AssertUnwindSafe(loading.boxed()).catch_unwind().await;
    loaded.unwrap_or_else(|_| Err(lance::Error::internal("Lance panicked at a manifest")))
}

/// Whether a version of Lance that is known here wrote something.
fn is_known(written_by: &str) -> bool {
    let version = written_by.strip_prefix("lance ").and_then(|version| version.split('.').next());
    version.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major <= KNOWN_LANCE)
}

/// Whether a manifest of a known version says something that none of them writes.
fn is_nonsense(dataset: &Dataset) -> bool {
    let has_unknown_flags = dataset.manifest().writer_feature_flags & !KNOWN_TO_WRITERS != 0;
    has_unknown_flags || schema::has_nonsense_version(&arrow_schema::Schema::from(dataset.schema()))
}

/// Whether an error is one of the operating system, which says nothing of what a file holds.
pub(super) fn is_of_system(error: &lance::Error) -> bool {
    one_line(error).contains("(os error ")
}

/// Whether a manifest that is whole in its frame holds no message. What the system says of a file is no damage, nor is what
/// Lance does not understand of a message that it could decode.
fn is_damage(error: &lance::Error) -> bool {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    matches!(error, lance::Error::IO { .. }) && causes.map(ToString::to_string).any(|cause| cause.contains(UNDECODABLE))
}

/// How the protobuf library begins to say that bytes are no message.
const UNDECODABLE: &str = "failed to decode Protobuf message";
/// The newest version of Lance whose tables are known here.
const KNOWN_LANCE: u32 = 14;
/// What a writer has to know to write to a table, of what Lance 14 knows.
pub(super) const KNOWN_TO_WRITERS: u64 = 0b1100_1101_1011_1111;
