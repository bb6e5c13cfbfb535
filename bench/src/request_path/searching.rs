//! The steps of a search in process, through the store's and the engine's public operations, and what the vector index is
//! worth.
//!
//! It must not know the proxy.

use std::collections::HashSet;
use std::time::Instant;

use mainpoint::config::MemoryConfig;
use mainpoint::memory::profile::Profile;
use mainpoint_engine::{Engine, Question};
use mainpoint_store::{Hit, Passage, Scope, SearchQuery, Store, TurnId, Within};

use super::copies::working_copy;
use super::figures::Times;
use super::filling::{Filled, open};
use super::material::Material;
use super::survival::{self, Survival};
use crate::BenchError;
use crate::metrics::as_float;
use crate::progress::Progress;
use crate::recall::library::Library;

/// What the steps took, and what the index is worth.
#[derive(Debug)]
pub(super) struct Searched {
    /// Milliseconds of each step, in order.
    pub(super) steps: Vec<(&'static str, Times)>,
    /// Vector search with and without the index.
    pub(super) vectors: Vectors,
}

/// Vector search alone, [`NEIGHBOURS`] results with their rows.
#[derive(Debug)]
pub(super) struct Vectors {
    /// Comparing every vector, in milliseconds.
    pub(super) exact: Times,
    /// Through the index, in milliseconds.
    pub(super) indexed: Times,
    /// The share of the exact neighbours that the index finds.
    pub(super) recall: f64,
    /// Whether the store itself has the index at this size.
    pub(super) is_shipped: bool,
}

/// Most questions that are timed.
const QUESTIONS: usize = 100;
/// How many turns the proxy recalls, its default `memory.recall_turns`.
const RECALLED: usize = 10;
/// How deep the index is compared with the exact search.
pub(super) const NEIGHBOURS: usize = 50;
/// Below this share of exact neighbours the store drops its index.
const KEPT_FROM: f32 = 0.9;

/// Times the steps and compares the index on a working copy of the store.
///
/// # Errors
/// A failure of the engine or the store.
pub(super) async fn search(
    library: &Library,
    material: &Material,
    filled: &Filled,
) -> Result<(Searched, Survival), BenchError> {
    let copy = working_copy(&filled.directory)?;
    let scope = filled.scope()?;
    let store = open(copy.path(), material.width()).await?;
    let bench = Bench {
        engine: library.engine(),
        config: library.memory(),
        store: &store,
        scope,
        questions: material.questions.iter().take(QUESTIONS).cloned().collect(),
    };
    let steps = bench.steps(filled.note.rows).await?;
    let survival = survival::survival(&bench, filled.note.rows).await?;
    let vectors = bench.vectors(filled).await?;
    store.close().await.map_err(BenchError::store("closing"))?;
    Ok((Searched { steps, vectors }, survival))
}

/// An open store, and what is asked of it.
pub(super) struct Bench<'a> {
    pub(super) engine: &'a Engine,
    pub(super) config: &'a MemoryConfig,
    pub(super) store: &'a Store,
    pub(super) scope: Scope,
    pub(super) questions: Vec<String>,
}

/// Milliseconds of each step, question by question.
#[derive(Default)]
struct Laps {
    names: Vec<&'static str>,
    times: Vec<Vec<f64>>,
}

