//! How many tokens a prompt has with what leaves it and what is put into it.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use super::Draft;
use super::remember::Remembered;
use crate::error::MemoryError;
use crate::memory::PromptMemory;
use crate::openai::block::SEPARATOR;
use crate::openai::request::Message;
use crate::openai::splice::{self, Edits};

impl<M: PromptMemory> Draft<'_, M> {
    /// Tokens of the prompt with `edits`; `None` when they cannot be made.
    pub(super) fn count(&self, edits: &Edits) -> Result<Option<usize>, MemoryError> {
        let (request, tokens) = (&self.prepared.request, &self.prepared.tokens);
        let mut total = tokens.other + self.tool;
        for (index, message) in request.messages.iter().enumerate() {
            if edits.dropped.contains(&index) {
                continue;
            }
            let alone = tokens.messages.get(index).copied().unwrap_or_default();
            if let Some(text) = edits.replaced.get(&index) {
                total += self.tokens_of(index, text)?;
                continue;
            }
            total += match edits.blocks.get(&index) {
                None => alone,
                Some(block) => {
                    self.prepared.deadline.check()?;
                    let Some(longer) = self.longer(message, alone, block)? else {
                        return Ok(None);
                    };
                    longer
                }
            };
        }
        Ok(Some(total))
    }

    /// Tokens of the message `index` with `text` in the place of its result. Within a draft a message has one such text at most, so
    /// that it is counted once.
    pub(super) fn tokens_of(&self, index: usize, text: &str) -> Result<usize, MemoryError> {
        let known = self.replaced_tokens().get(&index).copied();
        if let Some(tokens) = known {
            return Ok(tokens);
        }
        let Some(message) = self.prepared.request.messages.get(index) else {
            return Ok(0);
        };
        self.prepared.deadline.check()?;
        let tokens = self.planner.preparer.counter.message(self.prepared.tokenizer, &message.with_text(text))?;
        self.replaced_tokens().insert(index, tokens);
        Ok(tokens)
    }

    /// Tokens of the block that was recorded for the message `index`; it is counted once.
    pub(super) fn block_tokens(&self, index: usize) -> Result<usize, MemoryError> {
        let Some(block) = self.recorded.blocks.get(&index).and_then(|block| block.text.as_deref()) else {
            return Ok(0);
        };
        let counted = || self.block_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counted().get(&index).copied();
        if let Some(tokens) = known {
            return Ok(tokens);
        }
        let tokens = self.text(block)?;
        counted().insert(index, tokens);
        Ok(tokens)
    }

    fn replaced_tokens(&self) -> MutexGuard<'_, BTreeMap<usize, usize>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tokens of a message, which has `alone` tokens by itself, with the block that is put into it. A long message is not counted once more
    /// for that.
    fn longer(&self, message: &Message, alone: usize, block: &str) -> Result<Option<usize>, MemoryError> {
        if message.range.len() > COUNTED_AGAIN && message.takes_blocks() {
            return Ok(Some(alone + self.text(block)? + self.text(SEPARATOR)?));
        }
        let Some(longer) = splice::injected(message, block) else {
            return Ok(None);
        };
        let counter = &self.planner.preparer.counter;
        counter.message(self.prepared.tokenizer, &longer).map(Some)
    }

    /// The prompt's tokens but for those of a new block, about.
    pub(super) fn without_block(&self, tokens: usize, remembered: &Remembered) -> Result<usize, MemoryError> {
        let block = remembered.block.as_ref().and_then(|block| block.text.as_deref());
        Ok(tokens.saturating_sub(block.map_or(Ok(0), |block| self.text(block))?))
    }

    pub(super) fn text(&self, text: &str) -> Result<usize, MemoryError> {
        Ok(self.planner.preparer.counter.text(self.prepared.tokenizer, text)?)
    }
}

/// Bytes of a message up to which it is counted once more, with what is put into it.
const COUNTED_AGAIN: usize = 64 << 10;
