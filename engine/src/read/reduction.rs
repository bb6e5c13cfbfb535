//! What a model's vectors are reduced by before they are stored or compared: the mean of its token vectors, and the projection of
//! its pooled ones.

use super::projection::Projection;

/// The same for passages and questions, since they are compared with each other.
#[derive(Debug, Clone)]
pub(crate) struct Reduction {
    /// The model's mean token vector, which is subtracted before signs are taken.
    pub(crate) mean: Vec<f32>,
    /// What is stored of a pooled vector; `None`: all of it.
    pub(crate) projection: Option<Projection>,
}

impl Reduction {
    /// What is stored of a pooled vector: its projection where the model has one, else all of it.
    pub(crate) fn pooled(&self, vector: &[f32]) -> Vec<f32> {
        self.projection.as_ref().map_or_else(|| vector.to_vec(), |projection| projection.apply(vector))
    }

    /// How many numbers are stored of a pooled vector.
    pub(crate) fn width(&self) -> usize {
        self.projection.as_ref().map_or(self.mean.len(), Projection::width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_projection_a_pooled_vector_is_kept_whole() {
        let reduction = Reduction { mean: vec![0.5, 0.5], projection: None };
        assert_eq!((reduction.pooled(&[0.6, 0.8]), reduction.width()), (vec![0.6, 0.8], 2));
    }
}
