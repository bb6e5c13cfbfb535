//! Writing the head file, at once or not at all.
//!
//! It must not know what is in it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mainpoint_engine::Calibration;

use crate::cli::CliError;

/// Checks that the file could be written, so that hours of work do not end in an error. Creates nothing.
pub(super) fn check(path: &Path) -> Result<(), CliError> {
    let unwritable = |source| failed(path, source);
    if path.is_dir() {
        return Err(unwritable(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    // A nameless file says for certain whether this process may write there; it is gone at once.
    tempfile::tempfile_in(folder(path)).map(drop).map_err(unwritable)
}

/// Writes the file; an older one is there until the new one is complete.
pub(super) fn write(path: &Path, calibration: &Calibration) -> Result<(), CliError> {
    let install = || -> io::Result<()> {
        // Readable by whoever may read the folder; temporary files are private otherwise.
        let mut builder = tempfile::Builder::new();
        builder.permissions(fs::Permissions::from_mode(0o644));
        let mut file = builder.tempfile_in(folder(path))?;
        file.write_all(calibration.to_json().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    install().map_err(|source| failed(path, source))
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn failed(path: &Path, source: io::Error) -> CliError {
    CliError::Write {
        name: format!("--out {}", path.display()),
        source,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use mainpoint_engine::Head;

    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_found_out_before_the_work() {
        let directory = tempfile::tempdir().unwrap();
        check(&directory.path().join("heads.json")).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        for path in [directory.path().to_owned(), directory.path().join("none/heads.json")] {
            let error = check(&path).unwrap_err();
            assert_eq!(error.exit_code(), 73, "{error}");
            assert!(error.to_string().contains("--out"));
        }
    }

    #[test]
    fn a_written_file_replaces_the_one_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("heads.json");
        fs::write(&path, "older").unwrap();
        let calibration = Calibration {
            version: 1,
            model_sha256: "0".repeat(64),
            main_point_heads: vec![Head(3, 3)],
            search_heads: vec![Head(5, 1)],
            rerank_heads: Vec::new(),
            key_codebook: None,
        };
        write(&path, &calibration).unwrap();
        let read: Calibration = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(read, calibration);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
