//! Keys of main-point tokens and the queries of a question. It must not know how they are
//! captured or scored.

mod codebook;
mod coder;

pub use codebook::Codebook;
pub(crate) use codebook::{CENTROIDS, PART};
pub use coder::KeyCoder;
pub(crate) use coder::Stored;

use crate::EngineError;

/// The keys of a passage's main-point tokens in int8: one vector per token and key slot (a layer and key head that the search
/// heads use), each with one scale.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyBlock {
    pub(crate) slots: usize,
    pub(crate) width: usize,
    /// One per token and slot: `token * slots + slot`.
    pub(crate) scales: Vec<f32>,
    /// `(token * slots + slot) * width ..`, each value times its scale is the key.
    pub(crate) values: Vec<i8>,
}

/// The rotated, scaled queries of a question: per head, per token, `width` values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryBlock {
    pub(crate) width: usize,
    /// Keys that a token has for these heads; one that was kept for other heads has another number of them.
    pub(crate) slots: usize,
    pub(crate) tokens: usize,
    pub(crate) heads: Vec<HeadQueries>,
}

/// One head's queries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeadQueries {
    /// Which key slot of a [`KeyBlock`] this head attends to.
    pub(crate) slot: usize,
    pub(crate) values: Vec<f32>,
}

impl QueryBlock {
    /// The queries of one head alone; none if there is no such head.
    pub(crate) fn only(&self, head: usize) -> Self {
        Self {
            width: self.width,
            slots: self.slots,
            tokens: self.tokens,
            heads: self.heads.get(head).cloned().into_iter().collect(),
        }
    }
}

/// What the header of stored keys says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    slots: usize,
    width: usize,
    tokens: usize,
}

const BYTES: [u8; 4] = *b"MPK1";
const HEADER: usize = 12;

impl KeyBlock {
    /// An empty block for `slots` key slots of `width` values.
    pub(crate) fn new(slots: usize, width: usize) -> Self {
        Self {
            slots,
            width,
            ..Self::default()
        }
    }

    /// A block of keys, each of them quantised: token by token, `width` numbers for each slot. What is less than a key at the
    /// end is left out.
    #[must_use]
    pub fn of(slots: usize, width: usize, numbers: &[f32]) -> Self {
        let mut block = Self::new(slots, width);
        numbers.chunks_exact(width.max(1)).for_each(|key| block.push(key));
        block
    }

    /// Keys a token.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Numbers a key.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The numbers of all keys, in the order of [`KeyBlock::of`], as far as quantising left them.
    pub fn numbers(&self) -> impl Iterator<Item = f32> + '_ {
        let keys = self.scales.iter().zip(self.values.chunks_exact(self.width.max(1)));
        keys.flat_map(|(scale, values)| values.iter().map(move |value| f32::from(*value) * scale))
    }

    /// Quantises one token's key for the next slot.
    pub(crate) fn push(&mut self, key: &[f32]) {
        let largest = key.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        self.scales.push(scale);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the value lies in -127..=127 by the choice of scale"
        )]
        self.values
            .extend(key.iter().map(|value| (value / scale).round() as i8));
    }

    /// A block of some of its tokens, given by their positions.
    pub(crate) fn of_tokens(&self, tokens: impl Iterator<Item = usize>) -> Self {
        let keys = tokens.flat_map(|token| token * self.slots..(token + 1) * self.slots);
        self.of_keys(self.slots, keys)
    }

    /// A block of some of its slots, which the caller names in ascending order.
    pub(crate) fn of_slots(&self, slots: &[usize]) -> Self {
        let keys = (0..self.tokens()).flat_map(|token| slots.iter().map(move |slot| token * self.slots + slot));
        self.of_keys(slots.len(), keys)
    }

    fn of_keys(&self, slots: usize, keys: impl Iterator<Item = usize>) -> Self {
        let mut block = Self::new(slots, self.width);
        for key in keys {
            let values = self.values.get(key * self.width..(key + 1) * self.width);
            block.scales.extend(self.scales.get(key));
            block.values.extend(values.unwrap_or_default());
        }
        block
    }

    /// How many tokens the block has keys of.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.scales.len().checked_div(self.slots).unwrap_or(0)
    }

    /// The block as bytes, little-endian: a header (`MPK1`, slots u16, width of a key u16, tokens u32), a scale in f32 for each
    /// key, then the keys in i8.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = header(BYTES, self).to_vec();
        bytes.reserve(self.scales.len() * 4 + self.values.len());
        bytes.extend(self.scales.iter().flat_map(|scale| scale.to_le_bytes()));
        bytes.extend(self.values.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    /// Reads what [`KeyBlock::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`EngineError::Keys`] if the bytes are anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EngineError> {
        let (shape, body) = split(bytes)?;
        if !bytes.starts_with(&BYTES) {
            return Err(EngineError::Keys("not a key block"));
        }
        let impossible = || EngineError::Keys("impossible size");
        let keys = shape.tokens.checked_mul(shape.slots).ok_or_else(impossible)?;
        if keys.checked_mul(4 + shape.width).ok_or_else(impossible)? != body.len() {
            return Err(EngineError::Keys("length does not fit the header"));
        }
        let (scales, values) = body.split_at(keys * 4);
        let scales = scales
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        Ok(Self {
            slots: shape.slots,
            width: shape.width,
            scales: scales.collect(),
            values: values.iter().map(|byte| byte.cast_signed()).collect(),
        })
    }
}

