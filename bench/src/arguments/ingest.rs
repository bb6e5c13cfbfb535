//! The command line of `ingest`.
//!
//! It must not know how anything is measured.

use std::path::PathBuf;

use clap::Args;
use mainpoint_bench::ingest::IngestOptions;
use mainpoint_bench::locate;

/// What is imported, and where the import is interrupted.
#[derive(Debug, Args)]
pub(crate) struct IngestArguments {
    /// Tokens of the history, at four bytes each, at least 50,000.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(50_000..))]
    tokens: u32,
    /// At which share of the history the import is killed, in per cent.
    #[arg(long, value_name = "PERCENT", default_value_t = 33, value_parser = clap::value_parser!(u32).range(25..=90))]
    kill_at: u32,
    /// Recorded conversations that the history takes turns with: LoCoMo or LongMemEval files, directories of BEAM chats; may be
    /// given several times or with commas. Default: the LoCoMo file and the BEAM chats below MAINPOINT_DATA, else below
    /// ../shared/data beside the repository.
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    data: Vec<PathBuf>,
    /// Models that read, one import for each, as models.reader names them; "default" is the product's own. May be given several
    /// times or with commas.
    #[arg(long, value_name = "MODELS", value_delimiter = ',', default_values = ["default", "all-minilm-l6-v2"])]
    readers: Vec<String>,
    /// Directory for ingest.md and ingest.jsonl; default: bench/results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl From<IngestArguments> for IngestOptions {
    fn from(arguments: IngestArguments) -> Self {
        let mut data = arguments.data;
        if data.is_empty() {
            data = vec![locate::locomo(), locate::beam()];
        }
        Self {
            tokens: arguments.tokens as usize,
            kill_at: arguments.kill_at,
            data,
            readers: arguments
                .readers
                .into_iter()
                .map(|name| (name != "default").then_some(name))
                .collect(),
            program: locate::mainpoint(),
            out: arguments
                .out
                .unwrap_or_else(|| locate::repository().join("bench/results")),
        }
    }
}
