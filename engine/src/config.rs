//! What the engine needs to start.

use std::path::PathBuf;

use crate::Projection;

/// Everything the engine needs to start.
///
/// Paths are absolute or relative to the working directory.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The model that reads.
    pub encoder: EncoderConfig,
    /// The GGUF file of the instruct model that answers; `None` where an upstream does.
    pub chat: Option<PathBuf>,
    /// Compute threads of an answer, at least 1.
    pub chat_threads: usize,
}

/// Settings of the model that reads turns and questions.
#[derive(Debug, Clone)]
pub struct EncoderConfig {
    /// The GGUF file of an encoder model: architecture `gemma-embedding` or `bert`.
    pub model: PathBuf,
    /// SHA-256 of that file where somebody has just read it; `None`: it is read for it.
    pub model_sha256: Option<[u8; 32]>,
    /// What stands in front of what is read; left out of everything that is stored.
    pub prompts: Prompts,
    /// The model's mean token vector, of its width; `None`: it is computed at the start from built-in sample texts, which
    /// takes a moment and always gives the same.
    pub mean: Option<Vec<f32>>,
    /// What is stored of a passage's and a question's vector; `None`: all of it.
    pub projection: Option<Projection>,
    /// Compute threads of one pass, at least 1.
    pub threads: usize,
    /// Most tokens of a passage; 0 is the model's own choice.
    pub passage_tokens: usize,
    /// The share of a passage's content tokens that makes its main point, in (0, 1].
    pub main_point_share: f32,
    /// How many read requests may wait.
    pub queue: usize,
}

/// What a model wants in front of what it reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompts {
    /// In front of a passage, for example `title: none | text: `.
    pub passage: String,
    /// In front of a question, for example `task: search result | query: `.
    pub question: String,
}
