//! Turning a question into queries for attention search, on a context of its own so that it never
//! waits behind a reading. It must not know which candidates exist.

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use crate::EngineError;
use crate::calibration::Calibration;
use crate::ffi::attention::{AttentionContext, AttentionOptions};
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
}

/// Tokens of the longest question; of a longer one the end is kept, which is where the question is.
const WINDOW: usize = 512;
/// The constant position that queries are rotated to while keys stay at 0; 20 to 80 are alike.
const POSITION: f32 = 40.0;
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
        Ok(Self {
            model,
            context,
            calibration,
            nodes,
        })
    }

    /// The queries of every token of `Question: {text}\nAnswer:` but BOS.
    pub(crate) fn queries(&mut self, text: &str) -> Result<QueryBlock, EngineError> {
        let model = &self.model.llama;
        let mut ids = vec![opening(model)];
        ids.extend(asking(model, text, WINDOW - 1)?);
        let mut observer = LayerVectors::new(&self.nodes.queries, self.calibration.search_layers());
        self.context.pass(&ids, &mut observer)?;
        if !observer.complete() {
            return Err(EngineError::NoAttention("no queries were seen in some layer".into()));
        }
        Ok(self.block(&observer, ids.len()))
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
pub(crate) fn asking(model: &LlamaModel, text: &str, most: usize) -> Result<Vec<LlamaToken>, EngineError> {
    let (head, body, tail) = (
        tokenize(model, "Question:")?,
        tokenize(model, text)?,
        tokenize(model, "\nAnswer:")?,
    );
    let room = most.saturating_sub(head.len() + tail.len());
    let tokens = if body.len() > room {
        [head, body[body.len() - room..].to_vec(), tail].concat()
    } else {
        // Tokenised as one text, so that the space before the question belongs to its first word.
        tokenize(model, &format!("Question: {text}\nAnswer:"))?
    };
    Ok(tokens.iter().take(most).map(|token| token.id).collect())
}
