//! Token vectors as sign bits, and how well a question's match those of what is stored.

mod matching;
mod question;
mod rarity;
mod scanning;
mod sketches;

pub use question::QuestionCodes;
pub use sketches::{SketchBlock, SketchForm, SketchPlace};

/// Sign bits of token vectors minus the model's mean token vector: `width / 8` bytes for each token, one token after the
/// other; the first dimension is the lowest bit of the first byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Codes {
    token_bytes: usize,
    bytes: Vec<u8>,
}

impl Codes {
    /// The codes of vectors of so many dimensions from [`Codes::as_bytes`]; `None` if these bytes cannot be that.
    #[must_use]
    pub fn from_bytes(width: usize, bytes: Vec<u8>) -> Option<Self> {
        let token_bytes = bytes_of(width);
        let is_whole = token_bytes > 0 && bytes.len().is_multiple_of(token_bytes);
        is_whole.then_some(Self { token_bytes, bytes })
    }

    /// What is stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().checked_div(self.token_bytes).unwrap_or(0)
    }

    /// Whether there is no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// The codes of token vectors: a bit is set where a vector is above the mean.
#[must_use]
pub fn codes_of<'a>(vectors: impl IntoIterator<Item = &'a [f32]>, mean: &[f32]) -> Codes {
    let token_bytes = bytes_of(mean.len());
    let mut bytes = Vec::new();
    for vector in vectors {
        let start = bytes.len();
        bytes.resize(start + token_bytes, 0);
        for (at, (value, mean)) in vector.iter().zip(mean).enumerate() {
            bytes[start + at / 8] |= u8::from(value > mean) << (at % 8);
        }
    }
    Codes { token_bytes, bytes }
}

/// A count of bits as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "counts of bits are small")]
fn as_float(count: u32) -> f32 {
    count as f32
}

/// Bytes of one token's code.
fn bytes_of(width: usize) -> usize {
    width.div_ceil(8)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bits_say_which_values_are_above_the_mean() {
        let mean = [0.5, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0];
        let vector = [0.6, -2.0, 1.0, 0.0, -0.1, 0.0, 0.0, 0.1, 3.0];
        let codes = codes_of([vector.as_slice()], &mean);
        assert_eq!(codes.as_bytes(), [0b1000_0101, 1]);
        assert_eq!(codes.len(), 1);
    }

    #[test]
    fn bytes_that_are_no_whole_tokens_are_no_codes() {
        assert_eq!(Codes::from_bytes(16, vec![1, 2, 3]), None);
        assert_eq!(Codes::from_bytes(0, vec![]), None);
        assert!(Codes::from_bytes(16, vec![]).is_some_and(|codes| codes.is_empty()));
        assert_eq!(Codes::default().len(), 0);
    }

    proptest! {
        #[test]
        fn codes_come_back_from_their_bytes(vectors in vec(vec(-1.0_f32..1.0, 24), 0..6), mean in vec(-0.2_f32..0.2, 24)) {
            let codes = codes_of(vectors.iter().map(Vec::as_slice), &mean);
            prop_assert_eq!(codes.len(), vectors.len());
            prop_assert_eq!(Codes::from_bytes(24, codes.as_bytes().to_vec()), Some(codes));
        }
    }
}
