//! `server.max_memory`: how it is written, and how much of it each part of the process may hold.

use std::fmt;

use mainpoint_store::CacheSizes;
use serde::{Deserialize, Deserializer};

use super::checked::parsed;

/// Most bytes that the process may take on top of what it takes when it has just started, models included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemoryBound(usize);

impl MemoryBound {
    /// The bound when nothing is set: with it the caches of the store have the sizes that suit most.
    pub(super) const DEFAULT: Self = Self(4 << 30);

    /// Holds so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// What the bodies of requests, what is made of them, and copies of answers may take together.
    pub(crate) fn traffic(self) -> usize {
        self.0 / 2
    }

    /// What the passages may take that are compared with questions as wholes.
    pub(crate) fn recall(self) -> usize {
        self.0 / 16
    }

    /// Bytes of turns that may wait in memory for the journal; while it masks and writes them it has them twice.
    pub(crate) fn intake(self) -> usize {
        self.0 / 32
    }

    /// What the caches of the store may take: about 29 % of it all.
    #[must_use]
    pub fn caches(self) -> CacheSizes {
        CacheSizes::shares_of(self.0)
    }
}

impl fmt::Display for MemoryBound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, of) = UNITS.iter().copied().find(|(_, of)| self.0.is_multiple_of(*of)).unwrap_or(("bytes", 1));
        write!(formatter, "\"{} {unit}\"", self.0 / of)
    }
}

/// A size with its unit, or a number of bytes.
pub(super) fn memory_bound<'de, D: Deserializer<'de>>(input: D) -> Result<MemoryBound, D::Error> {
    parsed(input, |written: &Written| {
        let bytes = match written {
            Written::Bytes(bytes) => usize::try_from(*bytes).ok(),
            Written::Text(text) => size(text),
        };
        bytes.filter(|bytes| (LEAST..=MOST).contains(bytes)).map(MemoryBound).ok_or(
            "a size from \"64 MiB\" to \"1 TiB\", with one of the units KiB, MiB, GiB and TiB, or as a whole number of bytes",
        )
    })
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a size such as \"4 GiB\", or a whole number of bytes")]
enum Written {
    Bytes(i64),
    Text(String),
}

impl fmt::Debug for Written {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => bytes.fmt(formatter),
            Self::Text(text) => text.fmt(formatter),
        }
    }
}

fn size(text: &str) -> Option<usize> {
    let text = text.trim();
    let (number, of) = UNITS.iter().find_map(|(unit, of)| Some((text.strip_suffix(unit)?, *of)))?;
    number.trim_end().parse::<usize>().ok()?.checked_mul(of)
}

/// Largest first, so that what is a whole number of one is written so.
const UNITS: [(&str, usize); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
const LEAST: usize = 64 << 20;
const MOST: usize = 1 << 40;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::super::Config;
    use super::super::tests::refusal;
    use super::*;

    #[test]
    fn a_size_is_written_with_its_unit_or_in_bytes() {
        for (written, bytes) in [
            ("\"4 GiB\"", 4 << 30),
            ("\"512MiB\"", 512 << 20),
            ("\" 1048576 KiB \"", 1 << 30),
            ("\"1 TiB\"", 1 << 40),
            ("134217728", 128 << 20),
        ] {
            let text = format!("[server]\nmax_body_bytes = 1048576\nmax_memory = {written}");
            assert_eq!(Config::parse(&text).unwrap().server.max_memory, MemoryBound(bytes), "{written}");
        }
        assert_eq!(MemoryBound(3 << 30).to_string(), "\"3 GiB\"");
        assert_eq!(MemoryBound((3 << 30) + (1 << 20)).to_string(), "\"3073 MiB\"");
        assert_eq!(MemoryBound((1 << 30) + 1).to_string(), "\"1073741825 bytes\"");
    }

    #[test]
    fn what_is_no_size_or_holds_no_body_is_refused_with_what_is_allowed() {
        let sizes = "expected a size from \"64 MiB\" to \"1 TiB\"";
        for written in
            ["\"4 GB\"", "\"-1 GiB\"", "\"1.5 GiB\"", "\"GiB\"", "0", "-1", "\"2 TiB\"", "\"99999999999 TiB\""]
        {
            let error = refusal(&format!("[server]\nmax_memory = {written}"));
            assert!(error.starts_with(&format!("line 2: server.max_memory = {written}: {sizes}")), "{error}");
        }
        let error = refusal("[server]\nmax_memory = true");
        assert_eq!(
            error,
            "line 2: server.max_memory = true: expected a size such as \"4 GiB\", or a whole number of bytes"
        );
        let error = refusal("[server]\nmax_memory = \"100 MiB\"");
        let allowed = "expected at least \"128 MiB\", which is four times server.max_body_bytes (33554432)";
        assert_eq!(error, format!("line 2: server.max_memory = \"100 MiB\": {allowed}"));
    }

    #[test]
    fn the_parts_are_no_more_than_the_whole_and_the_rest_is_for_what_only_passes() {
        let bound = MemoryBound::DEFAULT;
        let caches = bound.caches().bytes();
        let parts = bound.traffic() + bound.recall() + 2 * bound.intake() + caches;
        assert!(parts < bound.0 - bound.0 / 16, "{parts} of {bound}");
        assert!((caches * 100 / bound.0).abs_diff(29) <= 1, "{caches}");
    }
}
