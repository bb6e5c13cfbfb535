//! The attention that tokens receive from each other, summed while a pass is computed.

use std::ops::Range;

use crate::EngineError;
use crate::ffi::encoder::{Observer, TensorView};
use crate::llama::model::Geometry;

/// Sums the columns of every softmax of a pass.
pub(crate) struct ReceivedAttention {
    /// The tokens that are looked at: what they pay each other counts.
    own: Range<usize>,
    geometry: Geometry,
    /// One for each own token.
    sums: Vec<f32>,
    layers: usize,
    row: Vec<f32>,
}

/// The name of a layer's softmax, the rows of which are attention.
const SOFTMAX: &str = "kq_soft_max-";

impl ReceivedAttention {
    pub(crate) fn new(own: Range<usize>, geometry: Geometry) -> Self {
        Self { geometry, sums: vec![0.0; own.len()], layers: 0, row: vec![0.0; own.len()], own }
    }

    /// What each own token received in a pass of so many `tokens`, relative to what each would receive if all were attended
    /// alike.
    ///
    /// # Errors
    /// [`EngineError::NoAttention`] if a layer showed none, or what it showed is no attention.
    pub(crate) fn finish(self, tokens: usize) -> Result<Vec<f32>, EngineError> {
        if self.layers != self.geometry.layers {
            return Err(EngineError::NoAttention(format!(
                "{} of {} layers showed it",
                self.layers, self.geometry.layers
            )));
        }
        let givers = self.own.len().saturating_sub(1);
        if givers == 0 {
            return Ok(vec![1.0; self.own.len()]);
        }
        let rows = self.geometry.layers * self.geometry.heads * givers;
        #[expect(clippy::cast_precision_loss, reason = "counts of tokens and heads")]
        let factor = tokens as f32 / rows as f32;
        let received: Vec<f32> = self.sums.into_iter().map(|sum| sum * factor).collect();
        if received.iter().all(|value| value.is_finite() && *value >= 0.0) {
            return Ok(received);
        }
        Err(EngineError::NoAttention("it is not finite".into()))
    }

    /// Takes a layer's softmax, `[receivers, givers, heads]`. Gives false if it is none.
    fn add_layer(&mut self, softmax: &TensorView<'_>) -> bool {
        let [receivers, givers, heads, streams] = softmax.shape();
        if streams != 1 || heads != self.geometry.heads {
            return false;
        }
        for head in 0..heads {
            for (number, giver) in self.own.clone().enumerate() {
                let from = (head * givers + giver) * receivers + self.own.start;
                if !softmax.read(from, &mut self.row) {
                    return false;
                }
                // What a token pays itself says nothing.
                self.row[number] = 0.0;
                self.sums.iter_mut().zip(&self.row).for_each(|(sum, paid)| *sum += paid);
            }
        }
        true
    }
}

impl Observer for ReceivedAttention {
    fn wants(&self, name: &str) -> bool {
        name.starts_with(SOFTMAX)
    }

    fn observe(&mut self, _name: &str, tensor: &TensorView<'_>) {
        if self.add_layer(tensor) {
            self.layers += 1;
        }
    }
}
