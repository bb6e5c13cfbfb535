//! `mainpoint-bench overhead`: what a proxy costs, mainpoint beside others.
//!
//! Question: what latency, processor time and memory does a request cost beyond its work, and does a stream flow?
//! Method: a load tool sends bodies of three sizes through each proxy in turn, round by round, in front of an upstream
//! that answers at once; readers of our own measure streams. Baselines: no proxy, nginx, and the gateways of others
//! that are installed.

mod arms;
mod bodies;
mod destination;
mod figures;
mod limits;
mod load;
mod mock;
mod plan;
mod presentation;
mod process;
mod results;
mod rounds;
mod rows;
mod slow;
mod stage;
mod stamps;
mod streams;
mod tables;
mod targets;
mod upstream;

use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

pub use self::mock::serve as serve_upstream;
pub use self::plan::{Plan, Streams};
use self::results::Results;
use self::stage::Stage;
use crate::BenchError;

/// What to run and where things are.
#[derive(Debug, Clone)]
pub struct OverheadOptions {
    /// How much is measured.
    pub plan: Plan,
    /// The `mainpoint` program.
    pub mainpoint: PathBuf,
    /// This program, which is also the upstream.
    pub own_program: PathBuf,
    /// Where the proxies of others are installed.
    pub installed: PathBuf,
    /// What the repository keeps about them: `bench/compare`.
    pub pins: PathBuf,
    /// Directory for `overhead.md` and `overhead.jsonl`.
    pub out: PathBuf,
}

/// Measures everything, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of the upstream, the load tool, mainpoint or files, and being told to stop. Everything that was started
/// ends then, too.
pub async fn run(options: &OverheadOptions) -> Result<(), BenchError> {
    let results = tokio::select! {
        measured = measure(options) => measured?,
        stopped = told_to_stop() => return Err(stopped),
    };
    let mut report = presentation::report(options, &results);
    anstream::println!("{}", report.terminal());
    presentation::write(options, &mut report, &results)
}

async fn measure(options: &OverheadOptions) -> Result<Results, BenchError> {
    let open_files = limits::raise_open_files().await;
    let slow_streams = slow::within(options.plan.slow, open_files);
    if slow_streams.count < options.plan.slow.count {
        anstream::println!(
            "Only {open_files} files may be open, so only {} slow streams.",
            slow_streams.count
        );
    }
    let mut stage = Stage::set(options).await?;
    let mut results = rounds::measure(options, &stage).await?;
    stage.end_targets().await?;
    anstream::println!("Reading {} slow streams …", slow_streams.count);
    results.slow = Some(slow::measure(&stage.place(options), slow_streams).await?);
    stage.end().await;
    Ok(results)
}

/// Waits for Ctrl-C or SIGTERM, so that what was started can be ended first.
async fn told_to_stop() -> BenchError {
    let stopped = BenchError::program("the benchmark", "it was told to stop");
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => stopped,
        _ = terminated.recv() => stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn options() -> OverheadOptions {
        let nowhere = || PathBuf::from("nowhere");
        OverheadOptions {
            plan: Plan::quick(),
            mainpoint: nowhere(),
            own_program: nowhere(),
            installed: nowhere(),
            pins: nowhere(),
            out: nowhere(),
        }
    }

    #[tokio::test]
    async fn without_an_upstream_nothing_is_measured() {
        let error = measure(&options()).await.map(|_| ()).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.starts_with("the upstream: nowhere cannot be started")));
    }
}
