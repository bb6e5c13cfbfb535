//! `mainpoint-bench reader`: how fast turns are read, embedded and asked about.
//!
//! Question: what does reading cost beside the cheapest thing that a model can do with the same tokens, and does a question
//! wait while much is read? Method: recorded turns of several lengths go through the product's reader and, in the same round,
//! through llama.cpp's plain prefill of the same model; the embedder encodes their passages; questions are prepared on an idle
//! engine and on a busy one. Baselines: plain prefill with flash attention and as many threads; the idle engine.

mod embedding;
mod figures;
mod passes;
mod presentation;
mod questions;
mod texts;

use std::path::PathBuf;

use mainpoint_engine::speed::ReaderModel;
use mainpoint_engine::{EmbedderConfig, Engine, EngineConfig, ReaderConfig, TurnText};

use self::figures::SpeedRow;
use self::texts::{Text, as_read, longest_first};
use crate::BenchError;
use crate::cache::write_whole;
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
    /// The reader's GGUF file.
    pub reader: PathBuf,
    /// The embedder's GGUF file.
    pub embedder: PathBuf,
    /// Directory for `reader.md` and `reader.jsonl`.
    pub out: PathBuf,
}

/// Turns whose passages are embedded in each round.
const EMBEDDED_TURNS: usize = 256;

/// Times everything, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of data, engine or files.
pub async fn run(options: &ReaderSpeedOptions) -> Result<(), BenchError> {
    let conversations = longest_first(&options.data)?;
    let (mut report, mut rows) = (Report::default(), Vec::new());
    rows.extend(reading(options, &conversations, &mut report)?);
    rows.extend(embedding(options, &conversations, &mut report)?);
    rows.extend(questions(options, &conversations, &mut report).await?);
    anstream::println!("{}", report.terminal());
    let markdown = options.out.join("reader.md");
    write_whole(&markdown, report.markdown("Speed of reading").as_bytes())?;
    let lines = options.out.join("reader.jsonl");
    write_rows(&lines, &rows)?;
    anstream::println!("Written: {} and {}", markdown.display(), lines.display());
    Ok(())
}

fn reading(
    options: &ReaderSpeedOptions,
    conversations: &[Conversation],
    report: &mut Report,
) -> Result<Vec<SpeedRow>, BenchError> {
    let model = ReaderModel::load(&options.reader).map_err(BenchError::engine("loading the reader"))?;
    let turns: Vec<_> = conversations
        .iter()
        .flat_map(|conversation| conversation.turns.iter().cloned())
        .collect();
    let mut rows = Vec::new();
    for size in options.sizes.iter().copied() {
        let text = Text::of(&model, &turns, size)?;
        let timed = passes::time(&model, &text, &options.threads, options.rounds)?;
        let heading = format!("Reading {size} tokens, {} rounds", options.rounds);
        report.add(heading, presentation::pass_note(size), presentation::pass_table(&timed));
        rows.extend(presentation::pass_rows(&format!("reader-{size}"), &timed));
    }
    Ok(rows)
}

fn embedding(
    options: &ReaderSpeedOptions,
    conversations: &[Conversation],
    report: &mut Report,
) -> Result<Vec<SpeedRow>, BenchError> {
    let turns = conversations.iter().flat_map(|conversation| &conversation.turns);
    let turns: Vec<TurnText> = turns.take(EMBEDDED_TURNS).map(as_read).collect();
    let embedded = embedding::time(&options.embedder, &turns, &options.threads, options.rounds)?;
    let heading = format!("Embedding {} turns, {} rounds", turns.len(), options.rounds);
    report.add(
        heading,
        presentation::EMBEDDING,
        presentation::embedding_table(&embedded),
    );
    Ok(presentation::embedding_rows(&embedded))
}

async fn questions(
    options: &ReaderSpeedOptions,
    conversations: &[Conversation],
    report: &mut Report,
) -> Result<Vec<SpeedRow>, BenchError> {
    let config = EngineConfig {
        reader: ReaderConfig {
            model: options.reader.clone(),
            ..ReaderConfig::default()
        },
        embedder: EmbedderConfig {
            model: options.embedder.clone(),
            ..EmbedderConfig::default()
        },
    };
    let engine = Engine::start(&config).map_err(BenchError::engine("starting"))?;
    let asked = questions::time(&engine, conversations, options.rounds).await?;
    let heading = format!("Preparing a question, {} rounds", options.rounds);
    let note = presentation::question_note(config.reader.threads);
    report.add(heading, note, presentation::question_table(&asked));
    Ok(presentation::question_rows(&asked))
}
