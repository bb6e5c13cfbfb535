//! The command line of `request-path`.
//!
//! It must not know how anything is measured.

use std::path::PathBuf;

use clap::Args;
use mainpoint_bench::request_path::{self, RequestPathOptions};
use mainpoint_bench::{BenchError, locate};

use super::models::ModelArguments;

/// How much memory there is, and what it is made of.
#[derive(Debug, Args)]
pub(crate) struct RequestPathArguments {
    /// How many main points the scope holds, at least 500; may be given several times or with commas. A million take 3 GB on
    /// the disk and are filled in some minutes.
    #[arg(
        long,
        value_name = "ROWS",
        value_delimiter = ',',
        default_values_t = request_path::SIZES,
        value_parser = clap::value_parser!(u32).range(500..)
    )]
    sizes: Vec<u32>,
    /// Requests in each phase.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    requests: u16,
    /// The LoCoMo file that rows are made of; default: that below MAINPOINT_DATA, else below ../shared/data.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Conversations of it that rows are made of.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values = request_path::CONVERSATIONS)]
    conversations: Vec<String>,
    #[command(flatten)]
    models: ModelArguments,
    /// Directory for request-path.md and request-path.jsonl; default: bench/results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Directory for readings and filled stores, which take long to make; default: bench/cache.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl TryFrom<RequestPathArguments> for RequestPathOptions {
    type Error = BenchError;

    fn try_from(arguments: RequestPathArguments) -> Result<Self, BenchError> {
        let bench = locate::repository().join("bench");
        let mut sizes = arguments.sizes;
        sizes.sort_unstable();
        sizes.dedup();
        Ok(Self {
            sizes: sizes.into_iter().map(|size| size as usize).collect(),
            requests: usize::from(arguments.requests),
            data: arguments.data.unwrap_or_else(locate::locomo),
            conversations: arguments.conversations,
            product: arguments.models.product()?,
            program: locate::mainpoint(),
            out: arguments.out.unwrap_or_else(|| bench.join("results")),
            cache: arguments.cache.unwrap_or_else(|| bench.join("cache")),
        })
    }
}
