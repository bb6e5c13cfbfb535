//! Rows of attention computed from rotated queries and keys: what a softmax inside llama.cpp would show, for the heads
//! and tokens that are wanted alone, so that the pass itself can run with flash attention.
//!
//! It must not know how the vectors are captured or what the rows are used for.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};

use crate::Head;
use crate::model::Geometry;
use crate::multiply::multiply;
use crate::salience::{LayerVectors, divide_by_viewers};
use crate::softmax::exponentials;

/// A window of tokens whose attention is wanted.
pub(crate) struct Rows<'a> {
    /// Queries and keys of every layer that a wanted head lies in, after RoPE.
    pub(crate) queries: &'a LayerVectors,
    pub(crate) keys: &'a LayerVectors,
    /// Whose tokens look at each other.
    pub(crate) turns: &'a [Range<usize>],
    pub(crate) geometry: &'a Geometry,
    pub(crate) threads: usize,
}

/// Rows that are computed together: a stretch of viewers of one turn, as one head sees it.
struct Block<'a> {
    head: usize,
    turn: &'a Range<usize>,
    viewers: Range<usize>,
}

/// Viewers of a block. Many make the product efficient, few waste little on tokens that a viewer cannot see.
const VIEWERS: usize = 64;

impl Rows<'_> {
    /// Attention that each token receives from the later tokens of its own turn, divided by how many could see it: one
    /// value per token of the window, per head. `None` if a head's vectors are missing or too few.
    pub(crate) fn received(&self, heads: &[Head], tokens: usize) -> Option<Vec<Vec<f32>>> {
        let vectors = heads
            .iter()
            .map(|head| self.vectors(*head, tokens))
            .collect::<Option<Vec<_>>>()?;
        let blocks = self.blocks(heads.len());
        let share = |worker: usize| {
            let mut received = vec![vec![0.0_f32; tokens]; heads.len()];
            let mut weights = Array2::zeros((VIEWERS, tokens));
            for block in blocks.iter().skip(worker).step_by(self.threads.max(1)) {
                let (queries, keys) = &vectors[block.head];
                let window = self.geometry.window(heads[block.head].0);
                block.look(queries, keys, window, &mut weights);
                block.add_up(window, &mut weights, &mut received[block.head]);
            }
            received
        };
        // A fixed share per worker, so that the sums do not depend on which one is faster.
        let mut shares = std::thread::scope(|scope| {
            let others: Vec<_> = (1..self.threads)
                .map(|worker| scope.spawn(move || share(worker)))
                .collect();
            let own = share(0);
            let others = others.into_iter().map(|worker| worker.join().ok());
            std::iter::once(Some(own)).chain(others).collect::<Option<Vec<_>>>()
        })?
        .into_iter();
        let mut received = shares.next()?;
        for share in shares {
            for (sums, values) in received.iter_mut().zip(share) {
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
        for (sums, head) in received.iter_mut().zip(heads) {
            for turn in self.turns {
                divide_by_viewers(&mut sums[turn.clone()], self.geometry.window(head.0));
            }
        }
        Some(received)
    }

    /// A head's queries and keys, `[tokens, width]` each.
    fn vectors(&self, head: Head, tokens: usize) -> Option<(ArrayView2<'_, f32>, ArrayView2<'_, f32>)> {
        let geometry = self.geometry;
        let queries = self.queries.by_layer.get(&head.0)?;
        let keys = self.keys.by_layer.get(&head.0)?;
        let key_head = geometry.key_head(head.1);
        Some((
            of_head(queries, (geometry.heads, head.1), (tokens, geometry.head_width))?,
            of_head(keys, (geometry.key_heads, key_head), (tokens, geometry.head_width))?,
        ))
    }

    fn blocks(&self, heads: usize) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        for head in 0..heads {
            for turn in self.turns {
                // The first token of a turn sees none of it but itself.
                for start in (turn.start + 1..turn.end).step_by(VIEWERS) {
                    blocks.push(Block {
                        head,
                        turn,
                        viewers: start..turn.end.min(start + VIEWERS),
                    });
                }
            }
        }
        blocks
    }
}

impl Block<'_> {
    /// The first token that the block's first viewer sees.
    fn first_seen(&self, window: Option<usize>) -> usize {
        window.map_or(0, |window| (self.viewers.start + 1).saturating_sub(window))
    }

    /// Logits of the block's viewers over all tokens that one of them sees, into the corner of `logits`.
    fn look(
        &self,
        queries: &ArrayView2<'_, f32>,
        keys: &ArrayView2<'_, f32>,
        window: Option<usize>,
        logits: &mut Array2<f32>,
    ) {
        let seen = self.first_seen(window)..self.viewers.end;
        #[expect(clippy::cast_precision_loss, reason = "a head's width is small")]
        let scale = 1.0 / (queries.ncols() as f32).sqrt();
        let mut corner = logits.slice_mut(s![..self.viewers.len(), ..seen.len()]);
        let viewers = queries.slice(s![self.viewers.clone(), ..]);
        multiply(scale, &viewers, &keys.slice(s![seen, ..]), &mut corner);
    }

    /// Turns logits into attention and adds up what falls on earlier tokens of the same turn.
    fn add_up(&self, window: Option<usize>, logits: &mut Array2<f32>, received: &mut [f32]) {
        let first = self.first_seen(window);
        for (viewer, mut row) in self.viewers.clone().zip(logits.rows_mut()) {
            let from = window
                .map_or(0, |window| (viewer + 1).saturating_sub(window))
                .max(first);
            let Some(row) = row
                .as_slice_mut()
                .and_then(|row| row.get_mut(from - first..=viewer - first))
            else {
                continue;
            };
            let sum = exponentials(row).sum;
            let own = self.turn.start.max(from);
            for (received, weight) in received[own..viewer].iter_mut().zip(&row[own - from..]) {
                *received += weight / sum;
            }
        }
    }
}

/// One head's vectors among those of `(heads, head)`, as `(tokens, width)`; `None` if there are fewer.
fn of_head(values: &[f32], (heads, head): (u32, u32), (tokens, width): (usize, usize)) -> Option<ArrayView2<'_, f32>> {
    let row = heads as usize * width;
    let all = ArrayView2::from_shape((tokens, row), values.get(..tokens * row)?).ok()?;
    let from = head as usize * width;
    (from + width <= row).then(|| all.slice_move(s![.., from..from + width]))
}
