//! The keys of a passage as numbers: out of the bytes that are stored, and back.
//!
//! It must not know what happens to them in between, nor how bytes are laid out: the engine reads and writes them.

use mainpoint_engine::KeyBlock;

/// What a block's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Keys a token.
    pub(super) slots: usize,
    /// Numbers a key.
    pub(super) width: usize,
    /// Tokens of the block.
    pub(super) tokens: usize,
}

/// The keys of a passage's tokens, one per token and slot.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Keys {
    slots: usize,
    width: usize,
    /// Of a token's slot: `(token * slots + slot) * width ..`.
    values: Vec<f32>,
}

/// The mean of tokens that come one by one.
#[derive(Debug, Clone, Default)]
pub(super) struct Mean {
    sums: Vec<f32>,
    count: usize,
}

impl Shape {
    /// The shape of a block; nothing if the bytes are no block, or one without a slot or width.
    #[must_use]
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let block = KeyBlock::from_bytes(bytes).ok()?;
        let shape = Self {
            slots: block.slots(),
            width: block.width(),
            tokens: block.tokens(),
        };
        (shape.slots > 0 && shape.width > 0).then_some(shape)
    }
}

impl Keys {
    /// The keys of a block; nothing where [`Shape::of`] finds nothing.
    #[must_use]
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Shape::of(bytes)?;
        Some(Self::of(&KeyBlock::from_bytes(bytes).ok()?))
    }

    /// The keys of a block.
    #[must_use]
    pub(super) fn of(block: &KeyBlock) -> Self {
        Self {
            slots: block.slots(),
            width: block.width(),
            values: block.numbers().collect(),
        }
    }

    /// A block in int8.
    #[must_use]
    pub(super) fn to_block(&self) -> KeyBlock {
        KeyBlock::of(self.slots, self.width, &self.values)
    }

    /// The same as bytes.
    #[must_use]
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.to_block().to_bytes()
    }

    /// The keys of each token, slot after slot.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.token_width())
    }

    /// Every key with the slot that it belongs to.
    pub(super) fn by_slot_mut(&mut self) -> impl Iterator<Item = (usize, &mut [f32])> {
        let slots = self.slots;
        let keys = self.values.chunks_exact_mut(self.width).enumerate();
        keys.map(move |(number, key)| (number % slots, key))
    }

    /// The same for other tokens.
    #[must_use]
    pub(super) fn with<'a>(&self, tokens: impl Iterator<Item = &'a [f32]>) -> Self {
        Self {
            slots: self.slots,
            width: self.width,
            values: tokens.flatten().copied().collect(),
        }
    }

    fn token_width(&self) -> usize {
        (self.slots * self.width).max(1)
    }
}

impl Mean {
    /// Counts a token in.
    pub(super) fn add(&mut self, token: &[f32]) {
        self.sums.resize(self.sums.len().max(token.len()), 0.0);
        self.sums.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
        self.count += 1;
    }

    /// The mean token; empty without any.
    #[must_use]
    pub(super) fn token(&self) -> Vec<f32> {
        self.sums.iter().map(|sum| sum / float(self.count)).collect()
    }
}

/// A count as a number.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of tokens and of numbers in a key")]
pub(super) fn float(count: usize) -> f32 {
    count as f32
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_engine_reads_what_is_written(values in proptest::collection::vec(-3.0_f32..3.0, 0..6 * 8)) {
            let count = values.len() / 8 * 8;
            let keys = Keys { slots: 2, width: 4, values: values[..count].to_vec() };
            let bytes = keys.to_bytes();
            let block = KeyBlock::from_bytes(&bytes).unwrap();
            prop_assert_eq!(block.tokens(), count / 8);
            prop_assert_eq!(block.to_bytes(), bytes.clone());
            let back = Keys::from_bytes(&bytes).unwrap();
            prop_assert_eq!(back.values.len(), count);
            for (value, found) in keys.values.iter().zip(&back.values) {
                prop_assert!((value - found).abs() < 3.0 / 127.0);
            }
        }

        #[test]
        fn other_bytes_are_no_keys(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(Keys::from_bytes(&bytes).is_none() || bytes.starts_with(b"MPK1"));
        }
    }

    #[test]
    fn a_mean_is_taken_over_tokens() {
        let mut mean = Mean::default();
        assert!(mean.token().is_empty());
        mean.add(&[1.0, 2.0]);
        mean.add(&[3.0, -2.0]);
        assert_eq!(mean.token(), [2.0, 0.0]);
    }
}
