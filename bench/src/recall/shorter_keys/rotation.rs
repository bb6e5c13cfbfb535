//! A random rotation that spreads every key over all coordinates: random signs and a Walsh–Hadamard transform, three times.
//!
//! It must not know what is rotated.

use super::keys::float;

/// A fixed rotation of vectors.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    size: usize,
    /// +1 or −1, `size` of them for each round.
    signs: Vec<f32>,
}

/// One round leaves a vector along an axis on few values; after three, coordinates look Gaussian.
const ROUNDS: usize = 3;
const SEED: u64 = 20_261_123;

impl Rotation {
    /// The rotation of vectors of `width` numbers, with zeros behind them up to the next power of two.
    #[must_use]
    pub(super) fn new(width: usize) -> Self {
        let size = width.next_power_of_two();
        let mut random = fastrand::Rng::with_seed(SEED);
        let signs = (0..ROUNDS * size).map(|_| if random.bool() { 1.0 } else { -1.0 });
        Self {
            size,
            signs: signs.collect(),
        }
    }

    /// The coordinates of a vector.
    #[must_use]
    pub(super) fn forward(&self, vector: &[f32]) -> Vec<f32> {
        let mut rotated = vector.to_vec();
        rotated.resize(self.size, 0.0);
        for signs in self.signs.chunks_exact(self.size) {
            flip(&mut rotated, signs);
            transform(&mut rotated);
        }
        rotated
    }

    /// The vector with these coordinates.
    #[must_use]
    pub(super) fn backward(&self, mut rotated: Vec<f32>) -> Vec<f32> {
        rotated.resize(self.size, 0.0);
        for signs in self.signs.chunks_exact(self.size).rev() {
            transform(&mut rotated);
            flip(&mut rotated, signs);
        }
        rotated
    }
}

fn flip(values: &mut [f32], signs: &[f32]) {
    values.iter_mut().zip(signs).for_each(|(value, sign)| *value *= sign);
}

/// The normalised Walsh–Hadamard transform, which is its own inverse.
fn transform(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for both in values.chunks_exact_mut(2 * half) {
            let (left, right) = both.split_at_mut(half);
            for (left, right) in left.iter_mut().zip(right) {
                (*left, *right) = (*left + *right, *left - *right);
            }
        }
        half *= 2;
    }
    let norm = float(values.len().max(1)).sqrt();
    values.iter_mut().for_each(|value| *value /= norm);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dot(left: &[f32], right: &[f32]) -> f32 {
        left.iter().zip(right).map(|(left, right)| left * right).sum()
    }

    proptest! {
        #[test]
        fn dot_products_stay(
            left in proptest::collection::vec(-1.0_f32..1.0, 256),
            right in proptest::collection::vec(-1.0_f32..1.0, 256),
        ) {
            let rotation = Rotation::new(256);
            let rotated = dot(&rotation.forward(&left), &rotation.forward(&right));
            prop_assert!((rotated - dot(&left, &right)).abs() < 1e-3);
        }

        #[test]
        fn the_way_back_ends_where_it_began(vector in proptest::collection::vec(-1.0_f32..1.0, 1..100)) {
            let rotation = Rotation::new(vector.len());
            let back = rotation.backward(rotation.forward(&vector));
            for (value, found) in vector.iter().zip(&back) {
                prop_assert!((value - found).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn an_axis_is_spread_over_all_coordinates() {
        let mut axis = vec![0.0; 256];
        axis[7] = 1.0;
        let rotated = Rotation::new(256).forward(&axis);
        assert!(rotated.iter().all(|value| value.abs() < 0.5), "{rotated:?}");
    }
}
