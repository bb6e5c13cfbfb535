//! The command line of `overhead`.
//!
//! It must not know how anything is measured.

use std::path::PathBuf;

use clap::Args;
use mainpoint_bench::overhead::{OverheadOptions, Plan};
use mainpoint_bench::{BenchError, locate};

/// How long is measured, and where the others are.
#[derive(Debug, Args)]
pub(crate) struct OverheadArguments {
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
