//! What is taken out of a running pass: attention within turns, keys, queries.
//!
//! It must not know how windows are planned or what the numbers are used for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::Head;
use crate::ffi::attention::{Flow, Observer, TensorView};
use crate::model::Geometry;
use crate::nodes::Node;

/// Attention that each token receives from the later tokens of its own turn, per head.
pub(crate) struct TurnAttention<'a> {
    turns: &'a [Range<usize>],
    heads: &'a [Head],
    geometry: &'a Geometry,
    /// Per head: one value per token of the window, already divided by how many could see it.
    pub(crate) received: Vec<Vec<f32>>,
    seen: Vec<bool>,
}

/// The keys or queries of every token of a window, before or after RoPE, per layer: `(token * heads + head) * width ..`.
pub(crate) struct LayerVectors {
    node: Node,
    stage: Stage,
    layers: Vec<u32>,
    pub(crate) by_layer: BTreeMap<u32, Vec<f32>>,
    /// Layers of which nothing more will be taken.
    settled: BTreeSet<u32>,
}

/// Which side of RoPE vectors are taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    After,
}

/// A whole reading pass with flash attention, where no softmax exists: what attention is made of, and keys.
pub(crate) struct VectorObserver {
    pub(crate) rotated_queries: LayerVectors,
    pub(crate) rotated_keys: LayerVectors,
    pub(crate) keys: LayerVectors,
}

/// A whole reading pass: attention within turns and keys, stopping as soon as both are complete.
pub(crate) struct ReadingObserver<'a> {
    pub(crate) attention: TurnAttention<'a>,
    pub(crate) keys: LayerVectors,
}

/// The name of a layer's softmax, rows of which are attention.
pub(crate) const SOFTMAX: &str = "kq_soft_max";

impl<'a> TurnAttention<'a> {
    pub(crate) fn new(tokens: usize, turns: &'a [Range<usize>], heads: &'a [Head], geometry: &'a Geometry) -> Self {
        Self {
            turns,
            heads,
            geometry,
            received: vec![vec![0.0; tokens]; heads.len()],
            seen: vec![false; heads.len()],
        }
    }

    pub(crate) fn complete(&self) -> bool {
        self.seen.iter().all(|seen| *seen)
    }

    fn wants(&self, layer: u32) -> bool {
        self.heads
            .iter()
            .zip(&self.seen)
            .any(|(head, seen)| head.0 == layer && !seen)
    }

    /// Takes the softmax of a layer, `[cells, tokens, heads]`.
    fn take(&mut self, layer: u32, softmax: &TensorView<'_>) {
        let [cells, rows, heads, streams] = softmax.shape();
        if streams != 1 {
            return;
        }
        let mut row = Vec::new();
        for (index, head) in self.heads.iter().enumerate().filter(|(_, head)| head.0 == layer) {
            if head.1 as usize >= heads {
                continue;
            }
            let received = &mut self.received[index];
            let mut read_all = true;
            for turn in self.turns {
                for viewer in turn.start + 1..turn.end {
                    row.resize(viewer - turn.start, 0.0);
                    let from = (head.1 as usize * rows + viewer) * cells + turn.start;
                    read_all &= softmax.read(from, &mut row);
                    for (sum, weight) in received[turn.start..viewer].iter_mut().zip(&row) {
                        *sum += weight;
                    }
                }
                divide_by_viewers(&mut received[turn.clone()], self.geometry.window(layer));
            }
            self.seen[index] = read_all;
        }
    }
}

impl LayerVectors {
    /// The vectors before RoPE.
    pub(crate) fn new(node: &Node, layers: Vec<u32>) -> Self {
        Self::at(Stage::Before, node, layers)
    }

    /// The vectors after RoPE, of layers that rotate them.
    pub(crate) fn rotated(node: &Node, layers: Vec<u32>) -> Self {
        Self::at(Stage::After, node, layers)
    }

    fn at(stage: Stage, node: &Node, layers: Vec<u32>) -> Self {
        Self {
            node: node.clone(),
            stage,
            layers,
            by_layer: BTreeMap::new(),
            settled: BTreeSet::new(),
        }
    }

    /// Puts the vectors of the tokens before in front of a layer's.
    pub(crate) fn put_before(&mut self, layer: u32, vectors: &[f32]) {
        if let Some(values) = self.by_layer.get_mut(&layer) {
            values.splice(0..0, vectors.iter().copied());
        }
    }

    /// Whether every layer's vectors were seen.
    pub(crate) fn complete(&self) -> bool {
        self.by_layer.len() == self.layers.len()
    }

    /// Whether the pass can show nothing more that is wanted.
    fn settled(&self) -> bool {
        self.settled.len() == self.layers.len()
    }

    fn wants(&self, name: &str, layer: u32) -> bool {
        let ends = self.stage == Stage::Before && self.node.repeated && name == SOFTMAX;
        (name == self.node.name || ends) && self.layers.contains(&layer) && !self.settled.contains(&layer)
    }

