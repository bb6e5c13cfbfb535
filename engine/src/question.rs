//! Turning a question into queries for attention search, on a context of its own so that it never
//! waits behind a reading. It must not know which candidates exist.

use std::collections::BTreeMap;

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use crate::EngineError;
use crate::calibration::Calibration;
use crate::embedder::end_of;
use crate::ffi::attention::{AttentionContext, AttentionOptions};
use crate::halt::Halt;
use crate::keys::{HeadQueries, QueryBlock};
use crate::model::Model;
use crate::nodes::Nodes;
use crate::reader::{Sight, slots};
use crate::salience::LayerVectors;
use crate::tokens::{opening, tokenize};

/// A question, ready to be searched with.
#[derive(Debug, Clone)]
pub struct Question {
    /// The embedder's vector of the question, of unit length.
    pub vector: Vec<f32>,
    /// The reader's queries, for [`crate::Engine::attention_scores`].
    pub queries: QueryBlock,
}

/// The part of the reader that reads questions.
pub(crate) struct Questioner<'model> {
    model: &'model Model,
    context: AttentionContext<'model>,
    calibration: Calibration,
    nodes: Nodes,
    beginning: Beginning,
}

/// What every question begins with. It is read once and stays in the context.
#[derive(Default)]
struct Beginning {
    ids: Vec<LlamaToken>,
    /// The queries of these tokens, per layer.
    queries: BTreeMap<u32, Vec<f32>>,
}

/// Tokens of the longest question; of a longer one the end is kept, which is where the question is.
const WINDOW: usize = 512;
/// The constant position that queries are rotated to while keys stay at 0; 20 to 80 are alike.
const POSITION: f32 = 40.0;
/// What stands in front of a question and behind it.
const HEAD: &str = "Question:";
const TAIL: &str = "\nAnswer:";
/// What stands for a question without content, whose attention is subtracted.
pub(crate) const CONTENT_FREE: &str = "N/A";

impl<'model> Questioner<'model> {
    pub(crate) fn new(
        model: &'model Model,
        calibration: Calibration,
        threads: usize,
        sight: Sight,
    ) -> Result<Self, EngineError> {
        let tokens = u32::try_from(WINDOW).unwrap_or(u32::MAX);
        let options = AttentionOptions {
            tokens,
            threads,
            flash_attention: sight.flash_attention(),
        };
        let mut context = AttentionContext::new(&model.llama, options)?;
        let nodes = Nodes::of(&mut context, model, calibration.key_layers())?;
        let mut questioner = Self {
            model,
            context,
            calibration,
            nodes,
            beginning: Beginning::default(),
        };
        questioner.begin()?;
        Ok(questioner)
    }

    /// Ends in the middle of a pass once `halt` is raised.
    pub(crate) fn heed(&mut self, halt: Halt) {
        self.context.heed(halt);
    }

    /// The queries of every token of `Question: {text}\nAnswer:` but BOS.
    pub(crate) fn queries(&mut self, text: &str) -> Result<QueryBlock, EngineError> {
        let model = &self.model.llama;
        let mut ids = vec![opening(model)];
        ids.extend(asking(model, text, WINDOW - 1));
        let captured = self.captured(&ids)?;
        Ok(self.block(&captured, ids.len()))
    }

    /// The queries of all tokens, before RoPE. Those of the beginning are known.
    fn captured(&mut self, ids: &[LlamaToken]) -> Result<LayerVectors, EngineError> {
        let known = self.beginning.ids.len();
        match ids.strip_prefix(self.beginning.ids.as_slice()) {
            Some(rest) if !rest.is_empty() => {
                let mut captured = self.read_behind(known, rest)?;
                for (layer, queries) in &self.beginning.queries {
                    captured.put_before(*layer, queries);
                }
                Ok(captured)
            }
            // A question whose first characters and the colon are one token.
            _ => {
                let captured = self.read_behind(0, ids)?;
                self.begin()?;
                Ok(captured)
            }
        }
    }

    /// Reads what every question begins with, if the model's memory can keep it.
    fn begin(&mut self) -> Result<(), EngineError> {
        let model = &self.model.llama;
        let mut ids = vec![opening(model)];
        ids.extend(tokenize(model, HEAD).iter().map(|token| token.id));
        let queries = self.read_behind(0, &ids)?.by_layer;
        self.beginning = if self.context.forget_behind(ids.len()) {
            Beginning { ids, queries }
        } else {
            Beginning::default()
        };
        Ok(())
    }

