//! The benchmark program: one subcommand per benchmark.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mainpoint_bench::{
    BenchError, answers, demo, handles, ingest, kills, memory_dead, overhead, prompt_prices, reader_speed, recall,
    reliability, request_path, sessions, soak, storm,
};

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
    Recall(recall::RecallOptions),
    /// Learns what the signals of relevance are worth, on the conversations that things are chosen on.
    Weights(recall::ReadingOptions),
    /// Learns which directions of the reader's vectors are kept, on the same conversations.
    Projection(recall::ReadingOptions),
    /// What long conversations cost at a provider that caches prompts, for every way of keeping them within a budget.
    Prices(prompt_prices::PriceOptions),
    /// What a real model answers from the prompts that mainpoint forwards, beside those of others.
    Answers(answers::AnswerOptions),
    /// Whether a new chat is answered from what was said in earlier ones, and is left alone where it opens with small talk.
    Sessions(sessions::SessionOptions),
    /// How long a request waits for its memory, by how much there is of it.
    RequestPath(request_path::RequestPathOptions),
    /// How fast turns are read, and how long a question takes, on an idle engine and while much is read.
    Reader(reader_speed::ReaderSpeedOptions),
    /// How fast an import takes in a long history, killed on the way, and how soon the proxy is ready on it.
    Ingest(ingest::IngestOptions),
    /// Whether a proxy whose store is maintained every second keeps opening files.
    Handles(handles::HandlesOptions),
    /// Whether turns that were acknowledged outlive kills and stops under more load than the reader can follow.
    Kills(kills::KillOptions),
    /// What clients notice while the reader, the questions or the store is dead.
    MemoryDead(memory_dead::MemoryDeadOptions),
    /// Whether clients that leave are noticed, and anything stays open behind a thousand of them.
    Storm(storm::StormOptions),
    /// Whether memory, open files and threads grow, and every request is answered, over a long time of everything.
    Soak(soak::SoakOptions),
    /// Writes the page of what is claimed of the program's reliability and what was measured.
    Reliability(reliability::ReliabilityOptions),
    /// What a request and a stream cost through mainpoint, nginx and the gateways of others that are installed.
    Overhead(overhead::OverheadOptions),
    /// The service behind the proxies of `overhead`, which starts it. It ends with its standard input.
    #[command(hide = true)]
    Upstream {
        /// Where it listens.
        address: String,
    },
    /// Plays a long conversation through a running proxy and shows what it does, turn by turn.
    Demo(demo::DemoOptions),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Program::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("mainpoint-bench: {}", error.with_causes());
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), BenchError> {
    match command {
        Command::Recall(options) => recall::run(&options).await,
        Command::Weights(options) => recall::learn_weights(&options).await,
        Command::Projection(options) => recall::learn_projection(&options).await,
        Command::Prices(options) => prompt_prices::run(&options).await,
        Command::Answers(options) => answers::run(&options).await,
        Command::Sessions(options) => sessions::run(&options).await,
        Command::RequestPath(options) => request_path::run(&options).await,
        Command::Reader(options) => reader_speed::run(&options).await,
        Command::Ingest(options) => ingest::run(&options).await,
        Command::Handles(options) => handles::run(&options).await,
        Command::Kills(options) => kills::run(&options).await,
        Command::MemoryDead(options) => memory_dead::run(&options).await,
        Command::Storm(options) => storm::run(&options).await,
        Command::Soak(options) => soak::run(&options).await,
        Command::Reliability(options) => reliability::run(&options),
        Command::Overhead(options) => overhead::run(&options).await,
        Command::Upstream { address } => overhead::serve_upstream(&address).await,
        Command::Demo(options) => {
            demo::run(&options).await;
            Ok(())
        }
    }
}
