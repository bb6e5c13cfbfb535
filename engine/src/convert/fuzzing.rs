//! What fuzzing calls of the files of a release: they are read, or refused, whatever they hold.

use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value};

use super::sentence_piece::read;
use super::weights::Weights;

/// Calls `look` with a file that holds these bytes; not at all where none can be written.
pub(crate) fn with_file(bytes: &[u8], look: impl FnOnce(&Path)) {
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return };
    if file.write_all(bytes).is_ok() {
        look(file.path());
    }
}

/// Every tensor that a file says it has can be read to its last number, or is refused.
pub(crate) fn safetensors(bytes: &[u8]) {
    with_file(bytes, |path| {
        let Ok(mut weights) = Weights::open(path) else { return };
        for name in names(bytes).unwrap_or_default() {
            let Ok(tensor) = weights.tensor(&name) else { continue };
            let numbers = weights.numbers(&tensor, 0, tensor.len());
            assert!(numbers.is_ok_and(|numbers| numbers.len() == tensor.len()), "{name}: {:?}", tensor.shape);
        }
    });
}

/// A vocabulary never holds more than the file that it comes from.
pub(crate) fn sentence_piece(bytes: &[u8]) {
    let Some(found) = read(bytes) else { return };
    let texts: usize = found.pieces.iter().map(|piece| piece.text.len() + 1).sum();
    assert!(texts + found.character_map.len() <= bytes.len());
}

/// The names of the tensors as the head of a file has them.
fn names(bytes: &[u8]) -> Option<Vec<String>> {
    let (length, rest) = bytes.split_first_chunk()?;
    let head = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let head: Map<String, Value> = serde_json::from_slice(head).ok()?;
    Some(head.into_iter().map(|(name, _)| name).collect())
}
