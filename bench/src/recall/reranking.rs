//! What re-ranking is given for each question, and the rankings that come of its scores.
//!
//! It must not know how candidates are scored.

use mainpoint::memory::rerank::{DEPTH, by_score, fused, reordered};

use super::arms::{CANDIDATES, SHIPPED};
use super::rankings::{Asking, Material, full_pipeline};
use super::shelf::quoted;

/// Per question of the conversation, the texts of the first turns that the full pipeline finds, best first: of each turn the
/// passage that the store found first, as the proxy does.
#[must_use]
pub(super) fn candidates(material: &Material<'_>) -> Vec<Vec<String>> {
    (0..material.conversation.questions.len())
        .map(|question| {
            let asking = material.asking(question);
            asking.map(|asking| texts(material, &asking)).unwrap_or_default()
        })
        .collect()
}

/// The arms that `scores` make of the full pipeline's ranking, the first turns of which they belong to.
#[must_use]
pub(super) fn arms(pipeline: &[usize], scores: &[f32]) -> [(&'static str, Vec<usize>); 2] {
    [
        ("reranked-only", reordered(pipeline.to_vec(), &by_score(scores))),
        ("reranked", reordered(pipeline.to_vec(), &fused(scores))),
    ]
}

fn texts(material: &Material<'_>, asking: &Asking<'_>) -> Vec<String> {
    let found = asking.found.first(CANDIDATES);
    let reading = material.reading(SHIPPED);
    let first = full_pipeline(asking).into_iter().take(DEPTH);
    first
        .map(|turn| {
            let said = &material.conversation.turns[turn];
            let passages = reading.map(|reading| &reading.turns[turn].passages);
            let passage = passages.and_then(|passages| passages.get(found.passage_of(turn)?));
            passage.map_or_else(|| said.message(), |passage| quoted(said, passage))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_behind_the_re_ranked_ones_keep_their_places() {
        let [(_, only), (_, both)] = arms(&[7, 5, 9, 2], &[0.1, 0.3, 0.2]);
        assert_eq!(only, [5, 9, 7, 2]);
        // 1/21 + 1/23 for turn 7, 1/22 + 1/21 for 5, 1/23 + 1/22 for 9.
        assert_eq!(both, [5, 7, 9, 2]);
    }
}
