//! A folder for the configuration and the data of a proxy.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

/// A folder for the configuration and the data of one proxy or of several that run one after the other.
#[derive(Debug)]
pub struct Home(TempDir);

impl Home {
    /// A fresh folder.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self(TempDir::with_prefix("mainpoint-test-").expect("a temporary folder")))
    }

    /// The configuration file.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.0.path().join("config.toml")
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The files below the data directory that hold these bytes.
    #[must_use]
    pub fn data_files_with(&self, text: &str) -> Vec<PathBuf> {
        let holds = |file: &PathBuf| {
            let bytes = std::fs::read(file).unwrap_or_default();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        };
        files_below(&self.data()).into_iter().filter(holds).collect()
    }

    /// Writes the configuration file.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.configuration(), text).expect("the configuration is written");
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
