//! Product quantisation of keys (Jégou, Douze and Schmid, 2011): a key is cut into parts of [`PART`] numbers, and each part is
//! kept as the number of the nearest of [`CENTROIDS`] centroids, which were learned on keys of the same reader.
//!
//! It must not know where keys are stored nor how they are scored.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::KeyBlock;

/// The centroids of every part of every key slot.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Codebook {
    slots: usize,
    width: usize,
    /// One per slot; a number of a centroid times it is a number of a key.
    scales: Vec<f32>,
    /// Slot after slot, part after part: [`CENTROIDS`] of [`PART`] numbers each.
    centroids: Vec<i8>,
    mark: [u8; 4],
}

/// How a codebook stands in a head file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    slots: usize,
    width: usize,
    scales: Vec<f32>,
    /// In base64.
    centroids: String,
}

/// Numbers of a key that one byte stands for.
pub(crate) const PART: usize = 8;
/// As many as a byte can tell apart.
pub(crate) const CENTROIDS: usize = 256;
const ITERATIONS: usize = 15;
/// Most tokens that centroids are learned on; more take longer and change little.
const MOST_TOKENS: usize = 20_000;

impl Codebook {
    /// Learns centroids by k-means on tokens spread evenly over blocks. The same blocks give the same codebook. Nothing if
    /// they differ in shape, hold fewer than 256 tokens, or keys whose width is no multiple of 8.
    #[must_use]
    pub fn learn(blocks: &[KeyBlock]) -> Option<Self> {
        let first = blocks.first()?;
        let (slots, width) = (first.slots, first.width);
        let is_alike = blocks.iter().all(|block| (block.slots, block.width) == (slots, width));
        let total: usize = blocks.iter().map(KeyBlock::tokens).sum();
        if !is_alike || slots == 0 || width == 0 || !width.is_multiple_of(PART) || total < CENTROIDS {
            return None;
        }
        let numbers: Vec<f32> = blocks.iter().flat_map(KeyBlock::numbers).collect();
        let tokens = numbers.chunks_exact(slots * width);
        let tokens: Vec<&[f32]> = tokens.step_by(total.div_ceil(MOST_TOKENS)).collect();
        let (mut scales, mut centroids) = (Vec::new(), Vec::new());
        for slot in 0..slots {
            let parts = (slot * width..(slot + 1) * width).step_by(PART);
            let means: Vec<f32> = parts
                .flat_map(|at| {
                    let own = tokens.iter().filter_map(|token| token.get(at..at + PART));
                    means(&own.collect::<Vec<_>>())
                })
                .collect();
            let whole = KeyBlock::of(1, means.len(), &means);
            scales.extend(whole.scales);
            centroids.extend(whole.values);
        }
        Some(Self::new(slots, width, scales, centroids))
    }

    /// Keys a token.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// Numbers a key.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The codebook as it stands in a head file.
    #[must_use]
    pub(crate) fn to_json(&self) -> String {
        let Written {
            slots,
            width,
            scales,
            centroids,
        } = self.clone().into();
        let scales: Vec<String> = scales.iter().map(f32::to_string).collect();
        let scales = scales.join(", ");
        format!("{{\"slots\": {slots}, \"width\": {width}, \"scales\": [{scales}], \"centroids\": \"{centroids}\"}}")
    }

    /// What tells its codes from those of another codebook.
    pub(super) fn mark(&self) -> [u8; 4] {
        self.mark
    }

    /// Bytes that it makes of a token.
    pub(crate) fn token_bytes(&self) -> usize {
        self.slots * self.width / PART
    }

    /// The numbers of the nearest centroids, a byte for each part; nothing for keys of another shape.
    pub(super) fn encode(&self, keys: &KeyBlock) -> Option<Vec<u8>> {
        if (keys.slots, keys.width) != (self.slots, self.width) {
            return None;
        }
        let mut numbers: Vec<f32> = keys.numbers().collect();
        let mut codes = Vec::with_capacity(numbers.len() / PART);
        for (at, key) in numbers.chunks_exact_mut(self.width).enumerate() {
            let slot = at % self.slots;
            let scale = self.scale(slot);
            key.iter_mut().for_each(|number| *number /= scale);
            let parts = key.chunks_exact(PART).zip(self.parts(slot));
            codes.extend(parts.map(|(part, centroids)| nearest(centroids, part)));
        }
        Some(codes)
    }

