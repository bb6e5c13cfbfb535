//! The command line of `recall`.
//!
//! It must not know how anything is measured.

use std::path::PathBuf;

use clap::Args;
use mainpoint_bench::recall::{self, DataSet, RecallOptions};
use mainpoint_bench::{BenchError, locate, recorded};

use super::models::ModelArguments;

/// What recall is measured on.
#[derive(Debug, Args)]
pub(crate) struct RecallArguments {
    /// A LoCoMo or LongMemEval file, a directory of BEAM chats or of languages, or of one language; default: all of these below
    /// MAINPOINT_DATA, else below ../shared/data beside the repository.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Conversations that weights were chosen on; a report on them is marked.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values = recall::CHOSEN_ON)]
    learned_on: Vec<String>,
    /// Conversations to report on; default: all but those of --learned-on. Without --data, those of the LoCoMo file.
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

impl TryFrom<RecallArguments> for RecallOptions {
    type Error = BenchError;

    fn try_from(arguments: RecallArguments) -> Result<Self, BenchError> {
        let bench = locate::repository().join("bench");
        Ok(Self {
            sets: data_sets(arguments.data, &arguments.conversations)?,
            learned_on: arguments.learned_on,
            product: arguments.models.product()?,
            program: locate::mainpoint(),
            out: arguments.out.unwrap_or_else(|| bench.join("results")),
            cache: arguments.cache.unwrap_or_else(|| bench.join("cache")),
        })
    }
}

/// What to measure: the path that was named, else everything there is to develop with.
fn data_sets(path: Option<PathBuf>, conversations: &[String]) -> Result<Vec<DataSet>, BenchError> {
    let paths = match path {
        Some(path) => vec![path],
        None if !conversations.is_empty() => vec![locate::locomo()],
        None => locate::recall_data(),
    };
    let mut sets = Vec::new();
    for path in paths {
        sets.extend(recorded::sets(&path)?.into_iter().map(|path| DataSet {
            path,
            conversations: conversations.to_vec(),
        }));
    }
    Ok(sets)
}
