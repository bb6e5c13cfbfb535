//! The command line of `reader`.
//!
//! It must not know how anything is measured.

use std::path::PathBuf;

use clap::Args;
use mainpoint_bench::reader_speed::ReaderSpeedOptions;
use mainpoint_bench::{BenchError, locate};

use super::models::ModelArguments;

/// What is read, and by how many threads.
#[derive(Debug, Args)]
pub(crate) struct ReaderArguments {
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
    #[command(flatten)]
    models: ModelArguments,
    /// Directory for reader.md and reader.jsonl; default: bench/results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl TryFrom<ReaderArguments> for ReaderSpeedOptions {
    type Error = BenchError;

    fn try_from(arguments: ReaderArguments) -> Result<Self, BenchError> {
        let counts = |counts: Vec<u16>| counts.into_iter().map(usize::from).collect();
        Ok(Self {
            data: arguments.data.unwrap_or_else(locate::locomo),
            sizes: counts(arguments.sizes),
            threads: counts(arguments.threads),
            rounds: usize::from(arguments.rounds),
            product: arguments.models.product()?,
            out: arguments
                .out
                .unwrap_or_else(|| locate::repository().join("bench/results")),
        })
    }
}
