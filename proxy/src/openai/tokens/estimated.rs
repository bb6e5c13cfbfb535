//! A prompt whose tokens are estimated, and what it is worth to learn from the tokens that its answer names.

use super::super::request::{ChatRequest, Message, Nature, OPAQUE, Part};
use super::{RequestTokens, Tokenizer};

/// A prompt that is forwarded to a model whose tokenizer is not known.
#[derive(Debug)]
pub(crate) struct EstimatedPrompt {
    /// The model, as the client calls it.
    pub(super) model: String,
    /// Its tokens as they are estimated.
    pub(crate) tokens: usize,
    /// The tokens of its definitions, such as tools, which every provider writes in its own way.
    definitions: usize,
    /// What counts were multiplied with.
    factor: f64,
}

impl EstimatedPrompt {
    /// A request as it came; `None` where its tokens are exact, and where it holds what is no text, such as an image.
    pub(crate) fn new(tokenizer: Tokenizer, request: &ChatRequest, tokens: &RequestTokens) -> Option<Self> {
        let Tokenizer::Reader(factor) = tokenizer else { return None };
        request.messages.iter().all(is_text).then(|| Self {
            model: request.model.clone(),
            tokens: tokens.total(),
            definitions: tokens.other,
            factor: factor.value(),
        })
    }

    /// Its tokens by our own count.
    pub(super) fn counted(&self) -> f64 {
        self.tokens as f64 / self.factor
    }

    /// The share of it that is no definition.
    pub(super) fn weight(&self) -> f64 {
        1.0 - (self.definitions as f64 / self.tokens.max(1) as f64).min(1.0)
    }
}

/// Whether all of a message is text that can be counted.
fn is_text(message: &Message) -> bool {
    let is_counted = |part: &Part| match part {
        Part::Text(_) => true,
        Part::Other(other) => other.nature == Nature::Call,
    };
    message.attachments == 0
        && message.odd.is_none()
        && message.parts.iter().all(is_counted)
        && message.fields.iter().all(|(name, _)| *name != OPAQUE)
}
