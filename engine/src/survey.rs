//! A survey of a reader: what each of its lower heads sees alone, so that heads can be chosen.
//!
//! It reads, asks and embeds with the engine's own parts, over a calibration that lists every
//! head. It must not know labelled data nor how heads are chosen.

use std::ops::Range;

use crate::actor::Actor;
use crate::attention_search::{scores_over, token_attention};
use crate::calibration::lower_third;
use crate::embedder::EncodeItem;
use crate::engine::{Urgency, check, passages_of, question_item, start_embedder, start_questioner};
use crate::model::{Geometry, Model, Role, sha256_of_file};
use crate::reader::{HeadReading, Reader, Sight, slots};
use crate::reading::within;
use crate::salience::mean_over_heads;
use crate::spans::{ScoredToken, main_point};
use crate::working_copy::load_embedder;
use crate::{
    Calibration, Codebook, Encoding, EngineConfig, EngineError, Head, KeyBlock, QueryBlock, Question, ReaderConfig,
    Span, TurnText,
};

/// A reader whose lower heads can be looked at one by one.
pub struct Survey {
    /// Lists every head that is surveyed.
    every: Calibration,
    geometry: Geometry,
    reader: Actor<Vec<TurnText>, Vec<HeadReading>>,
    questioner: Actor<String, QueryBlock>,
    content_free: QueryBlock,
    embedder: Actor<Vec<EncodeItem>, Vec<Encoding>>,
    embedder_model: Model,
}

/// One turn as every head sees it. Heads are named by their position in [`Survey::heads`].
pub struct SurveyedTurn {
    /// The keys of its content tokens, for every head.
    pub keys: KeyBlock,
    text: String,
    tokens: Vec<ScoredToken>,
    heads: Vec<Vec<f32>>,
    passages: Vec<(Range<usize>, Encoding)>,
}

/// Candidates that questions attend to, head by head.
pub struct SearchScope {
    candidates: Vec<KeyBlock>,
    /// Per head: what the content-free question pays to each token.
    blank: Vec<Vec<f32>>,
}

impl Survey {
    /// Loads both models of `config` and opens the lower `layers` layers of the reader, or a third
    /// of them, rounded up. The configured calibration is not used. Blocks until all is ready.
    ///
    /// # Errors
    /// [`EngineError::Setting`] with the key `layers` if the model has fewer, and whatever a part
    /// needs and does not find.
    pub fn start(config: &EngineConfig, layers: Option<u32>) -> Result<Self, EngineError> {
        check(config)?;
        let model = Model::load(&config.reader.model, Role::Reader)?;
        let embedder_model = load_embedder(&config.embedder.model)?.model;
        let layers = layers.unwrap_or_else(|| lower_third(&model.geometry));
        if !(1..=model.geometry.layers).contains(&layers) {
            return Err(EngineError::Setting {
                key: "layers",
                value: layers.to_string(),
                allowed: "1 to as many as the reader has",
            });
        }
        let sha256 = sha256_of_file(&config.reader.model).map_err(|error| EngineError::ModelCorrupt {
            path: config.reader.model.clone(),
            reason: error.to_string(),
        })?;
        let every = Calibration::of_every_head(layers, &sha256, &model.geometry);
        let reader = start_reader(&model, &every, &config.reader)?;
        let (questioner, content_free) = start_questioner(&model, &every, config.reader.threads, Sight::Softmax)?;
        let embedder = start_embedder(&embedder_model, &config.embedder, Urgency::Bulk)?;
        Ok(Self {
            every,
            geometry: model.geometry.clone(),
            reader,
            questioner,
            content_free,
            embedder,
            embedder_model,
        })
    }

    /// Every head that is surveyed, layer by layer.
    #[must_use]
    pub fn heads(&self) -> &[Head] {
        &self.every.search_heads
    }

    /// The calibration that names these heads, given by their positions in [`Survey::heads`].
    #[must_use]
    pub fn calibration(&self, main_point: &[usize], search: &[usize]) -> Calibration {
        let named = |heads: &[usize]| -> Vec<Head> {
            let heads = heads.iter().filter_map(|head| self.heads().get(*head));
            heads.copied().collect()
        };
        Calibration {
            main_point_heads: named(main_point),
            search_heads: named(search),
            ..self.every.clone()
        }
    }

    /// A calibration that stores its search heads' keys in what was learned on these keys of every head; as it was if they
    /// are too few for that.
    #[must_use]
    pub fn with_codebook(&self, calibration: Calibration, keys: &[KeyBlock]) -> Calibration {
        let wanted = slots(&calibration, &self.geometry);
        let every = slots(&self.every, &self.geometry).into_iter().enumerate();
        let positions: Vec<usize> = every
            .filter(|(_, slot)| wanted.contains(slot))
            .map(|(position, _)| position)
            .collect();
        let keys: Vec<KeyBlock> = keys.iter().map(|block| block.of_slots(&positions)).collect();
        Calibration {
            key_codebook: Codebook::learn(&keys),
            ..calibration
        }
    }

