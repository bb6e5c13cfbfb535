//! Weighing few candidates against each other in one prompt: what a question's tokens attend to in
//! it, beyond what a question without content attends to. It runs on a context of its own.
//!
//! It must not know where candidates come from or what their scores are used for.

use std::ops::Range;

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use crate::actor::Actor;
use crate::calibration::Calibration;
use crate::ffi::attention::{AttentionContext, AttentionOptions, FlashAttention, Flow, Observer, TensorView};
use crate::model::Model;
use crate::question::{CONTENT_FREE, asking};
use crate::salience::{SOFTMAX, named};
use crate::tokens::{opening, tokenize};
use crate::{EngineError, Head};

/// A question and the candidates that may answer it.
#[derive(Debug, Clone)]
pub(crate) struct RerankJob {
    pub(crate) question: String,
    /// Best first, by whatever ranked them before.
    pub(crate) candidates: Vec<String>,
}

/// A thread that owns a [`Reranker`].
pub(crate) type RerankActor = Actor<RerankJob, Vec<f32>>;

/// The part of the reader that reads candidates together with a question.
pub(crate) struct Reranker<'model> {
    model: &'model LlamaModel,
    context: AttentionContext<'model>,
    heads: Vec<Head>,
}

/// The candidates as the model sees them, without a question behind them.
struct Prompt {
    ids: Vec<LlamaToken>,
    /// The tokens of each candidate, in the order in which the candidates were given.
    candidates: Vec<Range<usize>>,
}

/// What some tokens of a prompt attend to on average, per head.
struct RowAttention<'a> {
    heads: &'a [Head],
    /// The tokens that attend.
    viewers: Range<usize>,
    /// Per head: one value for each of the prompt's first tokens; none before its layer was seen.
    received: Vec<Option<Vec<f32>>>,
    /// How many tokens those are.
    attended: usize,
}

/// Most candidates that are weighed against each other in one prompt.
pub const MOST_RERANKED: usize = 20;
/// Tokens that are read of each candidate.
const LINE_TOKENS: usize = 64;
/// Tokens that separate two candidates, at most.
const BREAK_TOKENS: usize = 2;
/// Tokens of the longest question, with the words around it.
const QUESTION_TOKENS: usize = 384;
const WINDOW: usize = 1792;
const _: () = assert!(1 + MOST_RERANKED * (LINE_TOKENS + BREAK_TOKENS) + QUESTION_TOKENS <= WINDOW);
/// Requests that may wait; a longer queue would be slower than doing without.
const QUEUE: usize = 8;

/// Starts the thread and waits until its context is ready.
pub(crate) fn start(model: &Model, calibration: &Calibration, threads: usize) -> Result<RerankActor, EngineError> {
    let (model, calibration) = (model.clone(), calibration.clone());
    Actor::start("reranker", QUEUE, move |inbox| {
        let mut reranker = Reranker::new(&model, &calibration, threads)?;
        reranker.context.heed(inbox.halt());
        inbox.serve(|job: RerankJob| reranker.scores(&job));
        Ok(())
    })
}

impl<'model> Reranker<'model> {
    pub(crate) fn new(model: &'model Model, calibration: &Calibration, threads: usize) -> Result<Self, EngineError> {
        let options = AttentionOptions {
            tokens: u32::try_from(WINDOW).unwrap_or(u32::MAX),
            threads,
            flash_attention: FlashAttention::Off,
        };
        Ok(Self {
            model: &model.llama,
            context: AttentionContext::new(&model.llama, options)?,
            heads: calibration.heads_within_a_prompt().to_vec(),
        })
    }

    /// One score per candidate of the job, in the job's order.
    pub(crate) fn scores(&mut self, job: &RerankJob) -> Result<Vec<f32>, EngineError> {
        let prompt = Prompt::of(self.model, &job.candidates)?;
        let asked = asking(self.model, &job.question, QUESTION_TOKENS);
        let blank = asking(self.model, CONTENT_FREE, QUESTION_TOKENS);
        // Up to where the two differ their tokens see the same and say nothing about the question.
        let alike = alike(&asked, &blank);
        let with_content = self.attention(&prompt, &asked, alike)?;
        let without = self.attention(&prompt, &blank, alike)?;
        Ok(differences(&with_content, &without, &prompt.candidates))
    }

    /// Per head, the mean attention that the tokens of `tail` from `first` on pay to each token of the prompt.
    fn attention(&mut self, prompt: &Prompt, tail: &[LlamaToken], first: usize) -> Result<Vec<Vec<f32>>, EngineError> {
        let attended = prompt.ids.len();
        let mut ids = prompt.ids.clone();
        ids.extend_from_slice(tail);
        let mut observer = RowAttention {
            heads: &self.heads,
            viewers: attended + first..ids.len(),
            received: vec![None; self.heads.len()],
            attended,
        };
        self.context.pass(&ids, &mut observer)?;
        let received: Option<Vec<Vec<f32>>> = observer.received.into_iter().collect();
        received.ok_or_else(|| {
            EngineError::NoAttention(
                "no softmax was seen in some layer; flash attention must be off for re-ranking".into(),
            )
        })
    }
}

