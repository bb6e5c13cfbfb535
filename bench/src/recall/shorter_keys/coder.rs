//! A block of keys after one scheme's loss, in the format that the engine scores.
//!
//! The values that a scheme gives back are written in int8 once more, which adds far less error than the scheme itself. It must
//! not know who asks.

use super::super::reading::Reading;
use super::keys::{Keys, Mean, Shape};
use super::learned::Learned;
use super::levels::squared;
use super::rotation::Rotation;
use super::schemes::{Centre, Code, Levels, Scheme, Tokens};

/// Everything that schemes need for one conversation.
pub(super) struct Coder<'a> {
    rotation: Rotation,
    learned: Option<&'a Learned>,
    slots: usize,
    /// The conversation's mean key of every slot.
    own_mean: Vec<f32>,
}

impl<'a> Coder<'a> {
    /// A coder for the keys of a reading.
    #[must_use]
    pub(super) fn of(reading: &Reading, learned: Option<&'a Learned>) -> Self {
        let passages = || reading.turns.iter().flat_map(|turn| &turn.passages);
        let shape = passages().find_map(|passage| Shape::of(&passage.keys));
        let mut mean = Mean::default();
        for keys in passages().filter_map(|passage| Keys::from_bytes(&passage.keys)) {
            keys.tokens().for_each(|token| mean.add(token));
        }
        Self {
            rotation: rotation(shape.map_or(1, |shape| shape.width)),
            learned,
            slots: shape.map_or(0, |shape| shape.slots),
            own_mean: mean.token(),
        }
    }

    /// Whether everything is there that the scheme needs.
    #[must_use]
    pub(super) fn has(&self, scheme: &Scheme) -> bool {
        scheme.fits(self.slots) && (self.learned.is_some() || !scheme.needs_learning())
    }

    /// What a scheme makes of a block; bytes that are no block stay as they are.
    #[must_use]
    pub(super) fn round_trip(&self, scheme: &Scheme, bytes: &[u8]) -> Vec<u8> {
        let Some(keys) = Keys::from_bytes(bytes) else {
            return bytes.to_vec();
        };
        let mut keys = some_of(&keys, scheme.tokens);
        if scheme.code == Code::Product {
            keys = self.coded(keys);
        }
        for (slot, key) in keys.by_slot_mut() {
            if scheme.slot.is_some_and(|only| only != slot) {
                // Equal keys get equal attention from every query. The question and the content-free question pay this slot's
                // share of it alike, so that it cancels in the scores, and the order is that of the other slot alone.
                key.fill(0.0);
                continue;
            }
            if let Code::Levels(levels) = scheme.code {
                self.reduce(levels, slot, key);
            }
        }
        keys.to_bytes()
    }

    /// What the engine's coder gives back.
    fn coded(&self, keys: Keys) -> Keys {
        let coder = self.learned.map(|learned| &learned.coder);
        let back = coder.and_then(|coder| coder.decode(&coder.encode(&keys.to_block())).ok());
        back.map_or(keys, |block| Keys::of(&block))
    }

    fn reduce(&self, levels: Levels, slot: usize, key: &mut [f32]) {
        for (value, mean) in key.iter_mut().zip(self.centre(levels.centre, slot)) {
            *value -= mean;
        }
        let square = squared(key);
        let mut rotated = self.rotation.apply(key.iter().copied());
        let kept = rotated.len().saturating_sub(levels.dropped);
        if let Some((kept, dropped)) = rotated.split_at_mut_checked(kept) {
            levels.bits.round_trip(kept, (square, levels.fit));
            dropped.fill(0.0);
        }
        let back = self.rotation.undo(rotated);
        key.iter_mut().zip(back).for_each(|(value, found)| *value = found);
    }

    /// What is taken off every key of a slot; empty for nothing.
    fn centre(&self, centre: Centre, slot: usize) -> &[f32] {
        let token: &[f32] = match centre {
            Centre::Nothing => &[],
            Centre::Learned => self.learned.map_or(&[][..], |learned| &learned.mean),
            Centre::Own => &self.own_mean[..],
        };
        let width = token.len().checked_div(self.slots).unwrap_or(0);
        token.get(slot * width..(slot + 1) * width).unwrap_or_default()
    }
}

/// A random rotation, the same for the same width.
pub(super) fn rotation(width: usize) -> Rotation {
    let mut random = fastrand::Rng::with_seed(SEED);
    Rotation::drawn(width, || !random.bool())
}

const SEED: u64 = 20_261_123;

