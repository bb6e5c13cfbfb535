//! What memory costs: bytes on disk, bytes that each arm's search needs, seconds of reading.
//!
//! It must not know how anything is ranked.

use std::collections::BTreeMap;

use comfy_table::Table;

use super::arms::{ALL_KEYS, ARMS, Arm, EIGHT_50, Part, SHIPPED};
use super::picture::BYTES;
use super::rankings::Material;
use super::reading::{Library, Plan, ReadPassage, Reading};
use super::shelf::Shelf;
use crate::BenchError;
use crate::bootstrap::Interval;
use crate::metrics::as_float;
use crate::report::{Row, table};

/// Bytes of everything that searches read, over all turns.
#[derive(Debug, Clone, Default)]
pub(super) struct Stored {
    turns: usize,
    parts: BTreeMap<Part, u64>,
}

/// What [`Stored::table`] shows.
pub(super) const NOTE: &str = "What each arm's search has to find in the store besides the text: vectors of 4 bytes a number, keys \
    as they are stored, or as they are read for what is only compared; the text index as it lies on disk. Not counted: the text, its \
    spans and identifiers, which every memory needs, and the unused space that tables on disk have.";

/// Bytes on disk of the whole store, and of what its rows hold.
pub(super) fn sizes_table(shelf: &Shelf, materials: &[Material<'_>], stored: &Stored) -> Result<Table, BenchError> {
    let mut table = table(["what", "bytes", "bytes a turn"]);
    let turns = turns_of(materials);
    let mut add = |what: String, bytes: u64| {
        table.add_row([what, bytes.to_string(), (bytes / turns.max(1) as u64).to_string()]);
    };
    let sizes = shelf.sizes()?;
    add(
        "on disk, everything".to_owned(),
        sizes.iter().map(|(_, bytes)| bytes).sum(),
    );
    for (name, bytes) in sizes {
        add(format!("on disk, {name}"), bytes);
    }
    add("on disk, the text index in it".to_owned(), shelf.text_index()?);
    let texts = materials
        .iter()
        .flat_map(|material| &material.conversation.turns)
        .map(|turn| turn.text.len());
    add("rows: text".to_owned(), texts.sum::<usize>() as u64);
    let rows = |size: fn(&ReadPassage) -> usize| passages(materials, SHIPPED).map(size).sum::<usize>() as u64;
    add("rows: vectors".to_owned(), rows(vector_bytes));
    add("rows: spans".to_owned(), rows(|passage| passage.spans.len() * 12));
    let keys = stored.parts.get(&Part::Keys);
    add("rows: attention keys".to_owned(), keys.copied().unwrap_or_default());
    Ok(table)
}

impl Stored {
    /// Adds up what lies on the shelf, and the keys of the plans that are only compared.
    ///
    /// # Errors
    /// [`BenchError::Read`] if the store's directory cannot be listed, [`BenchError::Engine`] if what was read are no keys.
    pub(super) fn of((library, shelf): (&Library, &Shelf), materials: &[Material<'_>]) -> Result<Self, BenchError> {
        let firsts = turns_read(materials, SHIPPED).filter_map(|passages| passages.first());
        let mut parts = BTreeMap::from([
            (Part::FirstVector, firsts.map(vector_bytes).sum::<usize>() as u64),
            (
                Part::Vectors,
                passages(materials, SHIPPED).map(vector_bytes).sum::<usize>() as u64,
            ),
            (Part::TextIndex, shelf.text_index()?),
        ]);
        let read = |plan| {
            passages(materials, plan)
                .map(|passage| passage.keys.len())
                .sum::<usize>() as u64
        };
        let mut keys = 0;
        for passage in passages(materials, SHIPPED) {
            keys += passage.stored_keys(library.key_coder())?.len() as u64;
        }
        for (part, bytes) in [
            (Part::Keys, keys),
            (Part::AllKeys, read(ALL_KEYS)),
            (Part::EightHeadsKeys, read(EIGHT_50)),
        ] {
            if bytes > 0 {
                parts.insert(part, bytes);
            }
        }
        Ok(Self {
            turns: turns_of(materials),
            parts,
        })
    }

    /// What every measured arm needs, by what it is.
    #[must_use]
    pub(super) fn table(&self, rows: &[Row]) -> Table {
        let mut table = table(["arm", "vectors", "text index", "attention keys", "bytes a turn"]);
        let whole = |bytes: f64| format!("{bytes:.0}");
        for (arm, bytes) in self.arms(rows) {
            let of = |parts: &[Part]| {
                let needed = arm.stored.iter().find(|part| parts.contains(*part));
                needed
                    .and_then(|part| self.each(&[*part]))
                    .map_or_else(String::new, whole)
            };
            table.add_row([
                arm.title.to_owned(),
                of(&[Part::FirstVector, Part::Vectors]),
                of(&[Part::TextIndex]),
                of(&[Part::Keys, Part::EightHeadsKeys, Part::AllKeys]),
                whole(bytes),
            ]);
        }
        table
    }

    /// The same for machines.
    #[must_use]
    pub(super) fn rows(&self, bench: &str, rows: &[Row]) -> Vec<Row> {
        let row = |(arm, bytes): (&Arm, f64)| {
            let interval = Interval {
                mean: bytes,
                low: bytes,
                high: bytes,
            };
            Row::new(bench, BYTES, arm.name, interval).over(self.turns)
        };
        self.arms(rows).map(row).collect()
    }

    /// The arms that rows were measured of, with the bytes that they need for a turn.
    fn arms(&self, rows: &[Row]) -> impl Iterator<Item = (&'static Arm, f64)> {
        let measured = ARMS
            .iter()
            .filter(move |arm| rows.iter().any(|row| row.arm == arm.name));
        measured.filter_map(move |arm| Some((arm, self.each(arm.stored)?)))
    }

    /// Bytes a turn of several parts; nothing if one of them was not read.
    fn each(&self, parts: &[Part]) -> Option<f64> {
        let bytes: u64 = parts.iter().map(|part| self.parts.get(part)).sum::<Option<u64>>()?;
        Some(as_float(usize::try_from(bytes).ok()?) / as_float(self.turns.max(1)))
    }
}

/// Seconds that each plan's reading took.
pub(super) fn speed_table(materials: &[Material<'_>]) -> Table {
    let mut table = table(["plan", "tokens", "seconds", "seconds per 1,000 tokens"]);
    let plans: Vec<_> = materials
        .first()
        .into_iter()
        .flat_map(|material| &material.readings)
        .map(|(plan, _)| *plan)
        .collect();
    for plan in plans {
        let readings: Vec<&Reading> = materials.iter().filter_map(|material| material.reading(plan)).collect();
        let tokens: usize = readings
            .iter()
            .flat_map(|reading| &reading.turns)
            .map(|turn| turn.tokens)
            .sum();
        let milliseconds: usize = readings.iter().map(|reading| reading.milliseconds).sum();
        let seconds = as_float(milliseconds) / 1000.0;
        let each = seconds / (as_float(tokens.max(1)) / 1000.0);
        table.add_row([
            plan.name.to_owned(),
            tokens.to_string(),
            format!("{seconds:.1}"),
            format!("{each:.2}"),
        ]);
    }
    table
}

fn turns_of(materials: &[Material<'_>]) -> usize {
    materials.iter().map(|material| material.conversation.turns.len()).sum()
}

/// The passages of each turn, as a plan read them.
fn turns_read<'a>(materials: &'a [Material<'_>], plan: Plan) -> impl Iterator<Item = &'a [ReadPassage]> {
    let readings = materials.iter().filter_map(move |material| material.reading(plan));
    readings
        .flat_map(|reading| &reading.turns)
        .map(|turn| turn.passages.as_slice())
}

fn passages<'a>(materials: &'a [Material<'_>], plan: Plan) -> impl Iterator<Item = &'a ReadPassage> {
    turns_read(materials, plan).flatten()
}

fn vector_bytes(passage: &ReadPassage) -> usize {
    passage.vector.len() * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Stored {
        Stored {
            turns: 10,
            parts: BTreeMap::from([(Part::Vectors, 15_360), (Part::TextIndex, 840), (Part::Keys, 66_600)]),
        }
    }

    fn rows(arms: &[&str]) -> Vec<Row> {
        let interval = Interval {
            mean: 0.5,
            low: 0.25,
            high: 0.75,
        };
        let row = |arm: &&str| Row::new("some-bench", "recall_all@10", *arm, interval);
        arms.iter().map(row).collect()
    }

    #[test]
    fn an_arm_needs_the_sum_of_its_parts() {
        let measured = rows(&["main-point", "bm25", "full-pipeline"]);
        let found = stored().rows("some-bench", &measured);
        let values: Vec<(&str, f64)> = found.iter().map(|row| (row.arm.as_str(), row.value)).collect();
        assert_eq!(
            values,
            [("main-point", 1536.0), ("bm25", 84.0), ("full-pipeline", 8280.0)]
        );
        assert!(found.iter().all(|row| row.metric == "bytes_per_turn" && row.n == 10));
    }

    #[test]
    fn the_table_shows_an_arms_parts_and_leaves_out_what_was_not_read() {
        let text = stored()
            .table(&rows(&["full-pipeline", "attention-search-all-keys"]))
            .to_string();
        let line = text.lines().find(|line| line.contains("(shipped)")).unwrap_or_default();
        assert!(
            ["1536", "84", "6660", "8280"]
                .iter()
                .all(|figure| line.contains(figure)),
            "{text}"
        );
        assert!(!text.contains("all content tokens"));
    }
}
