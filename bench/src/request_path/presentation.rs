//! What was measured, as tables for people and as figures for machines.
//!
//! It must not know how it was measured.

use comfy_table::Table;

use super::figures::Times;
use super::playing::Phase;
use super::searching::NEIGHBOURS;
use super::survival::BEST;
use super::{Measured, RequestPathOptions};
use crate::metrics::as_float;
use crate::report::{Figure, Report, sized, table};

/// The arm that every figure of the whole product has.
const PRODUCT: &str = "mainpoint";
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// The report and the figures of everything that was measured so far.
pub(super) fn present(options: &RequestPathOptions, measured: &[Measured]) -> (Report, Vec<Figure>) {
    let mut report = Report::default();
    report.add("Added milliseconds", waiting_note(options), waiting_table(measured));
    report.add("Steps of the memory path", STEPS, steps_table(measured));
    report.add("Steps in process", SEARCH, search_table(measured));
    report.add("Vectors: the index and every vector", VECTORS, vectors_table(measured));
    report.add("The first stage", FIRST_STAGE, survival_table(measured));
    report.add("The process and the disk", PROCESS, process_table(measured));
    (report, figures(measured))
}

const STEPS: &str = "Median and 99th percentile from the receipts. prepare: parse, scope, names, token counts. ledger: what earlier \
    requests were given. epoch: which turns are read, whether old ones leave. question: its one pass, words searched for beside. \
    search: the vectors near it. candidates: telling what was found, with what ranks it. comparing: the codes of all of these. \
    ranking. texts: of what is recalled. pack. rewrite. keep: the ledger, fsynced.";
const SEARCH: &str = "The store's and the engine's public operations in the benchmark's own process, one question after the other, as many \
    hits of each search as memory.candidates says, with their rows. The first scope lookup loads the ids of the whole scope.";
const FIRST_STAGE: &str = "The share of the ten best matches of everything in the scope, by MaxSim of all codes, that are among the \
    candidates of the product's search, by memory.candidates, nothing being compared in whole. Milliseconds of the whole search \
    with a question that is prepared.";
const VECTORS: &str = "Milliseconds of 50 nearest vectors with their rows, by comparing all and through IVF_SQ, and the share of the \
    exact 50 that the index finds. The store builds the index from 20,000 rows on, and keeps it if it is good.";
const PROCESS: &str = "Start: from starting the program until it answers, on a store that was just copied. Memory of the process after \
    the idle phase, the model included. Bytes a row: the store's whole directory, compacted.";

fn waiting_note(options: &RequestPathOptions) -> String {
    format!(
        "{} requests a phase, one after the other, all over the budget, from the client's sending to the upstream's receiving; \
         the whole scope is searched. Idle: everything is read before the next request. Reading: long turns of other \
         conversations keep the reader busy. Nothing is cut by a deadline.",
        options.requests
    )
}

fn waiting_table(measured: &[Measured]) -> Table {
    let mut table = table([
        "main points",
        "reader",
        "p50 ms",
        "p99 ms",
        "memory path p50",
        "rewritten",
        "failed open",
    ]);
    for one in measured {
        for (reader, phase) in phases(one) {
            table.add_row([
                one.filled.note.rows.to_string(),
                reader.to_owned(),
                shown(phase.added.p50()),
                shown(phase.added.p99()),
                shown(phase.memory.p50()),
                phase.rewritten.to_string(),
                phase.failed_open.to_string(),
            ]);
        }
    }
    table
}

