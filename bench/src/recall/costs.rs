//! What memory costs: bytes on disk, bytes that each arm's search needs, seconds of reading.
//!
//! It must not know how anything is ranked.

use std::collections::BTreeMap;

use comfy_table::Table;
use mainpoint_engine::{Codes, Passage};

use super::arms::{ARMS, Arm, Part};
use super::material::Material;
use super::picture::BYTES;
use super::shelf::Shelf;
use crate::BenchError;
use crate::bootstrap::Interval;
use crate::metrics::as_float;
use crate::report::{Row, table};

/// Bytes of everything that searches read, over all turns.
#[derive(Debug, Clone, Default)]
pub(super) struct Stored {
    turns: usize,
    parts: BTreeMap<Part, usize>,
}

/// What [`sizes_table`] shows.
pub(super) const SIZES_NOTE: &str = "On disk after compaction, what the rows hold, and the reader's own time when it read (kept in \
    the cache).";
/// What [`Stored::table`] shows.
pub(super) const NOTE: &str = "What each arm's search has to find in the store besides the text: vectors of 2 bytes a number, codes \
    of one bit a number, the text index as it lies on disk. Not counted: the text, its spans and identifiers, which every memory \
    needs, and the unused space that tables on disk have.";
/// Bytes of a number of a stored vector.
const NUMBER: usize = 2;

