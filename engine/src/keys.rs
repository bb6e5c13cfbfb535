//! Stored keys of main-point tokens and the queries of a question. It must not know how they are
//! captured or scored.

use crate::EngineError;

/// The int8 keys of a passage's main-point tokens: one vector per token and key slot (a layer and
/// key head that the search heads use), each with one scale.
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
            tokens: self.tokens,
            heads: self.heads.get(head).cloned().into_iter().collect(),
        }
    }
}

const MAGIC: [u8; 4] = *b"MPK1";
const HEADER: usize = 12;

impl KeyBlock {
    /// An empty block for `slots` key slots of `width` values.
    pub(crate) fn new(slots: usize, width: usize) -> Self {
        Self {
            slots,
            width,
            scales: Vec::new(),
            values: Vec::new(),
        }
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
        let mut block = Self::new(self.slots, self.width);
        for token in tokens {
            let (from, to) = (token * self.slots, (token + 1) * self.slots);
            let values = self.values.get(from * self.width..to * self.width);
            block.scales.extend(self.scales.get(from..to).unwrap_or_default());
            block.values.extend(values.unwrap_or_default());
        }
        block
    }

    /// How many tokens the block has keys of.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.scales.len().checked_div(self.slots).unwrap_or(0)
    }

    /// The block as bytes: a header (`MPK1`, slots u16, width u16, tokens u32), scales as f32, values; little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.scales.len() * 4 + self.values.len());
        bytes.extend(MAGIC);
        bytes.extend(u16::try_from(self.slots).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(u16::try_from(self.width).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(u32::try_from(self.tokens()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend(self.scales.iter().flat_map(|scale| scale.to_le_bytes()));
        bytes.extend(self.values.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    /// Reads what [`KeyBlock::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`EngineError::Keys`] if the bytes are anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EngineError> {
        let (header, body) = bytes.split_at_checked(HEADER).ok_or(EngineError::Keys("too short"))?;
        if header[..4] != MAGIC {
            return Err(EngineError::Keys("not a key block"));
        }
        let slots = usize::from(u16::from_le_bytes([header[4], header[5]]));
        let width = usize::from(u16::from_le_bytes([header[6], header[7]]));
        let tokens = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let vectors = tokens.checked_mul(slots).ok_or(EngineError::Keys("impossible size"))?;
        let length = vectors
            .checked_mul(4 + width)
            .ok_or(EngineError::Keys("impossible size"))?;
        if body.len() != length {
            return Err(EngineError::Keys("length does not fit the header"));
        }
        let (scales, values) = body.split_at(vectors * 4);
        let scales = scales
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .collect();
        let values = values.iter().map(|byte| i8::from_le_bytes([*byte])).collect();
        Ok(Self {
            slots,
            width,
            scales,
            values,
        })
    }
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
    fn some_tokens_keep_their_keys() {
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
    }

    #[test]
    fn a_truncated_block_is_refused() {
        let mut block = KeyBlock::new(1, 4);
        block.push(&[1.0, 2.0, 3.0, 4.0]);
        let bytes = block.to_bytes();
        assert!(KeyBlock::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    }
}
