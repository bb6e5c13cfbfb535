//! The product's reader in the calling thread, and the texts that it reads.
//!
//! It must not know how time is taken.

use std::path::Path;

use llama_cpp_2::token::LlamaToken;

use crate::embedder::words;
use crate::engine::PASSAGE_TOKENS;
use crate::model::{Model, Role};
use crate::passages::passages;
use crate::reader::{ReadJob, Reader};
use crate::tokens::{opening, tokenize};
use crate::working_copy::{LoadedReader, load_reader};
use crate::{EngineError, ReaderConfig, TurnText};

/// A reader's model, whole for plain prefill and as the product reads it.
pub struct ReaderModel {
    pub(super) model: Model,
    loaded: LoadedReader,
}

/// How large the passes of one context may be, and who computes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassSize {
    /// Tokens of one pass, the opening token included.
    pub tokens: usize,
    /// Compute threads, at least 1.
    pub threads: usize,
}

/// Turns that are ready to be read or prefilled.
#[derive(Debug, Clone)]
pub struct Script {
    job: ReadJob,
    /// The opening token and those of every turn.
    pub(super) ids: Vec<LlamaToken>,
}

/// The product's reader in the calling thread.
pub struct ReaderPasses<'model> {
    reader: Reader<'model>,
}

impl ReaderModel {
    /// Loads the model at `path` with the calibration that the engine would use without a file.
    ///
    /// # Errors
    /// As [`crate::Engine::start`] for a reader.
    pub fn load(path: &Path) -> Result<Self, EngineError> {
        let config = ReaderConfig {
            model: path.to_owned(),
            ..ReaderConfig::default()
        };
        Ok(Self {
            model: Model::load(path, Role::Reader)?,
            loaded: load_reader(&config)?,
        })
    }

    /// Tokens of a turn as the reader sees it, speaker included, without the opening token.
    ///
    /// # Errors
    /// None today.
    pub fn count(&self, turn: &TurnText) -> Result<usize, EngineError> {
        Ok(self.ids_of(turn).len())
    }

    /// Gets turns ready: their tokens for a prefill, their passages for a reading.
    ///
    /// # Errors
    /// None today.
    pub fn script(&self, turns: Vec<TurnText>) -> Result<Script, EngineError> {
        let mut ids = vec![opening(&self.model.llama)];
        for turn in &turns {
            ids.extend(self.ids_of(turn));
        }
        let words = |text: &str| words(&self.model.llama, text);
        let passages = turns
            .iter()
            .map(|turn| passages(&turn.text, PASSAGE_TOKENS, words))
            .collect();
        let job = ReadJob { turns, passages };
        Ok(Script { job, ids })
    }

    /// Opens the product's reader with a window of `size.tokens`.
    ///
    /// # Errors
    /// [`EngineError::NoAttention`] or [`EngineError::Compute`].
    pub fn reader(&self, size: PassSize) -> Result<ReaderPasses<'_>, EngineError> {
        let config = ReaderConfig {
            threads: size.threads,
            window_tokens: size.tokens,
            ..ReaderConfig::default()
        };
        let LoadedReader {
            model,
            calibration,
            sight,
        } = &self.loaded;
        let reader = Reader::new(model, calibration.clone(), &config, *sight)?;
        Ok(ReaderPasses { reader })
    }

    fn ids_of(&self, turn: &TurnText) -> Vec<LlamaToken> {
        let tokens = tokenize(&self.model.llama, &format!("{}: {}\n", turn.speaker, turn.text));
        tokens.into_iter().map(|token| token.id).collect()
    }
}

impl Script {
    /// Tokens, the opening token included.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }
}

impl ReaderPasses<'_> {
    /// Reads all turns: main points, salience and keys, everything but vectors. Gives the number of tokens read, without
    /// the opening token.
    ///
    /// # Errors
    /// A failed pass.
    pub fn read(&mut self, script: &Script) -> Result<usize, EngineError> {
        let read = std::hint::black_box(self.reader.read(&script.job)?);
        Ok(read.iter().map(|turn| turn.tokens).sum())
    }
}
