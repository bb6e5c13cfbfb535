//! The command line of `handles`.
//!
//! It must not know how anything is measured.

use std::path::PathBuf;

use clap::Args;
use mainpoint_bench::handles::HandlesOptions;
use mainpoint_bench::locate;

/// How long open files are counted.
#[derive(Debug, Args)]
pub(crate) struct HandlesArguments {
    /// Minutes of the run.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// Directory for handles.md and handles.jsonl; default: bench/results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl From<HandlesArguments> for HandlesOptions {
    fn from(arguments: HandlesArguments) -> Self {
        Self {
            minutes: arguments.minutes,
            program: locate::mainpoint(),
            out: arguments
                .out
                .unwrap_or_else(|| locate::repository().join("bench/results")),
        }
    }
}
