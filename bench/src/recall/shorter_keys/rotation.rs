//! A random rotation that spreads a vector evenly over its coordinates, so that each says equally much.
//!
//! Random signs and a Walsh–Hadamard transform, three times: after one round a vector along an axis still has few values,
//! after three the coordinates look Gaussian. It must not know what is rotated.

/// A rotation of vectors of one width.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    size: usize,
    /// +1 or −1, `size` of them for each round.
    signs: Vec<f32>,
}

const ROUNDS: usize = 3;

impl Rotation {
    /// A rotation of vectors of `width` numbers, with zeros behind them up to the next power of two. `flips` says at random
    /// which signs turn.
    #[must_use]
    pub(super) fn drawn(width: usize, mut flips: impl FnMut() -> bool) -> Self {
        let size = width.next_power_of_two();
        let signs = (0..ROUNDS * size).map(|_| if flips() { -1.0 } else { 1.0 });
        Self {
            size,
            signs: signs.collect(),
        }
    }

    /// The coordinates of a vector.
    #[must_use]
    pub(super) fn apply(&self, vector: impl Iterator<Item = f32>) -> Vec<f32> {
        let mut rotated: Vec<f32> = vector.take(self.size).collect();
        rotated.resize(self.size, 0.0);
        for signs in self.signs.chunks_exact(self.size) {
            flip(&mut rotated, signs);
            transform(&mut rotated);
        }
        rotated
    }

    /// The vector with these coordinates; coordinates that are missing count as zeros.
    #[must_use]
    pub(super) fn undo(&self, mut rotated: Vec<f32>) -> Vec<f32> {
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
    #[expect(clippy::cast_precision_loss, reason = "a head's width is small")]
    let norm = (values.len().max(1) as f32).sqrt();
    values.iter_mut().for_each(|value| *value /= norm);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::coder::rotation;

    fn dot(left: &[f32], right: &[f32]) -> f32 {
        left.iter().zip(right).map(|(left, right)| left * right).sum()
    }

    proptest! {
        #[test]
        fn dot_products_stay(
            left in proptest::collection::vec(-1.0_f32..1.0, 100),
            right in proptest::collection::vec(-1.0_f32..1.0, 100),
        ) {
            let rotation = rotation(100);
            let rotated = dot(&rotation.apply(left.iter().copied()), &rotation.apply(right.iter().copied()));
            prop_assert!((rotated - dot(&left, &right)).abs() < 1e-3);
        }

        #[test]
        fn the_way_back_ends_where_it_began(vector in proptest::collection::vec(-1.0_f32..1.0, 1..100)) {
            let rotation = rotation(vector.len());
            let back = rotation.undo(rotation.apply(vector.iter().copied()));
            for (value, found) in vector.iter().zip(&back) {
                prop_assert!((value - found).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn an_axis_is_spread_over_all_coordinates() {
        let axis = (0..256_u16).map(|place| f32::from(u8::from(place == 7)));
        let rotated = rotation(256).apply(axis);
        assert!(rotated.iter().all(|value| value.abs() < 0.5), "{rotated:?}");
    }
}
