//! How soon a proxy is ready: from starting the program until `/readyz` says so, on a full store and on an empty one.
//!
//! It must not know how the store was filled.

use std::path::Path;
use std::time::Instant;

use super::importing::Importer;
use crate::BenchError;
use crate::bootstrap::quantile;
use crate::progress::Progress;
use crate::running::client::{Caller, Client};
use crate::running::program::{Program, Settings};
use crate::running::upstream::ScriptedUpstream;

/// How soon it is ready.
#[derive(Debug)]
pub(super) struct Readiness {
    /// On the store that was imported.
    pub(super) full: Starts,
    /// On a directory without a store.
    pub(super) empty: Starts,
}

/// Milliseconds of several starts, ascending.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Starts(Vec<f64>);

/// Starts on each store.
pub(super) const ROUNDS: usize = 3;
/// Nothing is asked, so that any budget will do.
const BUDGET: u32 = 16_000;

/// Starts an importer's program on its store and on empty directories in turn.
///
/// # Errors
/// [`BenchError::Proxy`] or [`BenchError::Request`] if it does not start, answer or end.
pub(super) async fn measure(importer: &Importer) -> Result<Readiness, BenchError> {
    let upstream = ScriptedUpstream::start(|_| String::new()).await?;
    let mut progress = Progress::begin("starting the proxy", 2 * ROUNDS);
    let (mut full, mut empty) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        empty.push(start(importer, upstream.url(), None).await?);
        progress.advance(1);
        full.push(start(importer, upstream.url(), Some(&importer.store)).await?);
        progress.advance(1);
    }
    Ok(Readiness {
        full: full.into_iter().collect(),
        empty: empty.into_iter().collect(),
    })
}

impl Starts {
    /// The middle one; 0 for none.
    #[must_use]
    pub(super) fn median(&self) -> f64 {
        quantile(&self.0, 500).unwrap_or(0.0)
    }

    /// The shortest and the longest; 0 for none.
    #[must_use]
    pub(super) fn extremes(&self) -> (f64, f64) {
        let or_nothing = |time: Option<&f64>| time.copied().unwrap_or(0.0);
        (or_nothing(self.0.first()), or_nothing(self.0.last()))
    }
}

impl FromIterator<f64> for Starts {
    fn from_iter<I: IntoIterator<Item = f64>>(times: I) -> Self {
        let mut times: Vec<f64> = times.into_iter().collect();
        times.sort_by(f64::total_cmp);
        Self(times)
    }
}

/// Milliseconds of one start; without a store on an empty directory.
async fn start(importer: &Importer, upstream: &str, store: Option<&Path>) -> Result<f64, BenchError> {
    let settings = Settings {
        budget: BUDGET,
        data: store.map(Path::to_path_buf),
        ..importer.settings.clone()
    };
    let client = Client::new(Caller::default(), "");
    let started = Instant::now();
    let program = Program::start(&importer.program, upstream, &settings).await?;
    client.document(&program.beside("/readyz")).await?;
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    program.end().await?;
    Ok(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_start_stands_between_the_extremes() {
        let starts: Starts = [900.0, 700.0, 800.0].into_iter().collect();
        assert_eq!((starts.median(), starts.extremes()), (800.0, (700.0, 900.0)));
        assert_eq!(Starts::default().extremes(), (0.0, 0.0));
    }
}
