//! The attention that tokens receive from each other, summed while a pass is computed.
//!
//! It must not know what the tokens are.

use std::ops::Range;

use crate::EngineError;
use crate::ffi::encoder::{Observer, TensorView};
use crate::llama::model::Geometry;

/// Where a text lies in a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) all: Range<usize>,
    /// The tokens that are looked at: what they pay each other counts.
    pub(crate) own: Range<usize>,
}

/// Sums the columns of every softmax of a pass.
pub(crate) struct Received<'a> {
    places: &'a [Place],
    geometry: Geometry,
    /// One sum per own token of each text.
    sums: Vec<Vec<f32>>,
    layers: usize,
    row: Vec<f32>,
}

/// The name of a layer's softmax, the rows of which are attention.
const SOFTMAX: &str = "kq_soft_max-";

impl<'a> Received<'a> {
    pub(crate) fn new(places: &'a [Place], geometry: Geometry) -> Self {
        Self {
            places,
            geometry,
            sums: places.iter().map(|place| vec![0.0; place.own.len()]).collect(),
            layers: 0,
            row: Vec::new(),
        }
    }

    /// What each text's own tokens received, relative to what each of the text's tokens would receive if all were attended
    /// alike.
    ///
    /// # Errors
    /// [`EngineError::NoAttention`] if a layer showed none, or what it showed is no attention.
    pub(crate) fn finish(self) -> Result<Vec<Vec<f32>>, EngineError> {
        if self.layers != self.geometry.layers {
            return Err(EngineError::NoAttention(format!(
                "{} of {} layers showed it",
                self.layers, self.geometry.layers
            )));
        }
        let heads = self.geometry.layers * self.geometry.heads;
        let relative = |(sums, place): (Vec<f32>, &Place)| {
            let givers = place.own.len().saturating_sub(1);
            if givers == 0 {
                return vec![1.0; sums.len()];
            }
            #[expect(clippy::cast_precision_loss, reason = "counts of tokens and heads")]
            let factor = place.all.len() as f32 / (heads * givers) as f32;
            sums.into_iter().map(|sum| sum * factor).collect()
        };
        let received: Vec<Vec<f32>> = self.sums.into_iter().zip(self.places).map(relative).collect();
        if received
            .iter()
            .flatten()
            .all(|value| value.is_finite() && *value >= 0.0)
        {
            return Ok(received);
        }
        Err(EngineError::NoAttention("it is not finite".into()))
    }

    /// Takes a layer's softmax, `[receivers, givers, heads]`. Gives false if it is none.
    fn take(&mut self, softmax: &TensorView<'_>) -> bool {
        let [receivers, givers, heads, streams] = softmax.shape();
        if streams != 1 || heads != self.geometry.heads {
            return false;
        }
        for (place, sums) in self.places.iter().zip(&mut self.sums) {
            self.row.resize(place.own.len(), 0.0);
            for head in 0..heads {
                for (number, giver) in place.own.clone().enumerate() {
                    let from = (head * givers + giver) * receivers + place.own.start;
                    if !softmax.read(from, &mut self.row) {
                        return false;
                    }
                    // What a token pays itself says nothing.
                    self.row[number] = 0.0;
                    sums.iter_mut().zip(&self.row).for_each(|(sum, paid)| *sum += paid);
                }
            }
        }
        true
    }
}

impl Observer for Received<'_> {
    fn wants(&self, name: &str) -> bool {
        name.starts_with(SOFTMAX)
    }

    fn observe(&mut self, _name: &str, tensor: &TensorView<'_>) {
        if self.take(tensor) {
            self.layers += 1;
        }
    }
}
