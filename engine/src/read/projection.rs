//! The few numbers that are kept of a passage's or question's pooled vector: its principal components.
//!
//! What is common to all texts is subtracted, and of the rest only the directions in which texts differ most are kept.
//! That takes a third of the room and finds no less (`bench/RESULTS.md`).

use super::unit_length::of_unit_length;
use crate::EngineError;

/// A principal component analysis of a model's pooled vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// The mean of pooled vectors, of the model's width.
    pub center: Vec<f32>,
    /// Orthonormal directions, `component * width ..`, the one in which texts differ most first.
    pub components: Vec<f32>,
}

impl Projection {
    /// Checks that this is one of a model of `width`.
    ///
    /// # Errors
    /// [`EngineError::Setting`].
    pub(crate) fn check(&self, width: usize) -> Result<(), EngineError> {
        let finite = self.center.iter().chain(&self.components).all(|number| number.is_finite());
        let whole = !self.components.is_empty() && self.components.len().is_multiple_of(width.max(1));
        if finite && whole && self.center.len() == width {
            return Ok(());
        }
        Err(EngineError::Setting {
            key: "projection",
            value: format!("a center of {} and components of {} numbers", self.center.len(), self.components.len()),
            allowed: "a center and components that have as many finite numbers as the reading model's vectors",
        })
    }

    /// How many numbers are kept.
    #[must_use]
    pub fn width(&self) -> usize {
        self.components.len().checked_div(self.center.len()).unwrap_or(0)
    }

    /// What is kept of a pooled vector of unit length; of unit length again, or zeros where nothing is left.
    #[must_use]
    pub fn apply(&self, pooled: &[f32]) -> Vec<f32> {
        let centered: Vec<f32> = pooled.iter().zip(&self.center).map(|(number, center)| number - center).collect();
        let dot = |component: &[f32]| component.iter().zip(&centered).map(|(one, other)| one * other).sum::<f32>();
        of_unit_length(self.components.chunks_exact(self.center.len().max(1)).map(dot).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn two_of_three() -> Projection {
        Projection { center: vec![0.0, 0.0, 0.5], components: vec![0.0, 1.0, 0.0, 1.0, 0.0, 0.0] }
    }

    #[test]
    fn components_stand_in_their_order_and_what_all_texts_share_is_gone() {
        let projection = two_of_three();
        assert_eq!(projection.width(), 2);
        assert_eq!(projection.apply(&[0.6, 0.8, 0.0]), [0.8, 0.6]);
        assert_eq!(projection.apply(&[0.0, 0.0, 1.0]), [0.0, 0.0]);
    }

    #[test]
    fn a_projection_of_another_model_is_refused() {
        assert!(two_of_three().check(3).is_ok());
        for width in [0, 2, 4] {
            assert!(two_of_three().check(width).is_err(), "{width}");
        }
        assert!(Projection { components: Vec::new(), ..two_of_three() }.check(3).is_err());
        assert!(Projection { center: vec![0.0, 0.0, f32::NAN], ..two_of_three() }.check(3).is_err());
    }

    proptest! {
        #[test]
        fn what_is_kept_has_unit_length_whatever_the_vector(pooled in proptest::collection::vec(-1.0_f32..1.0, 3)) {
            let kept = two_of_three().apply(&pooled);
            let length = kept.iter().map(|number| number * number).sum::<f32>().sqrt();
            prop_assert!(length == 0.0 || (length - 1.0).abs() < 1e-5, "{kept:?}");
        }
    }
}
