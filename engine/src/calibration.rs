//! Which attention heads a model's main points and searches are read from.
//!
//! Head lists belong to one model file and are keyed by its SHA-256. It must not know how heads
//! are captured or scored.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::model::Geometry;
use crate::reader::slots;
use crate::{Codebook, EngineError};

/// One attention head: layer and head within the layer, both from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Head(pub u32, pub u32);

/// The heads of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The format's version; 1.
    pub version: u32,
    /// SHA-256 of the model file, 64 hex digits.
    pub model_sha256: String,
    /// Heads whose attention within a turn marks its main point.
    pub main_point_heads: Vec<Head>,
    /// Heads whose queries and keys serve attention search.
    pub search_heads: Vec<Head>,
    /// Heads whose attention within one prompt re-ranks candidates; where none is named, the search heads do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rerank_heads: Vec<Head>,
    /// What the keys of the search heads are stored in; without it they are stored in int8, in eight times as many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_codebook: Option<Codebook>,
}

const BUILT_IN: &[&str] = &[include_str!("../calibrations/gemma-3-270m-q4_k_m.json")];

impl Calibration {
    /// Finds the calibration of a model: the file if one is named, else the built-in one for
    /// `sha256`, else all heads of the lower third of the layers, with a warning.
    ///
    /// # Errors
    /// [`EngineError::Calibration`] if the file is unreadable, malformed, for another model, or
    /// names heads that the model does not have.
    pub(crate) fn resolve(file: Option<&Path>, sha256: &str, geometry: &Geometry) -> Result<Self, EngineError> {
        let found = match Self::named(file, sha256)? {
            Some(found) => found,
            None => Self::fallback(sha256, geometry),
        };
        found.check(geometry, Self::origin(file))?;
        Ok(found)
    }

    /// The calibration of the file if one is named, else the built-in one for `sha256`, if there is one. Unchecked.
    ///
    /// # Errors
    /// [`EngineError::Calibration`] if the file is unreadable, malformed or for another model.
    pub(crate) fn named(file: Option<&Path>, sha256: &str) -> Result<Option<Self>, EngineError> {
        match file {
            Some(path) => Self::from_file(path, sha256).map(Some),
            None => Self::built_in(sha256),
        }
    }

    /// What messages call the calibration that this file, or none, gives.
    pub(crate) fn origin(file: Option<&Path>) -> String {
        file.map_or("built-in".into(), |path| path.display().to_string())
    }

    /// The number of layers that a pass must compute.
    pub(crate) fn layers(&self) -> u32 {
        self.main_point_heads
            .iter()
            .chain(&self.search_heads)
            .map(|head| head.0 + 1)
            .max()
            .unwrap_or(0)
    }

    /// The number of lower layers among which keys are kept.
    pub(crate) fn key_layers(&self) -> u32 {
        self.search_layers().last().map_or(0, |layer| layer + 1)
    }

    /// All heads of the lower `layers` layers, for both purposes.
    pub(crate) fn of_every_head(layers: u32, sha256: &str, geometry: &Geometry) -> Self {
        let heads = heads_below(layers, geometry);
        Self {
            version: 1,
            model_sha256: sha256.to_owned(),
            main_point_heads: heads.clone(),
            search_heads: heads,
            rerank_heads: Vec::new(),
            key_codebook: None,
        }
    }

