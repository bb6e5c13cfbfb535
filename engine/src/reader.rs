//! The attention reader: a pass over each turn gives its main points and keys.
//!
//! It owns the attention context and lives on one thread. It must not know about embedding, nor what turns have to do with each
//! other: each is read by itself.

use std::ops::Range;

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use crate::calibration::Calibration;
use crate::ffi::attention::{AttentionContext, AttentionOptions, FlashAttention};
use crate::halt::Halt;
use crate::model::{Geometry, Model};
use crate::nodes::{BehindRope, Nodes};
use crate::reading::{Span, TokenSalience, TurnText};
use crate::rows::Rows;
use crate::salience::{LayerVectors, ReadingObserver, TurnAttention, VectorObserver, mean_over_heads, normalised};
use crate::spans::{ScoredToken, main_point};
use crate::tokens::{TextToken, opening, tokenize};
use crate::window::passes;
use crate::{EngineError, KeyBlock, ReaderConfig};

/// Turns to read, with the passages that they are cut into.
#[derive(Debug, Clone)]
pub(crate) struct ReadJob {
    pub(crate) turns: Vec<TurnText>,
    /// Byte ranges of each turn's text.
    pub(crate) passages: Vec<Vec<Range<usize>>>,
}

/// What the reader found in one turn.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadTurn {
    pub(crate) tokens: usize,
    pub(crate) salience: Vec<TokenSalience>,
    /// Main point and keys of each passage.
    pub(crate) passages: Vec<(Vec<Span>, KeyBlock)>,
}

/// What every head shows of one turn.
#[derive(Debug, Clone)]
pub(crate) struct HeadReading {
    /// Without a score.
    pub(crate) tokens: Vec<ScoredToken>,
    /// Per main-point head of the calibration: its attention on each token, normalised.
    pub(crate) heads: Vec<Vec<f32>>,
    /// The keys of every content token.
    pub(crate) keys: KeyBlock,
}

/// How a reader sees attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// By the softmax that llama.cpp computes, which flash attention must be off for. Right for every architecture.
    Softmax,
    /// By queries and keys, of which only the rows wanted are computed, with flash attention in the pass. Right for
    /// models whose attention is a plain softmax of rotated queries and keys.
    Vectors,
}

/// The attention reader.
pub(crate) struct Reader<'model> {
    sight: Sight,
    threads: usize,
    model: &'model LlamaModel,
    geometry: &'model Geometry,
    context: AttentionContext<'model>,
    calibration: Calibration,
    nodes: Nodes,
    /// Most tokens of a turn in one pass, without BOS.
    window: usize,
    keep: f32,
}

/// A turn as the model sees it.
struct Rendered {
    tokens: Vec<TextToken>,
    /// Bytes in front of the turn's own text.
    prefix: usize,
    /// Bytes of the turn's own text.
    length: usize,
}

/// What was collected for one turn over all its passes.
struct Collected {
    /// Per main-point head: its attention on each token, normalised.
    heads: Vec<Vec<f32>>,
    content: Vec<bool>,
    keys: Vec<Vec<f32>>,
}

impl<'model> Reader<'model> {
    /// Sets the context up and checks on a short text that it hands out proper attention.
    pub(crate) fn new(
        model: &'model Model,
        calibration: Calibration,
        config: &ReaderConfig,
        sight: Sight,
    ) -> Result<Self, EngineError> {
        let window = u32::try_from(config.window_tokens).unwrap_or(u32::MAX);
        let options = AttentionOptions {
            tokens: window,
            threads: config.threads,
            flash_attention: sight.flash_attention(),
        };
        let mut context = AttentionContext::new(&model.llama, options)?;
        let nodes = Nodes::of(&mut context, model, calibration.key_layers())?;
        let mut reader = Self {
            sight,
            threads: config.threads,
            model: &model.llama,
            geometry: &model.geometry,
            context,
            calibration,
            nodes,
            window: config.window_tokens - 1,
            keep: config.keep,
        };
        reader.self_check()?;
        Ok(reader)
    }

    /// Ends in the middle of a pass once `halt` is raised.
    pub(crate) fn heed(&mut self, halt: Halt) {
        self.context.heed(halt);
    }

    /// Reads the turns of a job, each by itself.
    pub(crate) fn read(&mut self, job: &ReadJob) -> Result<Vec<ReadTurn>, EngineError> {
        let turns = job.turns.iter().zip(&job.passages);
        let read = turns.map(|(turn, passages)| {
            let (rendered, collected) = self.collect(turn)?;
            Ok(self.finish(turn, &rendered, &collected, passages))
        });
        read.collect()
    }

    /// Reads turns and keeps every head apart.
    pub(crate) fn survey(&mut self, turns: &[TurnText]) -> Result<Vec<HeadReading>, EngineError> {
        let surveyed = turns.iter().map(|turn| {
            let (rendered, collected) = self.collect(turn)?;
            let unscored = vec![0.0; rendered.tokens.len()];
            let tokens = rendered.scored(&unscored, &collected.content);
            let whole = Span {
                start: 0,
                end: rendered.length,
                salience: 1.0,
            };
            Ok(HeadReading {
                keys: self.keys_of(&[whole], &tokens, &collected),
                tokens,
                heads: collected.heads,
            })
        });
        surveyed.collect()
    }

