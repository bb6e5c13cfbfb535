//! What memory costs: bytes on disk, seconds of reading.

use comfy_table::Table;

use super::arms::SHIPPED;
use super::rankings::Material;
use super::reading::Reading;
use super::shelf::Shelf;
use crate::BenchError;
use crate::metrics::as_float;
use crate::report::table;

/// Bytes on disk of the whole store, and of what its rows hold.
pub(super) fn sizes_table(shelf: &Shelf, materials: &[Material<'_>]) -> Result<Table, BenchError> {
    let mut table = table(["what", "bytes", "bytes a turn"]);
    let turns: usize = materials.iter().map(|material| material.conversation.turns.len()).sum();
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
    let readings = || materials.iter().filter_map(|material| material.reading(SHIPPED));
    let passages = || {
        readings()
            .flat_map(|reading| &reading.turns)
            .flat_map(|turn| &turn.passages)
    };
    let texts = materials
        .iter()
        .flat_map(|material| &material.conversation.turns)
        .map(|turn| turn.text.len());
    add("rows: text".to_owned(), texts.sum::<usize>() as u64);
    add(
        "rows: vectors".to_owned(),
        passages().map(|passage| passage.vector.len() * 4).sum::<usize>() as u64,
    );
    add(
        "rows: spans".to_owned(),
        passages().map(|passage| passage.spans.len() * 12).sum::<usize>() as u64,
    );
    add(
        "rows: attention keys".to_owned(),
        passages().map(|passage| passage.keys.len()).sum::<usize>() as u64,
    );
    Ok(table)
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