    /// The calibration as it is written to a file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let list = |heads: &[Head]| {
            let heads: Vec<String> = heads
                .iter()
                .map(|Head(layer, head)| format!("[{layer}, {head}]"))
                .collect();
            heads.join(", ")
        };
        let reranking = if self.rerank_heads.is_empty() {
            String::new()
        } else {
            format!(",\n  \"rerank_heads\": [{}]", list(&self.rerank_heads))
        };
        let codebook = self.key_codebook.as_ref();
        let codebook = codebook.map_or_else(String::new, |book| format!(",\n  \"key_codebook\": {}", book.to_json()));
        format!(
            "{{\n  \"version\": {},\n  \"model_sha256\": {:?},\n  \"main_point_heads\": [{}],\n  \"search_heads\": [{}]{reranking}{codebook}\n}}\n",
            self.version,
            self.model_sha256,
            list(&self.main_point_heads),
            list(&self.search_heads)
        )
    }

    /// The heads that re-rank candidates within one prompt.
    pub(crate) fn heads_within_a_prompt(&self) -> &[Head] {
        if self.rerank_heads.is_empty() {
            &self.search_heads
        } else {
            &self.rerank_heads
        }
    }

    /// The layers that keys are kept of, ascending.
    pub(crate) fn search_layers(&self) -> Vec<u32> {
        layers_of(&self.search_heads)
    }

    /// The layers whose attention marks main points, ascending.
    pub(crate) fn main_point_layers(&self) -> Vec<u32> {
        layers_of(&self.main_point_heads)
    }

    /// The calibration in a file. Its heads are not compared with what the model has.
    ///
    /// # Errors
    /// [`EngineError::Calibration`] if the file is unreadable, malformed or for another model than that of this SHA-256.
    pub fn from_file(path: &Path, sha256: &str) -> Result<Self, EngineError> {
        let fail = |reason: String| EngineError::Calibration {
            path: path.display().to_string(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        let found: Self = serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
        if found.model_sha256 != sha256 {
            return Err(fail(format!(
                "is for the model with sha256 {}, but the reader's is {sha256}",
                found.model_sha256
            )));
        }
        Ok(found)
    }

    /// The calibration that comes with mainpoint for the model of this SHA-256, if there is one.
    ///
    /// # Errors
    /// [`EngineError::Calibration`] if what is built in is malformed.
    pub fn built_in(sha256: &str) -> Result<Option<Self>, EngineError> {
        for text in BUILT_IN {
            let found: Self = serde_json::from_str(text).map_err(|error| EngineError::Calibration {
                path: "built-in".into(),
                reason: error.to_string(),
            })?;
            if found.model_sha256 == sha256 {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn fallback(sha256: &str, geometry: &Geometry) -> Self {
        let layers = lower_third(geometry);
        tracing::warn!(
            sha256,
            layers,
            "no calibration for this reader: all heads of its lower layers are used"
        );
        let last = layers.saturating_sub(1);
        let every = Self::of_every_head(layers, sha256, geometry);
        Self {
            search_heads: heads_below(layers, geometry)
                .into_iter()
                .filter(|head| head.0 == last)
                .collect(),
            ..every
        }
    }

    /// Checks that the model has every head.
    pub(crate) fn check(&self, geometry: &Geometry, path: String) -> Result<(), EngineError> {
        let fail = |reason: String| Err(EngineError::Calibration { path, reason });
        if self.version != 1 {
            return fail(format!("version {} is not known; 1 is", self.version));
        }
        if self.main_point_heads.is_empty() || self.search_heads.is_empty() {
            return fail("main_point_heads and search_heads need at least one head each".into());
        }
        let named = self.main_point_heads.iter().chain(&self.search_heads);
        for Head(layer, head) in named.chain(&self.rerank_heads) {
            if *layer >= geometry.layers || *head >= geometry.heads {
                return fail(format!(
                    "head ({layer}, {head}) does not exist: the model has {} layers of {} heads",
                    geometry.layers, geometry.heads
                ));
            }
        }
        let (keys, width) = (slots(self, geometry).len(), geometry.head_width);
        match &self.key_codebook {
            Some(book) if (book.slots(), book.width()) != (keys, width) => fail(format!(
                "key_codebook is for {} keys of {} numbers a token, but the search heads have {keys} of {width}",
                book.slots(),
                book.width()
            )),
            _ => Ok(()),
        }
    }
}

/// How many layers are read of a model that nothing is known about.
pub(crate) fn lower_third(geometry: &Geometry) -> u32 {
    geometry.layers.div_ceil(3)
}

fn heads_below(layers: u32, geometry: &Geometry) -> Vec<Head> {
    (0..layers)
        .flat_map(|layer| (0..geometry.heads).map(move |head| Head(layer, head)))
        .collect()
}

fn layers_of(heads: &[Head]) -> Vec<u32> {
    let layers: BTreeSet<u32> = heads.iter().map(|head| head.0).collect();
    layers.into_iter().collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use proptest::prelude::*;

    use super::*;

    fn heads() -> impl Strategy<Value = Vec<Head>> {
        proptest::collection::vec((0_u32..99, 0_u32..99).prop_map(|(layer, head)| Head(layer, head)), 1..9)
    }

    proptest! {
        #[test]
        fn a_written_file_gives_the_calibration_back(
            main_point_heads in heads(),
            search_heads in heads(),
            rerank_heads in heads(),
        ) {
            let calibration = Calibration {
                version: 1,
                model_sha256: "0a".repeat(32),
                main_point_heads,
                search_heads,
                rerank_heads,
                key_codebook: None,
            };
            let read: Calibration = serde_json::from_str(&calibration.to_json()).unwrap();
            prop_assert_eq!(read.heads_within_a_prompt(), &calibration.rerank_heads);
            prop_assert_eq!(read, calibration);
        }
    }

    #[test]
    fn what_is_built_in_is_written_as_calibrate_writes_it() {
        for text in BUILT_IN {
            let read: Calibration = serde_json::from_str(text).unwrap();
            assert_eq!(read.to_json(), *text);
            assert_eq!(read.heads_within_a_prompt(), read.search_heads);
        }
    }
}
