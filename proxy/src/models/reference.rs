//! How a model is named: a short name of the catalogue, a local path, or a file of a Hugging Face repository.

use std::fmt;
use std::path::{Path, PathBuf};

use super::digest::Sha256Digest;
use super::short_names::names;

/// A model as the configuration names it, with the digest it must have where one was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelReference {
    /// Where the model is.
    pub location: ModelLocation,
    /// The SHA-256 that the file must have; `None` takes the catalogue's, or none.
    pub digest: Option<Sha256Digest>,
}

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelLocation {
    /// A short name of the catalogue, such as `embeddinggemma-300m`.
    Catalogue(String),
    /// A GGUF file on this machine.
    Path(PathBuf),
    /// A file of a Hugging Face repository.
    HuggingFace(HuggingFaceFile),
}

/// A file of a Hugging Face repository, written `hf:organisation/repository/file.gguf@revision`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HuggingFaceFile {
    /// `organisation/repository`.
    pub repository: String,
    /// Path of the file in the repository.
    pub file: String,
    /// Branch, tag or commit; `main` unless given.
    pub revision: String,
}

impl ModelReference {
    /// A model of the catalogue.
    #[must_use]
    pub fn catalogue(name: &str) -> Self {
        ModelLocation::Catalogue(name.to_owned()).into()
    }

    /// Reads a reference as it is written in the configuration.
    ///
    /// # Errors
    /// With what would have been allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("hf:") {
            let allowed = "hf:organisation/repository/file.gguf, with @revision at the end if wanted";
            return HuggingFaceFile::parse(rest)
                .map(|file| ModelLocation::HuggingFace(file).into())
                .ok_or_else(|| allowed.to_owned());
        }
        if names().contains(&text) {
            return Ok(Self::catalogue(text));
        }
        let is_gguf = Path::new(text).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
        if is_gguf || text.contains('/') {
            return Ok(ModelLocation::Path(expand_home(text)).into());
        }
        Err(format!(
            "a short name ({}), a path to a .gguf file, or hf:organisation/repository/file.gguf",
            names().join(", ")
        ))
    }

    /// The same model, with the digest it must have.
    #[must_use]
    pub fn with_digest(self, digest: Sha256Digest) -> Self {
        Self { digest: Some(digest), ..self }
    }
}

impl From<ModelLocation> for ModelReference {
    fn from(location: ModelLocation) -> Self {
        Self { location, digest: None }
    }
}

impl fmt::Display for ModelReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            ModelLocation::Catalogue(name) => formatter.write_str(name),
            ModelLocation::Path(path) => write!(formatter, "{}", path.display()),
            ModelLocation::HuggingFace(file) => write!(formatter, "hf:{file}"),
        }
    }
}

impl HuggingFaceFile {
    fn parse(text: &str) -> Option<Self> {
        let (path, revision) = text.split_once('@').unwrap_or((text, "main"));
        let (organisation, rest) = path.split_once('/')?;
        let (name, file) = rest.split_once('/')?;
        let legal = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        let complete =
            legal(organisation) && legal(name) && file.split('/').all(legal) && revision.split('/').all(legal);
        complete.then(|| Self {
            repository: format!("{organisation}/{name}"),
            file: file.to_owned(),
            revision: revision.to_owned(),
        })
    }
}

impl fmt::Display for HuggingFaceFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repository, file, revision } = self;
        write!(formatter, "{repository}/{file}")?;
        if revision == "main" { Ok(()) } else { write!(formatter, "@{revision}") }
    }
}

fn expand_home(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(text),
    }
}
