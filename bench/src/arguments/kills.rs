//! The command line of `kills`.
//!
//! It must not know how anything is measured.

use std::path::PathBuf;

use clap::Args;
use mainpoint_bench::kills::KillOptions;
use mainpoint_bench::locate;

/// How often the program is ended, and how.
#[derive(Debug, Args)]
pub(crate) struct KillArguments {
    /// Rounds that end in SIGKILL.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(0..=1000))]
    kills: u16,
    /// Rounds that end in SIGTERM.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=1000))]
    stops: u16,
    /// What every random choice begins with; default: another one each time, which is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Four kills and two stops, whatever else is said: enough to see that everything runs.
    #[arg(long)]
    quick: bool,
    /// Directory for reliability.md and reliability.jsonl; default: bench/results.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl From<KillArguments> for KillOptions {
    fn from(arguments: KillArguments) -> Self {
        let (kills, stops) = if arguments.quick {
            (4, 2)
        } else {
            (usize::from(arguments.kills), usize::from(arguments.stops))
        };
        Self {
            kills,
            stops,
            seed: arguments.seed.unwrap_or_else(|| fastrand::u64(..)),
            program: locate::mainpoint(),
            out: arguments
                .out
                .unwrap_or_else(|| locate::repository().join("bench/results")),
        }
    }
}
