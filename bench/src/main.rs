//! The benchmark program: one subcommand per benchmark.
//!
//! It must not know how anything is measured; it reads the command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mainpoint_bench::demo::{self, DemoOptions, Upstream};
use mainpoint_bench::overhead::{self, OverheadOptions, Plan};
use mainpoint_bench::prompt_prices::{self, PriceOptions, Prices};
use mainpoint_bench::reader_speed::{self, ReaderSpeedOptions};
use mainpoint_bench::recall::{self, DataSet, RecallOptions};
use mainpoint_bench::request_path::{self, RequestPathOptions};
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
    /// What long conversations cost at a provider that caches prompts, for every way of keeping them within a budget.
    Prices(PriceArguments),
    /// How long a request waits for its memory, by how much there is of it.
    RequestPath(RequestPathArguments),
    /// How fast turns are read beside plain prefill, embedded, and asked about while much is read.
    Reader(ReaderArguments),
    /// What a request and a stream cost through mainpoint, nginx and the gateways of others that are installed.
    Overhead(OverheadArguments),
    /// The service behind the proxies of `overhead`, which starts it. It ends with its standard input.
    #[command(hide = true)]
    Upstream,
    /// Plays a long conversation through a running proxy and shows what it does, turn by turn.
    Demo(DemoArguments),
}

#[derive(Debug, Args)]
struct RecallArguments {
    /// A LoCoMo or LongMemEval file, or a directory of BEAM chats; default: all three below MAINPOINT_DATA, else below
    /// ../shared/data beside the repository.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Conversations that heads and weights were chosen on; a report on them is marked.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values = recall::CHOSEN_ON)]
    heads: Vec<String>,
    /// Conversations to report on; default: all but those of --heads. Without --data, those of the LoCoMo file.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
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
struct PriceArguments {
    /// Directory of all data; default: MAINPOINT_DATA, else ../shared/data beside the repository.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Numbers of BEAM chats and names of LongMemEval haystacks.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values = prompt_prices::CHATS)]
    chats: Vec<String>,
    /// Play only the first rounds of each chat, for a quick look.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Most tokens of a forwarded prompt.
    #[arg(long, default_value_t = 16_000, value_parser = clap::value_parser!(u32).range(1200..))]
    budget: u32,
    /// A key of the proxy's configuration, such as memory.low_water=0.4; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// What kind of provider charges.
    #[arg(long, value_enum, default_value = "openai")]
    prices: Provider,
    /// Price of a prompt's token that is never cached, in any unit.
    #[arg(long, value_name = "PRICE")]
    input: Option<f64>,
    /// Price of a token that is read from the cache.
    #[arg(long, value_name = "PRICE")]
    cache_read: Option<f64>,
    /// Price of a token that is written to the cache.
    #[arg(long, value_name = "PRICE")]
    cache_write: Option<f64>,
    /// Directory for prices.md, prices.jsonl and prices.svg; default: bench/results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Providers by what they charge for a prompt cache.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Provider {
    /// Reading costs a tenth of input, writing nothing extra.
    #[value(name = "openai")]
    OpenAi,
    /// Reading costs a tenth of input, writing a quarter more than input.
    Anthropic,
}

#[derive(Debug, Args)]
struct RequestPathArguments {
    /// How many main points the scope holds, at least 500; may be given several times or with commas.
    #[arg(
        long,
        value_name = "ROWS",
        value_delimiter = ',',
        default_values_t = request_path::SIZES,
        value_parser = clap::value_parser!(u32).range(500..)
    )]
    sizes: Vec<u32>,
    /// Measure 1,000,000 main points, too; that takes hours and about 30 GB on the disk.
    #[arg(long)]
    million: bool,
    /// Requests in each phase.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    requests: u16,
    /// The LoCoMo file that rows are made of; default: that below MAINPOINT_DATA, else below ../shared/data.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Conversations of it that rows are made of.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values = request_path::CONVERSATIONS)]
    conversations: Vec<String>,
    /// The reader's model; default: gemma-3-270m-q4_k_m.gguf in the models directory.
    #[arg(long, value_name = "GGUF")]
    reader: Option<PathBuf>,
    /// The embedder's model; default: all-minilm-l6-v2-f32.gguf in the models directory.
    #[arg(long, value_name = "GGUF")]
    embedder: Option<PathBuf>,
    /// Directory for request-path.md and request-path.jsonl; default: bench/results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Directory for readings and filled stores, which take long to make; default: bench/cache.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ReaderArguments {
    /// A file of recorded conversations; default: the LoCoMo file below MAINPOINT_DATA, else below ../shared/data beside
    /// the repository.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Tokens of the texts that are read.
    #[arg(long, value_delimiter = ',', default_values_t = [256_u16, 1024, 4096], value_parser = clap::value_parser!(u16).range(64..=8192))]
    sizes: Vec<u16>,
    /// Numbers of compute threads.
    #[arg(long, value_delimiter = ',', default_values_t = [2_u16, 1], value_parser = clap::value_parser!(u16).range(1..=512))]
    threads: Vec<u16>,
    /// Rounds that count; one more goes before them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// The reader's model; default: gemma-3-270m-q4_k_m.gguf in the models directory.
    #[arg(long, value_name = "GGUF")]
    reader: Option<PathBuf>,
    /// The embedder's model; default: all-minilm-l6-v2-f32.gguf in the models directory.
    #[arg(long, value_name = "GGUF")]
    embedder: Option<PathBuf>,
    /// Directory for reader.md and reader.jsonl; default: bench/results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct OverheadArguments {
    /// Measure for about two minutes instead of twelve: enough to see that everything runs, too little to rely on.
    #[arg(long)]
    quick: bool,
    /// Where the proxies of others are installed; default: mainpoint/compare in the user's cache.
    #[arg(long, value_name = "DIR")]
    installed: Option<PathBuf>,
    /// Directory for overhead.md and overhead.jsonl; default: bench/results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
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
        Command::Prices(arguments) => runtime.block_on(prompt_prices::run(&arguments.into())),
        Command::RequestPath(arguments) => runtime.block_on(request_path::run(&arguments.into())),
        Command::Reader(arguments) => runtime.block_on(reader_speed::run(&arguments.into())),
        Command::Overhead(arguments) => runtime.block_on(overhead::run(&arguments.try_into()?)),
        Command::Upstream => runtime.block_on(overhead::serve_upstream()),
        Command::Demo(arguments) => runtime.block_on(demo::run(&arguments.into())),
    }
}