/// A mark, and the shape of a block.
fn header(mark: [u8; 4], block: &KeyBlock) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&mark);
    header[4..6].copy_from_slice(&u16::try_from(block.slots).unwrap_or(u16::MAX).to_le_bytes());
    header[6..8].copy_from_slice(&u16::try_from(block.width).unwrap_or(u16::MAX).to_le_bytes());
    header[8..].copy_from_slice(&u32::try_from(block.tokens()).unwrap_or(u32::MAX).to_le_bytes());
    header
}

/// The shape that a header tells, whatever its mark, and what comes behind it.
fn split(bytes: &[u8]) -> Result<(Shape, &[u8]), EngineError> {
    let (header, body) = bytes.split_at_checked(HEADER).ok_or(EngineError::Keys("too short"))?;
    let shape = Shape {
        slots: usize::from(u16::from_le_bytes([header[4], header[5]])),
        width: usize::from(u16::from_le_bytes([header[6], header[7]])),
        tokens: u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize,
    };
    Ok((shape, body))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_give_the_block_back(keys in proptest::collection::vec(proptest::collection::vec(-3.0_f32..3.0, 8), 0..12)) {
            let mut block = KeyBlock::new(2, 8);
            for key in &keys {
                block.push(key);
                block.push(key);
            }
            prop_assert_eq!(block.tokens(), keys.len());
            prop_assert_eq!(KeyBlock::from_bytes(&block.to_bytes()).ok(), Some(block));
        }

        #[test]
        fn quantising_changes_a_value_by_at_most_half_a_step(key in proptest::collection::vec(-3.0_f32..3.0, 8)) {
            let mut block = KeyBlock::new(1, 8);
            block.push(&key);
            for (value, quantised) in key.iter().zip(&block.values) {
                prop_assert!((value - f32::from(*quantised) * block.scales[0]).abs() <= block.scales[0] * 0.501);
            }
        }

        #[test]
        fn other_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = KeyBlock::from_bytes(&bytes).is_err();
        }
    }

    #[test]
    fn some_tokens_and_some_slots_keep_their_keys() {
        let mut block = KeyBlock::new(2, 2);
        for token in [1.0, 2.0, 3.0] {
            block.push(&[token, 0.0]);
            block.push(&[0.0, token]);
        }
        let some = block.of_tokens([0, 2].into_iter());
        assert_eq!(some.tokens(), 2);
        assert_eq!(some.scales[2..], block.scales[4..]);
        assert_eq!(some.values[4..], block.values[8..]);
        assert_eq!(block.of_tokens(0..3), block);
        let second = block.of_slots(&[1]);
        assert_eq!((second.tokens(), second.slots), (3, 1));
        assert_eq!(second.values, [0, 127, 0, 127, 0, 127]);
        assert_eq!(block.of_slots(&[0, 1]), block);
    }

    #[test]
    fn a_truncated_block_is_refused() {
        let mut block = KeyBlock::new(1, 4);
        block.push(&[1.0, 2.0, 3.0, 4.0]);
        let bytes = block.to_bytes();
        assert!(KeyBlock::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    }
}
