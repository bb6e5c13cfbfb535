//! Turning published models (safetensors and their vocabularies) into GGUF files.

mod e5;
pub(crate) mod fuzzing;
mod gemma;
mod minilm;
mod output;
mod sentence_piece;
#[cfg(test)]
mod tests;
mod weights;

use std::path::{Path, PathBuf};

pub use e5::e5_to_gguf;
pub use gemma::embeddinggemma_to_gguf;
pub use minilm::minilm_to_gguf;

use crate::EngineError;

/// Reads a file as JSON.
fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, EngineError> {
    serde_json::from_slice(&read(path)?).map_err(|error| fail(path, &error))
}

fn read(path: &Path) -> Result<Vec<u8>, EngineError> {
    std::fs::read(path).map_err(|error| fail(path, &error))
}

fn fail(path: &Path, reason: &dyn std::fmt::Display) -> EngineError {
    EngineError::Convert { path: PathBuf::from(path), reason: reason.to_string() }
}
