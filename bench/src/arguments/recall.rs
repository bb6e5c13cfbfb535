//! The command line of `recall`.
//!
//! It must not know how anything is measured.

use std::path::PathBuf;

use clap::Args;
use mainpoint_bench::locate;
use mainpoint_bench::recall::{self, DataSet, RecallOptions};

use super::models::ModelArguments;

/// What recall is measured on.
#[derive(Debug, Args)]
pub(crate) struct RecallArguments {
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
    #[command(flatten)]
    models: ModelArguments,
    /// Directory for recall.md and recall.jsonl; default: bench/results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Directory for readings, which take long to make; default: bench/cache.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl From<RecallArguments> for RecallOptions {
    fn from(arguments: RecallArguments) -> Self {
        let bench = locate::repository().join("bench");
        let (reader, embedder) = arguments.models.paths();
        Self {
            sets: data_sets(arguments.data, &arguments.conversations),
            heads: arguments.heads,
            reader,
            embedder,
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