    fn collect(&mut self, turn: &TurnText) -> Result<(Rendered, Collected), EngineError> {
        let rendered = render(self.model, turn);
        let mut collected = Collected {
            heads: vec![Vec::new(); self.calibration.main_point_heads.len()],
            content: rendered.content_of(&turn.text),
            keys: Vec::new(),
        };
        for tokens in passes(rendered.tokens.len(), self.window) {
            self.pass(&rendered, tokens, &mut collected)?;
        }
        Ok((rendered, collected))
    }

    /// Computes one pass and appends what it shows.
    fn pass(
        &mut self,
        rendered: &Rendered,
        tokens: Range<usize>,
        collected: &mut Collected,
    ) -> Result<(), EngineError> {
        let mut ids = vec![opening(self.model)];
        ids.extend(rendered.tokens[tokens.clone()].iter().map(|token| token.id));
        let own = 1..ids.len();
        let (received, keys) = self.capture(&ids, std::slice::from_ref(&own))?;
        let content = &collected.content[tokens];
        for (head, received) in collected.heads.iter_mut().zip(&received) {
            head.extend(normalised(received, own.clone(), content));
        }
        collected.keys.extend(own.map(|token| self.key_vectors(&keys, token)));
        Ok(())
    }

    /// Per main-point head, the attention that each token of the one turn receives from later ones; for checks.
    pub(crate) fn attention(&mut self, ids: &[LlamaToken], turn: &Range<usize>) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(self.capture(ids, std::slice::from_ref(turn))?.0)
    }

    fn capture(
        &mut self,
        ids: &[LlamaToken],
        turns: &[Range<usize>],
    ) -> Result<(Vec<Vec<f32>>, LayerVectors), EngineError> {
        match (self.sight, self.nodes.behind_rope.clone()) {
            (Sight::Softmax, _) => self.capture_softmax(ids, turns),
            (Sight::Vectors, Some(nodes)) => self.capture_vectors(ids, turns, &nodes),
            (Sight::Vectors, None) => Err(EngineError::NoAttention(
                "the model does not rotate queries and keys".into(),
            )),
        }
    }

    fn capture_softmax(
        &mut self,
        ids: &[LlamaToken],
        turns: &[Range<usize>],
    ) -> Result<(Vec<Vec<f32>>, LayerVectors), EngineError> {
        let mut observer = ReadingObserver {
            attention: TurnAttention::new(ids.len(), turns, &self.calibration.main_point_heads, self.geometry),
            keys: LayerVectors::new(&self.nodes.keys, self.calibration.search_layers()),
        };
        self.context.pass(ids, &mut observer)?;
        if !observer.attention.complete() {
            return Err(EngineError::NoAttention("no softmax was seen in some layer".into()));
        }
        if !observer.keys.complete() {
            return Err(EngineError::NoAttention("no keys were seen in some layer".into()));
        }
        Ok((observer.attention.received, observer.keys))
    }

    fn capture_vectors(
        &mut self,
        ids: &[LlamaToken],
        turns: &[Range<usize>],
        nodes: &BehindRope,
    ) -> Result<(Vec<Vec<f32>>, LayerVectors), EngineError> {
        let layers = self.calibration.main_point_layers();
        let mut observer = VectorObserver {
            rotated_queries: LayerVectors::rotated(&nodes.queries, layers.clone()),
            rotated_keys: LayerVectors::rotated(&nodes.keys, layers),
            keys: LayerVectors::new(&self.nodes.keys, self.calibration.search_layers()),
        };
        self.context.pass(ids, &mut observer)?;
        let missing = || EngineError::NoAttention("no queries or keys were seen in some layer".into());
        if !observer.complete() {
            return Err(missing());
        }
        let rows = Rows {
            queries: &observer.rotated_queries,
            keys: &observer.rotated_keys,
            turns,
            geometry: self.geometry,
            threads: self.threads,
        };
        let received = rows.received(&self.calibration.main_point_heads, ids.len());
        Ok((received.ok_or_else(missing)?, observer.keys))
    }

    /// The key of one token for every slot: search layers ascending, then the key heads in use.
    fn key_vectors(&self, keys: &LayerVectors, token: usize) -> Vec<f32> {
        let (width, heads) = (self.geometry.head_width, self.geometry.key_heads as usize);
        let mut vectors = Vec::new();
        for (layer, head) in slots(&self.calibration, self.geometry) {
            let at = (token * heads + head as usize) * width;
            if let Some(values) = keys.by_layer.get(&layer).and_then(|values| values.get(at..at + width)) {
                vectors.extend_from_slice(values);
            }
        }
        vectors
    }

    fn finish(
        &self,
        turn: &TurnText,
        rendered: &Rendered,
        collected: &Collected,
        passages: &[Range<usize>],
    ) -> ReadTurn {
        let heads = collected.heads.iter().map(Vec::as_slice);
        let scores = mean_over_heads(heads, rendered.tokens.len());
        let tokens = rendered.scored(&scores, &collected.content);
        let strongest = scores.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let salience = tokens
            .iter()
            .filter(|token| token.start < token.end)
            .map(|token| TokenSalience {
                start: token.start,
                end: token.end,
                score: token.score / strongest,
            })
            .collect();
        let passages = passages
            .iter()
            .map(|passage| {
                let spans = main_point(&turn.text, passage.clone(), &tokens, self.keep);
                let keys = self.keys_of(&spans, &tokens, collected);
                (spans, keys)
            })
            .collect();
        ReadTurn {
            tokens: rendered.tokens.len(),
            salience,
            passages,
        }
    }

    fn keys_of(&self, spans: &[Span], tokens: &[ScoredToken], collected: &Collected) -> KeyBlock {
        let mut block = KeyBlock::new(slots(&self.calibration, self.geometry).len(), self.geometry.head_width);
        for (token, keys) in tokens.iter().zip(&collected.keys) {
            let kept = spans
                .iter()
                .any(|span| token.start < span.end && token.end > span.start);
            if token.content && kept {
                keys.chunks_exact(self.geometry.head_width)
                    .for_each(|key| block.push(key));
            }
        }
        block
    }

    /// Reads a short text and checks that its attention is attention.
    fn self_check(&mut self) -> Result<(), EngineError> {
        let turn = TurnText {
            speaker: "User".into(),
            text: "The locker code is 4471, remember it.".into(),
        };
        let rendered = render(self.model, &turn);
        let mut ids = vec![opening(self.model)];
        ids.extend(rendered.tokens.iter().map(|token| token.id));
        let own = 1..ids.len();
        let (received, _) = self.capture(&ids, std::slice::from_ref(&own))?;
        for (head, values) in self.calibration.main_point_heads.iter().zip(&received) {
            let sum: f32 = values.iter().sum();
            if !(sum.is_finite() && sum > 0.0) {
                return Err(EngineError::NoAttention(format!(
                    "head ({}, {}) pays no attention",
                    head.0, head.1
                )));
            }
        }
        Ok(())
    }
}

