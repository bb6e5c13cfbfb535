//! The ways of reading one text, timed side by side.
//!
//! Every round goes through all arms once, so that whatever else the machine does meets all of them alike. It must not know how
//! figures are shown.

use std::time::Instant;

use mainpoint_engine::{Engine, ReadRequest, TurnText};

use super::texts::Text;
use crate::progress::Progress;
use crate::stats::as_float;
use crate::{BenchError, Failing};

/// How a text is given to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Turn by turn.
    Turns,
    /// As a single turn.
    OneTurn,
}

/// One way with so many threads, and how long it took.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) way: Way,
    pub(super) threads: usize,
    pub(super) tokens: usize,
    /// Seconds of each round.
    pub(super) seconds: Vec<f64>,
}

impl Way {
    const ALL: [Self; 2] = [Self::Turns, Self::OneTurn];

    /// Its arm in result files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Turns => "mainpoint",
            Self::OneTurn => "mainpoint-one-turn",
        }
    }

    /// What tables call it.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Turns => "turn by turn",
            Self::OneTurn => "as one turn",
        }
    }

    fn turns(self, text: &Text) -> Vec<TurnText> {
        match self {
            Self::Turns => text.turns.clone(),
            Self::OneTurn => text.one_turn.clone(),
        }
    }
}

impl Timed {
    /// Tokens a second in each round.
    pub(super) fn tokens_per_second(&self) -> Vec<f64> {
        let tokens = as_float(self.tokens);
        self.seconds.iter().map(|seconds| tokens / seconds).collect()
    }
}

/// Reads a text in every way with every engine, each with its number of threads, after one round that does not count.
pub(super) async fn time(engines: &[(usize, Engine)], text: &Text, rounds: usize) -> Result<Vec<Timed>, BenchError> {
    let mut arms = Vec::new();
    for (threads, engine) in engines {
        let timed = |way| Timed { way, threads: *threads, tokens: text.tokens, seconds: Vec::with_capacity(rounds) };
        arms.extend(Way::ALL.map(|way| (engine, timed(way))));
    }
    let mut progress = Progress::begin(format!("reading {} tokens", text.tokens), (rounds + 1) * arms.len());
    for round in 0..=rounds {
        for (engine, timed) in &mut arms {
            let request = ReadRequest { turns: timed.way.turns(text) };
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
