//! Where one model is put together: what was downloaded so far, kept between attempts, and locked while somebody works on it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::blueprint::{Blueprint, Piece};
use super::digest::Sha256Digest;
use super::directory::ModelsDirectory;
use super::error::{ModelError, SourceError, at};
use crate::terminal::Progress;

/// The directory in which one model is put together. Only one process works in it at a time.
#[derive(Debug)]
pub(super) struct Workspace {
    root: PathBuf,
    /// Held open for its lock, which ends with the process at the latest.
    _lock: File,
}

impl Workspace {
    /// Creates the directory and waits until nobody else works in it.
    pub(super) async fn open(
        directory: &ModelsDirectory,
        blueprint: &Blueprint,
        progress: Progress,
    ) -> Result<Self, ModelError> {
        let root = directory.partial().join(&blueprint.file);
        for part in ["pieces", "downloads"] {
            let path = root.join(part);
            fs::create_dir_all(&path).map_err(|source| ModelError::Write { path, source })?;
        }
        let path = directory.partial().join(format!("{}.lock", blueprint.file));
        let lock = lock(path.clone(), &blueprint.name, progress).await?;
        let lock = lock.map_err(|source| ModelError::Write { path, source })?;
        // Another process may have removed the directories between their creation and the lock.
        for part in ["pieces", "downloads"] {
            let path = root.join(part);
            fs::create_dir_all(&path).map_err(|source| ModelError::Write { path, source })?;
        }
        Ok(Self { root, _lock: lock })
    }

    /// Directory of the accepted pieces, under their own names.
    pub(super) fn pieces(&self) -> PathBuf {
        self.root.join("pieces")
    }

    /// Directory of unfinished downloads, kept between attempts.
    pub(super) fn downloads(&self) -> PathBuf {
        self.root.join("downloads")
    }

    /// Directory of files that nobody needs after a failure; empty at first.
    pub(super) fn scratch(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix("scratch-").tempdir_in(&self.root)
    }

    /// File that the pieces are put together in.
    pub(super) fn assembled(&self) -> PathBuf {
        self.root.join("assembled.gguf")
    }

    /// Whether a piece is there already, complete and unharmed.
    pub(super) fn holds(&self, piece: &Piece) -> bool {
        let path = self.pieces().join(&piece.file);
        let Ok(metadata) = fs::metadata(&path) else {
            return false;
        };
        if piece.bytes.is_some_and(|bytes| bytes != metadata.len()) {
            return false;
        }
        piece.digest.is_none_or(|digest| Sha256Digest::of_file(&path, |_| ()).is_ok_and(|found| found == digest))
    }

    /// Takes a complete download as a piece when it is what it should be, and deletes it when it is not.
    pub(super) fn accept(&self, piece: &Piece, download: &Path) -> Result<(), SourceError> {
        let found = fs::metadata(download).map_err(at(download))?.len();
        if let Some(expected) = piece.bytes.filter(|expected| *expected != found) {
            fs::remove_file(download).map_err(at(download))?;
            return Err(SourceError::Size { file: piece.file.clone(), found, expected });
        }
        if let Some(expected) = piece.digest {
            let found = Sha256Digest::of_file(download, |_| ()).map_err(at(download))?;
            if found != expected {
                fs::remove_file(download).map_err(at(download))?;
                return Err(SourceError::Digest { file: piece.file.clone(), found, expected });
            }
        }
        fs::rename(download, self.pieces().join(&piece.file)).map_err(at(download))
    }

    /// Forgets every piece, because together they are not the model.
    pub(super) fn forget_pieces(&self) -> Result<(), SourceError> {
        let pieces = self.pieces();
        fs::remove_dir_all(&pieces).map_err(at(&pieces))?;
        fs::create_dir_all(&pieces).map_err(at(&pieces))
    }

    /// Removes everything; the model is installed.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(&self.root)
    }
}

async fn lock(path: PathBuf, name: &str, progress: Progress) -> Result<io::Result<File>, ModelError> {
    let file = match File::options().create(true).truncate(false).write(true).open(&path) {
        Ok(file) => file,
        Err(error) => return Ok(Err(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Ok(file)),
        Err(TryLockError::Error(error)) => Ok(Err(error)),
        Err(TryLockError::WouldBlock) => {
            progress.line(&format!("{name}: another process is fetching it; waiting"));
            let waited = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
            waited.map_err(|source| ModelError::Interrupted { name: name.to_owned(), source })
        }
    }
}