    /// The centroids that codes name, as keys.
    pub(super) fn decode(&self, codes: &[u8]) -> KeyBlock {
        let mut keys = KeyBlock::new(self.slots, self.width);
        keys.values.reserve(codes.len() * PART);
        for (at, key) in codes.chunks_exact(self.width / PART).enumerate() {
            let slot = at % self.slots;
            keys.scales.push(self.scale(slot));
            for (code, centroids) in key.iter().zip(self.parts(slot)) {
                let from = usize::from(*code) * PART;
                keys.values.extend(centroids.get(from..from + PART).unwrap_or_default());
            }
        }
        keys
    }

    fn new(slots: usize, width: usize, scales: Vec<f32>, centroids: Vec<i8>) -> Self {
        let mut hasher = Sha256::new();
        scales.iter().for_each(|scale| hasher.update(scale.to_le_bytes()));
        hasher.update(bytes(&centroids));
        let hash = hasher.finalize();
        Self {
            slots,
            width,
            scales,
            centroids,
            mark: [hash[0], hash[1], hash[2], hash[3]],
        }
    }

    /// A number of a centroid of this slot times it is a number of a key.
    pub(crate) fn scale(&self, slot: usize) -> f32 {
        self.scales.get(slot).copied().unwrap_or(1.0)
    }

    /// The centroids of each part of a slot, [`CENTROIDS`] of [`PART`] numbers.
    pub(crate) fn parts(&self, slot: usize) -> impl Iterator<Item = &[i8]> {
        let own = slot * self.width * CENTROIDS..(slot + 1) * self.width * CENTROIDS;
        let own = self.centroids.get(own).unwrap_or_default();
        own.chunks_exact(CENTROIDS * PART)
    }
}

impl fmt::Debug for Codebook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Codebook");
        shown.field("slots", &self.slots).field("width", &self.width);
        shown.field("mark", &self.mark).finish_non_exhaustive()
    }
}

impl TryFrom<Written> for Codebook {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let centroids = BASE64_STANDARD
            .decode(&written.centroids)
            .map_err(|error| format!("key_codebook.centroids: {error}"))?;
        let Written {
            slots, width, scales, ..
        } = written;
        if slots == 0 || width == 0 || !width.is_multiple_of(PART) {
            return Err(format!(
                "key_codebook: {slots} slots of width {width}; allowed are at least 1 slot and a multiple of {PART}"
            ));
        }
        let expected = slots
            .checked_mul(width)
            .and_then(|numbers| numbers.checked_mul(CENTROIDS));
        if scales.len() != slots || Some(centroids.len()) != expected {
            return Err(format!(
                "key_codebook: {} scales and {} bytes of centroids do not fit {slots} slots of width {width}",
                scales.len(),
                centroids.len()
            ));
        }
        let centroids = centroids.into_iter().map(u8::cast_signed).collect();
        Ok(Self::new(slots, width, scales, centroids))
    }
}

impl From<Codebook> for Written {
    fn from(book: Codebook) -> Self {
        Self {
            slots: book.slots,
            width: book.width,
            centroids: BASE64_STANDARD.encode(bytes(&book.centroids)),
            scales: book.scales,
        }
    }
}

fn bytes(centroids: &[i8]) -> Vec<u8> {
    centroids.iter().copied().map(i8::cast_unsigned).collect()
}

/// k-means of parts, from centroids that are spread evenly over them.
fn means(parts: &[&[f32]]) -> Vec<f32> {
    let drawn = (0..CENTROIDS).filter_map(|number| parts.get(number * parts.len() / CENTROIDS));
    let mut centroids: Vec<f32> = drawn.copied().flatten().copied().collect();
    for _ in 0..ITERATIONS {
        improve(&mut centroids, parts);
    }
    centroids
}

