//! The digest of a model's file, kept beside it, so that a file which has not changed is read in full once.
//!
//! It must not know what digest a file should have. A record is only ever a saving: where it cannot be read or written, the file
//! is read again.

use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::digest::Sha256Digest;

/// A digest, and what the file looked like when it was read.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct DigestRecord {
    /// Size of the file in bytes.
    bytes: u64,
    /// When the file was changed last, in nanoseconds since 1970.
    modified: i64,
    /// 64 hexadecimal digits.
    sha256: String,
}

/// The digest of a file: the recorded one if the file's size and time of change are what they were, else read. Writes nothing.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn digest_of(path: &Path) -> io::Result<Sha256Digest> {
    let metadata = fs::metadata(path)?;
    match recorded(path, &metadata) {
        Some(digest) => Ok(digest),
        None => Sha256Digest::of_file(path, |_| ()),
    }
}

/// The same, and what had to be read is recorded for the next time.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn digest_once(path: &Path) -> io::Result<Sha256Digest> {
    // Looked at before it is read: a file that changes meanwhile is read again the next time.
    let metadata = fs::metadata(path)?;
    if let Some(digest) = recorded(path, &metadata) {
        return Ok(digest);
    }
    let digest = Sha256Digest::of_file(path, |_| ())?;
    let record = DigestRecord::new(&metadata, digest);
    if let Err(error) = record.write(path) {
        tracing::debug!(model = %path.display(), %error, "the model's digest cannot be kept beside it");
    }
    Ok(digest)
}

fn recorded(path: &Path, metadata: &Metadata) -> Option<Sha256Digest> {
    let text = fs::read(path_of(path)).ok()?;
    let record: DigestRecord = serde_json::from_slice(&text).ok()?;
    let digest = record.sha256.parse().ok()?;
    (record == DigestRecord::new(metadata, digest)).then_some(digest)
}

/// Where the record of the file at `model` lies.
fn path_of(model: &Path) -> PathBuf {
    let mut name = model.file_name().unwrap_or_default().to_owned();
    name.push(".sha256.json");
    model.with_file_name(name)
}

impl DigestRecord {
    fn new(metadata: &Metadata, digest: Sha256Digest) -> Self {
        const NANOSECONDS: i64 = 1_000_000_000;
        let modified = metadata.mtime().saturating_mul(NANOSECONDS).saturating_add(metadata.mtime_nsec());
        Self { bytes: metadata.len(), modified, sha256: digest.to_string() }
    }

    /// Writes the record, at once or not at all; whoever may read the model may read it.
    fn write(&self, model: &Path) -> io::Result<()> {
        let path = path_of(model);
        let mut builder = tempfile::Builder::new();
        builder.permissions(fs::Permissions::from_mode(0o644));
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut file = builder.tempfile_in(parent.unwrap_or(Path::new(".")))?;
        serde_json::to_writer(&mut file, self)?;
        file.write_all(b"\n")?;
        file.persist(path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_file_is_read_once_until_its_size_or_its_time_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.gguf");
        let write = |text: &str, second: u64| {
            fs::write(&path, text).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        };
        write("one", 1);
        let read = digest_of(&path).unwrap();
        assert!(!path_of(&path).exists(), "a look leaves nothing behind");
        assert_eq!(digest_once(&path).unwrap(), read);
        assert!(path_of(&path).exists());

        write("two", 1);
        assert_eq!(digest_of(&path).unwrap(), read, "neither size nor time says that it is another one");
        write("two", 2);
        let other = digest_once(&path).unwrap();
        assert_ne!(other, read);
        write("three", 2);
        assert_ne!(digest_once(&path).unwrap(), other);
        fs::write(path_of(&path), "{").unwrap();
        assert_eq!(digest_of(&path).unwrap(), Sha256Digest::of_file(&path, |_| ()).unwrap());
    }
}