    /// Takes a tensor. Where a layer names several alike, the last one before RoPE counts, or the first one behind it.
    fn take(&mut self, name: &str, layer: u32, tensor: &TensorView<'_>) {
        let ends = name == SOFTMAX || tensor.rotated_from().is_some();
        if self.stage == Stage::After {
            if ends && let Some(values) = tensor.read_all() {
                self.by_layer.insert(layer, values);
                self.settled.insert(layer);
            }
            return;
        }
        if !ends && let Some(values) = tensor.read_all() {
            self.by_layer.insert(layer, values);
        }
        if ends || !self.node.repeated {
            self.settled.insert(layer);
        }
    }
}

impl Observer for ReadingObserver<'_> {
    fn wants(&self, name: &str) -> bool {
        named(name).is_some_and(|(name, layer)| {
            (name == SOFTMAX && self.attention.wants(layer)) || self.keys.wants(name, layer)
        })
    }

    fn observe(&mut self, name: &str, tensor: &TensorView<'_>) -> Flow {
        if let Some((name, layer)) = named(name) {
            if name == SOFTMAX && self.attention.wants(layer) {
                self.attention.take(layer, tensor);
            }
            if self.keys.wants(name, layer) {
                self.keys.take(name, layer, tensor);
            }
        }
        stop_when(self.attention.complete() && self.keys.settled())
    }
}

impl VectorObserver {
    fn parts(&self) -> [&LayerVectors; 3] {
        [&self.rotated_queries, &self.rotated_keys, &self.keys]
    }

    /// Whether everything was seen.
    pub(crate) fn complete(&self) -> bool {
        self.parts().into_iter().all(LayerVectors::complete)
    }
}

impl Observer for VectorObserver {
    fn wants(&self, name: &str) -> bool {
        named(name).is_some_and(|(name, layer)| self.parts().into_iter().any(|part| part.wants(name, layer)))
    }

    fn observe(&mut self, name: &str, tensor: &TensorView<'_>) -> Flow {
        if let Some((name, layer)) = named(name) {
            for part in [&mut self.rotated_queries, &mut self.rotated_keys, &mut self.keys] {
                if part.wants(name, layer) {
                    part.take(name, layer, tensor);
                }
            }
        }
        stop_when(self.parts().into_iter().all(LayerVectors::settled))
    }
}

impl Observer for LayerVectors {
    fn wants(&self, name: &str) -> bool {
        named(name).is_some_and(|(name, layer)| Self::wants(self, name, layer))
    }

    fn observe(&mut self, name: &str, tensor: &TensorView<'_>) -> Flow {
        if let Some((name, layer)) = named(name) {
            self.take(name, layer, tensor);
        }
        stop_when(self.settled())
    }
}

/// Makes sums over the later tokens of a turn means: divides each by how many of them see that far back.
pub(crate) fn divide_by_viewers(turn: &mut [f32], window: Option<usize>) {
    let tokens = turn.len();
    for (offset, sum) in turn.iter_mut().enumerate() {
        let later = tokens - 1 - offset;
        let viewers = window.map_or(later, |window| later.min(window.saturating_sub(1)));
        #[expect(clippy::cast_precision_loss, reason = "a count of tokens")]
        let viewers = viewers.max(1) as f32;
        *sum /= viewers;
    }
}

/// One head's attention on the tokens of `range`, divided by its sum over those that `content`
/// names; the others get 0, and so do all if the head pays no attention.
pub(crate) fn normalised(head: &[f32], range: Range<usize>, content: &[bool]) -> Vec<f32> {
    let values: Vec<f32> = head[range]
        .iter()
        .zip(content)
        .map(|(value, content)| if *content { *value } else { 0.0 })
        .collect();
    let sum: f32 = values.iter().sum();
    if sum <= 0.0 {
        return vec![0.0; values.len()];
    }
    values.into_iter().map(|value| value / sum).collect()
}

/// The mean of the heads that pay attention to a turn of so many tokens, each head normalised.
pub(crate) fn mean_over_heads<'a>(heads: impl IntoIterator<Item = &'a [f32]>, tokens: usize) -> Vec<f32> {
    let mut mean = vec![0.0; tokens];
    let mut attentive = 0.0;
    for head in heads {
        if head.iter().all(|value| *value == 0.0) {
            continue;
        }
        attentive += 1.0;
        for (mean, value) in mean.iter_mut().zip(head) {
            *mean += value;
        }
    }
    if attentive > 0.0 {
        mean.iter_mut().for_each(|value| *value /= attentive);
    }
    mean
}

/// Splits `kq_soft_max-5` into its name and layer.
pub(crate) fn named(name: &str) -> Option<(&str, u32)> {
    let (name, layer) = name.rsplit_once('-')?;
    Some((name, layer.parse().ok()?))
}

fn stop_when(complete: bool) -> Flow {
    if complete { Flow::Stop } else { Flow::Continue }
}
