//! How long each stage of answering a question takes, one question after the other on an idle engine.
//!
//! It must not know what the stages find.

use std::time::Instant;

use comfy_table::Table;

use super::arms::{CANDIDATES, SHIPPED};
use super::rankings::Material;
use super::reading::Library;
use super::reranking;
use crate::BenchError;
use crate::bootstrap::{self, Interval};
use crate::report::{Row, table};

/// Milliseconds of each stage, sorted.
pub(super) struct Timed {
    stages: [(&'static str, Vec<f64>); 3],
}

/// How the times are taken.
pub(super) const NOTE: &str = "Taken when this report was made, one question after the other, with as many threads as cores. \
    Preparing: the embedder's vector and the reader's queries, side by side. Attention search: unpacking and scoring the keys \
    of all passages of the candidates. Re-ranking (off by default): both passes over a prompt with the first 20 turns.";
/// Most questions that are timed.
const QUESTIONS: usize = 100;
/// Most questions whose re-ranking is timed; each takes a second or more.
const RERANKED: usize = 20;

/// Times the questions of the conversations.
///
/// # Errors
/// A failure of the engine.
pub(super) async fn time(library: &mut Library, materials: &[Material<'_>]) -> Result<Timed, BenchError> {
    let engine = library.engine(SHIPPED)?;
    let (mut preparing, mut searching, mut reordering) = (Vec::new(), Vec::new(), Vec::new());
    // The first re-ranking sets its context up, which no later one does.
    let warming = engine.rerank("Who?", vec!["Somebody.".to_owned()]).await;
    warming.map_err(BenchError::engine("re-ranking"))?;
    let asked = materials.iter().flat_map(|material| {
        let questions = material.conversation.questions.iter().zip(&material.found);
        let candidates = reranking::candidates(material);
        let together = questions.zip(candidates);
        together.map(move |((question, found), candidates)| (material, question, found, candidates))
    });
    for (material, question, found, candidates) in asked.take(QUESTIONS) {
        let started = Instant::now();
        let prepared = engine
            .question(&question.text)
            .await
            .map_err(BenchError::engine("preparing a question"))?;
        preparing.push(started.elapsed().as_secs_f64() * 1000.0);
        let Some(reading) = material.reading(SHIPPED) else {
            continue;
        };
        let turns = found.first(CANDIDATES).turns();
        let passages = turns.iter().flat_map(|turn| &reading.turns[*turn].passages);
        let coder = engine.key_coder();
        let packed = passages.map(|passage| passage.stored_keys(coder));
        let packed = packed.collect::<Result<Vec<_>, _>>()?;
        let started = Instant::now();
        let keys: Vec<&[u8]> = packed.iter().map(Vec::as_slice).collect();
        std::hint::black_box(engine.stored_attention_scores(&prepared.queries, &keys));
        searching.push(started.elapsed().as_secs_f64() * 1000.0);
        if candidates.is_empty() || reordering.len() >= RERANKED {
            continue;
        }
        let started = Instant::now();
        let scores = engine.rerank(&question.text, candidates).await;
        scores.map_err(BenchError::engine("re-ranking"))?;
        reordering.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    preparing.sort_by(f64::total_cmp);
    searching.sort_by(f64::total_cmp);
    reordering.sort_by(f64::total_cmp);
    Ok(Timed {
        stages: [
            ("preparing", preparing),
            ("attention-search", searching),
            ("re-ranking", reordering),
        ],
    })
}

impl Timed {
    /// Median and 99th percentile of each stage.
    #[must_use]
    pub(super) fn table(&self) -> Table {
        let mut table = table(["stage", "p50 ms", "p99 ms", "questions"]);
        for (stage, times) in &self.stages {
            table.add_row([
                (*stage).to_owned(),
                format!("{:.1}", quantile(times, 50)),
                format!("{:.1}", quantile(times, 99)),
                times.len().to_string(),
            ]);
        }
        table
    }

    /// The same for machines.
    pub(super) fn rows(&self, bench: &str) -> Vec<Row> {
        let row = |stage: &str, times: &[f64], percent: usize| {
            let value = quantile(times, percent);
            let interval = Interval {
                mean: value,
                low: value,
                high: value,
            };
            Row::new(bench, format!("added_ms_p{percent}"), stage, interval).over(times.len())
        };
        let stages = self.stages.iter();
        stages
            .flat_map(|(stage, times)| [row(stage, times, 50), row(stage, times, 99)])
            .collect()
    }
}

/// The smallest of the sorted values that so many per cent do not exceed; 0 for none.
fn quantile(sorted: &[f64], percent: usize) -> f64 {
    bootstrap::quantile(sorted, percent * 10).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let times: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((quantile(&times, 50), quantile(&times, 99)), (50.0, 99.0));
        assert_eq!((quantile(&[7.0], 50), quantile(&[], 99)), (7.0, 0.0));
    }
}
