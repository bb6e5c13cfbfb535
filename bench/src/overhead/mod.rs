//! `mainpoint-bench overhead`: what a proxy costs, mainpoint beside others.
//!
//! Question: what latency, processor time and memory does a request cost beyond its work, and does a stream flow? Method: a load
//! tool sends bodies of three sizes through each proxy in turn, round by round, in front of an upstream that answers at once;
//! readers of our own measure streams. Baselines: no proxy, nginx, and the gateways of others that are installed.

mod arm;
mod bodies;
mod destination;
mod load;
mod mock;
mod others;
mod process;
mod report;
mod rounds;
mod streams;
mod targets;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use self::arm::Arm;
use self::bodies::Size;
pub use self::mock::serve as serve_upstream;
use self::process::{Place, Process};
use self::report::Results;
use self::targets::Target;
use crate::{BenchError, Failing, locate};

/// How long is measured, and where the others are.
#[derive(Debug, Clone, Args)]
pub struct OverheadOptions {
    /// Measure for about two minutes instead of twelve: enough to see that everything runs, too little to rely on.
    #[arg(long)]
    quick: bool,
    /// Where the proxies of others are installed.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::compared())]
    installed: PathBuf,
    /// Directory for overhead.md and for the rows in speed.jsonl.
    #[arg(long, value_name = "DIR", default_value_os_t = locate::results())]
    out: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    /// How often everything is measured; every proxy takes its turn in each round.
    rounds: usize,
    /// How long each body is sent at each number of connections, in seconds.
    seconds: u64,
    /// Connections that send at once.
    connections: Vec<u32>,
    /// The streams that every proxy passes on, once in each round.
    streams: Streams,
    /// Many slow streams at once, through mainpoint alone.
    slow: Streams,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Streams {
    count: u32,
    chunks: u32,
    /// Between two chunks of one stream.
    pause: Duration,
}

/// What runs while something is measured. Everything ends when dropped.
struct Stage {
    // Targets are dropped before what they need.
    /// In the order of the tables.
    targets: Vec<Target>,
    /// Why proxies are missing, a sentence each.
    absent: Vec<String>,
    place: Place,
    _upstream: Process,
    _directory: TempDir,
}

/// Measures everything, prints the tables and writes the result files.
///
/// # Errors
/// Any failure of the upstream, the load tool, mainpoint or files, and being told to stop. Everything that was started
/// ends then, too.
pub async fn run(options: &OverheadOptions) -> Result<(), BenchError> {
    let plan = if options.quick { Plan::quick() } else { Plan::full() };
    rlimit::increase_nofile_limit(65_536).because("the limit of open files cannot be raised")?;
    let results = tokio::select! {
        measured = measure(options, &plan) => measured?,
        stopped = told_to_stop() => return Err(stopped),
    };
    report::publish(&options.out, &plan, &results)
}

async fn measure(options: &OverheadOptions, plan: &Plan) -> Result<Results, BenchError> {
    let mut stage = Stage::set(options).await?;
    let mut results = rounds::measure(plan, &stage).await?;
    for target in stage.targets.drain(..) {
        target.end().await;
    }
    anstream::println!("Reading {} slow streams …", plan.slow.count);
    results.slow = streams::measure_slow(&stage.place, plan.slow).await?;
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

impl Stage {
    /// Starts everything and waits until it answers and mainpoint has read what it will be sent. Other proxies that do not
    /// answer are left out.
    async fn set(options: &OverheadOptions) -> Result<Self, BenchError> {
        let directory = tempfile::tempdir().when_writing("a temporary directory")?;
        let own_program = std::env::current_exe().when_reading("the path of this program")?;
        let recipe = mock::recipe(own_program)?;
        let upstream = Process::start("the upstream", &recipe, directory.path()).await?;
        let place = Place {
            upstream: recipe.destination.url.clone(),
            installed: options.installed.clone(),
            pins: locate::bench().join("compare"),
            directory: directory.path().to_owned(),
        };
        let mut stage = Self {
            targets: vec![Target::direct(&place.upstream)],
            absent: Vec::new(),
            place,
            _upstream: upstream,
            _directory: directory,
        };
        anstream::println!("Starting mainpoint …");
        for arm in [Arm::Mainpoint, Arm::Memory] {
            let target = Target::mainpoint(&stage.place, arm).await;
            target.show_every_body().await?;
            stage.targets.push(target);
        }
        for arm in [Arm::Nginx, Arm::Portkey, Arm::LiteLlm, Arm::Headroom] {
            anstream::println!("Starting {} …", arm.name());
            match Target::other(&stage.place, arm).await {
                Ok(target) => stage.targets.push(target),
                Err(error) => {
                    let reason = error.with_causes();
                    anstream::println!("Left out: {reason}");
                    // The log behind the first line is for whoever watches.
                    stage.absent.extend(reason.lines().next().map(str::to_owned));
                }
            }
        }
        stage.targets.sort_by_key(|target| target.arm);
        for target in &stage.targets {
            target.wait_until_read().await;
        }
        Ok(stage)
    }
}

impl Streams {
    /// How long a stream takes at least.
    fn length(&self) -> Duration {
        self.pause * self.chunks.saturating_sub(1)
    }
}

impl Plan {
    /// About twelve minutes.
    fn full() -> Self {
        Self {
            rounds: 3,
            seconds: 3,
            connections: vec![1, 16, 128],
            streams: Streams { count: 8, chunks: 50, pause: Duration::from_millis(20) },
            slow: Streams { count: 1000, chunks: 21, pause: Duration::from_secs(1) },
        }
    }

    /// About two minutes: enough to see that everything runs, too little to rely on.
    fn quick() -> Self {
        let mut plan = Self::full();
        (plan.rounds, plan.seconds, plan.connections) = (1, 1, vec![1, 16]);
        (plan.streams.chunks, plan.slow.chunks) = (25, 7);
        plan
    }

    /// Every body at every number of connections.
    fn cells(&self) -> impl Iterator<Item = (Size, u32)> + '_ {
        let sizes = Size::ALL.into_iter();
        sizes.flat_map(move |size| self.connections.iter().map(move |connections| (size, *connections)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_plans_hold_what_the_ratios_are_made_of() {
        for plan in [Plan::full(), Plan::quick()] {
            let cells: Vec<(Size, u32)> = plan.cells().collect();
            assert_eq!(cells.len(), 3 * plan.connections.len());
            assert!(cells.contains(&(Size::Small, 1)) && cells.contains(&(Size::Small, 16)));
        }
        assert_eq!(Plan::full().slow.length(), Duration::from_secs(20));
    }
}
