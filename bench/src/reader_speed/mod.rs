//! `mainpoint-bench reader`: how fast turns are read and asked about.
//!
//! Question: how fast does the reader read, how long does a question take, and does it wait while much is read? Method: recorded
//! turns of several lengths go through the product's engine, with several numbers of threads in the same round; questions of
//! several lengths are prepared on an idle engine and real ones on a busy one, too. Baselines: one thread; the idle engine.

mod figures;
mod passes;
mod presentation;
mod questions;
mod texts;

use std::path::PathBuf;

use mainpoint_engine::Engine;

use self::figures::SpeedRow;
use self::texts::{Text, longest_first};
use crate::BenchError;
use crate::cache::write_whole;
use crate::product::Product;
use crate::recorded::Conversation;
use crate::report::{Report, write_rows};

/// What to time and where to put the results.
#[derive(Debug, Clone)]
pub struct ReaderSpeedOptions {
    /// A file of recorded conversations.
    pub data: PathBuf,
    /// Tokens of the texts.
    pub sizes: Vec<usize>,
    /// Numbers of compute threads, each at least 1.
    pub threads: Vec<usize>,
    /// Rounds that count.
    pub rounds: usize,
    /// The product's settings.
    pub product: Product,
    /// Directory for `reader.md` and `reader.jsonl`.
    pub out: PathBuf,
}

/// Times everything, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data, engine or files.
pub async fn run(options: &ReaderSpeedOptions) -> Result<(), BenchError> {
    let conversations = longest_first(&options.data)?;
    let (mut report, mut rows) = (Report::default(), Vec::new());
    rows.extend(reading(options, &conversations, &mut report).await?);
    rows.extend(questions(options, &conversations, &mut report).await?);
    anstream::println!("{}", report.terminal());
    let markdown = options.out.join("reader.md");
    write_whole(&markdown, report.markdown("Speed of reading").as_bytes())?;
    let lines = options.out.join("reader.jsonl");
    write_rows(&lines, &rows)?;
    anstream::println!("Written: {} and {}", markdown.display(), lines.display());
    Ok(())
}

async fn reading(
    options: &ReaderSpeedOptions,
    conversations: &[Conversation],
    report: &mut Report,
) -> Result<Vec<SpeedRow>, BenchError> {
    let engines = options.threads.iter().map(|threads| {
        let mut product = options.product.clone();
        product.engine.encoder.threads = *threads;
        Ok((*threads, product.start()?))
    });
    let engines = engines.collect::<Result<Vec<(usize, Engine)>, BenchError>>()?;
    let turns = conversations
        .iter()
        .flat_map(|conversation| conversation.turns.iter().cloned());
    let turns: Vec<_> = turns.collect();
    let mut rows = Vec::new();
    let Some((_, engine)) = engines.first() else {
        return Ok(rows);
    };
    for size in options.sizes.iter().copied() {
        let text = Text::of(engine, &turns, size)?;
        let timed = passes::time(&engines, &text, options.rounds).await?;
        let heading = format!("Reading {size} tokens, {} rounds", options.rounds);
        report.add(heading, presentation::PASSES, presentation::pass_table(&timed));
        rows.extend(presentation::pass_rows(&format!("reader-{size}"), &timed));
    }
    Ok(rows)
}

async fn questions(
    options: &ReaderSpeedOptions,
    conversations: &[Conversation],
    report: &mut Report,
) -> Result<Vec<SpeedRow>, BenchError> {
    let engine = options.product.start()?;
    let asked = questions::time(&engine, conversations, options.rounds).await?;
    let heading = format!("Preparing a question, {} rounds", options.rounds);
    let note = presentation::question_note(options.product.engine.encoder.threads);
    report.add(heading, note, presentation::question_table(&asked));
    Ok(presentation::question_rows(&asked))
}
