//! Where the checkout is whose tests run.
//!
//! Read when the test runs, not when it is built: one target directory may serve several checkouts.

use std::path::PathBuf;

/// The root of the repository.
///
/// # Panics
/// When the test was started by something other than cargo or nextest.
#[must_use]
pub fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("CARGO_MANIFEST_DIR, which cargo and nextest set");
    PathBuf::from(package).join("..")
}