/// Moves every centroid to the mean of the parts that it is nearest to; one that is nearest to none stays.
fn improve(centroids: &mut [f32], parts: &[&[f32]]) {
    let mut sums = vec![0.0; centroids.len()];
    let mut counts = [0.0_f32; CENTROIDS];
    for part in parts {
        let found = usize::from(nearest(centroids, part));
        counts[found] += 1.0;
        let sum = sums.iter_mut().skip(found * PART);
        sum.zip(*part).for_each(|(sum, number)| *sum += number);
    }
    let moved = centroids.chunks_exact_mut(PART).zip(sums.chunks_exact(PART));
    for ((centroid, sum), count) in moved.zip(counts).filter(|(_, count)| *count > 0.0) {
        for (number, sum) in centroid.iter_mut().zip(sum) {
            *number = sum / count;
        }
    }
}

/// The number of the centroid with the least squared distance to a part.
fn nearest<T: Copy + Into<f32>>(centroids: &[T], part: &[f32]) -> u8 {
    let (mut best, mut least) = (0, f32::INFINITY);
    for (number, centroid) in (0..=u8::MAX).zip(centroids.chunks_exact(PART)) {
        let mut distance = 0.0;
        for (left, right) in centroid.iter().zip(part) {
            let difference = (*left).into() - right;
            distance += difference * difference;
        }
        if distance < least {
            (best, least) = (number, distance);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    /// Keys of two slots with few different parts, which so many centroids can hold.
    fn blocks() -> Vec<KeyBlock> {
        let number = |at: u16| f32::from(at % 5 * 7 % 5 + at / 16 % 3) - 3.0;
        let block = |first: u16| {
            let numbers: Vec<f32> = (0..16 * 20).map(|at| number(first * 320 + at)).collect();
            KeyBlock::of(2, 8, &numbers)
        };
        (0..30).map(block).collect()
    }

    #[test]
    fn keys_of_few_different_parts_come_back() {
        let blocks = blocks();
        let book = Codebook::learn(&blocks).unwrap();
        for block in &blocks {
            let codes = book.encode(block).unwrap();
            assert_eq!(codes.len(), block.tokens() * book.token_bytes());
            let found = book.decode(&codes);
            assert_eq!((found.tokens(), found.slots, found.width), (20, 2, 8));
            for (found, number) in found.numbers().zip(block.numbers()) {
                assert!((found - number).abs() < 0.05, "{found} for {number}");
            }
        }
    }

    #[test]
    fn what_is_written_is_read_and_tells_itself_from_another() {
        let book = Codebook::learn(&blocks()).unwrap();
        let read: Codebook = serde_json::from_str(&book.to_json()).unwrap();
        assert_eq!((&read, read.mark()), (&book, book.mark()));
        let other = Codebook::learn(&blocks()[..20]).unwrap();
        assert_ne!(other.mark(), book.mark());
        let written = serde_json::to_string(&book).unwrap();
        assert_eq!(serde_json::from_str::<Codebook>(&written).unwrap(), book);
    }

    #[test]
    fn a_codebook_that_does_not_fit_itself_is_refused_with_the_reason() {
        let refused = |json: &str| serde_json::from_str::<Codebook>(json).unwrap_err().to_string();
        let wrong = [
            (
                r#"{"slots": 1, "width": 12, "scales": [1], "centroids": ""}"#,
                "width 12",
            ),
            (
                r#"{"slots": 1, "width": 8, "scales": [1], "centroids": "AAAA"}"#,
                "3 bytes",
            ),
            (
                r#"{"slots": 1, "width": 8, "scales": [1], "centroids": "?"}"#,
                "centroids",
            ),
            (
                r#"{"slots": 1, "width": 8, "scales": [1], "centroids": "", "parts": 1}"#,
                "parts",
            ),
        ];
        for (json, named) in wrong {
            assert!(refused(json).contains(named), "{}", refused(json));
        }
    }

    #[test]
    fn too_few_or_unlike_keys_teach_nothing() {
        let blocks = blocks();
        assert_eq!(Codebook::learn(&blocks[..12]), None);
        assert_eq!(Codebook::learn(&[]), None);
        let other = KeyBlock::of(1, 8, &[1.0; 8]);
        let mixed: Vec<KeyBlock> = blocks.iter().cloned().chain([other.clone()]).collect();
        assert_eq!(Codebook::learn(&mixed), None);
        assert_eq!(Codebook::learn(&[KeyBlock::of(1, 12, &[1.0; 12 * 300])]), None);
        assert_eq!(Codebook::learn(&blocks).unwrap().encode(&other), None);
    }
}