/// The same keys for some of the tokens.
fn some_of(keys: &Keys, tokens: Tokens) -> Keys {
    match tokens {
        Tokens::All => keys.clone(),
        Tokens::EverySecond => keys.with(keys.tokens().step_by(2)),
        Tokens::First(most) => keys.with(keys.tokens().take(most)),
        Tokens::Mean => {
            let mut mean = Mean::default();
            keys.tokens().for_each(|token| mean.add(token));
            keys.with(std::iter::once(mean.token().as_slice()))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use mainpoint_engine::KeyBlock;

    use super::super::super::reading::{ReadPassage, ReadTurn};
    use super::super::schemes::SCHEMES;
    use super::*;

    const WIDTH: usize = 256;

    /// The bytes of a block of two slots, with so many random tokens.
    fn block(tokens: usize, seed: u64) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = b"MPK1".to_vec();
        bytes.extend(2_u16.to_le_bytes());
        bytes.extend(256_u16.to_le_bytes());
        bytes.extend(u32::try_from(tokens).unwrap().to_le_bytes());
        bytes.extend((0..tokens * 2).flat_map(|_| 0.03125_f32.to_le_bytes()));
        for _ in 0..tokens * 2 {
            // As the engine writes them, every key has one value at the end of the scale.
            bytes.push(127);
            bytes.extend((1..WIDTH).flat_map(|_| random.i8(-127..=127).to_le_bytes()));
        }
        bytes
    }

    fn reading(blocks: &[Vec<u8>]) -> Reading {
        let passage = |keys: &Vec<u8>| ReadPassage {
            keys: keys.clone(),
            ..ReadPassage::default()
        };
        Reading {
            turns: vec![ReadTurn {
                passages: blocks.iter().map(passage).collect(),
                ..ReadTurn::default()
            }],
            milliseconds: 0,
        }
    }

    #[test]
    fn every_scheme_gives_a_block_that_the_engine_reads() {
        let learned = Learned::of(&[reading(&[block(300, 1)])]).unwrap();
        let own = reading(&[block(20, 2), block(0, 3)]);
        let coder = Coder::of(&own, Some(&learned));
        for scheme in SCHEMES {
            assert!(coder.has(scheme), "{}", scheme.name);
            let tokens = |bytes: &[u8]| {
                let found = KeyBlock::from_bytes(&coder.round_trip(scheme, bytes)).unwrap();
                found.tokens()
            };
            let expected = match scheme.tokens {
                Tokens::All => 20,
                Tokens::EverySecond => 10,
                Tokens::First(most) => most,
                Tokens::Mean => 1,
            };
            assert_eq!(tokens(&block(20, 2)), expected, "{}", scheme.name);
            assert_eq!(tokens(&block(0, 3)), 0, "{}", scheme.name);
        }
    }

    #[test]
    fn tokens_that_stay_keep_their_keys_and_a_slot_that_goes_is_flat() {
        let bytes = block(3, 4);
        let coder = Coder::of(&reading(std::slice::from_ref(&bytes)), None);
        let after = |name: &str| {
            let scheme = Scheme::named(name).unwrap();
            Keys::from_bytes(&coder.round_trip(&scheme, &bytes)).unwrap()
        };
        let all = Keys::from_bytes(&bytes).unwrap();
        let (first, second, alone) = (after("first-8"), after("every-second"), after("one-layer-5"));
        let near = |left: &[f32], right: &[f32]| {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| (left - right).abs() < 1e-4)
        };
        assert!(first.tokens().zip(all.tokens()).all(|(left, right)| near(left, right)));
        let kept = second.tokens().zip(all.tokens().step_by(2));
        assert_eq!(kept.filter(|(left, right)| near(left, right)).count(), 2);
        for (token, whole) in alone.tokens().zip(all.tokens()) {
            assert!(token[..WIDTH].iter().all(|value| *value == 0.0) && near(&token[WIDTH..], &whole[WIDTH..]));
        }
    }

    #[test]
    fn a_scheme_that_needs_learning_is_left_out_without() {
        let coder = Coder::of(&reading(&[block(2, 6)]), None);
        let has = |name: &str| coder.has(&Scheme::named(name).unwrap());
        assert!(has("bits-1") && has("bits-1-own-mean") && has("one-layer-3"));
        assert!(!has("product-32") && !has("bits-1-centred"));
    }

    #[test]
    fn four_bits_lose_little() {
        let bytes = block(5, 5);
        let coder = Coder::of(&reading(std::slice::from_ref(&bytes)), None);
        let found = Keys::from_bytes(&coder.round_trip(&Scheme::named("bits-4").unwrap(), &bytes)).unwrap();
        let stored = Keys::from_bytes(&bytes).unwrap();
        for (found, stored) in found.tokens().zip(stored.tokens()) {
            let error: Vec<f32> = found.iter().zip(stored).map(|(found, stored)| found - stored).collect();
            assert!(squared(&error) < squared(stored) / 50.0);
        }
    }
}
