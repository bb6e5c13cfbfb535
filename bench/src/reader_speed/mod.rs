//! `mainpoint-bench reader`: how fast turns are read and asked about.
//!
//! Question: how fast does the reader read, how long does a question take, and does it wait while much is read? Method: recorded
//! turns of several lengths go through the product's engine, with several numbers of threads in the same round; questions of
//! several lengths are prepared on an idle engine and real ones on a busy one, too. Baselines: one thread; the idle engine.

mod passes;
mod questions;
mod texts;

use std::path::PathBuf;

use clap::Args;
use mainpoint_engine::Engine;

use self::passes::Timed;
use self::questions::QUESTIONS;
use self::texts::{Text, longest_first};
use crate::data::Conversation;
use crate::product::Product;
use crate::report::{Line, Report, Row, SPEED, column, quantiles, table_of};
use crate::stats::Figure;
use crate::{BenchError, locate};

/// What is read, and by how many threads.
#[derive(Debug, Clone, Args)]
pub struct ReaderSpeedOptions {
    /// A file of recorded conversations.
    #[arg(long, value_name = "FILE", default_value_os_t = locate::locomo())]
    data: PathBuf,
    /// Tokens of the texts that are read.
    #[arg(long, value_delimiter = ',', default_values_t = [256_u16, 1024, 4096], value_parser = clap::value_parser!(u16).range(64..=8192))]
    sizes: Vec<u16>,
    /// Numbers of compute threads.
    #[arg(long, value_delimiter = ',', default_values_t = [2_u16, 1], value_parser = clap::value_parser!(u16).range(1..=512))]
    threads: Vec<u16>,
    /// Rounds that count; one more goes before them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// The model that reads, as models.reader names it: a name of the catalogue or a GGUF file; default: the product's own.
    #[arg(long, value_name = "MODEL")]
    reader: Option<String>,
    /// Directory for reader.md and for the rows in speed.jsonl.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::results())]
    out: PathBuf,
}

/// How the passes over a text were timed.
const PASSES: &str = "Through the product's engine: tokenising, the pass, attention, main points, codes and mean vectors. \
    All arms take turns in every round; figures are medians, and the smallest and largest round.";

/// Times everything, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data, engine or files.
pub async fn run(options: &ReaderSpeedOptions) -> Result<(), BenchError> {
    let product = Product::with(options.reader.as_deref())?;
    let conversations = longest_first(&options.data)?;
    let mut report = Report::default();
    reading(options, &product, &conversations, &mut report).await?;
    questions(options, &product, &conversations, &mut report).await?;
    report.publish(&options.out, "reader", "Speed of reading", SPEED)
}

async fn reading(
    options: &ReaderSpeedOptions,
    product: &Product,
    conversations: &[Conversation],
    report: &mut Report,
) -> Result<(), BenchError> {
    let mut engines: Vec<(usize, Engine)> = Vec::new();
    for threads in options.threads.iter().map(|threads| usize::from(*threads)) {
        let mut product = product.clone();
        product.engine.encoder.threads = threads;
        engines.push((threads, product.start()?));
    }
    let Some((_, engine)) = engines.first() else {
        return Ok(());
    };
    let turns = conversations.iter().flat_map(|conversation| conversation.turns.iter().cloned());
    let turns: Vec<_> = turns.collect();
    for size in options.sizes.iter().map(|size| usize::from(*size)) {
        let text = Text::new(engine, &turns, size)?;
        let timed = passes::time(&engines, &text, usize::from(options.rounds)).await?;
        let bench = format!("reader-{size}");
        let rows: Vec<Row> = timed.iter().map(|timed| row_of(&bench, timed)).collect();
        let line = |timed: &Timed| {
            let cells = [timed.title.to_owned(), timed.threads.to_string(), timed.tokens.to_string()];
            Line::new(cells, &bench, &arm_of(timed))
        };
        let lines: Vec<Line> = timed.iter().map(line).collect();
        let columns = [column("tokens/s", "tokens_per_second", 0).with_bounds("low to high")];
        let heading = format!("Reading {size} tokens, {} rounds", options.rounds);
        report.add(heading, PASSES, table_of(&rows, &["arm", "threads", "tokens"], &lines, &columns));
        report.rows.extend(rows);
    }
    Ok(())
}

async fn questions(
    options: &ReaderSpeedOptions,
    product: &Product,
    conversations: &[Conversation],
    report: &mut Report,
) -> Result<(), BenchError> {
    let engine = product.start()?;
    let asked = questions::time(&engine, conversations, usize::from(options.rounds)).await?;
    let mut rows = Vec::new();
    for kind in &asked {
        let figures = quantiles(&kind.bench, "", kind.arm, &kind.rounds);
        rows.extend(figures.into_iter().map(|row| row.over(kind.rounds.len())));
    }
    let lines = asked.iter().map(|kind| Line::new([&kind.name], &kind.bench, kind.arm));
    let columns = ["p50", "p99"].map(|name| {
        let heading = format!("{name} ms");
        column(&heading, format!("{name}_ms"), 1).with_bounds(heading)
    });
    let note = format!(
        "Preparing one question, vector and codes in one pass, one question after the other: {QUESTIONS} a round, real ones on an \
         idle engine and while bulk reads keep the reader's queue filled, and real ones cut to so many tokens on an idle \
         engine. Bulk work has {} threads. The figure is taken over all rounds, the spread from each.",
        product.engine.encoder.threads
    );
    let table = table_of(&rows, &["questions"], &lines.collect::<Vec<_>>(), &columns);
    report.add(format!("Preparing a question, {} rounds", options.rounds), note, table);
    report.rows.extend(rows);
    Ok(())
}

fn row_of(bench: &str, timed: &Timed) -> Row {
    let speeds = Figure::median(timed.tokens_per_second()).unwrap_or_default();
    let row = Row::new(bench, "tokens_per_second", &arm_of(timed), speeds);
    row.counted_in("tokens/s").over(timed.seconds.len())
}

/// An arm's name; two threads are what is meant when nothing is said.
fn arm_of(timed: &Timed) -> String {
    let name = timed.arm;
    match timed.threads {
        2 => name.to_owned(),
        1 => format!("{name}-1-thread"),
        more => format!("{name}-{more}-threads"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arm_has_its_speed() {
        let timed = |arm, threads, seconds| Timed { arm, title: "", threads, tokens: 100, seconds: vec![seconds; 3] };
        let arms = [timed("mainpoint", 2, 0.5), timed("mainpoint-one-turn", 1, 1.0)];
        let rows = arms.map(|arm| row_of("reader-256", &arm));
        let speeds: Vec<(&str, f64, usize)> = rows.iter().map(|row| (row.arm.as_str(), row.value, row.n)).collect();
        assert_eq!(speeds, [("mainpoint", 200.0, 3), ("mainpoint-one-turn-1-thread", 100.0, 3)]);
    }
}
