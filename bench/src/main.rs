//! The benchmark program: one subcommand per benchmark.
//!
//! It must not know how anything is measured; it reads the command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use mainpoint_bench::demo::{self, DemoOptions, Upstream};
use mainpoint_bench::recall::{self, RecallOptions};
use mainpoint_bench::{BenchError, locate};

/// Benchmarks of mainpoint, run on its own engine and store.
#[derive(Debug, Parser)]
#[command(name = "mainpoint-bench", version, about)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How often the evidence of LoCoMo's questions is found, for every way of searching.
    Recall(RecallArguments),
    /// Plays a long conversation through a running proxy and shows what it does, turn by turn.
    Demo(DemoArguments),
}

#[derive(Debug, Args)]
struct RecallArguments {
    /// The LoCoMo file; default: MAINPOINT_DATA, else ../shared/data/locomo/locomo-dev.json beside the repository.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Conversations that heads and constants were chosen on; a report on them is marked.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "conv-26,conv-30")]
    heads: Vec<String>,
    /// Conversations to report on.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "conv-41,conv-42")]
    conversations: Vec<String>,
    /// The reader's model; default: gemma-3-270m-q4_k_m.gguf in the models directory.
    #[arg(long, value_name = "GGUF")]
    reader: Option<PathBuf>,
    /// The embedder's model; default: all-minilm-l6-v2-f32.gguf in the models directory.
    #[arg(long, value_name = "GGUF")]
    embedder: Option<PathBuf>,
    /// Directory for recall.md and recall.jsonl; default: bench/results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Directory for readings, which take long to make; default: bench/cache.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct DemoArguments {
    /// User turns of the conversation, at least 20.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(20..=2000))]
    turns: u16,
    /// Most tokens of a forwarded prompt.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1200..))]
    budget: u32,
    /// Let the reader model itself answer instead of canned sentences (slow).
    #[arg(long, conflicts_with = "upstream")]
    embedded: bool,
    /// Let this OpenAI-compatible service answer; base URL including its version.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The model's name in requests.
    #[arg(long, default_value = "demo")]
    model: String,
}

fn main() -> ExitCode {
    let program = Program::parse();
    match run(program.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("mainpoint-bench: {}", error.with_causes());
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Runtime::new().map_err(BenchError::reading("the runtime"))?;
    match command {
        Command::Recall(arguments) => runtime.block_on(recall::run(&arguments.into())),
        Command::Demo(arguments) => runtime.block_on(demo::run(&arguments.into())),
    }
}

impl From<RecallArguments> for RecallOptions {
    fn from(arguments: RecallArguments) -> Self {
        let bench = locate::repository().join("bench");
        Self {
            data: arguments.data.unwrap_or_else(locate::locomo),
            conversations: arguments.conversations,
            heads: arguments.heads,
            reader: arguments
                .reader
                .unwrap_or_else(|| locate::models().join(locate::READER)),
            embedder: arguments
                .embedder
                .unwrap_or_else(|| locate::models().join(locate::EMBEDDER)),
            out: arguments.out.unwrap_or_else(|| bench.join("results")),
            cache: arguments.cache.unwrap_or_else(|| bench.join("cache")),
        }
    }
}

impl From<DemoArguments> for DemoOptions {
    fn from(arguments: DemoArguments) -> Self {
        let upstream = match arguments.upstream {
            Some(url) => Upstream::Remote(url),
            None if arguments.embedded => Upstream::Embedded,
            None => Upstream::Scripted,
        };
        Self {
            turns: usize::from(arguments.turns),
            budget: arguments.budget,
            upstream,
            model: arguments.model,
            program: locate::mainpoint(),
        }
    }
}
