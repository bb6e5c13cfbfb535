//! Keys of four bits a coordinate, and queries that meet them.
//!
//! A key is rotated so that its coordinates look Gaussian, each is put into one of 16 equal steps, and one scale makes the
//! product with the key itself exact, which leaves the product with any other vector unbiased (as RaBitQ does with more bits,
//! Gao and others, 2024). Fewer bits do not do: attention is exponential in the product, and with one bit the search by it
//! was lost. It must not know how keys are scored or laid out in bytes.

use half::f16;

use super::rotation::Rotation;
use super::{HeadQueries, KeyBlock, Precision, QueryBlock};

/// The step that leaves the least error of a Gaussian in 16 levels, in standard deviations (Max, 1960).
const STEP: f32 = 0.335;
/// The outermost level, in half steps; levels are odd.
const OUTERMOST: f32 = 15.0;

/// How many coordinates a rotated vector of `width` numbers has; a multiple of 2.
pub(super) fn coordinates(width: usize) -> usize {
    width.next_power_of_two().max(2)
}

/// A block of the same keys, four bits a coordinate.
pub(super) fn shortened(block: &KeyBlock) -> KeyBlock {
    let (rotation, width) = (Rotation::of(block.width), coordinates(block.width));
    let mut short = KeyBlock {
        slots: block.slots,
        width,
        precision: Precision::Nibbles { of: block.width },
        scales: Vec::with_capacity(block.scales.len()),
        values: Vec::with_capacity(block.scales.len() * width),
    };
    for (scale, values) in block.scales.iter().zip(block.values.chunks_exact(block.width.max(1))) {
        let mut rotated = rotation.apply(values.iter().map(|value| f32::from(*value) * scale));
        rotated.resize(width, 0.0);
        let square: f32 = rotated.iter().map(|value| value * value).sum();
        #[expect(clippy::cast_precision_loss, reason = "a head's width is small")]
        let deviation = (square / width as f32).sqrt();
        let levels = rotated.iter().map(|value| level(*value, deviation));
        let levels: Vec<i8> = levels.collect();
        let product: f32 = rotated
            .iter()
            .zip(&levels)
            .map(|(value, level)| value * f32::from(*level))
            .sum();
        let scale = if product > 0.0 { square / product } else { 0.0 };
        // As it will be read again.
        short.scales.push(f16::from_f32(scale).to_f32());
        short.values.extend(levels);
    }
    short
}

/// The queries that meet shortened keys.
pub(super) fn rotated(queries: &QueryBlock) -> QueryBlock {
    let (rotation, width) = (Rotation::of(queries.width), coordinates(queries.width));
    let rotate = |query: &[f32]| {
        let mut query = rotation.apply(query.iter().copied());
        query.resize(width, 0.0);
        query
    };
    let heads = queries.heads.iter().map(|head| HeadQueries {
        slot: head.slot,
        values: head
            .values
            .chunks_exact(queries.width.max(1))
            .flat_map(rotate)
            .collect(),
    });
    QueryBlock {
        width,
        slots: queries.slots,
        tokens: queries.tokens,
        heads: heads.collect(),
    }
}

/// Levels as half bytes, two to a byte, the first in the lower half; 0 is the lowest level.
pub(super) fn to_nibbles(levels: &[i8]) -> impl Iterator<Item = u8> + '_ {
    let nibble = |level: &i8| level.saturating_add(15).cast_unsigned() / 2;
    levels
        .chunks_exact(2)
        .map(move |two| nibble(&two[0]) | (nibble(&two[1]) << 4))
}

/// What [`to_nibbles`] was given.
pub(super) fn from_nibbles(bytes: &[u8]) -> impl Iterator<Item = i8> + '_ {
    let nibbles = bytes.iter().flat_map(|byte| [byte & 15, byte >> 4]);
    nibbles.map(|nibble| 2 * nibble.cast_signed() - 15)
}

/// The odd number of half steps that is nearest to a value.
fn level(value: f32, deviation: f32) -> i8 {
    let steps = if deviation > 0.0 {
        (value / deviation / STEP).floor()
    } else {
        0.0
    };
    #[expect(clippy::cast_possible_truncation, reason = "clamped to -15..=15")]
    let level = (2.0 * steps + 1.0).clamp(-OUTERMOST, OUTERMOST) as i8;
    level
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vectors(seed: u32, count: usize, width: usize) -> Vec<Vec<f32>> {
        let value = |at: usize| {
            let mixed = (at as u32)
                .wrapping_mul(2_654_435_761)
                .wrapping_add(seed)
                .wrapping_mul(2_246_822_519);
            f32::from((mixed >> 16) as u16) / 32_768.0 - 1.0
        };
        (0..count)
            .map(|vector| (0..width).map(|at| value(vector * width + at)).collect())
            .collect()
    }

    fn dot(left: &[f32], right: &[f32]) -> f32 {
        left.iter().zip(right).map(|(left, right)| left * right).sum()
    }

    #[test]
    fn products_are_estimated_within_a_hundredth_of_the_lengths() {
        let (keys, queries) = (vectors(1, 200, 256), vectors(9, 20, 256));
        let mut block = KeyBlock::new(1, 256);
        keys.iter().for_each(|key| block.push(key));
        let short = shortened(&block);
        let asked = rotated(&QueryBlock {
            width: 256,
            slots: 1,
            tokens: queries.len(),
            heads: vec![HeadQueries {
                slot: 0,
                values: queries.concat(),
            }],
        });
        let (mut error, mut square, mut length) = (0.0, 0.0, 0.0);
        for (index, key) in keys.iter().enumerate() {
            let levels = short.values[index * 256..(index + 1) * 256].iter();
            let levels: Vec<f32> = levels.map(|level| f32::from(*level)).collect();
            for (query, own) in asked.heads[0].values.chunks_exact(256).zip(&queries) {
                let found = dot(query, &levels) * short.scales[index] - dot(own, key);
                error += found;
                square += found * found;
                length += dot(own, own).sqrt() * dot(key, key).sqrt();
            }
        }
        let count = 4000.0;
        assert!((error / count).abs() < 0.002 * length / count, "{error}");
        assert!((square / count).sqrt() < 0.012 * length / count, "{square}");
    }

    proptest! {
        #[test]
        fn levels_survive_as_half_bytes(steps in proptest::collection::vec(0_i8..16, 0..20)) {
            let levels: Vec<i8> = steps.iter().flat_map(|step| [2 * step - 15, 15 - 2 * step]).collect();
            let bytes: Vec<u8> = to_nibbles(&levels).collect();
            prop_assert_eq!(from_nibbles(&bytes).collect::<Vec<i8>>(), levels);
        }

        #[test]
        fn a_value_gets_the_level_that_is_nearest(value in -2.0_f32..2.0) {
            let found = f32::from(level(value, 1.0)) * STEP / 2.0;
            prop_assert!((found - value).abs() <= STEP / 2.0 + 1e-5);
        }
    }
}
