//! Where the models lie. Tests never skip: without the models they fail and say what to do.
//!
//! It must not fetch anything; `make test` does that.

use std::path::PathBuf;

/// Makes a configuration read with the light model: an order of magnitude faster than the default one, for everything that
/// does not depend on how well memories are found.
pub const LIGHT: &str = "[models]\nreader = \"all-minilm-l6-v2\"\n";

/// File of the model that reads by default.
const READER: &str = "embeddinggemma-300m-q8_0.gguf";
/// File of the light model.
const LIGHT_READER: &str = "all-minilm-l6-v2-f32.gguf";
/// File of the model that answers without an upstream.
const CHAT: &str = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf";

/// The directory of installed models: `MAINPOINT_MODELS_DIR`, else the user's cache.
///
/// # Panics
/// When there is neither that variable nor a home directory.
#[must_use]
pub fn directory() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("MAINPOINT_MODELS_DIR")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("mainpoint/models")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/mainpoint/models")))
        .expect("MAINPOINT_MODELS_DIR, XDG_CACHE_HOME or HOME is set")
}

/// The file of the model that reads by default.
///
/// # Panics
/// When it is missing.
#[must_use]
pub fn reader() -> PathBuf {
    installed(READER)
}

/// The file of the light model.
///
/// # Panics
/// When it is missing.
#[must_use]
pub fn light() -> PathBuf {
    installed(LIGHT_READER)
}

/// The file of the model that answers without an upstream.
///
/// # Panics
/// When it is missing.
#[must_use]
pub fn chat() -> PathBuf {
    installed(CHAT)
}

/// Makes sure that all models are there, so that a test fails with the remedy and not with a time-out.
///
/// # Panics
/// When one is missing.
pub fn require() {
    let _ = (reader(), light(), chat());
}

fn installed(file: &str) -> PathBuf {
    let path = directory().join(file);
    assert!(path.is_file(), "the model {} is missing: run `make test`, which fetches it", path.display());
    path
}
