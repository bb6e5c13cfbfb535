//! Where the checkout is whose tests run.
//!
//! Read when the test runs, not when it is built: one target directory may serve several checkouts.

use std::path::PathBuf;

/// Names the directory of all data.
const DATA: &str = "MAINPOINT_DATA";

/// The root of the repository.
///
/// # Panics
/// When the test was started by something other than cargo or nextest.
#[must_use]
pub fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("CARGO_MANIFEST_DIR, which cargo and nextest set");
    PathBuf::from(package).join("..")
}

/// A directory of data that the repository does not hold: below `MAINPOINT_DATA` if that is a directory, else below
/// `../shared/data` beside the checkout. `None` when it is not there.
#[must_use]
pub fn data(name: &str) -> Option<PathBuf> {
    let set = std::env::var_os(DATA).map(PathBuf::from).filter(|path| path.is_dir());
    let data = set.unwrap_or_else(|| root().join("../shared/data"));
    Some(data.join(name)).filter(|path| path.is_dir())
}
