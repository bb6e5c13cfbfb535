//! Which models a benchmark uses.
//!
//! It must not know what they are used for.

use std::path::PathBuf;

use clap::Args;
use mainpoint_bench::locate;

/// The reader's and the embedder's file.
#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    /// The reader's model; default: gemma-3-270m-q4_k_m.gguf in the models directory.
    #[arg(long, value_name = "GGUF")]
    reader: Option<PathBuf>,
    /// The embedder's model; default: all-minilm-l6-v2-f32.gguf in the models directory.
    #[arg(long, value_name = "GGUF")]
    embedder: Option<PathBuf>,
}

impl ModelArguments {
    /// The reader's file and the embedder's.
    pub(crate) fn paths(self) -> (PathBuf, PathBuf) {
        let or_fetched = |named: Option<PathBuf>, file: &str| named.unwrap_or_else(|| locate::models().join(file));
        (
            or_fetched(self.reader, locate::READER),
            or_fetched(self.embedder, locate::EMBEDDER),
        )
    }
}
