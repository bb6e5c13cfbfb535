//! Keys as bytes for a store, and back: in a byte for every 8 numbers where the reader's head file has a codebook, else in
//! int8 as they are read.
//!
//! It must not know how centroids are learned or keys scored.

use std::sync::Arc;

use super::codebook::Codebook;
use super::{KeyBlock, header};
use crate::{Calibration, EngineError};

/// Writes keys into bytes and reads them again; clones share one codebook.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyCoder {
    codebook: Option<Arc<Codebook>>,
}

/// Stored keys whose shape was checked.
#[derive(Debug)]
pub(crate) enum Stored<'a> {
    /// Of the coder's own codebook, token after token.
    Codes(&'a [u8]),
    /// As they were read.
    Plain(KeyBlock),
}

const CODES: [u8; 4] = *b"MPK3";
/// Bytes behind the header that tell which codebook the codes are of.
const MARK: usize = 4;

impl KeyCoder {
    /// The coder for keys of a reader with these heads.
    #[must_use]
    pub fn of(calibration: &Calibration) -> Self {
        Self {
            codebook: calibration.key_codebook.clone().map(Arc::new),
        }
    }

    /// Keys as they are stored: behind a header `MPK3` (slots u16, width u16, tokens u32, all little-endian) and 4 bytes
    /// that name the codebook, a byte for every 8 numbers; without a codebook that fits, [`KeyBlock::to_bytes`].
    #[must_use]
    pub fn encode(&self, keys: &KeyBlock) -> Vec<u8> {
        let coded = self.codebook.as_ref().and_then(|book| Some((book, book.encode(keys)?)));
        match coded {
            Some((book, codes)) => [&header(CODES, keys)[..], &book.mark(), &codes].concat(),
            None => keys.to_bytes(),
        }
    }

    /// Reads what any coder of this reader wrote. Keys that were coded are what their centroids say.
    ///
    /// # Errors
    /// [`EngineError::Keys`] if the bytes are anything else, or codes of another codebook.
    pub fn decode(&self, bytes: &[u8]) -> Result<KeyBlock, EngineError> {
        Ok(self.unpack(self.read(bytes)?))
    }

    /// What stored keys are, unpacked only where they have to be. Errors as [`KeyCoder::decode`].
    pub(crate) fn read<'a>(&self, bytes: &'a [u8]) -> Result<Stored<'a>, EngineError> {
        if !bytes.starts_with(&CODES) {
            return Ok(Stored::Plain(KeyBlock::from_bytes(bytes)?));
        }
        let (shape, body) = super::split(bytes)?;
        let (mark, codes) = body.split_at_checked(MARK).ok_or(EngineError::Keys("too short"))?;
        let own = self.codebook.as_ref().filter(|book| book.mark() == mark);
        let book = own.ok_or(EngineError::Keys("written with another codebook"))?;
        if (shape.slots, shape.width) != (book.slots(), book.width())
            || shape.tokens.checked_mul(book.token_bytes()) != Some(codes.len())
        {
            return Err(EngineError::Keys("length does not fit the header"));
        }
        Ok(Stored::Codes(codes))
    }

    pub(crate) fn unpack(&self, stored: Stored<'_>) -> KeyBlock {
        match (stored, &self.codebook) {
            (Stored::Plain(keys), _) => keys,
            (Stored::Codes(codes), Some(book)) => book.decode(codes),
            // Nothing is read as codes without a codebook.
            (Stored::Codes(_), None) => KeyBlock::default(),
        }
    }

    pub(crate) fn codebook(&self) -> Option<&Codebook> {
        self.codebook.as_deref()
    }
}

impl<'a> Stored<'a> {
    /// The codes, if it is these.
    pub(crate) fn codes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Codes(codes) => Some(codes),
            Self::Plain(_) => None,
        }
    }
}

impl From<Codebook> for KeyCoder {
    fn from(codebook: Codebook) -> Self {
        Self {
            codebook: Some(Arc::new(codebook)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;

    fn block(tokens: u16, seed: u16) -> KeyBlock {
        let numbers = (0..tokens * 16).map(|at| f32::from((at + seed) % 101 * 31 % 101) / 50.0 - 1.0);
        KeyBlock::of(1, 16, &numbers.collect::<Vec<f32>>())
    }

    fn coder(seed: u16) -> KeyCoder {
        Codebook::learn(&[block(400, seed)]).unwrap().into()
    }

    #[test]
    fn coded_keys_take_a_byte_for_every_8_numbers_and_stay_what_they_are_when_coded_again() {
        let (coder, keys) = (coder(1), block(5, 7));
        let bytes = coder.encode(&keys);
        assert_eq!(bytes.len(), 16 + 5 * 2);
        let found = coder.decode(&bytes).unwrap();
        assert_eq!((found.tokens(), found.slots(), found.width()), (5, 1, 16));
        assert_eq!(coder.encode(&found), bytes);
    }

    #[test]
    fn keys_without_a_codebook_and_keys_of_another_shape_are_kept_as_they_are() {
        let other = KeyBlock::of(2, 4, &[0.5; 16]);
        for (coder, keys) in [(KeyCoder::default(), block(3, 2)), (coder(1), other)] {
            assert_eq!(coder.decode(&coder.encode(&keys)).unwrap(), keys);
            assert_eq!(coder.encode(&keys), keys.to_bytes());
        }
    }

    #[test]
    fn codes_of_another_codebook_and_torn_ones_are_refused() {
        let bytes = coder(1).encode(&block(5, 7));
        for other in [coder(50), KeyCoder::default()] {
            assert!(matches!(
                other.decode(&bytes),
                Err(EngineError::Keys("written with another codebook"))
            ));
        }
        for length in 0..bytes.len() {
            assert!(coder(1).decode(&bytes[..length]).is_err(), "{length}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(coder(1).decode(&longer).is_err());
    }

    proptest! {
        #[test]
        fn other_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let coded = [&CODES[..], &bytes].concat();
            prop_assert!(KeyCoder::default().decode(&coded).is_err());
            prop_assert!(KeyCoder::default().decode(&bytes).is_err());
        }
    }
}
