//! The model's passes: one text, its tokens' vectors and the attention that each token receives.
//!
//! Texts that share a pass were measured, too: they take as long as one after the other, and longer where attention is seen.
//!
//! It lives on one thread.

use std::ops::Range;

use llama_cpp_2::token::LlamaToken;

use super::received::ReceivedAttention;
use super::unit_length::of_unit_length;
use crate::EngineError;
use crate::ffi::encoder::{EncoderContext, EncoderOptions, FlashAttention, Observer, TensorView};
use crate::halt::Halt;
use crate::llama::model::{Geometry, Model};

/// The text of a pass.
#[derive(Debug, Clone)]
pub(crate) struct PassTokens {
    /// All its tokens, special ones and prompts included.
    pub(crate) ids: Vec<LlamaToken>,
    /// Which of them are its own.
    pub(crate) own: Range<usize>,
}

/// What a pass gives of the text's own tokens.
#[derive(Debug, Clone)]
pub(crate) struct PassOutput {
    /// `token * width ..`.
    pub(crate) vectors: Vec<f32>,
    /// The mean of the vectors of all tokens of the pass, special ones and prompts included, as encoders are trained to be
    /// compared; of unit length.
    pub(crate) mean: Vec<f32>,
    /// The attention that each token receives from the other own ones, mean over all heads and layers; 1 if it
    /// were the same for all. Empty where nobody looks.
    pub(crate) attention: Vec<f32>,
}

/// Whether attention is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PassKind {
    /// Vectors and attention, by the softmax that llama.cpp computes, which flash attention must be off for.
    Attention,
    /// Vectors alone.
    Vectors,
}

/// How large passes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PassSize {
    /// Most tokens.
    pub(crate) tokens: usize,
    /// Compute threads, at least 1.
    pub(crate) threads: usize,
}

/// An encoder's context.
pub(crate) struct Encoder<'model> {
    context: EncoderContext<'model>,
    geometry: Geometry,
    kind: PassKind,
}

impl<'model> Encoder<'model> {
    pub(crate) fn new(model: &'model Model, size: PassSize, kind: PassKind) -> Result<Self, EngineError> {
        let options = EncoderOptions {
            tokens: size.tokens,
            threads: size.threads,
            flash_attention: match kind {
                PassKind::Attention => FlashAttention::Off,
                PassKind::Vectors => FlashAttention::On,
            },
        };
        Ok(Self { context: EncoderContext::new(&model.llama, options)?, geometry: model.geometry, kind })
    }

    /// Ends in the middle of a pass once `halt` is raised.
    pub(crate) fn stop_on(&mut self, halt: Halt) {
        self.context.stop_on(halt);
    }

    /// Reads a text.
    ///
    /// # Errors
    /// Too much for a pass, a failed pass, or [`EngineError::NoAttention`].
    pub(crate) fn pass(&mut self, text: &PassTokens) -> Result<PassOutput, EngineError> {
        let (vectors, attention) = match self.kind {
            PassKind::Attention => {
                let mut received = ReceivedAttention::new(text.own.clone(), self.geometry);
                let vectors = self.context.encode(&text.ids, &mut received)?;
                (vectors, received.finish(text.ids.len())?)
            }
            PassKind::Vectors => (self.context.encode(&text.ids, &mut Nobody)?, Vec::new()),
        };
        let width = self.geometry.width;
        Ok(PassOutput {
            mean: unit_mean(vectors.chunks_exact(width), width),
            vectors: vectors[text.own.start * width..text.own.end * width].to_vec(),
            attention,
        })
    }
}

/// The mean of vectors of this width, of unit length; 0 everywhere if they cancel out.
fn unit_mean<'a>(vectors: impl Iterator<Item = &'a [f32]>, width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for vector in vectors {
        sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
    }
    of_unit_length(sum)
}

/// Looks at nothing.
struct Nobody;

impl Observer for Nobody {
    fn wants(&self, _name: &str) -> bool {
        false
    }

    fn observe(&mut self, _name: &str, _tensor: &TensorView<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_has_unit_length_and_opposite_vectors_cancel_out() {
        let of = |vectors: &[[f32; 2]]| unit_mean(vectors.iter().map(<[f32; 2]>::as_slice), 2);
        assert_eq!(of(&[[5.0, 1.0], [1.0, 7.0]]), [0.6, 0.8]);
        assert_eq!(of(&[[1.0, 1.0], [-1.0, -1.0]]), [0.0, 0.0]);
    }
}
