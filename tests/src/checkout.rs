//! Where the checkout is whose tests run, and the data that lie beside it.
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
/// `../shared/data` beside the checkout.
///
/// # Panics
/// When it is not there: a test without its data has shown nothing.
#[must_use]
pub fn data(name: &str) -> PathBuf {
    let set = std::env::var_os(DATA).map(PathBuf::from).filter(|path| path.is_dir());
    let directory = set.unwrap_or_else(|| root().join("../shared/data")).join(name);
    assert!(
        directory.is_dir(),
        "this test needs data that the repository does not hold, and {} is no directory: set {DATA} to the directory that has \
         {name}, or leave out the tests that need such data, with the nextest profile `without-data`",
        directory.display()
    );
    directory
}
