//! The benchmark program: one subcommand per benchmark.
//!
//! It must not know how anything is measured; it reads the command line.

mod arguments;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mainpoint_bench::{
    BenchError, demo, handles, ingest, kills, overhead, prompt_prices, reader_speed, recall, request_path,
};

use arguments::demo::DemoArguments;
use arguments::handles::HandlesArguments;
use arguments::ingest::IngestArguments;
use arguments::kills::KillArguments;
use arguments::overhead::OverheadArguments;
use arguments::prices::PriceArguments;
use arguments::reader::ReaderArguments;
use arguments::recall::RecallArguments;
use arguments::request_path::RequestPathArguments;

/// Benchmarks of mainpoint, run on its own engine and store.
#[derive(Debug, Parser)]
#[command(name = "mainpoint-bench", version, about)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How often the evidence of questions is found, for every way of searching, and when nothing is said.
    Recall(RecallArguments),
    /// Learns what the signals of relevance are worth, on the conversations that things are chosen on.
    Weights(RecallArguments),
    /// What long conversations cost at a provider that caches prompts, for every way of keeping them within a budget.
    Prices(PriceArguments),
    /// How long a request waits for its memory, by how much there is of it.
    RequestPath(RequestPathArguments),
    /// How fast turns are read, and how long a question takes, on an idle engine and while much is read.
    Reader(ReaderArguments),
    /// How fast an import takes in a long history, killed on the way, and how soon the proxy is ready on it.
    Ingest(IngestArguments),
    /// Whether a proxy whose store is maintained every second keeps opening files.
    Handles(HandlesArguments),
    /// Whether turns that were acknowledged outlive kills and stops under more load than the reader can follow.
    Kills(KillArguments),
    /// What a request and a stream cost through mainpoint, nginx and the gateways of others that are installed.
    Overhead(OverheadArguments),
    /// The service behind the proxies of `overhead`, which starts it. It ends with its standard input.
    #[command(hide = true)]
    Upstream,
    /// Plays a long conversation through a running proxy and shows what it does, turn by turn.
    Demo(DemoArguments),
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
        Command::Recall(arguments) => runtime.block_on(recall::run(&arguments.try_into()?)),
        Command::Weights(arguments) => runtime.block_on(recall::learn_weights(&arguments.try_into()?)),
        Command::Prices(arguments) => runtime.block_on(prompt_prices::run(&arguments.into())),
        Command::RequestPath(arguments) => runtime.block_on(request_path::run(&arguments.try_into()?)),
        Command::Reader(arguments) => runtime.block_on(reader_speed::run(&arguments.try_into()?)),
        Command::Ingest(arguments) => runtime.block_on(ingest::run(&arguments.into())),
        Command::Handles(arguments) => runtime.block_on(handles::run(&arguments.into())),
        Command::Kills(arguments) => runtime.block_on(kills::run(&arguments.into())),
        Command::Overhead(arguments) => runtime.block_on(overhead::run(&arguments.try_into()?)),
        Command::Upstream => runtime.block_on(overhead::serve_upstream()),
        Command::Demo(arguments) => runtime.block_on(demo::run(&arguments.into())),
    }
}
