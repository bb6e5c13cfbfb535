//! What was measured, as tables for people and as figures for machines.
//!
//! It must not know how it was measured.

use comfy_table::Table;

use super::figures::Times;
use super::playing::{Phase, Played};
use super::searching::NEIGHBOURS;
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
    report.add("The process and the disk", PROCESS, process_table(measured));
    (report, figures(measured))
}

const STEPS: &str = "Median and 99th percentile from the receipts. prepare: parse, scope, \
    names, token counts. ledger: what earlier requests were given. epoch: which turns are read, whether old ones leave. \
    embedding: the question's vector, words searched for beside. search: the vectors near it, while the reader makes its queries. \
    candidates: telling what was found, with what ranks it. attention: the \
    reader's queries, as far as they are not there yet, and scoring keys. ranking. texts: of what is recalled. pack. rewrite. keep: the \
    ledger, fsynced.";
const SEARCH: &str = "The store's and the engine's public operations in the benchmark's own process, one question after the other, 200 \
    hits of each search with their rows. The first scope lookup loads the ids of the whole scope.";
const VECTORS: &str = "Milliseconds of 50 nearest vectors with their rows, by comparing all and through IVF_SQ, and the share of the \
    exact 50 that the index finds. The store builds the index from 100,000 rows on, and keeps it if it is good.";
const PROCESS: &str = "Start: from starting the program until it answers, on a store that was just copied. Memory of the process after \
    the idle phase, both models included. Bytes a row: the store's whole directory, compacted.";

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
        "attention",
        "reader",
        "p50 ms",
        "p99 ms",
        "memory path p50",
        "rewritten",
        "failed open",
    ]);
    for one in measured {
        for (attention, reader, phase) in phases(one) {
            table.add_row([
                one.filled.note.rows.to_string(),
                attention.to_owned(),
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

fn phases(one: &Measured) -> [(&'static str, &'static str, &Phase); 4] {
    [
        ("on", "idle", &one.attentive.idle),
        ("on", "reading", &one.attentive.reading),
        ("off", "idle", &one.plain.idle),
        ("off", "reading", &one.plain.reading),
    ]
}

fn steps_table(measured: &[Measured]) -> Table {
    let mut table = table(["main points", "attention", "reader", "step", "p50 ms", "p99 ms"]);
    for one in measured {
        for (attention, reader, phase) in phases(one) {
            for (step, times) in &phase.steps {
                table.add_row([
                    one.filled.note.rows.to_string(),
                    attention.to_owned(),
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

fn process_table(measured: &[Measured]) -> Table {
    let mut table = table([
        "main points",
        "start ms",
        "memory MiB",
        "at the most MiB",
        "bytes a row",
    ]);
    for one in measured {
        let memory = one.attentive.memory;
        let mebibytes = |bytes: u64| shown(float(bytes) / MEBIBYTE);
        table.add_row([
            one.filled.note.rows.to_string(),
            shown(one.attentive.start.as_secs_f64() * 1000.0),
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
        Some(float(one.attentive.memory?.resident))
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
        Some(one.attentive.reading.added.p50())
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
    let all: [(&str, &Played); 2] = [("", &one.attentive), ("without_attention_", &one.plain)];
    for (prefix, played) in all {
        for (load, phase) in [("", &played.idle), ("reading_", &played.reading)] {
            let name = |measure: &str| format!("{prefix}{load}{measure}");
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
    let start = one.attentive.start.as_secs_f64() * 1000.0;
    figures.push(figure("start_ms", PRODUCT, start, "ms"));
    if let Some(memory) = one.attentive.memory {
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
