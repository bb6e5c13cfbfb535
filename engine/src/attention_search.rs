//! Attention search: how much more attention a question pays to each candidate than a
//! content-free question does, from stored keys alone.
//!
//! s = q·k / √width with unrotated keys and queries rotated to one constant position; a softmax
//! over all tokens of all candidates for each query token; the mean over query tokens and heads,
//! minus the same for the content-free question; summed over a candidate's tokens. It must not
//! know how keys are captured or kept.

use crate::keys::{HeadQueries, KeyBlock, QueryBlock};

/// One score per candidate; above 0 means more attention than the content-free question pays.
pub(crate) fn scores(question: &QueryBlock, content_free: &QueryBlock, candidates: &[KeyBlock]) -> Vec<f32> {
    scores_over(question, &token_attention(content_free, candidates), candidates)
}

/// The same, with the content-free question's attention on each token of the candidates.
pub(crate) fn scores_over(question: &QueryBlock, blank: &[f32], candidates: &[KeyBlock]) -> Vec<f32> {
    let asked = token_attention(question, candidates);
    let mut at = 0;
    candidates
        .iter()
        .map(|candidate| {
            let range = at..at + usable_tokens(question, candidate);
            at = range.end;
            asked[range.clone()]
                .iter()
                .zip(&blank[range])
                .map(|(asked, blank)| asked - blank)
                .sum()
        })
        .collect()
}

/// Mean attention over heads and query tokens on each token of the candidates, in order.
pub(crate) fn token_attention(queries: &QueryBlock, candidates: &[KeyBlock]) -> Vec<f32> {
    let total: usize = candidates
        .iter()
        .map(|candidate| usable_tokens(queries, candidate))
        .sum();
    let mut mean = vec![0.0_f32; total];
    let mut row = vec![0.0_f32; total];
    let rows = queries.tokens * queries.heads.len();
    if total == 0 || rows == 0 {
        return mean;
    }
    for head in &queries.heads {
        for query in head.values.chunks_exact(queries.width) {
            logits(head, query, queries, candidates, &mut row);
            softmax(&mut row);
            for (mean, weight) in mean.iter_mut().zip(&row) {
                *mean += weight;
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    let scale = 1.0 / rows as f32;
    mean.iter_mut().for_each(|value| *value *= scale);
    mean
}

fn logits(head: &HeadQueries, query: &[f32], queries: &QueryBlock, candidates: &[KeyBlock], row: &mut [f32]) {
    let mut out = row.iter_mut();
    for candidate in candidates {
        for token in 0..usable_tokens(queries, candidate) {
            let vector = token * candidate.slots + head.slot;
            let key = &candidate.values[vector * candidate.width..(vector + 1) * candidate.width];
            if let Some(out) = out.next() {
                *out = dot(query, key) * candidate.scales[vector];
            }
        }
    }
}

/// Tokens of a candidate that these queries can attend to; none if it was keyed another way.
fn usable_tokens(queries: &QueryBlock, candidate: &KeyBlock) -> usize {
    let fits = candidate.width == queries.width && queries.heads.iter().all(|head| head.slot < candidate.slots);
    if fits { candidate.tokens() } else { 0 }
}

fn softmax(row: &mut [f32]) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = (*value - largest).exp();
        sum += *value;
    }
    let scale = 1.0 / sum;
    row.iter_mut().for_each(|value| *value *= scale);
}

/// A dot product in eight lanes, which the compiler turns into vector instructions.
fn dot(query: &[f32], key: &[i8]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (query_chunks, key_chunks) = (query.chunks_exact(8), key.chunks_exact(8));
    let tail: f32 = query_chunks
        .remainder()
        .iter()
        .zip(key_chunks.remainder())
        .map(|(query, key)| query * f32::from(*key))
        .sum();
    for (query, key) in query_chunks.zip(key_chunks) {
        for lane in 0..8 {
            lanes[lane] += query[lane] * f32::from(key[lane]);
        }
    }
    lanes.iter().sum::<f32>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(keys: &[[f32; 4]]) -> KeyBlock {
        let mut block = KeyBlock::new(1, 4);
        keys.iter().for_each(|key| block.push(key));
        block
    }

    fn queries(values: &[f32]) -> QueryBlock {
        QueryBlock {
            width: 4,
            tokens: values.len() / 4,
            heads: vec![HeadQueries {
                slot: 0,
                values: values.to_vec(),
            }],
        }
    }

    #[test]
    fn the_candidate_that_the_question_looks_at_scores_highest() {
        let candidates = [
            block(&[[5.0, 0.0, 0.0, 0.0]]),
            block(&[[0.0, 5.0, 0.0, 0.0], [0.0, 0.0, 5.0, 0.0]]),
        ];
        let found = scores(
            &queries(&[1.0, 0.0, 0.0, 0.0]),
            &queries(&[0.0, 0.0, 0.0, 1.0]),
            &candidates,
        );
        assert!(found[0] > 0.0 && found[1] < 0.0);
    }

    #[test]
    fn attention_sums_to_one_and_scores_to_nothing() {
        let candidates = [
            block(&[[1.0, 2.0, 0.0, -1.0]; 3]),
            KeyBlock::default(),
            block(&[[0.5, 0.1, 0.0, 2.0]; 2]),
        ];
        let asked = queries(&[0.3, -0.2, 0.9, 0.4, 1.0, 1.0, 0.0, 0.0]);
        assert!((token_attention(&asked, &candidates).iter().sum::<f32>() - 1.0).abs() < 1e-5);
        let found = scores(&asked, &queries(&[0.0, 0.0, 0.0, 0.0]), &candidates);
        assert_eq!(found.len(), 3);
        assert!(found.iter().sum::<f32>().abs() < 1e-5);
    }

    #[test]
    fn heads_together_score_the_mean_of_what_each_scores_alone() {
        let candidates = [
            block(&[[1.0, 2.0, 0.0, -1.0], [0.0, 3.0, 0.2, 0.0]]),
            block(&[[0.5, 0.1, 4.0, 2.0]]),
        ];
        let mut both = queries(&[0.3, -0.2, 0.9, 0.4, 1.0, 1.0, 0.0, 0.0]);
        both.heads.push(HeadQueries {
            slot: 0,
            values: vec![-1.0, 0.4, 0.2, 0.0, 0.0, 0.7, 0.1, 0.3],
        });
        let together = scores_over(&both, &[0.0; 3], &candidates);
        let alone = [0, 1].map(|head| scores_over(&both.only(head), &[0.0; 3], &candidates));
        for (candidate, score) in together.iter().enumerate() {
            assert!((score - (alone[0][candidate] + alone[1][candidate]) / 2.0).abs() < 1e-6);
        }
        assert!(both.only(2).heads.is_empty());
    }

    #[test]
    fn no_candidates_give_no_scores() {
        assert!(scores(&queries(&[1.0; 4]), &queries(&[1.0; 4]), &[]).is_empty());
    }
}
