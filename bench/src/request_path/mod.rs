//! `mainpoint-bench request-path`: how long a request waits for its memory, by how much memory there is.
//!
//! Question: what does the memory add to a request before the upstream sees it, with 1,000 to 1,000,000 main points in
//! one scope, which step takes how long, and what of the best does the first stage find? Method: stores are filled with rows
//! made of real readings (sentences of several turns, each token's vector mixed with another's, its code and the mean made of
//! the same) and kept in the cache; the built program serves a working copy of each over loopback, to a client that asks
//! over-budget questions one after the other, with the reader idle and with it busy. Baseline of the first stage: the codes of
//! everything instead of those of candidates.

mod filling;
mod material;
mod mixing;
mod playing;
mod survival;

use clap::Args;

use self::filling::Filled;
use self::material::Material;
use self::playing::PRODUCT;
use crate::BenchError;
use crate::product::Product;
use crate::recall::library::{Library, ReadingOptions};
use crate::report::{Report, Row, SPEED, rows_of, sized, table_of};
use crate::stats::as_float;

/// How much memory there is.
#[derive(Debug, Clone, Args)]
pub struct RequestPathOptions {
    /// How many main points the scope holds, at least 500; may be given several times or with commas. A million take 3 GB on
    /// the disk and are filled in some minutes.
    #[arg(
        long,
        value_name = "ROWS",
        value_delimiter = ',',
        default_values_t = [1_000_u32, 100_000, 1_000_000],
        value_parser = clap::value_parser!(u32).range(500..)
    )]
    sizes: Vec<u32>,
    /// Requests in each phase.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    requests: u16,
    #[command(flatten)]
    readings: ReadingOptions,
}

/// The rows of everything that was measured with one store; parts have some of the same name.
struct Measured {
    played: Vec<Row>,
    survival: Vec<Row>,
    process: Vec<Row>,
}

const STEPS: &str = "Median and 99th percentile from the receipts. prepare: parse, scope, names, token counts. ledger: what earlier \
    requests were given. eviction: which turns are read, whether old ones leave. question: its one pass, words searched for beside. \
    search: the vectors near it. candidates: telling what was found, with what ranks it. comparing: the codes of all of these. \
    ranking. texts: of what is recalled. pack. rewrite. record: the ledger, fsynced.";
const FIRST_STAGE: &str = "The share of the ten best matches of everything in the scope, by MaxSim of all codes, that are among the \
    candidates of the product's search, by memory.candidates, the scope being too large to be compared in whole. Milliseconds of \
    the whole search with a question that is prepared, sketches in memory.";
const PROCESS: &str = "Start: from starting the program until it answers, on a store that was just copied. Memory of the process after \
    the idle phase, the model included. Bytes a row: the store's whole directory, compacted. The \
    index: the share of the exact 50 nearest vectors that it finds; the store builds one from 20,000 rows on, and keeps it if it is good.";

/// Measures every size, prints the tables and writes the result files, after each size anew.
///
/// # Errors
/// Any failure of data, engine, store or files.
pub async fn run(options: &RequestPathOptions) -> Result<(), BenchError> {
    let (product, library) = options.readings.open().await?;
    let material = Material::read(&library).await?;
    let mut sizes: Vec<usize> = options.sizes.iter().map(|size| *size as usize).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut measured = Vec::with_capacity(sizes.len());
    for rows in sizes {
        measured.push(measure(options, &product, &library, &material, rows).await?);
        let title = "What the memory adds to a request";
        report(options, &measured).publish(&options.readings.out, "request-path", title, SPEED)?;
    }
    Ok(())
}

async fn measure(
    options: &RequestPathOptions,
    product: &Product,
    library: &Library,
    material: &Material,
    rows: usize,
) -> Result<Measured, BenchError> {
    let overrides = product.overrides();
    let filled = Filled::with(&options.readings.cache, &overrides, material, rows).await?;
    let bench = sized("request-path", rows);
    let stage = playing::Stage::set(&overrides, material, &filled).await?;
    let (played, mut process) = stage.play(&bench, usize::from(options.requests)).await?;
    let note = &filled.note;
    let bytes = as_float(note.bytes as usize) / as_float(rows.max(1));
    let figures = [("bytes_per_row", bytes, "bytes"), ("filling_s", note.seconds, "s")];
    process.extend(rows_of(&bench, PRODUCT, figures));
    let recall = note.index_recall.map(|recall| ("recall@50", f64::from(recall), "share"));
    process.extend(rows_of(&bench, "vectors-indexed", recall));
    let survival = survival::measure(library, material, &filled, &bench).await?;
    Ok(Measured { played, survival, process })
}

fn report(options: &RequestPathOptions, measured: &[Measured]) -> Report {
    let of = |part: fn(&Measured) -> &Vec<Row>| measured.iter().flat_map(part).cloned().collect::<Vec<Row>>();
    let (played, survival, process) = (of(|one| &one.played), of(|one| &one.survival), of(|one| &one.process));
    let note = format!(
        "{} requests a phase, one after the other, all over the budget, from the client's sending to the upstream's receiving; \
         the whole scope is searched. Everything is read before the next request, but for the measures that begin with reading: \
         long turns of other conversations keep the reader busy then. Nothing is cut by a deadline.",
        options.requests
    );
    let mut report = Report::default();
    report.add("Added milliseconds", note, table_of(played.iter().filter(|row| row.arm == PRODUCT)));
    report.add("Steps of the memory path", STEPS, table_of(played.iter().filter(|row| row.arm != PRODUCT)));
    report.add("The first stage", FIRST_STAGE, table_of(&survival));
    report.add("The process and the disk", PROCESS, table_of(&process));
    report.rows = [played, survival, process].concat();
    report
}
