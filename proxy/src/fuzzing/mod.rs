//! What fuzzing calls: each function takes any bytes for what comes from outside, and asserts what must be so whatever they are.
//!
//! The package `mainpoint-fuzz` brings the bytes; the program uses nothing of it.

mod blocks;
mod configuration;
mod replies;
mod requests;

use std::sync::LazyLock;

use crate::cli;
use crate::config::MemoryConfig;
use crate::memory::Masker;

/// A name, and what is tried under it.
pub type Target = (&'static str, fn(&[u8]));

/// All that can be tried here.
pub const TARGETS: [Target; 7] = [
    ("chat", requests::chat),
    ("responses", requests::responses),
    ("sse", replies::streams),
    ("configuration", configuration::configuration),
    ("import", cli::try_import),
    ("secrets", secrets),
    ("blocks", blocks::blocks),
];

/// What is masked stays masked, and what stands around the masks is what was there.
fn secrets(bytes: &[u8]) {
    static MASKER: LazyLock<Option<Masker>> = LazyLock::new(|| Masker::new(&MemoryConfig::default()).ok());
    let (text, Some(masker)) = (String::from_utf8_lossy(bytes), &*MASKER) else { return };
    let masked = masker.mask(&text);
    assert_eq!(masker.mask(&masked.text).text, masked.text, "of {text:?}");
    assert!(masked.kinds.is_empty() == (masked.text == text));
    let mut rest = &*text;
    for (at, piece) in masked.text.split("[secret: ").enumerate() {
        let own = if at == 0 { piece } else { piece.split_once(']').map_or("", |(_, own)| own) };
        let found = rest.find(own);
        assert!(found.is_some(), "{own:?} is not in {rest:?}");
        rest = found.and_then(|found| rest.get(found + own.len()..)).unwrap_or_default();
    }
}

/// Bits that depend on these bytes alone: what is done with them is another thing for others.
fn bits_of(bytes: &[u8]) -> u64 {
    blake3::hash(bytes).as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes)
}

/// Bit number `at`, counted again and again from the first one.
fn is_set(bits: u64, at: usize) -> bool {
    bits >> (at % 64) & 1 == 1
}

/// The bytes in pieces that `bits` says the lengths of.
fn pieces(bytes: &[u8], bits: u64) -> Vec<&[u8]> {
    let (mut rest, mut pieces) = (bytes, Vec::new());
    while !rest.is_empty() {
        let turned = bits.rotate_right(pieces.len() as u32 * 5);
        let (piece, after) = rest.split_at(rest.len().min(1 + (turned % 23) as usize));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
