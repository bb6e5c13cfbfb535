//! Which of llama.cpp's named tensors hold a model's keys and queries before RoPE.
//!
//! Architectures name them differently, so one short pass looks. It must not know what the vectors
//! are used for.

use std::collections::{BTreeMap, BTreeSet};

use crate::EngineError;
use crate::ffi::attention::{AttentionContext, Flow, Observer, TensorView};
use crate::model::Model;
use crate::salience::{SOFTMAX, named};
use crate::tokens::{opening, tokenize};

/// The tensors of one name, at least one per layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// Whether a layer names several so: without and with a bias, reshaped, and behind RoPE.
    pub(crate) repeated: bool,
}

/// Where a model's keys and queries are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nodes {
    pub(crate) keys: Node,
    pub(crate) queries: Node,
    /// The same behind RoPE, if the model has it.
    pub(crate) behind_rope: Option<BehindRope>,
    /// Layers that rotate both; some models leave layers out.
    rotated: BTreeSet<u32>,
}

/// Where a model's keys and queries are found behind RoPE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BehindRope {
    pub(crate) keys: Node,
    pub(crate) queries: Node,
}

/// What one pass shows of its lower layers.
struct Probe {
    layers: u32,
    /// How many values each readable tensor before RoPE has, by layer and name, and how many tensors there are.
    plain: BTreeMap<(u32, String), (usize, usize)>,
    /// What RoPE rotates, by layer and side, with the name of the outcome.
    rotated: BTreeMap<(u32, &'static str), Rotation>,
}

struct Rotation {
    from: String,
    to: String,
}

/// How llama.cpp's names of keys begin.
const KEYS: &str = "Kcur";
/// How llama.cpp's names of queries begin.
const QUERIES: &str = "Qcur";

impl Nodes {
    /// Looks at the lower `layers` layers of a model.
    ///
    /// # Errors
    /// [`EngineError::NoAttention`] if they do not show keys and queries of the model's shape before RoPE.
    pub(crate) fn of(context: &mut AttentionContext<'_>, model: &Model, layers: u32) -> Result<Self, EngineError> {
        let mut ids = vec![opening(&model.llama)];
        ids.extend(tokenize(&model.llama, "Who is there?").iter().map(|token| token.id));
        let mut probe = Probe {
            layers,
            plain: BTreeMap::new(),
            rotated: BTreeMap::new(),
        };
        context.pass(&ids, &mut probe)?;
        let geometry = &model.geometry;
        let values = |heads: u32| ids.len() * heads as usize * geometry.head_width;
        let keys = probe.node(KEYS, geometry.rotates(), values(geometry.key_heads))?;
        let queries = probe.node(QUERIES, geometry.rotates(), values(geometry.heads))?;
        let rotated = probe.rotated_layers(KEYS);
        if rotated != probe.rotated_layers(QUERIES) {
            return Err(unknown("its keys and queries are not rotated in the same layers"));
        }
        let behind_rope = probe.behind_rope(KEYS).zip(probe.behind_rope(QUERIES));
        Ok(Self {
            keys,
            queries,
            behind_rope: behind_rope.map(|(keys, queries)| BehindRope { keys, queries }),
            rotated,
        })
    }

    /// Whether a layer rotates its keys and queries.
    pub(crate) fn rotates(&self, layer: u32) -> bool {
        self.rotated.contains(&layer)
    }
}

impl Probe {
    fn node(&self, side: &'static str, rotates: bool, values: usize) -> Result<Node, EngineError> {
        let name = match self.rotated.iter().find(|((_, found), _)| *found == side) {
            Some((_, rotation)) => rotation.from.clone(),
            None if rotates => return Err(unknown(&format!("no layer names a rotated {side}"))),
            None => side.to_owned(),
        };
        for layer in 0..self.layers {
            let found = self.plain.get(&(layer, name.clone())).map(|(values, _)| *values);
            let other = self
                .rotated
                .get(&(layer, side))
                .is_some_and(|rotation| rotation.from != name);
            if found != Some(values) || other {
                return Err(unknown(&format!(
                    "layer {layer} does not rotate a {name} of {values} values"
                )));
            }
        }
        let several = self
            .plain
            .iter()
            .any(|((_, found), (_, tensors))| *found == name && *tensors > 1);
        let renamed = self
            .rotated
            .iter()
            .all(|((_, found), rotation)| *found != side || rotation.to != name);
        Ok(Node {
            name,
            repeated: several || !renamed,
        })
    }

    /// The name of what RoPE makes of a side, where all layers name it alike.
    fn behind_rope(&self, side: &str) -> Option<Node> {
        let mut names = self
            .rotated
            .iter()
            .filter(|((_, found), _)| *found == side)
            .map(|(_, rotation)| &rotation.to);
        let name = names.next()?;
        names.all(|other| other == name).then(|| Node {
            name: name.clone(),
            repeated: false,
        })
    }

    fn rotated_layers(&self, side: &str) -> BTreeSet<u32> {
        let of_side = self.rotated.keys().filter(|(_, found)| *found == side);
        of_side.map(|(layer, _)| *layer).collect()
    }
}

impl Observer for Probe {
    fn wants(&self, name: &str) -> bool {
        named(name).is_some_and(|(_, layer)| layer < self.layers)
    }

    fn observe(&mut self, name: &str, tensor: &TensorView<'_>) -> Flow {
        let Some((name, layer)) = named(name) else {
            return Flow::Continue;
        };
        let side = [KEYS, QUERIES].into_iter().find(|side| name.starts_with(side));
        if let Some(source) = tensor.rotated_from() {
            if let Some(side) = side {
                let rotation = Rotation {
                    from: node_of(&source).to_owned(),
                    to: name.to_owned(),
                };
                self.rotated.entry((layer, side)).or_insert(rotation);
            }
        } else if side.is_none_or(|side| !self.rotated.contains_key(&(layer, side)))
            && let Some(values) = tensor.read_all()
        {
            let entry = self.plain.entry((layer, name.to_owned())).or_insert((0, 0));
            *entry = (values.len(), entry.1 + 1);
        }
        if name == SOFTMAX && layer + 1 == self.layers {
            Flow::Stop
        } else {
            Flow::Continue
        }
    }
}

/// The node's name in a tensor's name such as `Kcur_normed-3 (reshaped)`.
fn node_of(tensor: &str) -> &str {
    let plain = tensor.split(' ').next().unwrap_or_default();
    named(plain).map_or(plain, |(name, _)| name)
}

fn unknown(reason: &str) -> EngineError {
    EngineError::NoAttention(format!(
        "llama.cpp does not show this architecture's keys and queries before RoPE, which attention search needs: {reason}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reshaped_tensor_belongs_to_the_node_that_it_is_made_of() {
        assert_eq!(node_of("Kcur_normed-13 (reshaped)"), "Kcur_normed");
        assert_eq!(node_of("Kcur-0"), "Kcur");
        assert_eq!(node_of("node_12"), "node_12");
    }
}
