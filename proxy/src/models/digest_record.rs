//! The digest of a model's file, kept beside it, so that a file which has not changed is read in full once.
//!
//! A record is only ever a saving: where it cannot be read or written, the file is read again.

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

/// The digest of a file, and where it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileDigest {
    /// The record, since the file's size and time of change are what they were.
    Recorded(Sha256Digest),
    /// All of the file, which was just read.
    Read(Sha256Digest),
}

/// What becomes of a digest for which the file had to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recording {
    /// It is recorded for the next time.
    Written,
    /// Nothing on disk is changed.
    None,
}

/// The digest of a file: the recorded one if the file's size and time of change are what they were, else read.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn digest_of(path: &Path, recording: Recording) -> io::Result<FileDigest> {
    // Looked at before it is read: a file that changes meanwhile is read again the next time.
    let metadata = fs::metadata(path)?;
    if let Some(digest) = recorded(path, &metadata) {
        return Ok(FileDigest::Recorded(digest));
    }
    let digest = Sha256Digest::of_file(path, |_| ())?;
    if recording == Recording::Written
        && let Err(error) = DigestRecord::new(&metadata, digest).write(path)
    {
        tracing::debug!(model = %path.display(), %error, "the model's digest cannot be kept beside it");
    }
    Ok(FileDigest::Read(digest))
}

impl FileDigest {
    /// The digest, wherever it is from.
    pub(super) fn digest(self) -> Sha256Digest {
        match self {
            Self::Recorded(digest) | Self::Read(digest) => digest,
        }
    }

    /// The digest if the file was read for it.
    pub(super) fn just_read(self) -> Option<Sha256Digest> {
        match self {
            Self::Read(digest) => Some(digest),
            Self::Recorded(_) => None,
        }
    }
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
        let look = || digest_of(&path, Recording::None).unwrap();
        let once = || digest_of(&path, Recording::Written).unwrap();
        let read = look();
        assert!(!path_of(&path).exists(), "a look leaves nothing behind");
        assert_eq!(once(), read);
        assert!(path_of(&path).exists());
        assert_eq!(read.just_read(), Some(read.digest()));

        write("two", 1);
        let recorded = FileDigest::Recorded(read.digest());
        assert_eq!((look(), once()), (recorded, recorded), "neither size nor time says that it is another one");
        assert_eq!(recorded.just_read(), None);
        write("two", 2);
        let other = once();
        assert_ne!(other.digest(), read.digest());
        write("three", 2);
        assert_ne!(once().digest(), other.digest());
        fs::write(path_of(&path), "{").unwrap();
        assert_eq!(look(), FileDigest::Read(Sha256Digest::of_file(&path, |_| ()).unwrap()));
    }
}
