//! The models on disk: how they are named, where they lie, how they are fetched and verified.
//!
//! Code that was fetched is never run.

mod assemble;
mod blueprint;
mod catalogue;
mod digest;
mod digest_record;
mod directory;
mod error;
mod fetch;
mod joined;
mod lookup;
mod manifest;
mod prompts;
mod reference;
mod settings;
mod short_names;
mod sources;
mod workspace;

pub use blueprint::{Assembly, Blueprint, Member, Origin, Packing, Piece, Place, Wheel};
pub use catalogue::blueprints;
pub use digest::Sha256Digest;
pub use directory::{ModelFile, ModelState, ModelsDirectory};
pub use error::{Attempt, ModelError, SourceError};
pub use fetch::{Fetched, fetch};
pub use manifest::Manifest;
pub use prompts::{known_by_path, mean, projection, prompts};
pub use reference::{HuggingFaceFile, ModelLocation, ModelReference};
pub use settings::{ModelsConfig, SourceKind};
pub use short_names::names;
pub(crate) use short_names::{EMBEDDING_GEMMA, QWEN_HALF};

use std::path::PathBuf;

use digest_record::{FileDigest, Recording, digest_of};

/// The files of the models that a start needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPaths {
    /// GGUF file of the model that reads.
    pub reader: PathBuf,
    /// SHA-256 of the reader's file where it is known, so that nobody need read all of the file for it.
    pub reader_sha256: Option<Sha256Digest>,
    /// GGUF file of the model that answers where no upstream is configured; `None` where it is not needed.
    pub chat: Option<PathBuf>,
}

/// What a configured model is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelUse {
    /// It reads.
    Reader,
    /// It answers where no upstream is configured.
    Chat,
}

impl ModelUse {
    /// The key of the configuration that names the model.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Reader => "models.reader",
            Self::Chat => "models.chat",
        }
    }

    /// The model that the configuration names for it.
    #[must_use]
    pub fn reference(self, models: &ModelsConfig) -> &ModelReference {
        match self {
            Self::Reader => &models.reader,
            Self::Chat => &models.chat,
        }
    }

    /// The key of the configuration that names the SHA-256 of its file.
    #[must_use]
    pub fn digest_key(self) -> &'static str {
        match self {
            Self::Reader => "models.reader_sha256",
            Self::Chat => "models.chat_sha256",
        }
    }
}

/// Finds the file of the configured reader. Nothing is fetched. A file whose digest the configuration names is read in full the
/// first time, and when it has changed.
///
/// # Errors
/// When the model is missing, is not the file that was installed, is no GGUF file, or has another digest than configured.
pub fn resolve(models: &ModelsConfig) -> Result<ModelPaths, ModelError> {
    let (reader, digest) = find(models, ModelUse::Reader, Recording::Written)?;
    Ok(ModelPaths { reader, reader_sha256: digest.and_then(FileDigest::just_read), chat: None })
}

/// Finds the files of the configured reader and of the model that answers, as [`resolve`] does.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_with_chat(models: &ModelsConfig) -> Result<ModelPaths, ModelError> {
    let paths = resolve(models)?;
    let (chat, _) = find(models, ModelUse::Chat, Recording::Written)?;
    Ok(ModelPaths { chat: Some(chat), ..paths })
}

/// Finds the file of one configured model and compares its digest, as [`resolve`] does, and changes nothing on disk. Gives the
/// digest as well where the file was read for it.
///
/// # Errors
/// As [`resolve`].
pub fn examine(models: &ModelsConfig, of: ModelUse) -> Result<(PathBuf, Option<Sha256Digest>), ModelError> {
    let (path, digest) = find(models, of, Recording::None)?;
    Ok((path, digest.and_then(FileDigest::just_read)))
}

/// Where the configured reader lies, whether it is there or not.
#[must_use]
pub fn paths(models: &ModelsConfig) -> ModelPaths {
    let directory = ModelsDirectory::new(models.directory.clone());
    let reader = directory.model(&models.reader).path().to_path_buf();
    ModelPaths { reader, reader_sha256: None, chat: None }
}

/// The file of a model, and its digest where the configuration names the one that it must have.
fn find(
    models: &ModelsConfig,
    of: ModelUse,
    recording: Recording,
) -> Result<(PathBuf, Option<FileDigest>), ModelError> {
    let reference = of.reference(models);
    let file = ModelsDirectory::new(models.directory.clone()).model(reference);
    let path = file.resolve()?.to_path_buf();
    let Some(expected) = reference.digest else {
        return Ok((path, None));
    };
    let digest = digest_of(&path, recording).map_err(|source| ModelError::Read { path: path.clone(), source })?;
    let found = digest.digest();
    if found != expected {
        return Err(ModelError::Digest { key: of.digest_key(), model: of.key(), path, found, expected });
    }
    Ok((path, Some(digest)))
}

#[cfg(test)]
mod tests;
