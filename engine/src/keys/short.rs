//! Keys of one bit a coordinate, and queries that meet them.
//!
//! A rotated key is kept as the signs of its coordinates and one scale, chosen so that the product with the key itself is
//! exact, which leaves the product with any other vector unbiased (RaBitQ, Gao and Long, SIGMOD 2024). It must not know how
//! keys are scored or laid out in bytes.

use half::f16;

use super::rotation::Rotation;
use super::{HeadQueries, KeyBlock, Precision, QueryBlock};

/// Coordinates that make room for the scale: with 240 of 256, a key and its scale take 32 bytes.
const LEFT_OUT: usize = 16;
/// From this size on coordinates may be left out.
const LARGE: usize = 64;

/// How many coordinates are kept of a rotated vector of `width` numbers; a multiple of 8.
pub(super) fn coordinates(width: usize) -> usize {
    let size = width.next_power_of_two().max(8);
    if size < LARGE { size } else { size - LEFT_OUT }
}

/// A block of the same keys, one bit a coordinate.
pub(super) fn shortened(block: &KeyBlock) -> KeyBlock {
    let (rotation, width) = (Rotation::of(block.width), coordinates(block.width));
    let mut short = KeyBlock {
        slots: block.slots,
        width,
        precision: Precision::Bits { of: block.width },
        scales: Vec::with_capacity(block.scales.len()),
        values: Vec::with_capacity(block.scales.len() * width),
    };
    for (scale, values) in block.scales.iter().zip(block.values.chunks_exact(block.width.max(1))) {
        let key = || values.iter().map(|value| f32::from(*value) * scale);
        let square: f32 = key().map(|value| value * value).sum();
        let mut rotated = rotation.apply(key());
        rotated.resize(width, 0.0);
        let sum: f32 = rotated.iter().map(|value| value.abs()).sum();
        let scale = if sum > 0.0 { square / sum } else { 0.0 };
        // As it will be read again.
        short.scales.push(f16::from_f32(scale).to_f32());
        let signs = rotated.iter().map(|value| if *value < 0.0 { -1 } else { 1 });
        short.values.extend(signs);
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
        tokens: queries.tokens,
        heads: heads.collect(),
    }
}

/// The signs as bits, eight to a byte, the first in the lowest bit; 1 for −1.
pub(super) fn to_bits(signs: &[i8]) -> impl Iterator<Item = u8> + '_ {
    let byte = |eight: &[i8]| {
        let bits = eight.iter().enumerate();
        bits.fold(0, |byte, (place, sign)| byte | (u8::from(*sign < 0) << place))
    };
    signs.chunks(8).map(byte)
}

/// What [`to_bits`] was given.
pub(super) fn from_bits(bytes: &[u8]) -> impl Iterator<Item = i8> + '_ {
    let bits = bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |place| (byte >> place) & 1));
    bits.map(|bit| if bit == 1 { -1 } else { 1 })
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
    fn products_are_estimated_without_bias_and_within_a_tenth_of_the_lengths() {
        let (keys, queries) = (vectors(1, 200, 256), vectors(9, 20, 256));
        let mut block = KeyBlock::new(1, 256);
        keys.iter().for_each(|key| block.push(key));
        let short = shortened(&block);
        let asked = rotated(&QueryBlock {
            width: 256,
            tokens: queries.len(),
            heads: vec![HeadQueries {
                slot: 0,
                values: queries.concat(),
            }],
        });
        let (mut error, mut square, mut length) = (0.0, 0.0, 0.0);
        for (index, key) in keys.iter().enumerate() {
            let signs: Vec<f32> = short.values[index * 240..(index + 1) * 240]
                .iter()
                .map(|sign| f32::from(*sign))
                .collect();
            for (query, own) in asked.heads[0].values.chunks_exact(240).zip(&queries) {
                let found = dot(query, &signs) * short.scales[index] - dot(own, key);
                error += found;
                square += found * found;
                length += dot(own, own).sqrt() * dot(key, key).sqrt();
            }
        }
        let count = 4000.0;
        assert!((error / count).abs() < 0.01 * length / count, "{error}");
        assert!((square / count).sqrt() < 0.1 * length / count, "{square}");
    }

    proptest! {
        #[test]
        fn signs_survive_as_bits(signs in proptest::collection::vec(proptest::bool::ANY, 0..10)) {
            let signs: Vec<i8> = signs.iter().flat_map(|sign| [if *sign { 1 } else { -1 }; 8]).collect();
            let bytes: Vec<u8> = to_bits(&signs).collect();
            prop_assert_eq!(from_bits(&bytes).collect::<Vec<i8>>(), signs);
        }
    }
}