    fn read_behind(&mut self, kept: usize, ids: &[LlamaToken]) -> Result<LayerVectors, EngineError> {
        let mut observer = LayerVectors::new(&self.nodes.queries, self.calibration.search_layers());
        self.context.pass_behind(kept, ids, &mut observer)?;
        if !observer.complete() {
            return Err(EngineError::NoAttention("no queries were seen in some layer".into()));
        }
        Ok(observer)
    }

    fn block(&self, captured: &LayerVectors, tokens: usize) -> QueryBlock {
        let geometry = &self.model.geometry;
        let (width, heads) = (geometry.head_width, geometry.heads as usize);
        #[expect(clippy::cast_precision_loss, reason = "a head's width is small")]
        let scale = 1.0 / (width as f32).sqrt();
        let slots = slots(&self.calibration, geometry);
        let heads = self
            .calibration
            .search_heads
            .iter()
            .filter_map(|head| {
                let values = captured.by_layer.get(&head.0)?;
                let slot = slots
                    .iter()
                    .position(|slot| *slot == (head.0, geometry.key_head(head.1)))?;
                let mut queries = Vec::with_capacity((tokens - 1) * width);
                for token in 1..tokens {
                    let at = (token * heads + head.1 as usize) * width;
                    let mut query = values.get(at..at + width)?.to_vec();
                    if self.nodes.rotates(head.0) {
                        geometry.rotate(head.0, POSITION, &mut query);
                    }
                    queries.extend(query.iter().map(|value| value * scale));
                }
                Some(HeadQueries { slot, values: queries })
            })
            .collect();
        QueryBlock {
            width,
            slots: slots.len(),
            tokens: tokens - 1,
            heads,
        }
    }
}

/// The tokens of `Question: {text}\nAnswer:`, at most `most` of them; of a longer text the end is
/// kept, which is where the question is.
pub(crate) fn asking(model: &LlamaModel, text: &str, most: usize) -> Vec<LlamaToken> {
    let text = end_of(text);
    let (head, body, tail) = (tokenize(model, HEAD), tokenize(model, text), tokenize(model, TAIL));
    let room = most.saturating_sub(head.len() + tail.len());
    let tokens = if body.len() > room {
        [head, body[body.len() - room..].to_vec(), tail].concat()
    } else {
        // Tokenised as one text, so that the space before the question belongs to its first word.
        tokenize(model, &format!("{HEAD} {text}{TAIL}"))
    };
    tokens.iter().take(most).map(|token| token.id).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;
    use crate::ReaderConfig;
    use crate::truth::models;
    use crate::working_copy::load_reader;

    /// `::` is a token of its own, so that this question begins with other tokens than all others.
    const MERGED: &str = ":: what does that mean?";

    #[test]
    fn a_question_has_the_queries_that_it_would_have_if_it_were_read_from_its_first_token() {
        let config = ReaderConfig {
            model: models().join("gemma-3-270m-q4_k_m.gguf"),
            ..ReaderConfig::default()
        };
        let loaded = load_reader(&config).unwrap();
        let mut questioner = Questioner::new(&loaded.model, loaded.calibration.clone(), 1, loaded.sight).unwrap();
        assert_eq!(questioner.beginning.ids.len(), 3);
        let llama = &loaded.model.llama;
        for text in ["Where did I leave my bicycle in May?", MERGED, "x", "Who is Anna?"] {
            let found = questioner.queries(text).unwrap();
            let mut ids = vec![opening(llama)];
            ids.extend(asking(llama, text, WINDOW - 1));
            let whole = questioner.read_behind(0, &ids).unwrap();
            let whole = questioner.block(&whole, ids.len());
            questioner.begin().unwrap();
            assert_eq!((found.tokens, found.heads.len()), (ids.len() - 1, whole.heads.len()));
            for (found, whole) in found.heads.iter().zip(&whole.heads) {
                assert_eq!(found.values.len(), whole.values.len());
                let apart = found
                    .values
                    .iter()
                    .zip(&whole.values)
                    .map(|(one, other)| (one - other).abs());
                assert!(apart.fold(0.0, f32::max) < 1e-3, "{text}");
            }
        }
    }
}
