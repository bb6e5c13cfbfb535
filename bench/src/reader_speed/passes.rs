//! The ways of reading one text, timed side by side.
//!
//! Every round goes through all arms once, so that whatever else the machine does meets all of them alike. It must not know how
//! figures are shown.

use std::time::Instant;

use mainpoint_engine::{Engine, ReadRequest};

use super::texts::{Text, Way};
use crate::progress::Progress;
use crate::stats::as_float;
use crate::{BenchError, Failing};

/// One way, and how long it took.
#[derive(Debug)]
pub(super) struct Timed {
    /// The way's arm in result files.
    pub(super) arm: &'static str,
    pub(super) tokens: usize,
    /// Seconds of each round.
    pub(super) seconds: Vec<f64>,
}

impl Timed {
    /// Tokens a second in each round.
    pub(super) fn tokens_per_second(&self) -> Vec<f64> {
        let tokens = as_float(self.tokens);
        self.seconds.iter().map(|seconds| tokens / seconds).collect()
    }
}

/// Reads a text in every way, after one round that does not count.
pub(super) async fn time(engine: &Engine, text: &Text, rounds: usize) -> Result<Vec<Timed>, BenchError> {
    let timed = |way: &Way| Timed { arm: way.arm, tokens: text.tokens, seconds: Vec::with_capacity(rounds) };
    let mut arms = text.ways.each_ref().map(|way| (&way.turns, timed(way)));
    let mut progress = Progress::begin(format!("reading {} tokens", text.tokens), (rounds + 1) * arms.len());
    for round in 0..=rounds {
        for (turns, timed) in &mut arms {
            let request = ReadRequest { turns: turns.to_vec() };
            let started = Instant::now();
            let read = engine.read(request).await.in_engine("reading")?;
            let seconds = started.elapsed().as_secs_f64();
            std::hint::black_box(read);
            if round > 0 {
                timed.seconds.push(seconds);
            }
            progress.advance(1);
        }
    }
    Ok(arms.into_iter().map(|(_, timed)| timed).collect())
}
