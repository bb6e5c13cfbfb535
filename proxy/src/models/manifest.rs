//! The record beside an installed model: what it is, where it came from and the digest it had when it was installed.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The model's name.
    pub name: String,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, 64 hexadecimal digits.
    pub sha256: String,
    /// The source that the pieces came from.
    pub source: String,
    /// How the file was made from its pieces.
    pub recipe: String,
}

impl Manifest {
    /// Where the record of the model at `model` lies.
    #[must_use]
    pub fn path_of(model: &Path) -> PathBuf {
        let mut name = model.file_name().unwrap_or_default().to_owned();
        name.push(".manifest.json");
        model.with_file_name(name)
    }

    /// The record of the model at `model`, if there is a readable one.
    #[must_use]
    pub fn read(model: &Path) -> Option<Self> {
        let text = fs::read(Self::path_of(model)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes the record, at once or not at all.
    pub(super) fn write(&self, model: &Path) -> std::io::Result<()> {
        let path = Self::path_of(model);
        // Readable by whoever may read the model; temporary files are private otherwise.
        let mut builder = tempfile::Builder::new();
        builder.permissions(fs::Permissions::from_mode(0o644));
        let mut file = builder.tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}
