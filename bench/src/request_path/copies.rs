//! Working copies of a store's directory, so that the filled store stays as it is.
//!
//! It must not know what is stored. LanceDB never changes a file once it is written, so its files are linked; others are
//! copied.

use std::path::Path;

use tempfile::TempDir;

use crate::BenchError;

/// Where LanceDB's files lie in a store's directory.
const IMMUTABLE: &str = "lance";

/// A copy beside the store, which is gone when it is dropped.
pub(super) fn working_copy(store: &Path) -> Result<TempDir, BenchError> {
    let beside = store.parent().unwrap_or(Path::new("."));
    let copy = TempDir::with_prefix_in("working-", beside).map_err(BenchError::writing(beside))?;
    for entry in std::fs::read_dir(store).map_err(BenchError::reading(store))? {
        let entry = entry.map_err(BenchError::reading(store))?;
        let target = copy.path().join(entry.file_name());
        let put: Put = if entry.file_name() == IMMUTABLE { link } else { duplicate };
        every_file(&entry.path(), &target, put)?;
    }
    Ok(copy)
}

type Put = fn(&Path, &Path) -> std::io::Result<()>;

/// A link where the file system has them.
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::hard_link(from, to).or_else(|_| duplicate(from, to))
}

fn duplicate(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::copy(from, to).map(|_| ())
}

fn every_file(from: &Path, to: &Path, put: Put) -> Result<(), BenchError> {
    if !from.is_dir() {
        return put(from, to).map_err(BenchError::writing(to));
    }
    std::fs::create_dir_all(to).map_err(BenchError::writing(to))?;
    for entry in std::fs::read_dir(from).map_err(BenchError::reading(from))? {
        let entry = entry.map_err(BenchError::reading(from))?;
        every_file(&entry.path(), &to.join(entry.file_name()), put)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;
    use crate::cache::bytes_below;

    #[test]
    fn what_is_written_to_a_copy_is_not_in_the_store() {
        let home = tempfile::tempdir().unwrap();
        let store = home.path().join("data");
        std::fs::create_dir_all(store.join("lance/turns.lance")).unwrap();
        std::fs::write(store.join("lance/turns.lance/rows"), "rows").unwrap();
        std::fs::write(store.join("journal.redb"), "journal").unwrap();
        let copy = working_copy(&store).unwrap();
        assert_eq!(bytes_below(copy.path()).unwrap(), bytes_below(&store).unwrap());
        std::fs::write(copy.path().join("journal.redb"), "another").unwrap();
        std::fs::remove_file(copy.path().join("lance/turns.lance/rows")).unwrap();
        assert_eq!(std::fs::read(store.join("journal.redb")).unwrap(), b"journal");
        assert_eq!(std::fs::read(store.join("lance/turns.lance/rows")).unwrap(), b"rows");
    }
}
