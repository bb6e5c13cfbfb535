//! How many passages the embedder encodes in a second.
//!
//! It must not know how figures are shown.

use std::path::Path;
use std::time::Instant;

use mainpoint_engine::TurnText;
use mainpoint_engine::speed::EmbedderModel;

use crate::BenchError;
use crate::metrics::as_float;
use crate::progress::Progress;

/// What the embedder did with so many threads.
pub(super) struct Embedded {
    /// Compute threads.
    pub(super) threads: usize,
    /// Passages a second in each round.
    pub(super) passages_per_second: Vec<f64>,
}

/// Encodes the passages of some turns with every number of threads in turn, after one round that does not count.
///
/// # Errors
/// [`BenchError::Engine`] if the model cannot be loaded or a pass fails.
pub(super) fn time(
    model: &Path,
    turns: &[TurnText],
    threads: &[usize],
    rounds: usize,
) -> Result<Vec<Embedded>, BenchError> {
    let model = EmbedderModel::load(model).map_err(BenchError::engine("loading the embedder"))?;
    let batch = model.batch(turns);
    let mut arms = Vec::new();
    for threads in threads.iter().copied() {
        let passes = model
            .embedder(threads)
            .map_err(BenchError::engine("opening the embedder"))?;
        let embedded = Embedded {
            threads,
            passages_per_second: Vec::with_capacity(rounds),
        };
        arms.push((passes, embedded));
    }
    let mut progress = Progress::begin("embedding", (rounds + 1) * arms.len());
    for round in 0..=rounds {
        for (passes, embedded) in &mut arms {
            let started = Instant::now();
            let encoded = passes.encode(&batch).map_err(BenchError::engine("embedding"))?;
            let seconds = started.elapsed().as_secs_f64();
            if round > 0 {
                embedded.passages_per_second.push(as_float(encoded) / seconds);
            }
            progress.advance(1);
        }
    }
    Ok(arms.into_iter().map(|(_, embedded)| embedded).collect())
}
