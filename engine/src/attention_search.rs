//! Attention search: how much more attention a question pays to each candidate than a
//! content-free question does, from stored keys alone.
//!
//! s = q·k / √width with unrotated keys and queries rotated to one constant position; a softmax
//! over all tokens of all candidates for each query token; the mean over query tokens and heads,
//! minus the same for the content-free question; summed over a candidate's tokens. It must not
//! know how keys are captured or kept.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};

use crate::keys::{KeyBlock, QueryBlock};
use crate::multiply::multiply;
use crate::softmax::exponentials;

/// The rows of several questions that attend to the same key slot, stacked.
struct SlotQueries {
    slot: usize,
    /// `[rows, width]`.
    queries: Array2<f32>,
    /// Which question each row belongs to.
    questions: Vec<usize>,
}

/// What some consecutive tokens get from every row, before all tokens are known.
struct Share {
    /// `[rows, tokens]`, exponentials of logits above the row's largest here.
    weights: Array2<f32>,
    /// Per row: the largest logit here.
    largest: Vec<f32>,
    /// Per row: the sum of the weights here.
    sums: Vec<f32>,
}

/// Tokens whose keys are unpacked before they are multiplied; they fit the processor's cache.
const UNPACKED: usize = 128;
/// Tokens that are worth a thread of their own.
const WORTH_A_THREAD: usize = 512;

/// One score per candidate; above 0 means more attention than the content-free question pays.
pub(crate) fn scores(
    question: &QueryBlock,
    content_free: &QueryBlock,
    candidates: &[KeyBlock],
    threads: usize,
) -> Vec<f32> {
    let mut attention = token_attentions(&[question, content_free], candidates, threads).into_iter();
    match (attention.next(), attention.next()) {
        (Some(asked), Some(blank)) => summed(question, &asked, &blank, candidates),
        _ => vec![0.0; candidates.len()],
    }
}

/// The same, with the content-free question's attention on each token of the candidates.
pub(crate) fn scores_over(question: &QueryBlock, blank: &[f32], candidates: &[KeyBlock]) -> Vec<f32> {
    summed(question, &token_attention(question, candidates), blank, candidates)
}

/// Mean attention over heads and query tokens on each token of the candidates, in order.
pub(crate) fn token_attention(queries: &QueryBlock, candidates: &[KeyBlock]) -> Vec<f32> {
    token_attentions(&[queries], candidates, 1).pop().unwrap_or_default()
}

/// The same for several questions of one calibration, on as many threads.
fn token_attentions(questions: &[&QueryBlock], candidates: &[KeyBlock], threads: usize) -> Vec<Vec<f32>> {
    let Some(first) = questions.first() else {
        return Vec::new();
    };
    let places: Vec<(&KeyBlock, usize)> = candidates
        .iter()
        .flat_map(|candidate| (0..usable_tokens(first, candidate)).map(move |token| (candidate, token)))
        .collect();
    let slots = by_slot(questions);
    if places.is_empty() || slots.is_empty() {
        return vec![vec![0.0; places.len()]; questions.len()];
    }
    let workers = threads.clamp(1, places.len().div_ceil(WORTH_A_THREAD));
    let (slots, size) = (&slots, places.len().div_ceil(workers));
    let shares: Vec<Share> = std::thread::scope(|scope| {
        let mut parts = places.chunks(size);
        let own = parts.next();
        let others: Vec<_> = parts.map(|part| scope.spawn(move || attend(slots, part))).collect();
        let own = own.map(|part| attend(slots, part));
        let others = others.into_iter().filter_map(|worker| worker.join().ok());
        own.into_iter().chain(others).collect()
    });
    combined(&shares, slots, questions.len())
}

