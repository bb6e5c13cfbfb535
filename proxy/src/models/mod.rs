//! The models on disk: how they are named, where they lie, how they are fetched and verified.
//!
//! It must not know what the models are used for. Code that was fetched is never run.

mod assemble;
mod blueprint;
mod catalogue;
mod digest;
mod directory;
mod error;
mod fetch;
mod joined;
mod manifest;
mod prompts;
mod reference;
mod settings;
mod sources;
mod workspace;

pub use blueprint::{Assembly, Blueprint, Member, Origin, Packing, Piece, Place, Wheel};
pub(crate) use catalogue::{EMBEDDING_GEMMA, QWEN_HALF};
pub use catalogue::{blueprints, names};
pub use digest::Sha256Digest;
pub use directory::{ModelFile, ModelState, ModelsDirectory};
pub use error::{Attempt, ModelError, SourceError};
pub use fetch::{Fetched, fetch};
pub use manifest::Manifest;
pub use prompts::{known_by_path, mean, prompts};
pub use reference::{HuggingFaceFile, ModelLocation, ModelReference};
pub use settings::{ModelsConfig, SourceKind};

use std::path::{Path, PathBuf};

/// The files of the models that a start needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPaths {
    /// GGUF file of the model that reads.
    pub reader: PathBuf,
    /// GGUF file of the model that answers where no upstream is configured; `None` where it is not needed.
    pub chat: Option<PathBuf>,
}

/// Finds the file of the configured reader. Nothing is fetched.
///
/// # Errors
/// When the model is missing, is not the file that was installed, or is no GGUF file.
pub fn resolve(models: &ModelsConfig) -> Result<ModelPaths, ModelError> {
    Ok(ModelPaths { reader: file_of(models, &models.reader)?, chat: None })
}

/// Finds the files of the configured reader and of the model that answers. Nothing is fetched.
///
/// # Errors
/// When a model is missing, is not the file that was installed, or is no GGUF file.
pub fn resolve_with_chat(models: &ModelsConfig) -> Result<ModelPaths, ModelError> {
    Ok(ModelPaths { reader: file_of(models, &models.reader)?, chat: Some(file_of(models, &models.chat)?) })
}

/// Where the configured reader lies, whether it is there or not.
#[must_use]
pub fn paths(models: &ModelsConfig) -> ModelPaths {
    let directory = ModelsDirectory::new(models.directory.clone());
    ModelPaths { reader: directory.model(&models.reader).path().to_path_buf(), chat: None }
}

fn file_of(models: &ModelsConfig, reference: &ModelReference) -> Result<PathBuf, ModelError> {
    let directory = ModelsDirectory::new(models.directory.clone());
    directory.model(reference).resolve().map(Path::to_path_buf)
}

#[cfg(test)]
mod tests;
