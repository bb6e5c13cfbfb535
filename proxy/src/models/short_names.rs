//! The short names of models.

/// The short name of the default reader.
pub(crate) const EMBEDDING_GEMMA: &str = "embeddinggemma-300m";
/// The short names of the other readers.
pub(crate) const E5_SMALL: &str = "multilingual-e5-small";
pub(crate) const MINILM: &str = "all-minilm-l6-v2";
/// The short name of the default model of the embedded upstream.
pub(crate) const QWEN_HALF: &str = "qwen2.5-coder-0.5b-instruct";
/// The short name of the larger one.
pub(crate) const QWEN_LARGER: &str = "qwen2.5-coder-1.5b-instruct";

/// The short names.
#[must_use]
pub fn names() -> &'static [&'static str] {
    &[EMBEDDING_GEMMA, E5_SMALL, MINILM, QWEN_HALF, QWEN_LARGER]
}
