//! llama.cpp's own prefill, which readings are compared to.
//!
//! It must not know attention, main points or how time is taken.

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_sys_2::LLAMA_FLASH_ATTN_TYPE_ENABLED;

use super::reading::{PassSize, ReaderModel, Script};
use crate::EngineError;

/// llama.cpp's own prefill with flash attention, as any program would run it.
pub struct PlainPrefill<'model> {
    context: LlamaContext<'model>,
    tokens: usize,
}

impl ReaderModel {
    /// Opens a plain context for prompts of up to `size.tokens`, computed `at_once` tokens at a time (llama.cpp's
    /// `n_ubatch`).
    ///
    /// # Errors
    /// [`EngineError::Compute`] if llama.cpp makes no context.
    pub fn prefill(&self, size: PassSize, at_once: usize) -> Result<PlainPrefill<'_>, EngineError> {
        let threads = i32::try_from(size.threads).unwrap_or(1);
        let tokens = u32::try_from(size.tokens).unwrap_or(u32::MAX);
        let params = LlamaContextParams::default()
            .with_n_ctx(std::num::NonZeroU32::new(tokens))
            .with_n_batch(tokens)
            .with_n_ubatch(u32::try_from(at_once).unwrap_or(tokens))
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_flash_attention_policy(LLAMA_FLASH_ATTN_TYPE_ENABLED)
            .with_no_perf(true);
        let context = self
            .model
            .llama
            .new_context(&self.model.backend, params)
            .map_err(|error| refused(&error))?;
        Ok(PlainPrefill {
            context,
            tokens: size.tokens,
        })
    }
}

impl PlainPrefill<'_> {
    /// Computes the tokens from position 0 on with the logits of the last one. What an earlier prefill left behind is
    /// forgotten, not overwritten, as before a reading.
    ///
    /// # Errors
    /// [`EngineError::Compute`] if the tokens do not fit or the pass fails.
    pub fn run(&mut self, script: &Script) -> Result<(), EngineError> {
        let count = script.ids.len();
        if count > self.tokens {
            return Err(EngineError::Compute {
                operation: PREFILL,
                reason: format!("{count} tokens given, 1 to {} allowed", self.tokens),
            });
        }
        self.context
            .clear_kv_cache_seq(None, None, None)
            .map_err(|error| refused(&error))?;
        let mut batch = LlamaBatch::new(count, 1);
        for (index, id) in script.ids.iter().enumerate() {
            let position = i32::try_from(index).unwrap_or(i32::MAX);
            let is_last = index + 1 == count;
            batch
                .add(*id, position, &[0], is_last)
                .map_err(|error| refused(&error))?;
        }
        self.context.decode(&mut batch).map_err(|error| refused(&error))?;
        self.context.synchronize();
        Ok(())
    }
}

const PREFILL: &str = "a plain prefill";

fn refused(error: &dyn std::error::Error) -> EngineError {
    EngineError::Compute {
        operation: PREFILL,
        reason: error.to_string(),
    }
}