/// The queries of all questions, slot by slot.
fn by_slot(questions: &[&QueryBlock]) -> Vec<SlotQueries> {
    let width = questions.first().map_or(0, |question| question.width);
    let mut slots: Vec<usize> = questions
        .iter()
        .flat_map(|question| question.heads.iter().map(|head| head.slot))
        .collect();
    slots.sort_unstable();
    slots.dedup();
    let stacked = slots.into_iter().filter_map(|slot| {
        let (mut values, mut owners) = (Vec::new(), Vec::new());
        for (index, question) in questions
            .iter()
            .enumerate()
            .filter(|(_, question)| question.width == width)
        {
            for head in question.heads.iter().filter(|head| head.slot == slot) {
                values.extend_from_slice(&head.values);
                owners.resize(owners.len() + question.tokens, index);
            }
        }
        let queries = Array2::from_shape_vec((owners.len(), width), values).ok()?;
        (!owners.is_empty()).then_some(SlotQueries {
            slot,
            queries,
            questions: owners,
        })
    });
    stacked.collect()
}

/// What these tokens get from every row of every slot.
fn attend(slots: &[SlotQueries], places: &[(&KeyBlock, usize)]) -> Share {
    let rows = slots.iter().map(|slot| slot.questions.len()).sum();
    let mut weights = Array2::zeros((rows, places.len()));
    let mut start = 0;
    for slot in slots {
        let width = slot.queries.ncols();
        let own = start..start + slot.questions.len();
        start = own.end;
        let mut unpacked = vec![0.0_f32; UNPACKED * width];
        for (index, part) in places.chunks(UNPACKED).enumerate() {
            for (out, (candidate, token)) in unpacked.chunks_exact_mut(width).zip(part) {
                unpack(candidate, token * candidate.slots + slot.slot, out);
            }
            let Ok(keys) = ArrayView2::from_shape((part.len(), width), &unpacked[..part.len() * width]) else {
                continue;
            };
            let columns: Range<usize> = index * UNPACKED..index * UNPACKED + part.len();
            let mut out = weights.slice_mut(s![own.clone(), columns]);
            multiply(1.0, &slot.queries.view(), &keys, &mut out);
        }
    }
    let (mut largest, mut sums) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for mut row in weights.rows_mut() {
        let peak = row.as_slice_mut().map(exponentials);
        largest.extend(peak.map(|peak| peak.largest));
        sums.extend(peak.map(|peak| peak.sum));
    }
    Share { weights, largest, sums }
}

/// One softmax per row over the tokens of all shares, and its mean over each question's rows.
fn combined(shares: &[Share], slots: &[SlotQueries], questions: usize) -> Vec<Vec<f32>> {
    let owners: Vec<usize> = slots.iter().flat_map(|slot| slot.questions.iter().copied()).collect();
    let largest = |row: usize| {
        shares
            .iter()
            .map(|share| share.largest[row])
            .fold(f32::NEG_INFINITY, f32::max)
    };
    let mut means: Vec<Vec<f32>> = vec![Vec::new(); questions];
    for share in shares {
        let from = means.first().map_or(0, Vec::len);
        means
            .iter_mut()
            .for_each(|mean| mean.resize(from + share.weights.ncols(), 0.0));
        for (row, owner) in owners.iter().enumerate() {
            let most = largest(row);
            let total: f32 = shares
                .iter()
                .map(|share| share.sums[row] * (share.largest[row] - most).exp())
                .sum();
            #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
            let rows = owners.iter().filter(|other| *other == owner).count() as f32;
            let scale = (share.largest[row] - most).exp() / (total * rows);
            for (mean, weight) in means[*owner][from..].iter_mut().zip(share.weights.row(row)) {
                *mean += weight * scale;
            }
        }
    }
    means
}

fn unpack(candidate: &KeyBlock, vector: usize, out: &mut [f32]) {
    let values = &candidate.values[vector * candidate.width..(vector + 1) * candidate.width];
    let scale = candidate.scales[vector];
    for (out, value) in out.iter_mut().zip(values) {
        *out = f32::from(*value) * scale;
    }
}

/// How much more of the attention falls on each candidate's tokens than a content-free question pays them.
fn summed(queries: &QueryBlock, asked: &[f32], blank: &[f32], candidates: &[KeyBlock]) -> Vec<f32> {
    let mut at = 0;
    candidates
        .iter()
        .map(|candidate| {
            let range = at..at + usable_tokens(queries, candidate);
            at = range.end;
            let tokens = asked[range.clone()].iter().zip(&blank[range]);
            tokens.map(|(asked, blank)| asked - blank).sum()
        })
        .collect()
}