fn phases(one: &Measured) -> [(&'static str, &Phase); 2] {
    [("idle", &one.played.idle), ("reading", &one.played.reading)]
}

fn steps_table(measured: &[Measured]) -> Table {
    let mut table = table(["main points", "reader", "step", "p50 ms", "p99 ms"]);
    for one in measured {
        for (reader, phase) in phases(one) {
            for (step, times) in &phase.steps {
                table.add_row([
                    one.filled.note.rows.to_string(),
                    reader.to_owned(),
                    step.clone(),
                    shown(times.p50()),
                    shown(times.p99()),
                ]);
            }
        }
    }
    table
}

fn search_table(measured: &[Measured]) -> Table {
    let mut table = table(["main points", "step", "p50 ms", "p99 ms"]);
    for one in measured {
        for (step, times) in &one.searched.steps {
            add_times(&mut table, (one, step), times);
        }
    }
    table
}

fn add_times(table: &mut Table, (one, step): (&Measured, &str), times: &Times) {
    table.add_row([
        one.filled.note.rows.to_string(),
        step.to_owned(),
        shown(times.p50()),
        shown(times.p99()),
    ]);
}

fn vectors_table(measured: &[Measured]) -> Table {
    let mut table = table([
        "main points",
        "exact p50 ms",
        "exact p99 ms",
        "indexed p50 ms",
        "indexed p99 ms",
        "recall@50",
        "shipped",
    ]);
    for one in measured {
        let vectors = &one.searched.vectors;
        table.add_row([
            one.filled.note.rows.to_string(),
            shown(vectors.exact.p50()),
            shown(vectors.exact.p99()),
            shown(vectors.indexed.p50()),
            shown(vectors.indexed.p99()),
            format!("{:.3}", vectors.recall),
            if vectors.is_shipped { "index" } else { "exact" }.to_owned(),
        ]);
    }
    table
}

fn survival_table(measured: &[Measured]) -> Table {
    let mut table = table([
        "main points",
        "memory.candidates",
        "turns",
        "of the ten best",
        "p50 ms",
        "p99 ms",
    ]);
    for one in measured {
        let rows = one.filled.note.rows.to_string();
        for stage in &one.survival.stages {
            table.add_row([
                rows.clone(),
                stage.limit.to_string(),
                format!("{:.0}", stage.candidates),
                format!("{:.3}", stage.share),
                shown(stage.times.p50()),
                shown(stage.times.p99()),
            ]);
        }
        let [p50, p99] = [one.survival.exhaustive.p50(), one.survival.exhaustive.p99()].map(shown);
        table.add_row([
            rows.clone(),
            "everything".to_owned(),
            rows,
            "1.000".to_owned(),
            p50,
            p99,
        ]);
    }
    table
}

fn process_table(measured: &[Measured]) -> Table {
    let mut table = table([
        "main points",
        "start ms",
        "memory MiB",
        "at the most MiB",
        "bytes a row",
    ]);
    for one in measured {
        let memory = one.played.memory;
        let mebibytes = |bytes: u64| shown(float(bytes) / MEBIBYTE);
        table.add_row([
            one.filled.note.rows.to_string(),
            shown(one.played.start.as_secs_f64() * 1000.0),
            memory.map_or_else(|| "–".to_owned(), |memory| mebibytes(memory.resident)),
            memory.map_or_else(|| "–".to_owned(), |memory| mebibytes(memory.peak)),
            format!("{:.0}", bytes_a_row(one)),
        ]);
    }
    table
}

fn figures(measured: &[Measured]) -> Vec<Figure> {
    let mut figures: Vec<Figure> = measured.iter().flat_map(figures_of).collect();
    let resident = |rows: usize| {
        let one = measured.iter().find(|one| one.filled.note.rows == rows)?;
        Some(float(one.played.memory?.resident))
    };
    if let (Some(large), Some(small)) = (resident(1_000_000), resident(100_000)) {
        let bench = bench_name(1_000_000);
        figures.push(Figure::new(
            &bench,
            ("memory_growth_to_100k", PRODUCT),
            large / small,
            "ratio",
        ));
    }
    let added = |rows: usize| {
        let one = measured.iter().find(|one| one.filled.note.rows == rows)?;
        Some(one.played.reading.added.p50())
    };
    if let (Some(large), Some(small)) = (added(1_000_000), added(100_000)) {
        let metric = ("reading_p50_growth_to_100k", PRODUCT);
        figures.push(Figure::new(&bench_name(1_000_000), metric, large / small, "ratio"));
    }
    figures
}

fn figures_of(one: &Measured) -> Vec<Figure> {
    let bench = bench_name(one.filled.note.rows);
    let figure = |metric: &str, arm: &str, value: f64, unit| Figure::new(&bench, (metric, arm), value, unit);
    let mut figures = Vec::new();
    for (load, phase) in [("", &one.played.idle), ("reading_", &one.played.reading)] {
        let name = |measure: &str| format!("{load}{measure}");
        figures.push(figure(&name("p50_ms"), PRODUCT, phase.added.p50(), "ms"));
        figures.push(figure(&name("p99_ms"), PRODUCT, phase.added.p99(), "ms"));
        figures.push(figure(
            &name("failed_open"),
            PRODUCT,
            as_float(phase.failed_open),
            "requests",
        ));
        figures.push(figure(
            &name("rewritten"),
            PRODUCT,
            as_float(phase.rewritten),
            "requests",
        ));
        for (step, times) in &phase.steps {
            figures.push(figure(&name("p50_ms"), step, times.p50(), "ms"));
            figures.push(figure(&name("p99_ms"), step, times.p99(), "ms"));
        }
    }
    for (step, times) in &one.searched.steps {
        figures.push(figure("p50_ms", step, times.p50(), "ms"));
        figures.push(figure("p99_ms", step, times.p99(), "ms"));
    }
    let vectors = &one.searched.vectors;
    for (arm, times) in [("vectors-exact", &vectors.exact), ("vectors-indexed", &vectors.indexed)] {
        figures.push(figure("p50_ms", arm, times.p50(), "ms"));
        figures.push(figure("p99_ms", arm, times.p99(), "ms"));
    }
    let recall = format!("recall@{NEIGHBOURS}");
    figures.push(figure(&recall, "vectors-indexed", vectors.recall, "share"));
    for stage in &one.survival.stages {
        let arm = format!("candidates-{}", stage.limit);
        figures.push(figure(&format!("survival@{BEST}"), &arm, stage.share, "share"));
        figures.push(figure("p50_ms", &arm, stage.times.p50(), "ms"));
    }
    figures.push(figure(
        "p50_ms",
        "max-sim-of-everything",
        one.survival.exhaustive.p50(),
        "ms",
    ));
    let start = one.played.start.as_secs_f64() * 1000.0;
    figures.push(figure("start_ms", PRODUCT, start, "ms"));
    if let Some(memory) = one.played.memory {
        figures.push(figure("memory_mib", PRODUCT, float(memory.resident) / MEBIBYTE, "MiB"));
        figures.push(figure("memory_peak_mib", PRODUCT, float(memory.peak) / MEBIBYTE, "MiB"));
    }
    figures.push(figure("bytes_per_row", PRODUCT, bytes_a_row(one), "bytes"));
    figures.push(figure("filling_s", PRODUCT, one.filled.note.seconds, "s"));
    figures
}

fn bench_name(rows: usize) -> String {
    sized("request-path", rows)
}

fn bytes_a_row(one: &Measured) -> f64 {
    float(one.filled.note.bytes) / as_float(one.filled.note.rows.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53 bytes")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}

fn shown(value: f64) -> String {
    format!("{value:.1}")
}
