//! Stored keys of main-point tokens and the queries of a question. It must not know how they are
//! captured or scored.

mod rotation;
mod short;

use half::f16;

pub use rotation::Rotation;

use crate::EngineError;

/// The keys of a passage's main-point tokens: one vector per token and key slot (a layer and key head that the search
/// heads use), each with one scale; int8 as they are read, four bits a coordinate once [`KeyBlock::shortened`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyBlock {
    pub(crate) slots: usize,
    pub(crate) width: usize,
    pub(crate) precision: Precision,
    /// One per token and slot: `token * slots + slot`.
    pub(crate) scales: Vec<f32>,
    /// `(token * slots + slot) * width ..`, each value times its scale is the key.
    pub(crate) values: Vec<i8>,
}

/// What a block keeps of each number of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Precision {
    /// Eight bits.
    #[default]
    Bytes,
    /// Four bits of each rotated coordinate.
    Nibbles {
        /// The width of the keys before they were rotated.
        of: usize,
    },
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
    /// The queries that meet shortened keys.
    pub(crate) fn rotated(&self) -> Self {
        short::rotated(self)
    }

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

const BYTES: [u8; 4] = *b"MPK1";
const NIBBLES: [u8; 4] = *b"MPK2";
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

    /// The numbers of all keys, in the order of [`KeyBlock::of`], as far as quantising left them; rotated, if the block was
    /// shortened.
    pub fn numbers(&self) -> impl Iterator<Item = f32> + '_ {
        let keys = self.scales.iter().zip(self.values.chunks_exact(self.width.max(1)));
        keys.flat_map(|(scale, values)| values.iter().map(move |value| f32::from(*value) * scale))
    }

    /// The same keys in half of the bytes: with keys of 256 numbers in two slots 260 bytes a token instead of 520.
    /// Attention then is an estimate. A block that is short already stays as it is.
    #[must_use]
    pub fn shortened(&self) -> Self {
        match self.precision {
            Precision::Bytes => short::shortened(self),
            Precision::Nibbles { .. } => self.clone(),
        }
    }

    /// Whether the block was shortened.
    pub(crate) fn is_short(&self) -> bool {
        self.precision != Precision::Bytes
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
        let mut block = Self {
            precision: self.precision,
            ..Self::new(self.slots, self.width)
        };
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

    /// The block as bytes, little-endian: a header (slots u16, width of a key u16 and tokens u32 behind a mark), a scale for
    /// each key, then the keys. `MPK1`: scales in f32, values in i8. `MPK2`: scales in f16, the levels of the coordinates as half bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (mark, width) = match self.precision {
            Precision::Bytes => (BYTES, self.width),
            Precision::Nibbles { of } => (NIBBLES, of),
        };
        let mut bytes = Vec::with_capacity(HEADER + self.scales.len() * 4 + self.values.len());
        bytes.extend(mark);
        bytes.extend(u16::try_from(self.slots).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(u16::try_from(width).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(u32::try_from(self.tokens()).unwrap_or(u32::MAX).to_le_bytes());
        match self.precision {
            Precision::Bytes => {
                bytes.extend(self.scales.iter().flat_map(|scale| scale.to_le_bytes()));
                bytes.extend(self.values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Precision::Nibbles { .. } => {
                let scales = self.scales.iter().map(|scale| f16::from_f32(*scale));
                bytes.extend(scales.flat_map(f16::to_le_bytes));
                bytes.extend(short::to_nibbles(&self.values));
            }
        }
        bytes
    }

    /// Reads what [`KeyBlock::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`EngineError::Keys`] if the bytes are anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EngineError> {
        let (header, body) = bytes.split_at_checked(HEADER).ok_or(EngineError::Keys("too short"))?;
        let is_short = header.starts_with(&NIBBLES);
        if !is_short && !header.starts_with(&BYTES) {
            return Err(EngineError::Keys("not a key block"));
        }
        let slots = usize::from(u16::from_le_bytes([header[4], header[5]]));
        let width = usize::from(u16::from_le_bytes([header[6], header[7]]));
        let tokens = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let vectors = tokens.checked_mul(slots).ok_or(EngineError::Keys("impossible size"))?;
        let coordinates = short::coordinates(width);
        let of_one = if is_short { 2 + coordinates / 2 } else { 4 + width };
        let length = vectors
            .checked_mul(of_one)
            .ok_or(EngineError::Keys("impossible size"))?;
        if body.len() != length {
            return Err(EngineError::Keys("length does not fit the header"));
        }
        if is_short {
            let (scales, levels) = body.split_at(vectors * 2);
            let scales = scales
                .chunks_exact(2)
                .map(|two| f16::from_le_bytes([two[0], two[1]]).to_f32());
            return Ok(Self {
                slots,
                width: coordinates,
                precision: Precision::Nibbles { of: width },
                scales: scales.collect(),
                values: short::from_nibbles(levels).collect(),
            });
        }
        let (scales, values) = body.split_at(vectors * 4);
        let scales = scales
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        Ok(Self {
            slots,
            width,
            precision: Precision::Bytes,
            scales: scales.collect(),
            values: values.iter().map(|byte| i8::from_le_bytes([*byte])).collect(),
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
            let short = block.shortened();
            prop_assert_eq!(short.tokens(), keys.len());
            prop_assert_eq!(&short.shortened(), &short);
            prop_assert_eq!(KeyBlock::from_bytes(&block.to_bytes()).ok(), Some(block));
            prop_assert_eq!(KeyBlock::from_bytes(&short.to_bytes()).ok(), Some(short));
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
    fn a_short_key_takes_half_of_the_bytes() {
        let mut block = KeyBlock::new(2, 256);
        for _ in 0..5 {
            block.push(&[0.5; 256]);
            block.push(&[-0.25; 256]);
        }
        assert_eq!(block.to_bytes().len(), HEADER + 5 * 520);
        assert_eq!(block.shortened().to_bytes().len(), HEADER + 5 * 260);
    }

    #[test]
    fn a_truncated_block_is_refused() {
        let mut block = KeyBlock::new(1, 4);
        block.push(&[1.0, 2.0, 3.0, 4.0]);
        let bytes = block.to_bytes();
        assert!(KeyBlock::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        let bytes = block.shortened().to_bytes();
        assert!(KeyBlock::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    }
}