/// Tokens of a candidate that these queries can attend to; none if it was keyed another way.
fn usable_tokens(queries: &QueryBlock, candidate: &KeyBlock) -> usize {
    let fits = candidate.width == queries.width && candidate.slots == queries.slots;
    if fits { candidate.tokens() } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::HeadQueries;

    fn block(keys: &[[f32; 4]]) -> KeyBlock {
        let mut block = KeyBlock::new(1, 4);
        keys.iter().for_each(|key| block.push(key));
        block
    }

    fn queries(values: &[f32]) -> QueryBlock {
        QueryBlock {
            width: 4,
            slots: 1,
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
            2,
        );
        assert!(found[0] > 0.0 && found[1] < 0.0);
    }

    #[test]
    fn keys_that_were_kept_for_other_heads_are_not_looked_at() {
        let mut other = KeyBlock::new(2, 4);
        [[9.0, 0.0, 0.0, 0.0], [0.0; 4]].iter().for_each(|key| other.push(key));
        let own = [block(&[[5.0, 0.0, 0.0, 0.0]]), block(&[[0.0, 5.0, 0.0, 0.0]])];
        let (asked, blank) = (queries(&[1.0, 0.0, 0.0, 0.0]), queries(&[0.0; 4]));
        let alone = scores(&asked, &blank, &own, 1);
        let [first, second] = own;
        let beside = scores(&asked, &blank, &[first, other, second], 1);
        assert_eq!(beside, [alone[0], 0.0, alone[1]]);
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
        let found = scores(&asked, &queries(&[0.0, 0.0, 0.0, 0.0]), &candidates, 2);
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
        assert!(scores(&queries(&[1.0; 4]), &queries(&[1.0; 4]), &[], 2).is_empty());
    }

    /// The definition, written down in the plainest way.
    fn slow(queries: &QueryBlock, candidates: &[KeyBlock]) -> Vec<f32> {
        let tokens: Vec<(&KeyBlock, usize)> = candidates
            .iter()
            .flat_map(|candidate| (0..candidate.tokens()).map(move |token| (candidate, token)))
            .collect();
        let mut mean = vec![0.0; tokens.len()];
        for head in &queries.heads {
            for query in head.values.chunks_exact(queries.width) {
                let weight = |(candidate, token): &(&KeyBlock, usize)| {
                    let vector = token * candidate.slots + head.slot;
                    let key = &candidate.values[vector * candidate.width..][..candidate.width];
                    let product: f32 = query.iter().zip(key).map(|(query, key)| query * f32::from(*key)).sum();
                    (product * candidate.scales[vector]).exp()
                };
                let sum: f32 = tokens.iter().map(weight).sum();
                let rows = (queries.heads.len() * queries.tokens) as f32;
                mean.iter_mut()
                    .zip(&tokens)
                    .for_each(|(mean, token)| *mean += weight(token) / sum / rows);
            }
        }
        mean
    }

    proptest! {
        #[test]
        fn threads_and_stacked_questions_change_nothing(
            keys in proptest::collection::vec(proptest::collection::vec([-2.0_f32..2.0, -2.0_f32..2.0], 0..700), 1..5),
            asked in proptest::collection::vec(-2.0_f32..2.0, 8),
            other in proptest::collection::vec(-2.0_f32..2.0, 12),
        ) {
            let candidates: Vec<KeyBlock> = keys.iter().map(|tokens| {
                let mut block = KeyBlock::new(2, 2);
                for token in tokens {
                    block.push(token);
                    block.push(&[token[1], -token[0]]);
                }
                block
            }).collect();
            let of = |values: &[f32]| QueryBlock {
                width: 2,
                slots: 2,
                tokens: values.len() / 4,
                heads: values.chunks_exact(values.len() / 2).enumerate().map(|(slot, values)| HeadQueries {
                    slot,
                    values: values.to_vec(),
                }).collect(),
            };
            let (asked, other) = (of(&asked), of(&other));
            let found = token_attentions(&[&asked, &other], &candidates, 3);
            for (found, question) in found.iter().zip([&asked, &other]) {
                let expected = slow(question, &candidates);
                prop_assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    prop_assert!((found - expected).abs() < 1e-5, "{} against {}", found, expected);
                }
            }
        }
    }
}
