//! What memory costs: bytes on disk, bytes that each arm's search needs, seconds of reading.

use std::collections::BTreeMap;

use mainpoint_engine::{Codes, PassageReading};

use super::arms::{ARMS, Part};
use super::material::Material;
use super::scores::Results;
use super::shelf::Shelf;
use crate::BenchError;
use crate::report::{Row, Table};
use crate::stats::as_float;

/// Bytes of everything that searches read, over all turns.
#[derive(Debug, Clone, Default)]
pub(super) struct Stored {
    turns: usize,
    parts: BTreeMap<Part, usize>,
}

pub(super) const SIZES_NOTE: &str =
    "On disk after compaction, and the reader's own time when it read (kept in the cache).";
pub(super) const NOTE: &str = "What each arm's search has to find in the store besides the text: vectors of 2 bytes a number, codes \
    of one bit a number, the text index as it lies on disk. Not counted: the text, its spans and identifiers, which every memory \
    needs, and the unused space that tables on disk have.";
/// The measure of what an arm has to store.
pub(super) const BYTES: &str = "bytes_per_turn";
/// Bytes of a number of a stored vector.
const NUMBER: usize = 2;

/// Bytes on disk of the whole store, those of the texts, and how fast they were read.
pub(super) fn sizes_table(shelf: &Shelf, materials: &[Material<'_>]) -> Result<Table, BenchError> {
    let mut table = crate::report::table(["what", "figure", "a turn"]);
    let turns = turns_of(materials);
    let texts = materials.iter().flat_map(|material| &material.conversation.turns);
    let tokens: usize = materials.iter().flat_map(|material| &material.sizes).sum();
    let milliseconds: usize = materials.iter().map(|material| material.milliseconds).sum();
    for (what, figure) in [
        ("bytes on disk, everything", shelf.bytes()?),
        ("bytes on disk, the text index in it", shelf.text_index()?),
        ("bytes of texts", texts.map(|turn| turn.text.len()).sum()),
        ("tokens read", tokens),
        ("milliseconds of reading", milliseconds),
        ("tokens a second", tokens * 1000 / milliseconds.max(1)),
    ] {
        table.add_row([what.to_owned(), figure.to_string(), (figure / turns.max(1)).to_string()]);
    }
    Ok(table)
}

impl Stored {
    /// Adds up what lies on the shelf, and the codes that are only compared.
    pub(super) fn new(shelf: &Shelf, materials: &[Material<'_>]) -> Result<Self, BenchError> {
        let firsts = materials.iter().flat_map(|material| &material.points).filter_map(|passages| passages.first());
        let codes = |arm: &str| -> usize {
            let coded = materials.iter().flat_map(|material| &material.coded);
            let first = coded.filter(|coded| coded.arm == arm).filter_map(|coded| coded.variants.first());
            first.flatten().flatten().map(Codes::as_bytes).map(<[u8]>::len).sum()
        };
        let parts = [
            (Part::FirstVector, firsts.map(vector_bytes).sum()),
            (Part::Vectors, passages(materials).map(vector_bytes).sum()),
            (Part::TextIndex, shelf.text_index()?),
            (Part::Codes, passages(materials).map(|passage| passage.codes.as_bytes().len()).sum()),
            (Part::AllCodes, codes("maxsim-all")),
            (Part::HalfOfCodes, codes("maxsim-50")),
            (Part::QuarterOfCodes, codes("maxsim-25")),
        ];
        Ok(Self { turns: turns_of(materials), parts: BTreeMap::from(parts) })
    }

    /// The bytes that every measured arm needs for a turn.
    pub(super) fn rows(&self, bench: &str, results: &Results) -> Vec<Row> {
        let measured = ARMS.iter().filter(|arm| results.has(arm.name));
        let row = |arm: &super::arms::Arm| {
            let bytes: usize = arm.stored.iter().filter_map(|part| self.parts.get(part)).sum();
            let each = as_float(bytes) / as_float(self.turns.max(1));
            Row::new(bench, BYTES, arm.name, each).over(self.turns)
        };
        measured.map(row).collect()
    }
}

fn turns_of(materials: &[Material<'_>]) -> usize {
    materials.iter().map(|material| material.conversation.turns.len()).sum()
}

fn passages<'a>(materials: &'a [Material<'_>]) -> impl Iterator<Item = &'a PassageReading> {
    materials.iter().flat_map(|material| &material.points).flatten()
}

fn vector_bytes(passage: &PassageReading) -> usize {
    passage.vector.len() * NUMBER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_needs_the_sum_of_its_parts() {
        let stored = Stored {
            turns: 10,
            parts: BTreeMap::from([(Part::Vectors, 15_360), (Part::TextIndex, 840), (Part::Codes, 66_600)]),
        };
        let mut results = Results::default();
        results.add(Vec::new(), ["mean", "bm25", "full-pipeline"].map(|arm| (arm, Vec::new())));
        let found = stored.rows("some", &results);
        let values: Vec<(&str, f64)> = found.iter().map(|row| (row.arm.as_str(), row.value)).collect();
        assert_eq!(values, [("mean", 1536.0), ("bm25", 84.0), ("full-pipeline", 8280.0)]);
        assert!(found.iter().all(|row| row.metric == BYTES && row.n == 10));
    }
}