impl From<RecallArguments> for RecallOptions {
    fn from(arguments: RecallArguments) -> Self {
        let bench = locate::repository().join("bench");
        Self {
            sets: data_sets(arguments.data, &arguments.conversations),
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

/// What to measure: the path that was named, else everything there is to develop with.
fn data_sets(path: Option<PathBuf>, conversations: &[String]) -> Vec<DataSet> {
    let paths = match path {
        Some(path) => vec![path],
        None if !conversations.is_empty() => vec![locate::locomo()],
        None => locate::recall_data(),
    };
    let set = |path| DataSet {
        path,
        conversations: conversations.to_vec(),
    };
    paths.into_iter().map(set).collect()
}

impl From<PriceArguments> for PriceOptions {
    fn from(arguments: PriceArguments) -> Self {
        let listed = match arguments.prices {
            Provider::OpenAi => Prices::OPENAI,
            Provider::Anthropic => Prices::ANTHROPIC,
        };
        Self {
            data: arguments.data.unwrap_or_else(locate::data),
            chats: arguments.chats,
            rounds: arguments.rounds.map(usize::from),
            budget: arguments.budget,
            prices: Prices {
                input: arguments.input.unwrap_or(listed.input),
                cache_read: arguments.cache_read.unwrap_or(listed.cache_read),
                cache_write: arguments.cache_write.unwrap_or(listed.cache_write),
            },
            settings: arguments.settings,
            program: locate::mainpoint(),
            out: arguments
                .out
                .unwrap_or_else(|| locate::repository().join("bench/results")),
        }
    }
}

impl From<RequestPathArguments> for RequestPathOptions {
    fn from(arguments: RequestPathArguments) -> Self {
        const MILLION: u32 = 1_000_000;
        let bench = locate::repository().join("bench");
        let mut sizes = arguments.sizes;
        sizes.extend(arguments.million.then_some(MILLION));
        sizes.sort_unstable();
        sizes.dedup();
        Self {
            sizes: sizes.into_iter().map(|size| size as usize).collect(),
            requests: usize::from(arguments.requests),
            data: arguments.data.unwrap_or_else(locate::locomo),
            conversations: arguments.conversations,
            reader: arguments
                .reader
                .unwrap_or_else(|| locate::models().join(locate::READER)),
            embedder: arguments
                .embedder
                .unwrap_or_else(|| locate::models().join(locate::EMBEDDER)),
            program: locate::mainpoint(),
            out: arguments.out.unwrap_or_else(|| bench.join("results")),
            cache: arguments.cache.unwrap_or_else(|| bench.join("cache")),
        }
    }
}

impl From<ReaderArguments> for ReaderSpeedOptions {
    fn from(arguments: ReaderArguments) -> Self {
        let counts = |counts: Vec<u16>| counts.into_iter().map(usize::from).collect();
        Self {
            data: arguments.data.unwrap_or_else(locate::locomo),
            sizes: counts(arguments.sizes),
            threads: counts(arguments.threads),
            rounds: usize::from(arguments.rounds),
            reader: arguments
                .reader
                .unwrap_or_else(|| locate::models().join(locate::READER)),
            embedder: arguments
                .embedder
                .unwrap_or_else(|| locate::models().join(locate::EMBEDDER)),
            out: arguments
                .out
                .unwrap_or_else(|| locate::repository().join("bench/results")),
        }
    }
}

impl TryFrom<OverheadArguments> for OverheadOptions {
    type Error = BenchError;

    fn try_from(arguments: OverheadArguments) -> Result<Self, BenchError> {
        let bench = locate::repository().join("bench");
        Ok(Self {
            plan: if arguments.quick { Plan::quick() } else { Plan::full() },
            mainpoint: locate::mainpoint(),
            own_program: std::env::current_exe().map_err(BenchError::reading("the path of this program"))?,
            installed: arguments.installed.unwrap_or_else(locate::compared),
            pins: bench.join("compare"),
            out: arguments.out.unwrap_or_else(|| bench.join("results")),
        })
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

/// A key and a value with `=` between them; the value is written as TOML writes it.
fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("expected KEY=VALUE, such as memory.low_water=0.4")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}