impl Prompt {
    /// Puts every candidate on a line of its own. A token near the question is seen better, above
    /// all by layers that see a window only, so the best candidate comes last.
    fn of(model: &LlamaModel, candidates: &[String]) -> Result<Self, EngineError> {
        let line_break = tokenize(model, "\n");
        let mut ids = vec![opening(model)];
        let mut ranges = Vec::with_capacity(candidates.len());
        for candidate in candidates.iter().rev() {
            let line = candidate.split_whitespace().collect::<Vec<_>>().join(" ");
            let start = ids.len();
            if !line.is_empty() {
                ids.extend(tokenize(model, &line).iter().take(LINE_TOKENS).map(|token| token.id));
            }
            ranges.push(start..ids.len());
            ids.extend(line_break.iter().take(BREAK_TOKENS).map(|token| token.id));
        }
        ranges.reverse();
        Ok(Self {
            ids,
            candidates: ranges,
        })
    }
}

impl RowAttention<'_> {
    fn complete(&self) -> bool {
        self.received.iter().all(Option::is_some)
    }

    fn wants(&self, layer: u32) -> bool {
        let mut heads = self.heads.iter().zip(&self.received);
        heads.any(|(head, received)| head.0 == layer && received.is_none())
    }

    /// Takes the softmax of a layer, `[cells, tokens, heads]`.
    fn take(&mut self, layer: u32, softmax: &TensorView<'_>) {
        let [cells, rows, heads, streams] = softmax.shape();
        if streams != 1 || rows < self.viewers.end || cells < self.attended {
            return;
        }
        for (head, received) in self.heads.iter().zip(&mut self.received) {
            if head.0 != layer || head.1 as usize >= heads {
                continue;
            }
            let first_row = head.1 as usize * rows;
            let seen: Option<Vec<Vec<f32>>> = self
                .viewers
                .clone()
                .map(|viewer| {
                    let mut row = vec![0.0; self.attended];
                    softmax.read((first_row + viewer) * cells, &mut row).then_some(row)
                })
                .collect();
            *received = seen.map(|seen| mean(&seen, self.attended));
        }
    }
}

impl Observer for RowAttention<'_> {
    fn wants(&self, name: &str) -> bool {
        named(name).is_some_and(|(name, layer)| name == SOFTMAX && Self::wants(self, layer))
    }

    fn observe(&mut self, name: &str, tensor: &TensorView<'_>) -> Flow {
        if let Some((_, layer)) = named(name) {
            self.take(layer, tensor);
        }
        if self.complete() { Flow::Stop } else { Flow::Continue }
    }
}

/// How many tokens two questions begin with alike; less than either has.
fn alike(one: &[LlamaToken], other: &[LlamaToken]) -> usize {
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    same.min(one.len().saturating_sub(1)).min(other.len().saturating_sub(1))
}

/// The mean of rows of `width` values each; zeros for no rows.
fn mean(rows: &[Vec<f32>], width: usize) -> Vec<f32> {
    let mut mean = vec![0.0; width];
    #[expect(clippy::cast_precision_loss, reason = "a count of tokens")]
    let count = rows.len().max(1) as f32;
    for row in rows {
        for (mean, value) in mean.iter_mut().zip(row) {
            *mean += value / count;
        }
    }
    mean
}

/// Per candidate: the attention on its tokens from a question beyond that from a question without
/// content, as the mean over the heads. Both hold one row per head, a value per token of the prompt.
fn differences(with_content: &[Vec<f32>], without: &[Vec<f32>], candidates: &[Range<usize>]) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "a count of heads")]
    let heads = with_content.len().max(1) as f32;
    let on = |row: &[f32], tokens: &Range<usize>| row.get(tokens.clone()).unwrap_or_default().iter().sum::<f32>();
    candidates
        .iter()
        .map(|tokens| {
            let pairs = with_content.iter().zip(without);
            let gains = pairs.map(|(asked, blank)| on(asked, tokens) - on(blank, tokens));
            gains.sum::<f32>() / heads
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(ids: &[i32]) -> Vec<LlamaToken> {
        ids.iter().map(|id| LlamaToken(*id)).collect()
    }

    #[test]
    fn a_score_is_the_attention_that_the_content_adds_averaged_over_heads() {
        let with_content = [vec![0.5, 0.25, 0.125, 0.125], vec![0.0, 0.5, 0.25, 0.25]];
        let without = [vec![0.5, 0.0, 0.25, 0.25], vec![0.0, 0.25, 0.25, 0.5]];
        // Candidate 0 is tokens 2 and 3, candidate 1 token 1, candidate 2 has none.
        let scores = differences(&with_content, &without, &[2..4, 1..2, 4..4]);
        assert_eq!(scores, [-0.25, 0.25, 0.0]);
    }

    #[test]
    fn rows_are_averaged_value_by_value() {
        assert_eq!(mean(&[vec![1.0, 0.0], vec![0.5, 0.5]], 2), [0.75, 0.25]);
        assert_eq!(mean(&[], 2), [0.0, 0.0]);
    }

    #[test]
    fn two_questions_are_alike_up_to_their_first_other_token() {
        assert_eq!(alike(&tokens(&[1, 2, 3, 4]), &tokens(&[1, 2, 7, 4])), 2);
        assert_eq!(alike(&tokens(&[1, 2]), &tokens(&[1, 2])), 1);
        assert_eq!(alike(&tokens(&[1, 2]), &tokens(&[1, 2, 3])), 1);
        assert_eq!(alike(&[], &tokens(&[1])), 0);
    }

    proptest! {
        #[test]
        fn a_question_that_attends_like_none_ranks_nothing(rows in proptest::collection::vec(
            proptest::collection::vec(0.0_f32..1.0, 6), 1..5,
        )) {
            prop_assert_eq!(differences(&rows, &rows, &[0..2, 2..5]), vec![0.0, 0.0]);
        }
    }
}
