//! The directory of installed models: which files are there and whether they are what was installed.
//!
//! It must not fetch anything, nor write.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::blueprint::Blueprint;
use super::digest::Sha256Digest;
use super::error::ModelError;
use super::manifest::Manifest;
use super::reference::{ModelLocation, ModelReference};

/// The directory of installed models.
#[derive(Debug, Clone)]
pub struct ModelsDirectory {
    path: PathBuf,
}

/// What is known about a model on disk without reading all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelState {
    /// There is nothing.
    Missing,
    /// Some pieces have been downloaded.
    Partial {
        /// Bytes downloaded so far.
        bytes: u64,
    },
    /// The file is there, with the size it should have.
    Installed {
        /// Its size.
        bytes: u64,
    },
    /// The file is there, and it is not the right one.
    Damaged {
        /// What is wrong with it.
        reason: String,
    },
}

/// One model's file in the directory, or elsewhere for a local path, whether it is there or not.
#[derive(Debug, Clone)]
pub struct ModelFile {
    name: String,
    path: PathBuf,
    /// The digest it must have, where one is known beforehand.
    digest: Option<Sha256Digest>,
    /// How it is made; `None` for a local path.
    blueprint: Option<Blueprint>,
    /// Where its downloads are kept until they are complete.
    partial: PathBuf,
}

impl ModelsDirectory {
    /// The directory at `path`, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where downloads are kept until they are complete.
    #[must_use]
    pub fn partial(&self) -> PathBuf {
        self.path.join(".partial")
    }

    /// The file of a model that the configuration names.
    #[must_use]
    pub fn model(&self, reference: &ModelReference) -> ModelFile {
        match (&reference.location, Blueprint::new(reference)) {
            (_, Some(blueprint)) => self.model_of(blueprint),
            (ModelLocation::Path(path), None) => self.local(reference, path.clone()),
            (_, None) => self.local(reference, self.path.join(reference.to_string())),
        }
    }

    /// The file of a model that is made after a blueprint.
    #[must_use]
    pub fn model_of(&self, blueprint: Blueprint) -> ModelFile {
        ModelFile {
            name: blueprint.name.clone(),
            path: self.path.join(&blueprint.file),
            digest: blueprint.digest,
            partial: self.partial().join(&blueprint.file),
            blueprint: Some(blueprint),
        }
    }

    fn local(&self, reference: &ModelReference, path: PathBuf) -> ModelFile {
        let digest = reference.digest;
        ModelFile { name: reference.to_string(), path, digest, blueprint: None, partial: self.partial() }
    }
}

impl ModelFile {
    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known about it without reading all of it.
    #[must_use]
    pub fn state(&self) -> ModelState {
        let bytes = match fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(_) => {
                return ModelState::Damaged { reason: "it is not a file".to_owned() };
            }
            Err(_) => return self.partial_state(),
        };
        match flaw(&self.path, bytes, self.blueprint.as_ref()) {
            Some(reason) => ModelState::Damaged { reason },
            None => ModelState::Installed { bytes },
        }
    }

    /// Its path, when it is there and looks right.
    ///
    /// # Errors
    /// When the model is missing or damaged.
    pub fn resolve(&self) -> Result<&Path, ModelError> {
        let (name, path, remedy) = (self.name.clone(), self.path.clone(), self.remedy());
        match self.state() {
            ModelState::Installed { .. } => Ok(&self.path),
            ModelState::Missing | ModelState::Partial { .. } => Err(ModelError::Missing { name, path, remedy }),
            ModelState::Damaged { reason } => Err(ModelError::Corrupt { name, path, reason, remedy }),
        }
    }

    /// Reads all of it and compares its digest with the one it should have. Gives the digest, and whether there was one to
    /// compare with. `advance` is told how many bytes were read, again and again.
    ///
    /// # Errors
    /// When the model is missing, damaged, or has another digest.
    pub fn verify(&self, advance: impl FnMut(u64)) -> Result<(Sha256Digest, bool), ModelError> {
        let path = self.resolve()?.to_path_buf();
        let found =
            Sha256Digest::of_file(&path, advance).map_err(|source| ModelError::Read { path: path.clone(), source })?;
        let recorded = || Manifest::read(&path).and_then(|manifest| manifest.sha256.parse().ok());
        match self.digest.or_else(recorded) {
            None => Ok((found, false)),
            Some(expected) if expected == found => Ok((found, true)),
            Some(expected) => {
                let reason = format!("SHA-256 is {found}, expected {expected}");
                Err(ModelError::Corrupt { name: self.name.clone(), path, reason, remedy: self.remedy() })
            }
        }
    }

    fn remedy(&self) -> &'static str {
        match self.blueprint {
            Some(_) => "run `mainpoint models fetch`",
            None => "name an existing GGUF file in the configuration's [models] section",
        }
    }

    fn partial_state(&self) -> ModelState {
        match self.blueprint.as_ref().map_or(0, |_| bytes_below(&self.partial)) {
            0 => ModelState::Missing,
            bytes => ModelState::Partial { bytes },
        }
    }
}

/// What can be seen to be wrong with a model without reading all of it.
fn flaw(file: &Path, bytes: u64, blueprint: Option<&Blueprint>) -> Option<String> {
    let mut magic = [0; 4];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut magic));
    if let Err(error) = read {
        return Some(format!("it cannot be read ({error})"));
    }
    if &magic != b"GGUF" {
        return Some("it is not a GGUF file".to_owned());
    }
    let blueprint = blueprint?;
    let manifest = Manifest::read(file);
    let expected = blueprint.bytes.or_else(|| manifest.as_ref().map(|manifest| manifest.bytes));
    match (expected, manifest) {
        (Some(expected), _) if expected != bytes => Some(format!("it has {bytes} bytes instead of {expected}")),
        (_, Some(manifest)) if manifest.recipe != blueprint.recipe() => {
            Some(format!("it was made by `{}`, this version makes it by `{}`", manifest.recipe, blueprint.recipe()))
        }
        (None, None) => Some("nothing records what it should be (its .manifest.json is missing)".to_owned()),
        _ => None,
    }
}

/// Bytes of all files below a directory; 0 when it does not exist.
pub(super) fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
