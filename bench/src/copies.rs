//! Working copies of a store's directory, so that the filled store stays as it is.
//!
//! It must not know what is stored. LanceDB never changes a file once it is written, so its files are linked; others are
//! copied.

use std::path::Path;

use tempfile::TempDir;

use crate::cache::files_below;
use crate::{BenchError, Failing};

/// Where LanceDB's files lie in a store's directory.
const IMMUTABLE: &str = "lance";

/// A copy beside the store, which is gone when it is dropped.
pub(crate) fn working_copy(store: &Path) -> Result<TempDir, BenchError> {
    let beside = store.parent().unwrap_or(Path::new("."));
    let copy = TempDir::with_prefix_in("working-", beside).when_writing(beside)?;
    for from in files_below(store)? {
        let below = from.strip_prefix(store).unwrap_or(&from);
        let to = copy.path().join(below);
        let folder = to.parent().unwrap_or(copy.path());
        std::fs::create_dir_all(folder).when_writing(folder)?;
        let is_linked = below.starts_with(IMMUTABLE) && std::fs::hard_link(&from, &to).is_ok();
        if !is_linked {
            std::fs::copy(&from, &to).when_writing(&to)?;
        }
    }
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::bytes_of;

    #[test]
    fn what_is_written_to_a_copy_is_not_in_the_store() {
        let home = tempfile::tempdir().unwrap();
        let store = home.path().join("data");
        std::fs::create_dir_all(store.join("lance/turns.lance")).unwrap();
        std::fs::write(store.join("lance/turns.lance/rows"), "rows").unwrap();
        std::fs::write(store.join("journal.redb"), "journal").unwrap();
        let copy = working_copy(&store).unwrap();
        let bytes = |directory: &Path| bytes_of(&files_below(directory).unwrap()).unwrap();
        assert_eq!(bytes(copy.path()), bytes(&store));
        std::fs::write(copy.path().join("journal.redb"), "another").unwrap();
        std::fs::remove_file(copy.path().join("lance/turns.lance/rows")).unwrap();
        assert_eq!(std::fs::read(store.join("journal.redb")).unwrap(), b"journal");
        assert_eq!(std::fs::read(store.join("lance/turns.lance/rows")).unwrap(), b"rows");
    }
}
