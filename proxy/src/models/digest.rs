//! SHA-256 digests, as the configuration and the records beside models have them.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use mainpoint_engine::sha256_of_file;
use sha2::{Digest, Sha256};

/// A SHA-256 digest, shown and read as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// The digest of everything that was written into `hasher`.
    pub(crate) fn finish(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }

    /// The digest of a file. `advance` is told how many bytes were read, again and again.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_file(path: &Path, advance: impl FnMut(u64)) -> io::Result<Self> {
        sha256_of_file(path, advance).map(Self)
    }

    /// Its 32 bytes.
    pub(crate) fn bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl FromStr for Sha256Digest {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 64 || !text.chars().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).ok_or(())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ())?;
        }
        Ok(Self(bytes))
    }
}
