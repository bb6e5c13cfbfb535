//! What of the best matches the first stage finds: the product's search with more and fewer candidates beside the codes of
//! everything.
//!
//! It must not know how candidates are found.

use std::collections::HashSet;
use std::time::Instant;

use chrono::Utc;
use mainpoint::config::MemoryConfig;
use mainpoint::memory::recall::finding::Search;
use mainpoint_engine::Question;
use mainpoint_store::{Passage, Snapshot, TurnId, Within};

use super::figures::Times;
use super::searching::{Bench, codes_of, milliseconds};
use crate::BenchError;
use crate::metrics::as_float;
use crate::progress::Progress;
use crate::ranking::by_score;

/// What the first stage leaves of the best matches.
#[derive(Debug)]
pub(super) struct Survival {
    /// By the limit of candidates.
    pub(super) stages: Vec<Stage>,
    /// Milliseconds of comparing the codes of everything, unpacked already.
    pub(super) exhaustive: Times,
}

/// The product's search with a limit of candidates.
#[derive(Debug)]
pub(super) struct Stage {
    /// `memory.candidates`.
    pub(super) limit: usize,
    /// The share of the best [`BEST`] matches of everything that are candidates.
    pub(super) share: f64,
    /// How many turns are candidates, at the mean.
    pub(super) candidates: f64,
    /// Milliseconds of the whole search, the question being prepared.
    pub(super) times: Times,
}

/// How many of the best matches are looked for.
pub(super) const BEST: usize = 10;
/// The limits that are measured besides the product's own.
const LIMITS: [usize; 5] = [100, 200, 400, 800, 1600];
/// Main points that questions are compared with at most, in all.
const COMPARED: usize = 20_000_000;

/// What one limit found, question by question.
#[derive(Default)]
struct Tally {
    limit: usize,
    found: usize,
    wanted: usize,
    candidates: usize,
    times: Vec<f64>,
}

/// Compares candidates with the best of everything in the scope.
///
/// # Errors
/// A failure of the engine, the store or the product's search.
pub(super) async fn survival(bench: &Bench<'_>, rows: usize) -> Result<Survival, BenchError> {
    let failed = || BenchError::store("searching");
    let snapshot = bench
        .store
        .snapshot(&bench.scope, &Within::Scope)
        .await
        .map_err(failed())?;
    let everything = snapshot
        .everything(usize::MAX)
        .await
        .map_err(failed())?
        .unwrap_or_default();
    let documents: Vec<Vec<&[u8]>> = everything.iter().map(|passage| vec![codes_of(passage)]).collect();
    let mut limits: Vec<usize> = LIMITS.into_iter().chain([bench.config.candidates]).collect();
    limits.sort_unstable();
    limits.dedup();
    let mut tallies: Vec<Tally> = limits.into_iter().map(Tally::at).collect();
    let mut exhaustive = Vec::new();
    let questions = bench.questions.iter().take(COMPARED / rows.max(1)).collect::<Vec<_>>();
    let mut progress = Progress::begin(format!("comparing all of {rows} rows"), questions.len());
    for text in questions {
        let question = bench.question(text).await?;
        let started = Instant::now();
        let scores = question.codes.max_sim(&documents);
        exhaustive.push(milliseconds(started));
        let best = best(&everything, &scores);
        for tally in &mut tallies {
            tally.search((bench, &snapshot), (text, &question), &best).await?;
        }
        progress.advance(1);
    }
    Ok(Survival {
        stages: tallies.into_iter().map(Tally::stage).collect(),
        exhaustive: exhaustive.into_iter().collect(),
    })
}

impl Tally {
    fn at(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    async fn search(
        &mut self,
        (bench, snapshot): (&Bench<'_>, &Snapshot<'_>),
        (text, question): (&str, &Question),
        best: &[TurnId],
    ) -> Result<(), BenchError> {
        let config = MemoryConfig {
            candidates: self.limit,
            scan_passages: 0,
            ..bench.config.clone()
        };
        let search = Search {
            snapshot,
            text,
            asked: Utc::now(),
            kept: &HashSet::new(),
            small_talk: None,
            config: &config,
        };
        let started = Instant::now();
        let found = search.run(async { Ok(question.clone()) }).await;
        let found = found.map_err(|error| BenchError::program("the memory's search", error.to_string()))?;
        self.times.push(milliseconds(started));
        self.candidates += found.turns.len();
        self.wanted += best.len();
        let turns: HashSet<&TurnId> = found.turns.iter().collect();
        self.found += best.iter().filter(|turn| turns.contains(turn)).count();
        Ok(())
    }

    fn stage(self) -> Stage {
        Stage {
            limit: self.limit,
            share: as_float(self.found) / as_float(self.wanted.max(1)),
            candidates: as_float(self.candidates) / as_float(self.times.len().max(1)),
            times: self.times.into_iter().collect(),
        }
    }
}

/// The turns of the best passages.
fn best(passages: &[Passage], scores: &[Option<f32>]) -> Vec<TurnId> {
    let scores: Vec<f32> = scores.iter().map(|score| score.unwrap_or(f32::MIN)).collect();
    let order = by_score(&scores).into_iter().take(BEST);
    order
        .filter_map(|place| passages.get(place))
        .map(|passage| passage.turn)
        .collect()
}