impl Bench<'_> {
    async fn steps(&self, rows: usize) -> Result<Vec<(&'static str, Times)>, BenchError> {
        let mut laps = Laps::default();
        let nobody = [TurnId([0; 16])];
        for step in ["scope lookup, the first", "scope lookup"] {
            let started = Instant::now();
            let read = self.store.read_turns(&self.scope, &nobody).await;
            read.map_err(BenchError::store("looking a scope up"))?;
            laps.add(step, started);
        }
        let mut progress = Progress::begin(format!("searching {rows} rows"), self.questions.len());
        for text in &self.questions {
            let started = Instant::now();
            let question = self.question(text).await?;
            laps.add("question", started);
            self.find(&question, text, &mut laps).await?;
            progress.advance(1);
        }
        Ok(laps.into_times())
    }

    /// A question as the engine prepares it.
    ///
    /// # Errors
    /// A failure of the engine.
    pub(super) async fn question(&self, text: &str) -> Result<Question, BenchError> {
        let question = self.engine.question(text).await;
        question.map_err(BenchError::engine("preparing a question"))
    }

    /// What follows the question's preparation, one step after the other.
    async fn find(&self, question: &Question, text: &str, laps: &mut Laps) -> Result<(), BenchError> {
        let failed = BenchError::store("searching");
        let found = async {
            let started = Instant::now();
            let snapshot = self.store.snapshot(&self.scope, &Within::Scope).await?;
            laps.add("snapshot", started);
            let started = Instant::now();
            let dense = snapshot.by_vector(&question.vector, self.config.candidates).await?;
            laps.add("search: vectors", started);
            let started = Instant::now();
            let lexical = snapshot.by_words(text, self.config.candidates).await?;
            laps.add("search: words", started);
            let started = Instant::now();
            let found = snapshot.identify(dense, lexical).await?;
            laps.add("found passages, with what ranks them", started);
            let hits = found.hits.lexical.iter().chain(&found.hits.dense);
            let mut turns: Vec<TurnId> = hits.map(|hit| hit.turn).collect();
            turns.sort_unstable();
            turns.dedup();
            turns.truncate(RECALLED);
            let best: Vec<&Passage> = found.passages.iter().take(RECALLED).collect();
            let started = Instant::now();
            snapshot.texts(&best).await?;
            laps.add("fetching texts of 10 passages", started);
            let started = Instant::now();
            self.store.turns(&self.scope, &turns).await?;
            laps.add("fetching 10 turns", started);
            Ok(found.passages)
        };
        let passages = found.await.map_err(failed)?;
        let started = Instant::now();
        let codes = passages.iter().map(|passage| vec![codes_of(passage)]);
        std::hint::black_box(question.codes.max_sim(&codes.collect::<Vec<_>>()));
        laps.add("comparing their codes", started);
        Ok(())
    }

    async fn vectors(&self, filled: &Filled) -> Result<Vectors, BenchError> {
        let is_shipped = filled.note.index_recall.is_some_and(|recall| recall >= KEPT_FROM);
        if !is_shipped {
            anstream::eprintln!("building a vector index of {} rows", filled.note.rows);
            let built = self.store.build_vector_index().await;
            built.map_err(BenchError::store("building the vector index"))?;
        }
        let (mut exact, mut indexed, mut found, mut wanted) = (Vec::new(), Vec::new(), 0, 0);
        for text in &self.questions {
            let query = self.query(&self.question(text).await?.vector, "", NEIGHBOURS);
            let started = Instant::now();
            let near = self.store.search_exactly(&query).await;
            let near = places(&near.map_err(BenchError::store("searching"))?);
            exact.push(milliseconds(started));
            let started = Instant::now();
            let answer = self.store.search(&query).await;
            let answer = places(&answer.map_err(BenchError::store("searching"))?.dense);
            indexed.push(milliseconds(started));
            found += near.intersection(&answer).count();
            wanted += near.len();
        }
        Ok(Vectors {
            exact: exact.into_iter().collect(),
            indexed: indexed.into_iter().collect(),
            recall: as_float(found) / as_float(wanted.max(1)),
            is_shipped,
        })
    }

    fn query(&self, vector: &[f32], text: &str, limit: usize) -> SearchQuery {
        SearchQuery {
            scope: self.scope.clone(),
            within: Within::Scope,
            vector: vector.to_vec(),
            text: text.to_owned(),
            limit,
        }
    }
}

impl Laps {
    fn add(&mut self, step: &'static str, started: Instant) {
        let time = milliseconds(started);
        match self.names.iter().position(|name| *name == step) {
            Some(place) => self.times[place].push(time),
            None => {
                self.names.push(step);
                self.times.push(vec![time]);
            }
        }
    }

    fn into_times(self) -> Vec<(&'static str, Times)> {
        let times = self.times.into_iter().map(|times| times.into_iter().collect());
        self.names.into_iter().zip(times).collect()
    }
}

fn places(hits: &[Hit]) -> HashSet<(TurnId, u32)> {
    hits.iter().map(|hit| (hit.turn, hit.passage)).collect()
}

/// The codes of a passage as they are stored.
#[must_use]
pub(super) fn codes_of(passage: &Passage) -> &[u8] {
    Profile::and_codes(&passage.features).map_or(&[], |(_, codes)| codes)
}

pub(super) fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