    /// Reads turns that follow each other, from the first one on.
    ///
    /// # Errors
    /// A failed pass.
    pub async fn read(&self, turns: Vec<TurnText>) -> Result<Vec<SurveyedTurn>, EngineError> {
        let readings = self.reader.call_in_turn(turns.clone()).await?;
        let mut surveyed = Vec::with_capacity(turns.len());
        for (turn, reading) in turns.into_iter().zip(readings) {
            let passages = self.encode(&turn).await?;
            surveyed.push(SurveyedTurn {
                keys: reading.keys,
                text: turn.text,
                tokens: reading.tokens,
                heads: reading.heads,
                passages,
            });
        }
        Ok(surveyed)
    }

    /// Prepares a question for every head.
    ///
    /// # Errors
    /// A failed pass.
    pub async fn question(&self, text: &str) -> Result<Question, EngineError> {
        let item = question_item(&self.embedder_model, text);
        let encodings = self.embedder.call_in_turn(vec![item]).await?;
        Ok(Question {
            vector: encodings.first().map(|encoding| encoding.pool(&[])).unwrap_or_default(),
            queries: self.questioner.call_in_turn(text.to_owned()).await?,
        })
    }

    /// Candidates that compete for a question's attention.
    #[must_use]
    pub fn scope(&self, candidates: Vec<KeyBlock>) -> SearchScope {
        let blank = (0..self.heads().len())
            .map(|head| token_attention(&self.content_free.only(head), &candidates))
            .collect();
        SearchScope { candidates, blank }
    }

    /// The token vectors of a turn's passages, each behind its speaker's name as in a reading.
    async fn encode(&self, turn: &TurnText) -> Result<Vec<(Range<usize>, Encoding)>, EngineError> {
        let ranges = passages_of(&self.embedder_model, &turn.text);
        let items = ranges
            .iter()
            .map(|range| EncodeItem {
                text: turn.text[range.clone()].to_owned(),
                context: Some(format!("{}:", turn.speaker)),
            })
            .collect();
        let encodings = self.embedder.call_in_turn(items).await?;
        Ok(ranges.into_iter().zip(encodings).collect())
    }
}

impl SurveyedTurn {
    /// How much attention one head pays to each token of the turn, speaker included; sums to 1
    /// unless the turn has no content.
    #[must_use]
    pub fn attention(&self, head: usize) -> &[f32] {
        self.heads.get(head).map_or(&[], Vec::as_slice)
    }

    /// Per passage, the vector of the main point that these heads mark together when `keep` of the
    /// content tokens are kept.
    #[must_use]
    pub fn main_point(&self, heads: &[usize], keep: f32) -> Vec<Vec<f32>> {
        let tokens = self.scored(heads);
        let passages = self.passages.iter();
        passages
            .map(|(range, encoding)| {
                let spans = main_point(&self.text, range.clone(), &tokens, keep);
                encoding.pool(&within(&spans, range))
            })
            .collect()
    }

    /// Of the turn's keys, those of the main point's tokens, as a reading keeps them.
    #[must_use]
    pub fn main_point_keys(&self, heads: &[usize], keep: f32) -> KeyBlock {
        let tokens = self.scored(heads);
        let passages = self.passages.iter();
        let spans: Vec<Span> = passages
            .flat_map(|(range, _)| main_point(&self.text, range.clone(), &tokens, keep))
            .collect();
        let kept = |token: &ScoredToken| {
            spans
                .iter()
                .any(|span| token.start < span.end && token.end > span.start)
        };
        let content = tokens.iter().filter(|token| token.content).enumerate();
        self.keys
            .of_tokens(content.filter(|(_, token)| kept(token)).map(|(position, _)| position))
    }

    /// The turn's tokens as these heads score them together.
    fn scored(&self, heads: &[usize]) -> Vec<ScoredToken> {
        let rows = heads.iter().map(|head| self.attention(*head));
        let scores = mean_over_heads(rows, self.tokens.len());
        let tokens = self.tokens.iter().zip(scores);
        tokens.map(|(token, score)| ScoredToken { score, ..*token }).collect()
    }

    /// Per passage, the vector of all of it.
    #[must_use]
    pub fn whole(&self) -> Vec<Vec<f32>> {
        self.passages.iter().map(|(_, encoding)| encoding.pool(&[])).collect()
    }
}

impl SearchScope {
    /// Per head, how much more attention the question pays to each candidate than a content-free
    /// one does. The mean over some heads is what attention search with these heads gives.
    #[must_use]
    pub fn scores(&self, question: &QueryBlock) -> Vec<Vec<f32>> {
        self.blank
            .iter()
            .enumerate()
            .map(|(head, blank)| scores_over(&question.only(head), blank, &self.candidates))
            .collect()
    }
}

fn start_reader(
    model: &Model,
    every: &Calibration,
    config: &ReaderConfig,
) -> Result<Actor<Vec<TurnText>, Vec<HeadReading>>, EngineError> {
    let (model, every, config) = (model.clone(), every.clone(), config.clone());
    Actor::start("reader", config.queue, move |inbox| {
        let mut reader = Reader::new(&model, every, &config, Sight::Softmax)?;
        inbox.serve(|turns: Vec<TurnText>| reader.survey(&turns));
        Ok(())
    })
}