impl ReadTurn {
    /// Adds what was found in the part of the turn that begins at `start`.
    pub(crate) fn append(&mut self, part: Self, start: usize) {
        self.tokens += part.tokens;
        self.salience
            .extend(part.salience.into_iter().map(|token| TokenSalience {
                start: token.start + start,
                end: token.end + start,
                ..token
            }));
        let moved = |span: Span| Span {
            start: span.start + start,
            end: span.end + start,
            ..span
        };
        let passages = part.passages.into_iter();
        self.passages
            .extend(passages.map(|(spans, keys)| (spans.into_iter().map(moved).collect(), keys)));
    }
}

impl Sight {
    /// What llama.cpp must do for this way to see.
    pub(crate) fn flash_attention(self) -> FlashAttention {
        match self {
            Self::Softmax => FlashAttention::Off,
            Self::Vectors => FlashAttention::On,
        }
    }
}

impl Rendered {
    /// The bytes of the turn's own text that a token stands for; empty for the speaker and the end.
    fn own(&self, token: &TextToken) -> Range<usize> {
        let start = token.start.max(self.prefix) - self.prefix;
        let end = token.end.saturating_sub(self.prefix).min(self.length);
        if start < end { start..end } else { 0..0 }
    }

    fn scored(&self, scores: &[f32], content: &[bool]) -> Vec<ScoredToken> {
        self.tokens
            .iter()
            .zip(scores.iter().zip(content))
            .map(|(token, (score, content))| {
                let own = self.own(token);
                ScoredToken {
                    start: own.start,
                    end: own.end,
                    score: *score,
                    content: *content,
                }
            })
            .collect()
    }

    /// Which tokens have a letter or a digit of the turn's own text.
    fn content_of(&self, text: &str) -> Vec<bool> {
        self.tokens
            .iter()
            .map(|token| {
                let own = self.own(token);
                String::from_utf8_lossy(&text.as_bytes()[own])
                    .chars()
                    .any(|character| character.is_alphanumeric() || character == char::REPLACEMENT_CHARACTER)
            })
            .collect()
    }
}

/// The (layer, key head) pairs that the search heads attend to, in the order of a key block.
pub(crate) fn slots(calibration: &Calibration, geometry: &Geometry) -> Vec<(u32, u32)> {
    let mut slots: Vec<(u32, u32)> = calibration
        .search_heads
        .iter()
        .map(|head| (head.0, geometry.key_head(head.1)))
        .collect();
    slots.sort_unstable();
    slots.dedup();
    slots
}

fn render(model: &LlamaModel, turn: &TurnText) -> Rendered {
    let prefix = format!("{}: ", turn.speaker);
    let tokens = tokenize(model, &format!("{prefix}{}\n", turn.text));
    Rendered {
        tokens,
        prefix: prefix.len(),
        length: turn.text.len(),
    }
}
