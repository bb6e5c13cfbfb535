//! Where the two default models lie. Tests never skip: without the models they fail and say what to do.
//!
//! It must not fetch anything; `make test` does that.

use std::path::PathBuf;

/// File of the model that reads attention.
const READER: &str = "gemma-3-270m-q4_k_m.gguf";
/// File of the model that embeds main points.
const EMBEDDER: &str = "all-minilm-l6-v2-f32.gguf";

/// The directory of installed models: `MAINPOINT_MODELS_DIR`, else the user's cache.
///
/// # Panics
/// When there is neither that variable nor a home directory.
#[must_use]
pub fn directory() -> PathBuf {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("MAINPOINT_MODELS_DIR")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("mainpoint/models")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/mainpoint/models")))
        .expect("MAINPOINT_MODELS_DIR, XDG_CACHE_HOME or HOME is set")
}

/// The reader's file.
///
/// # Panics
/// When it is missing.
#[must_use]
pub fn reader() -> PathBuf {
    installed(READER)
}

/// The embedder's file.
///
/// # Panics
/// When it is missing.
#[must_use]
pub fn embedder() -> PathBuf {
    installed(EMBEDDER)
}

/// Makes sure that both models are there, so that a test fails with the remedy and not with a time-out.
///
/// # Panics
/// When one is missing.
pub fn require() {
    let _ = (reader(), embedder());
}

fn installed(file: &str) -> PathBuf {
    let path = directory().join(file);
    assert!(
        path.is_file(),
        "the model {} is missing: run `make test`, which fetches it",
        path.display()
    );
    path
}
