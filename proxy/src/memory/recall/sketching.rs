//! Finds passages of a large scope by the first bits of their codes.
//!
//! It must not know what else is searched, nor how passages are ranked.

use mainpoint_engine::{QuestionCodes, SketchBlock, SketchForm};
use mainpoint_store::{Sketcher, Sketches, Snapshot};

use crate::error::MemoryError;
use crate::memory::profile::Profile;

/// Makes sketches of what passages are stored with.
#[must_use]
pub fn sketcher(form: SketchForm) -> Sketcher {
    Sketcher::new(move |features, sketches| {
        if let Some((_, codes)) = Profile::and_codes(features) {
            form.append(codes, sketches);
        }
    })
}

/// The rows of the passages, at most `limit`, whose sketches are nearest to a question. Only what is in memory is looked at: what
/// is not is loaded for later questions.
///
/// # Errors
/// When the store fails.
pub(super) async fn nearest(
    snapshot: &Snapshot<'_>,
    codes: &QuestionCodes,
    limit: usize,
) -> Result<Vec<u64>, MemoryError> {
    let sketches = snapshot.sketches(&sketcher(codes.sketch_form())).await?;
    let codes = codes.clone();
    Ok(tokio::task::spawn_blocking(move || rows(&codes, &sketches, limit)).await?)
}

fn rows(codes: &QuestionCodes, sketches: &Sketches, limit: usize) -> Vec<u64> {
    let fragments = &sketches.fragments;
    let blocks: Vec<SketchBlock<'_>> =
        fragments.iter().map(|fragment| SketchBlock { bytes: fragment.bytes(), ends: fragment.ends() }).collect();
    let places = codes.scan(&blocks, limit).into_iter();
    places.filter_map(|place| fragments.get(place.block)?.rows().get(place.passage).copied()).collect()
}
