//! Small files beside the store's that never change, and without which it can't be used again.
//!
//! Responsible for: putting them back where they are removed or changed while the store is open.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::directory::Directory;
use crate::error::StoreError;

/// What such files hold.
#[derive(Debug, Default)]
pub(crate) struct KeptFiles(Mutex<Vec<KeptFile>>);

#[derive(Clone)]
struct KeptFile {
    name: String,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for KeptFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It may be a secret.
        formatter.debug_struct("KeptFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl KeptFiles {
    /// Keeps a file as it is now.
    pub(crate) fn keep(&self, name: &str, bytes: &[u8]) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|file| file.name != name);
        files.push(KeptFile { name: name.to_owned(), bytes: bytes.to_owned() });
    }

    /// Puts back what is gone or was changed, and returns how many files that were. Blocking.
    ///
    /// # Errors
    /// What the system says; try again later.
    pub(crate) fn restore(&self, directory: &Directory) -> Result<usize, StoreError> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut restored = 0;
        for KeptFile { name, bytes } in files {
            let path = directory.path().join(&name);
            if !is_missing(&path, &bytes)? || !directory.path().is_dir() {
                continue;
            }
            directory.ensure_same()?;
            if path.exists() {
                directory.set_aside(&path)?;
            }
            write(&path, &bytes).map_err(StoreError::file("put back", &path))?;
            tracing::error!(
                file = %path.display(),
                "a file without which no later start could use the store was removed or changed; put back as it was"
            );
            restored += 1;
        }
        Ok(restored)
    }
}

fn is_missing(path: &Path, bytes: &[u8]) -> Result<bool, StoreError> {
    match fs::read(path) {
        Ok(found) => Ok(found != bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(StoreError::file("read", path)(error)),
    }
}

/// Writes it beside its place first, so that it is there as a whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    crate::directory::remove(&beside)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_kept_file_is_put_back_when_it_is_removed_and_when_it_is_changed_and_left_alone_else() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::prepare(root.path()).unwrap();
        let (files, path) = (KeptFiles::default(), root.path().join("scope.key"));
        fs::write(&path, "secret").unwrap();
        files.keep("scope.key", b"secret");
        assert_eq!(files.restore(&directory).unwrap(), 0);
        fs::remove_file(&path).unwrap();
        assert_eq!(files.restore(&directory).unwrap(), 1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "sec").unwrap();
        assert_eq!(files.restore(&directory).unwrap(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret");
        assert!(directory.has_set_aside(), "what was in its place is kept");
        assert_eq!(files.restore(&directory).unwrap(), 0);
        assert!(!format!("{files:?}").contains("115"), "its bytes are not told");
    }
}
