//! Copies of the newest manifests, in case their files go.
//!
//! Responsible for: comparing a manifest with its copy, writing it again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::manifest::{self, Manifest};
use crate::directory::Directory;
use crate::error::StoreError;

/// The newest manifests of both tables.
#[derive(Debug, Default)]
pub(crate) struct ManifestCopies(Mutex<[Option<ManifestCopy>; 2]>);

/// A manifest as it was written.
#[derive(Debug, Clone)]
struct ManifestCopy {
    path: PathBuf,
    bytes: Arc<[u8]>,
    modified: SystemTime,
}

impl ManifestCopies {
    /// Whether a manifest is there as it was written; remembers it if it is a new one.
    pub(crate) fn is_unchanged(&self, place: usize, path: &Path) -> Result<bool, StoreError> {
        let file = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            found => found.map_err(StoreError::file("look at", path))?,
        };
        let modified = file.modified().map_err(StoreError::file("look at", path))?;
        let known = self.known(place, path);
        if known.as_ref().is_some_and(|known| known.modified == modified && known.bytes.len() as u64 == file.len()) {
            return Ok(true);
        }
        let bytes = fs::read(path).map_err(StoreError::file("read", path))?;
        let is_whole = match &known {
            Some(known) => *known.bytes == *bytes,
            None => manifest::parse(&bytes) != Manifest::Torn,
        };
        if is_whole {
            self.keep(place, ManifestCopy { path: path.to_owned(), bytes: bytes.into(), modified });
        }
        Ok(is_whole)
    }

    /// Writes a manifest again as it was, and moves aside what is in its place. False if it is not known.
    pub(crate) fn restore(&self, place: usize, path: &Path, directory: &Directory) -> Result<bool, StoreError> {
        let Some(known) = self.known(place, path) else {
            return Ok(false);
        };
        if path.exists() {
            directory.set_aside(path)?;
        }
        let write = || -> io::Result<SystemTime> {
            let folder = path.parent().unwrap_or(path);
            fs::create_dir_all(folder)?;
            let beside = path.with_extension("manifest.new");
            let mut file = File::create(&beside)?;
            file.write_all(&known.bytes)?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            File::open(folder)?.sync_all()?;
            fs::metadata(path)?.modified()
        };
        let modified = write().map_err(StoreError::file("write", path))?;
        self.keep(place, ManifestCopy { modified, ..known });
        tracing::warn!(manifest = %path.display(), "a table's newest manifest was removed or changed; put back as it was written");
        Ok(true)
    }

    fn known(&self, place: usize, path: &Path) -> Option<ManifestCopy> {
        let copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        copies.get(place)?.clone().filter(|written| written.path == path)
    }

    fn keep(&self, place: usize, written: ManifestCopy) {
        let mut copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = copies.get_mut(place) {
            *slot = Some(written);
        }
    }
}
