//! Finds passages of a large scope by the first bits of their codes.

use std::time::{Duration, Instant};

use mainpoint_engine::{QuestionCodes, SketchBlock, SketchForm};
use mainpoint_store::{Sketcher, Sketches, Snapshot};

use crate::memory::ranking_data::RankingData;

/// Makes sketches of what passages are stored with.
#[must_use]
pub fn sketcher(form: SketchForm) -> Sketcher {
    Sketcher::new(move |ranking_data, sketches| {
        if let Some((_, codes)) = RankingData::decode(ranking_data) {
            form.append(codes, sketches);
        }
    })
}

/// The sketches that are in memory; what is not is loaded for later questions. None where the store fails, since a search does
/// without.
pub(super) async fn in_memory(snapshot: &Snapshot<'_>, form: SketchForm) -> Sketches {
    snapshot.sketches(&sketcher(form)).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the search does without sketches");
        Sketches::default()
    })
}

/// Waits until the sketches of all passages are in memory, as long as they are on their way and at most `most`.
pub(crate) async fn all_loaded(snapshot: &Snapshot<'_>, form: SketchForm, most: Duration) {
    let started = Instant::now();
    while in_memory(snapshot, form).await.is_growing && started.elapsed() < most {
        tokio::time::sleep(PAUSE).await;
    }
}

/// The rows of the passages, at most `limit`, whose sketches are nearest to a question. None where comparing them fails, since
/// a search does without.
pub(super) async fn nearest(sketches: Sketches, codes: &QuestionCodes, limit: usize) -> Vec<u64> {
    if sketches.fragments.is_empty() {
        return Vec::new();
    }
    let (codes, is_whole) = (codes.clone(), sketches.is_whole);
    let comparing = tokio::task::spawn_blocking(move || rows(&codes, &sketches, limit));
    let found = comparing.await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the search does without sketches");
        Vec::new()
    });
    tracing::debug!(found = found.len(), is_whole, "compared sketches");
    found
}

/// Between two looks at whether all sketches are there.
const PAUSE: Duration = Duration::from_millis(20);

fn rows(codes: &QuestionCodes, sketches: &Sketches, limit: usize) -> Vec<u64> {
    let fragments = &sketches.fragments;
    let blocks: Vec<SketchBlock<'_>> =
        fragments.iter().map(|fragment| SketchBlock { bytes: fragment.bytes(), ends: fragment.ends() }).collect();
    let places = codes.scan(&blocks, limit).into_iter();
    places.filter_map(|place| fragments.get(place.block)?.rows().get(place.passage).copied()).collect()
}
