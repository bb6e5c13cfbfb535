//! Everything that can go wrong in the engine, with its causes kept.

use std::path::PathBuf;

/// An engine failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The model file is not there.
    #[error("no model file at {}", path.display())]
    ModelMissing {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The model file could not be read as a GGUF model.
    #[error("{} is not a complete GGUF model: {reason}", path.display())]
    ModelCorrupt {
        /// The path of the file.
        path: PathBuf,
        /// What llama.cpp or the file system said.
        reason: String,
    },
    /// The model is of a kind that this role cannot use.
    #[error("{} has the architecture {found:?}; {role} needs {allowed}", path.display())]
    Architecture {
        /// The path of the file.
        path: PathBuf,
        /// `general.architecture` of the file.
        found: String,
        /// The part that was given this model.
        role: &'static str,
        /// What would be accepted.
        allowed: &'static str,
    },
    /// The program was compiled for another processor.
    #[error(
        "this program was compiled for processors with {missing}, which this one lacks; compile it on this machine, or for every processor with AVX2: GGML_AVX512=OFF GGML_AVX512_BF16=OFF GGML_AVX512_VBMI=OFF GGML_AVX512_VNNI=OFF GGML_AVX_VNNI=OFF make build"
    )]
    Processor {
        /// What this processor lacks.
        missing: &'static str,
    },
    /// The model shows no attention, or no proper attention.
    #[error("the reading model's attention cannot be seen: {0}")]
    NoAttention(String),
    /// A configuration value is out of its range.
    #[error("{key} = {value} is out of range: {allowed}")]
    Setting {
        /// The key of [`crate::EngineConfig`].
        key: &'static str,
        /// The value that was given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The turn is longer than any model's prompt.
    #[error("the turn has {bytes} bytes, the longest that is read {most}")]
    TurnTooLong {
        /// Bytes of the turn's text.
        bytes: usize,
        /// Bytes that are allowed.
        most: usize,
    },
    /// The conversation is longer than the chat model takes.
    #[error(
        "the prompt has {tokens} tokens; at most {most} are allowed, since it shares a window of {window} with the reply"
    )]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: TokenCount,
        /// Tokens that a prompt may have.
        most: usize,
        /// Tokens of a prompt and its reply together.
        window: usize,
    },
    /// Nobody waits for the outcome any more.
    #[error("nobody waits for the outcome any more")]
    Unwanted,
    /// The queue is full; the work was not taken.
    #[error("the {part} queue is full")]
    Busy {
        /// `reader`, `questions` or `generator`.
        part: &'static str,
    },
    /// The part has ended; it takes no more work.
    #[error("the {part} has stopped")]
    Stopped {
        /// `reader`, `questions` or `generator`.
        part: &'static str,
    },
    /// llama.cpp refused a pass.
    #[error("llama.cpp failed in {operation}: {reason}")]
    Compute {
        /// What was being done.
        operation: &'static str,
        /// What llama.cpp said.
        reason: String,
    },
    /// A model could not be converted.
    #[error("cannot convert {}: {reason}", path.display())]
    Convert {
        /// The file that was being read or written.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A thread could not be started.
    #[error("cannot start the {part} thread")]
    Thread {
        /// The part that the thread serves.
        part: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

impl EngineError {
    /// A short, stable name for metrics.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::ModelMissing { .. } => "model_missing",
            Self::ModelCorrupt { .. } => "model_corrupt",
            Self::Architecture { .. } => "architecture",
            Self::Processor { .. } => "processor",
            Self::NoAttention(_) => "no_attention",
            Self::Setting { .. } => "setting",
            Self::TurnTooLong { .. } => "turn_too_long",
            Self::PromptTooLong { .. } => "prompt_too_long",
            Self::Unwanted => "unwanted",
            Self::Busy { .. } => "busy",
            Self::Stopped { part } => match *part {
                "questions" => "questions_stopped",
                "generator" => "generator_stopped",
                _ => "reader_stopped",
            },
            Self::Compute { .. } => "compute",
            Self::Convert { .. } => "convert",
            Self::Thread { .. } => "thread",
        }
    }
}

/// How many tokens a text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenCount {
    /// So many.
    Exactly(usize),
    /// So many were counted; the rest of the text was not looked at.
    AtLeast(usize),
}

impl std::fmt::Display for TokenCount {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(tokens) => write!(formatter, "{tokens}"),
            Self::AtLeast(tokens) => write!(formatter, "at least {tokens}"),
        }
    }
}
