//! What of the best matches the first stage finds: the product's search with more and fewer candidates beside the codes of
//! everything.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use chrono::Utc;
use mainpoint::config::MemoryConfig;
use mainpoint::memory::ranking_data::RankingData;
use mainpoint::memory::recall::search::Search;
use mainpoint::memory::recall::sketching;
use mainpoint_engine::{EncodedQuestion, SketchForm};
use mainpoint_store::{IndexedPassage, Snapshot, TurnId, Within};

use super::filling::Filled;
use super::material::Material;
use crate::filled::working_copy;
use crate::product::quiet_store;
use crate::progress::over;
use crate::ranking::by_score;
use crate::recall::library::Library;
use crate::report::{Row, quantiles, rows_of};
use crate::stats::as_float;
use crate::{BenchError, Failing};

const BEST: usize = 10;
/// The limits that are measured besides the product's own.
const LIMITS: [usize; 5] = [100, 200, 400, 800, 1600];
/// How often sketches are looked for that are being loaded.
const LOOKS: usize = 20_000;
const QUESTIONS: usize = 100;
/// Main points that questions are compared with at most, in all.
const COMPARED: usize = 20_000_000;

/// What the product's search finds with one limit of candidates, question by question.
#[derive(Default)]
struct Tally {
    limit: usize,
    found: usize,
    wanted: usize,
    candidates: usize,
    times: Vec<f64>,
}

/// Compares candidates with the best of everything in the scope, on a working copy of the store; what comes back are rows.
pub(super) async fn measure(
    library: &Library,
    material: &Material,
    filled: &Filled,
    bench: &str,
) -> Result<Vec<Row>, BenchError> {
    let copy = working_copy(&filled.directory)?;
    let store = quiet_store(copy.path(), material.width()).await?;
    let (scope, rows, config) = (filled.scope()?, filled.note.rows, &library.memory);
    let snapshot = store.snapshot(&scope, &Within::Scope).await.in_store("taking a snapshot")?;
    let all = snapshot.all_rows(usize::MAX).await.in_store("listing rows")?;
    let everything = snapshot.passages_in(all.unwrap_or_default()).await.in_store("reading passages")?;
    let codes =
        everything.iter().map(|passage| RankingData::decode(&passage.ranking_data).map_or(&[][..], |(_, codes)| codes));
    let documents: Vec<Vec<&[u8]>> = codes.map(|codes| vec![codes]).collect();
    let limits: BTreeSet<usize> = LIMITS.into_iter().chain([config.candidates]).collect();
    let mut tallies: Vec<Tally> = limits.into_iter().map(|limit| Tally { limit, ..Tally::default() }).collect();
    let mut exhaustive = Vec::new();
    let questions = &material.questions[..material.questions.len().min(QUESTIONS).min(COMPARED / rows.max(1))];
    for text in over(format!("comparing all of {rows} rows"), questions) {
        let question = library.engine.question(text).await.in_engine("preparing a question")?;
        sketched(&snapshot, question.codes.sketch_form()).await?;
        let started = Instant::now();
        let scores = question.codes.max_sim(&documents);
        exhaustive.push(started.elapsed().as_secs_f64() * 1000.0);
        let best = best(&everything, &scores);
        for tally in &mut tallies {
            tally.search(config, &snapshot, text, &question, &best).await?;
        }
    }
    drop(snapshot);
    store.close().await.in_store("closing")?;
    let mut found: Vec<Row> = tallies.iter().flat_map(|tally| tally.rows(bench)).collect();
    found.extend(quantiles(bench, "", "max-sim-of-everything", &[exhaustive]));
    Ok(found)
}

impl Tally {
    async fn search(
        &mut self,
        config: &MemoryConfig,
        snapshot: &Snapshot<'_>,
        text: &str,
        question: &EncodedQuestion,
        best: &[TurnId],
    ) -> Result<(), BenchError> {
        let config = MemoryConfig { candidates: self.limit, scan_passages: 0, ..config.clone() };
        let search = Search {
            snapshot,
            text,
            whole: text,
            asked: Utc::now(),
            conversation: None,
            retained: &HashSet::new(),
            small_talk: None,
            config: &config,
            room: None,
        };
        let started = Instant::now();
        let found = search.run(async { Ok(question.clone()) }).await;
        let found = found.map_err(|error| BenchError::program("the memory's search", error))?;
        self.times.push(started.elapsed().as_secs_f64() * 1000.0);
        self.candidates += found.turns.len();
        self.wanted += best.len();
        let turns: HashSet<&TurnId> = found.turns.iter().collect();
        self.found += best.iter().filter(|turn| turns.contains(turn)).count();
        Ok(())
    }

    fn rows(&self, bench: &str) -> Vec<Row> {
        let arm = format!("candidates-{}", self.limit);
        let share = as_float(self.found) / as_float(self.wanted.max(1));
        let turns = as_float(self.candidates) / as_float(self.times.len().max(1));
        let found = rows_of(bench, &arm, [("survival@10", share, "share"), ("turns", turns, "turns")]);
        [quantiles(bench, "", &arm, std::slice::from_ref(&self.times)), found].concat()
    }
}

/// Waits until the sketches of all passages are in memory.
async fn sketched(snapshot: &Snapshot<'_>, form: SketchForm) -> Result<(), BenchError> {
    let sketcher = sketching::sketcher(form);
    for _ in 0..LOOKS {
        if snapshot.sketches(&sketcher).await.in_store("loading sketches")?.is_whole {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(BenchError::new("the sketches are never whole"))
}

fn best(passages: &[IndexedPassage], scores: &[Option<f32>]) -> Vec<TurnId> {
    let scores: Vec<f32> = scores.iter().map(|score| score.unwrap_or(f32::MIN)).collect();
    let order = by_score(&scores).into_iter().take(BEST);
    order.filter_map(|place| passages.get(place)).map(|passage| passage.turn).collect()
}