/// Bytes on disk of the whole store, of what its rows hold, and how fast they were read.
///
/// # Errors
/// [`BenchError::Read`] if the store's directory cannot be listed.
pub(super) fn sizes_table(shelf: &Shelf, materials: &[Material<'_>]) -> Result<Table, BenchError> {
    let mut table = table(["what", "figure", "a turn"]);
    let turns = turns_of(materials);
    let mut add = |what: String, figure: usize| {
        table.add_row([what, figure.to_string(), (figure / turns.max(1)).to_string()]);
    };
    let sizes = shelf.sizes()?;
    let small = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    add(
        "bytes on disk, everything".to_owned(),
        sizes.iter().map(|(_, bytes)| small(*bytes)).sum(),
    );
    for (name, bytes) in sizes {
        add(format!("bytes on disk, {name}"), small(bytes));
    }
    add(
        "bytes on disk, the text index in it".to_owned(),
        small(shelf.text_index()?),
    );
    let texts = materials.iter().flat_map(|material| &material.conversation.turns);
    add("bytes of texts".to_owned(), texts.map(|turn| turn.text.len()).sum());
    let rows = |size: fn(&Passage) -> usize| passages(materials).map(size).sum::<usize>();
    add("bytes of vectors".to_owned(), rows(vector_bytes));
    add("bytes of spans".to_owned(), rows(|passage| passage.spans.len() * 12));
    add(
        "bytes of codes".to_owned(),
        rows(|passage| passage.codes.as_bytes().len()),
    );
    add("main points".to_owned(), passages(materials).count());
    add("tokens with codes".to_owned(), rows(|passage| passage.codes.len()));
    let tokens: usize = materials.iter().flat_map(|material| &material.sizes).sum();
    add("tokens read".to_owned(), tokens);
    let milliseconds: usize = materials.iter().map(|material| material.milliseconds).sum();
    add("milliseconds of reading".to_owned(), milliseconds);
    add("tokens a second".to_owned(), tokens * 1000 / milliseconds.max(1));
    Ok(table)
}

impl Stored {
    /// Adds up what lies on the shelf, and the codes that are only compared.
    ///
    /// # Errors
    /// [`BenchError::Read`] if the store's directory cannot be listed.
    pub(super) fn of(shelf: &Shelf, materials: &[Material<'_>]) -> Result<Self, BenchError> {
        let firsts = materials.iter().flat_map(|material| &material.points);
        let firsts = firsts.filter_map(|passages| passages.first());
        let codes = |arm: &str| -> usize {
            let coded = materials.iter().flat_map(|material| &material.coded);
            let first = coded
                .filter(|coded| coded.arm == arm)
                .filter_map(|coded| coded.variants.first());
            first.flatten().flatten().map(Codes::as_bytes).map(<[u8]>::len).sum()
        };
        let parts = [
            (Part::FirstVector, firsts.map(vector_bytes).sum()),
            (Part::Vectors, passages(materials).map(vector_bytes).sum()),
            (
                Part::TextIndex,
                usize::try_from(shelf.text_index()?).unwrap_or(usize::MAX),
            ),
            (
                Part::Codes,
                passages(materials).map(|passage| passage.codes.as_bytes().len()).sum(),
            ),
            (Part::AllCodes, codes("maxsim-all")),
            (Part::HalfOfCodes, codes("maxsim-50")),
            (Part::QuarterOfCodes, codes("maxsim-25")),
        ];
        Ok(Self {
            turns: turns_of(materials),
            parts: BTreeMap::from(parts),
        })
    }

    /// What every measured arm needs, by what it is.
    #[must_use]
    pub(super) fn table(&self, rows: &[Row]) -> Table {
        let mut table = table(["arm", "vectors", "text index", "codes", "bytes a turn"]);
        let whole = |bytes: f64| format!("{bytes:.0}");
        for (arm, bytes) in self.arms(rows) {
            let of = |parts: &[Part]| {
                let needed = arm.stored.iter().find(|part| parts.contains(*part));
                needed.map_or_else(String::new, |part| whole(self.each(&[*part])))
            };
            table.add_row([
                arm.title.to_owned(),
                of(&[Part::FirstVector, Part::Vectors]),
                of(&[Part::TextIndex]),
                of(&[Part::Codes, Part::AllCodes, Part::HalfOfCodes, Part::QuarterOfCodes]),
                whole(bytes),
            ]);
        }
        table
    }

    /// The same for machines.
    #[must_use]
    pub(super) fn rows(&self, bench: &str, rows: &[Row]) -> Vec<Row> {
        let row =
            |(arm, bytes): (&Arm, f64)| Row::new(bench, BYTES, arm.name, Interval::exactly(bytes)).over(self.turns);
        self.arms(rows).map(row).collect()
    }

    /// The arms that rows were measured of, with the bytes that they need for a turn.
    fn arms(&self, rows: &[Row]) -> impl Iterator<Item = (&'static Arm, f64)> {
        let measured = ARMS
            .iter()
            .filter(move |arm| rows.iter().any(|row| row.arm == arm.name));
        measured.map(move |arm| (arm, self.each(arm.stored)))
    }

    /// Bytes a turn of several parts.
    fn each(&self, parts: &[Part]) -> f64 {
        let bytes: usize = parts.iter().filter_map(|part| self.parts.get(part)).sum();
        as_float(bytes) / as_float(self.turns.max(1))
    }
}

fn turns_of(materials: &[Material<'_>]) -> usize {
    materials.iter().map(|material| material.conversation.turns.len()).sum()
}

fn passages<'a>(materials: &'a [Material<'_>]) -> impl Iterator<Item = &'a Passage> {
    materials.iter().flat_map(|material| &material.points).flatten()
}

fn vector_bytes(passage: &Passage) -> usize {
    passage.vector.len() * NUMBER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Stored {
        Stored {
            turns: 10,
            parts: BTreeMap::from([(Part::Vectors, 15_360), (Part::TextIndex, 840), (Part::Codes, 66_600)]),
        }
    }

    fn rows(arms: &[&str]) -> Vec<Row> {
        let row = |arm: &&str| Row::new("some-bench", "recall_all@10", *arm, Interval::exactly(0.5));
        arms.iter().map(row).collect()
    }

    #[test]
    fn an_arm_needs_the_sum_of_its_parts() {
        let found = stored().rows("some-bench", &rows(&["mean", "bm25", "full-pipeline"]));
        let values: Vec<(&str, f64)> = found.iter().map(|row| (row.arm.as_str(), row.value)).collect();
        assert_eq!(values, [("mean", 1536.0), ("bm25", 84.0), ("full-pipeline", 8280.0)]);
        assert!(found.iter().all(|row| row.metric == "bytes_per_turn" && row.n == 10));
    }

    #[test]
    fn the_table_shows_an_arms_parts() {
        let text = stored().table(&rows(&["full-pipeline"])).to_string();
        let figures = ["1536", "84", "6660", "8280"];
        assert!(figures.iter().all(|figure| text.contains(figure)), "{text}");
    }
}
