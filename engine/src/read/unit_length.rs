//! Bringing a vector to a length of 1, so that a product of two is their cosine.

/// The vector with a length of 1; as it is where its length is 0.
pub(super) fn of_unit_length(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|number| *number /= length);
    }
    vector
}
