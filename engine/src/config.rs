//! What the engine needs to start. It must not know where the values come from (files, flags).

use std::path::PathBuf;

/// Everything the engine needs to start.
///
/// Paths are absolute or relative to the working directory.
#[derive(Debug, Clone, Default)]
pub struct EngineConfig {
    /// The model whose attention is read.
    pub reader: ReaderConfig,
    /// The model that turns passages into vectors.
    pub embedder: EmbedderConfig,
}

/// Settings of the attention reader.
#[derive(Debug, Clone)]
pub struct ReaderConfig {
    /// The GGUF file.
    pub model: PathBuf,
    /// A calibration file; `None` means the one built in for this model, else all heads.
    pub calibration: Option<PathBuf>,
    /// Compute threads of one reading pass, at least 1.
    pub threads: usize,
    /// Most tokens of one reading pass; a turn that is longer takes several.
    pub window_tokens: usize,
    /// The share of a passage's content tokens that makes its main point, in (0, 1].
    pub keep: f32,
    /// How many read requests may wait.
    pub queue: usize,
}

/// Settings of the embedder.
#[derive(Debug, Clone)]
pub struct EmbedderConfig {
    /// The GGUF file of an encoder model.
    pub model: PathBuf,
    /// Compute threads of one encoding pass, at least 1.
    pub threads: usize,
    /// Weight of the vector pooled with the previous turn as encoder context; 0 leaves it out.
    pub context_mix: f32,
    /// How many encoding requests may wait.
    pub queue: usize,
}

impl Default for ReaderConfig {
    fn default() -> Self {
        Self {
            model: PathBuf::new(),
            calibration: None,
            threads: available_threads(),
            window_tokens: 1536,
            keep: 0.5,
            queue: 64,
        }
    }
}

impl Default for EmbedderConfig {
    fn default() -> Self {
        Self {
            model: PathBuf::new(),
            threads: available_threads(),
            context_mix: 0.5,
            queue: 256,
        }
    }
}

fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
