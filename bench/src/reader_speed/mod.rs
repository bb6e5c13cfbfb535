//! `mainpoint-bench reader`: how fast turns are read and asked about.
//!
//! Question: how fast does the reader read, how long does a question take, and does it wait while much is read? Method: recorded
//! turns of several lengths go through the product's engine, turn by turn and as one turn in the same round; questions of several
//! lengths are prepared on an idle engine and real ones on a busy one, too. Baselines: the same text as one turn; the idle engine.

mod questions;
mod texts;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use mainpoint_engine::{Engine, ReadRequest};

use self::questions::QUESTIONS;
use self::texts::{Text, longest_first};
use crate::data::Conversation;
use crate::product::Product;
use crate::progress::over;
use crate::report::{Report, Row, SPEED, quantiles};
use crate::stats::{Figure, as_float};
use crate::{BenchError, Failing, locate};

/// What is read.
#[derive(Debug, Clone, Args)]
pub struct ReaderSpeedOptions {
    /// Tokens of the texts that are read.
    #[arg(long, value_delimiter = ',', default_values_t = [256_u16, 1024, 4096], value_parser = clap::value_parser!(u16).range(64..=8192))]
    sizes: Vec<u16>,
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

const PASSES: &str = "Through the product's engine: tokenising, the pass, attention, main points, codes and mean vectors. \
    All arms take turns in every round; figures are medians, and the smallest and largest round.";

/// Times everything, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data, engine or files.
pub async fn run(options: &ReaderSpeedOptions) -> Result<(), BenchError> {
    let product = Product::with(options.reader.as_deref())?;
    let conversations = longest_first(&locate::locomo())?;
    let engine = product.start()?;
    let mut report = Report::default();
    reading(options, &engine, &conversations, &mut report).await?;
    let note = format!(
        "Preparing one question, vector and codes in one pass, one question after the other: {QUESTIONS} a round, real ones on an \
         idle engine and while bulk reads keep the reader's queue filled, and real ones cut to so many tokens on an idle \
         engine. Bulk work has {} threads. The figure is taken over all rounds, the spread from each.",
        product.engine.encoder.threads
    );
    for kind in questions::time(&engine, &conversations, usize::from(options.rounds)).await? {
        let figures = quantiles(&kind.bench, "", kind.arm, &kind.rounds);
        report.rows.extend(figures.into_iter().map(|row| row.over(kind.rounds.len())));
    }
    let title = format!("Preparing a question, {} rounds", options.rounds);
    report.tabulate(title, note, |row| row.bench.starts_with("question"));
    report.publish(&options.out, "reader", "Speed of reading", SPEED)
}

async fn reading(
    options: &ReaderSpeedOptions,
    engine: &Engine,
    conversations: &[Conversation],
    report: &mut Report,
) -> Result<(), BenchError> {
    let turns = conversations.iter().flat_map(|conversation| conversation.turns.iter().cloned());
    let turns: Vec<_> = turns.collect();
    for size in options.sizes.iter().map(|size| usize::from(*size)) {
        let text = Text::new(engine, &turns, size)?;
        let mut seconds: [Vec<f64>; 2] = Default::default();
        for round in over(format!("reading {} tokens", text.tokens), 0..options.rounds + 1) {
            // All ways take turns, so that whatever else the machine does meets all of them alike.
            for (way, seconds) in text.ways.iter().zip(&mut seconds) {
                let request = ReadRequest { turns: way.turns.clone() };
                let started = Instant::now();
                let read = engine.read(request).await.in_engine("reading")?;
                let time = started.elapsed().as_secs_f64();
                std::hint::black_box(read);
                if round > 0 {
                    seconds.push(time);
                }
            }
        }
        let bench = format!("reader-{size}");
        let ways = text.ways.iter().zip(&seconds);
        report.rows.extend(ways.map(|(way, seconds)| row_of(&bench, way.arm, text.tokens, seconds)));
    }
    report.tabulate(format!("Reading, {} rounds", options.rounds), PASSES, |_| true);
    Ok(())
}

fn row_of(bench: &str, arm: &str, tokens: usize, seconds: &[f64]) -> Row {
    let speeds = seconds.iter().map(|seconds| as_float(tokens) / seconds);
    let row = Row::new(bench, "tokens_per_second", arm, Figure::median(speeds).unwrap_or_default());
    row.counted_in("tokens/s").over(seconds.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arm_has_its_speed() {
        let row = row_of("reader-256", "mainpoint-one-turn", 100, &[0.5, 1.0, 0.4]);
        assert_eq!((row.arm.as_str(), row.value, row.low, row.n), ("mainpoint-one-turn", 200.0, 100.0, 3));
    }
}
