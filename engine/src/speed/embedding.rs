//! The product's embedder in the calling thread.
//!
//! It must not know how time is taken.

use std::path::Path;

use crate::embedder::{Embedder, EncodeItem};
use crate::engine::passages_of;
use crate::ffi::attention::FlashAttention;
use crate::model::Model;
use crate::working_copy::load_embedder;
use crate::{EngineError, TurnText};

/// A loaded embedder model.
pub struct EmbedderModel {
    model: Model,
}

/// The product's embedder in the calling thread.
pub struct EmbedderPasses<'model> {
    embedder: Embedder<'model>,
}

/// Passages that are ready to be embedded.
#[derive(Debug, Clone)]
pub struct PassageBatch {
    items: Vec<EncodeItem>,
}

impl EmbedderModel {
    /// Loads the model at `path`.
    ///
    /// # Errors
    /// As [`crate::Engine::start`] for an embedder.
    pub fn load(path: &Path) -> Result<Self, EngineError> {
        let model = load_embedder(path)?.model;
        Ok(Self { model })
    }

    /// The passages of some turns, each behind its speaker's name as in a reading.
    #[must_use]
    pub fn batch(&self, turns: &[TurnText]) -> PassageBatch {
        let items = turns.iter().flat_map(|turn| {
            let ranges = passages_of(&self.model, &turn.text);
            ranges.into_iter().map(move |range| EncodeItem {
                text: turn.text[range].to_owned(),
                context: Some(format!("{}:", turn.speaker)),
            })
        });
        PassageBatch { items: items.collect() }
    }

    /// Opens the product's embedder.
    ///
    /// # Errors
    /// [`EngineError::Compute`].
    pub fn embedder(&self, threads: usize) -> Result<EmbedderPasses<'_>, EngineError> {
        let embedder = Embedder::new(&self.model, threads, FlashAttention::On)?;
        Ok(EmbedderPasses { embedder })
    }
}

impl EmbedderPasses<'_> {
    /// Encodes all passages in the product's batches; gives how many there are.
    ///
    /// # Errors
    /// A failed pass.
    pub fn encode(&mut self, batch: &PassageBatch) -> Result<usize, EngineError> {
        Ok(std::hint::black_box(self.embedder.encode(&batch.items)?).len())
    }
}
