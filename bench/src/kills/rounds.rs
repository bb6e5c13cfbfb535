//! Rounds of starting the program, talking to it and ending it, all on one data directory.
//!
//! It must not know what should be kept.

use std::path::Path;
use std::time::{Duration, Instant};

use super::KillOptions;
use super::asking::Door;
use super::crowd::{Acknowledged, Crowd, Curtain};
use super::service::Service;
use crate::BenchError;
use crate::progress::Progress;
use crate::running::program::{Program, Settings};

/// How the program is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// By SIGKILL.
    Kill,
    /// By SIGTERM: it may finish what it is at.
    Stop,
}

/// What happened in all rounds.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// Turns of answers that clients have seen to the last byte.
    pub(super) acknowledged: Vec<Acknowledged>,
    /// Requests that were not answered rightly although the program ran.
    pub(super) failed: usize,
    /// How long the program was talked to.
    pub(super) talking: Duration,
    /// The longest time from starting the program until it listened.
    pub(super) slowest_start: Duration,
    /// The longest time from the signal to the end.
    pub(super) slowest_end: Duration,
}

/// After how many milliseconds of talk the program is ended.
const MOMENTS: std::ops::Range<u64> = 100..4000;
/// Nothing is rewritten.
const BUDGET: u32 = 16_000;
/// What was read moves on to the tables within a round, so that a kill meets that, too.
const FLUSH_MS: &str = "500";

impl Ending {
    /// The signal's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL",
            Self::Stop => "SIGTERM",
        }
    }

    async fn end(self, program: Program) -> Result<(), BenchError> {
        match self {
            Self::Kill => program.kill().await,
            Self::Stop => program.end().await,
        }
    }
}

/// Plays rounds that all end alike, and starts the program once more at the end, so that it has seen what it left.
///
/// # Errors
/// [`BenchError::Proxy`] if the program does not start, or not end.
pub(super) async fn play(
    (options, data): (&KillOptions, &Path),
    ending: Ending,
    rounds: usize,
) -> Result<Played, BenchError> {
    let service = Service::start().await?;
    let settings = Settings {
        budget: BUDGET,
        overrides: vec![("store.flush_interval_ms".to_owned(), FLUSH_MS.to_owned())],
        data: Some(data.to_owned()),
    };
    let mut random = fastrand::Rng::with_seed(options.seed);
    let mut crowd = Crowd::gather(&mut random);
    let mut played = Played::default();
    let mut progress = Progress::begin(format!("ending it by {}", ending.name()), rounds);
    for _ in 0..rounds {
        let program = played
            .start((options.program.as_path(), service.url()), &settings)
            .await?;
        let (door, curtain) = (Door::to(program.url())?, Curtain::default());
        let talking = tokio::spawn(crowd.talk(door, curtain.clone()));
        let moment = Duration::from_millis(random.u64(MOMENTS));
        tokio::time::sleep(moment).await;
        played.talking += moment;
        curtain.fall();
        let signalled = Instant::now();
        ending.end(program).await?;
        played.slowest_end = played.slowest_end.max(signalled.elapsed());
        let (back, talk) = talking
            .await
            .map_err(|error| BenchError::program("the clients", error.to_string()))?;
        crowd = back;
        played.acknowledged.extend(talk.acknowledged);
        played.failed += talk.failed;
        progress.advance(1);
    }
    let last = played
        .start((options.program.as_path(), service.url()), &settings)
        .await?;
    last.end().await?;
    Ok(played)
}

impl Played {
    async fn start(&mut self, (program, upstream): (&Path, &str), settings: &Settings) -> Result<Program, BenchError> {
        let begun = Instant::now();
        let program = Program::start(program, upstream, settings).await?;
        self.slowest_start = self.slowest_start.max(begun.elapsed());
        Ok(program)
    }
}
