//! Readers of other architectures than Gemma's, built small with random weights: what is captured
//! of them is what they attend with, and a survey shows every head.
//!
//! The embedder is the real one; the tests fail, saying so, where it is missing.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::path::{Path, PathBuf};

use crate::calibration::Calibration;
use crate::ffi::attention::{AttentionContext, AttentionOptions, FlashAttention, Flow, Observer, TensorView};
use crate::ffi::gguf::GgufWriter;
use crate::model::{Model, Role};
use crate::nodes::Nodes;
use crate::reader::{ReadJob, Reader, Sight};
use crate::salience::LayerVectors;
use crate::tokens::{opening, tokenize};
use crate::truth::models;
use crate::{Engine, EngineConfig, EngineError, ReadRequest, ReaderConfig, Survey, TurnText};

/// How a small model's attention is made.
#[derive(Debug, Clone, Copy)]
struct Kind {
    architecture: &'static str,
    projection: Projection,
    norms: Norms,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Projection {
    Plain,
    Biased,
    /// Queries, keys and values come out of one matrix.
    Fused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Norms {
    None,
    /// Of each head's queries and keys.
    Heads,
}

const LLAMA: Kind = kind("llama", Projection::Plain, Norms::None);
const BIASED: Kind = kind("qwen2", Projection::Biased, Norms::None);
const FUSED: Kind = kind("qwen2", Projection::Fused, Norms::None);
const QWEN3: Kind = kind("qwen3", Projection::Plain, Norms::Heads);

const LAYERS: u32 = 4;
const HEADS: usize = 4;
const KEY_HEADS: usize = 2;
const HEAD_WIDTH: usize = 8;
const WIDTH: usize = HEADS * HEAD_WIDTH;
const INNER: usize = 64;

const fn kind(architecture: &'static str, projection: Projection, norms: Norms) -> Kind {
    Kind {
        architecture,
        projection,
        norms,
    }
}

/// Random numbers that are the same in every run.
struct Weights(u64);

impl Weights {
    fn values(&mut self, count: usize, size: f32) -> Vec<f32> {
        (0..count)
            .map(|_| {
                self.0 = self
                    .0
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let unit = (self.0 >> 40) as f32 / (1_u64 << 24) as f32;
                (2.0 * unit - 1.0) * size
            })
            .collect()
    }
}

fn build(kind: Kind, path: &Path) {
    let mut writer = GgufWriter::new(3 + 16 * LAYERS as usize).unwrap();
    let of = |key: &str| format!("{}.{key}", kind.architecture);
    writer.text("general.architecture", kind.architecture).unwrap();
    for (key, value) in [
        ("context_length", 2048),
        ("embedding_length", WIDTH),
        ("block_count", LAYERS as usize),
        ("feed_forward_length", INNER),
        ("attention.head_count", HEADS),
        ("attention.head_count_kv", KEY_HEADS),
        ("attention.key_length", HEAD_WIDTH),
        ("attention.value_length", HEAD_WIDTH),
        ("rope.dimension_count", HEAD_WIDTH),
    ] {
        writer.unsigned(&of(key), u32::try_from(value).unwrap()).unwrap();
    }
    writer.float(&of("attention.layer_norm_rms_epsilon"), 1e-6).unwrap();
    writer.float(&of("rope.freq_base"), 10_000.0).unwrap();
    let tokens = vocabulary(&mut writer);
    let mut weights = Weights(7);
    let mut add = |name: &str, shape: &[usize], size: f32| {
        let values = weights.values(shape.iter().product(), size);
        writer.tensor(name, shape, values).unwrap();
    };
    add("token_embd.weight", &[tokens, WIDTH], 1.0);
    for layer in 0..LAYERS {
        let name = |tensor: &str| format!("blk.{layer}.{tensor}");
        let (queries, keys) = (HEADS * HEAD_WIDTH, KEY_HEADS * HEAD_WIDTH);
        if kind.projection == Projection::Fused {
            add(&name("attn_qkv.weight"), &[queries + 2 * keys, WIDTH], 0.4);
            add(&name("attn_qkv.bias"), &[queries + 2 * keys], 0.4);
        } else {
            for (tensor, rows) in [("attn_q", queries), ("attn_k", keys), ("attn_v", keys)] {
                add(&name(&format!("{tensor}.weight")), &[rows, WIDTH], 0.4);
                if kind.projection == Projection::Biased {
                    add(&name(&format!("{tensor}.bias")), &[rows], 0.4);
                }
            }
        }
        add(&name("attn_output.weight"), &[WIDTH, queries], 0.4);
        add(&name("ffn_gate.weight"), &[INNER, WIDTH], 0.4);
        add(&name("ffn_up.weight"), &[INNER, WIDTH], 0.4);
        add(&name("ffn_down.weight"), &[WIDTH, INNER], 0.4);
    }
    ones(kind, &mut writer);
    writer.write(path).unwrap();
}

/// The weights of all norms.
fn ones(kind: Kind, writer: &mut GgufWriter) {
    writer.tensor("output_norm.weight", &[WIDTH], vec![1.0; WIDTH]).unwrap();
    for layer in 0..LAYERS {
        let mut add = |tensor: &str, width: usize| {
            let name = format!("blk.{layer}.{tensor}.weight");
            writer.tensor(&name, &[width], vec![1.0; width]).unwrap();
        };
        add("attn_norm", WIDTH);
        add("ffn_norm", WIDTH);
        if kind.norms == Norms::Heads {
            add("attn_q_norm", HEAD_WIDTH);
            add("attn_k_norm", HEAD_WIDTH);
        }
    }
}

/// Three special tokens, every byte, and the space; gives their number.
fn vocabulary(writer: &mut GgufWriter) -> usize {
    let (normal, unknown, control, byte_kind) = (1, 2, 3, 6);
    let mut tokens = vec!["<unk>".to_owned(), "<s>".to_owned(), "</s>".to_owned()];
    let mut kinds = vec![unknown, control, control];
    for byte in 0..=u8::MAX {
        tokens.push(format!("<0x{byte:02X}>"));
        kinds.push(byte_kind);
    }
    tokens.push("▁".to_owned());
    kinds.push(normal);
    writer.text("tokenizer.ggml.model", "llama").unwrap();
    writer.texts("tokenizer.ggml.tokens", &tokens).unwrap();
    writer.integers("tokenizer.ggml.token_type", &kinds).unwrap();
    for (key, id) in [("bos", 1), ("eos", 2), ("unknown", 0)] {
        writer.unsigned(&format!("tokenizer.ggml.{key}_token_id"), id).unwrap();
    }
    writer.flag("tokenizer.ggml.add_space_prefix", false).unwrap();
    tokens.len()
}

struct Built {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

fn built(kind: Kind) -> Built {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("small.gguf");
    build(kind, &path);
    Built {
        _directory: directory,
        path,
    }
}

/// Keeps the last tensor of one name.
struct Last {
    name: &'static str,
    values: Vec<f32>,
}

impl Observer for Last {
    fn wants(&self, name: &str) -> bool {
        name == self.name
    }

    fn observe(&mut self, _: &str, tensor: &TensorView<'_>) -> Flow {
        self.values = tensor.read_all().unwrap_or_default();
        Flow::Continue
    }
}

fn options() -> AttentionOptions {
    AttentionOptions {
        tokens: 256,
        threads: 2,
        flash_attention: FlashAttention::Off,
    }
}

fn turns() -> Vec<TurnText> {
    ["My locker code is 4471.", "Let us meet at the old harbour for lunch."]
        .map(|text| TurnText {
            speaker: "Ann".into(),
            text: text.into(),
        })
        .to_vec()
}

#[test]
fn keys_and_queries_become_what_the_model_attends_with_when_they_are_rotated() {
    for kind in [LLAMA, BIASED, FUSED, QWEN3] {
        let built = built(kind);
        let model = Model::load(&built.path, Role::Reader).unwrap();
        let mut context = AttentionContext::new(&model.llama, options()).unwrap();
        let nodes = Nodes::of(&mut context, &model, LAYERS).unwrap();
        let mut ids = vec![opening(&model.llama)];
        ids.extend(tokenize(&model.llama, "Ann: Hello\n").iter().map(|token| token.id));
        for (node, name, heads) in [(&nodes.keys, "Kcur-2", KEY_HEADS), (&nodes.queries, "Qcur-2", HEADS)] {
            let mut captured = LayerVectors::new(node, vec![2]);
            context.pass(&ids, &mut captured).unwrap();
            let mut last = Last {
                name,
                values: Vec::new(),
            };
            context.pass(&ids, &mut last).unwrap();
            let mut rotated = captured.by_layer.remove(&2).unwrap();
            assert_eq!(rotated.len(), ids.len() * heads * HEAD_WIDTH, "{kind:?} {name}");
            for (index, vector) in rotated.chunks_exact_mut(HEAD_WIDTH).enumerate() {
                model.geometry.rotate(2, (index / heads) as f32, vector);
            }
            assert_eq!(rotated.len(), last.values.len());
            for (ours, theirs) in rotated.iter().zip(&last.values) {
                assert!((ours - theirs).abs() < 1e-3, "{kind:?} {name}: {ours} against {theirs}");
            }
        }
    }
}

#[test]
fn a_model_with_norms_of_its_keys_is_read_behind_them() {
    for (kind, name, repeated) in [(QWEN3, "Kcur_normed", false), (LLAMA, "Kcur", true)] {
        let built = built(kind);
        let model = Model::load(&built.path, Role::Reader).unwrap();
        let mut context = AttentionContext::new(&model.llama, options()).unwrap();
        let nodes = Nodes::of(&mut context, &model, LAYERS).unwrap();
        assert_eq!((nodes.keys.name.as_str(), nodes.keys.repeated), (name, repeated));
        assert!((0..LAYERS).all(|layer| nodes.rotates(layer)));
    }
}

#[tokio::test]
async fn a_survey_gives_finite_scores_for_every_head() {
    for kind in [LLAMA, BIASED, FUSED, QWEN3] {
        let built = built(kind);
        let mut config = EngineConfig::default();
        config.reader.model = built.path.clone();
        config.embedder.model = models().join("all-minilm-l6-v2-f32.gguf");
        let survey = Survey::start(&config, Some(3)).unwrap();
        assert_eq!(survey.heads().len(), 3 * HEADS);
        let mut surveyed = survey.read(turns()).await.unwrap();
        let question = survey.question("What is the code?").await.unwrap();
        let keys = surveyed.iter_mut().map(|turn| std::mem::take(&mut turn.keys)).collect();
        let scores = survey.scope(keys).scores(&question.queries);
        assert_eq!(scores.len(), survey.heads().len());
        for (head, scores) in scores.iter().enumerate() {
            assert!(scores.len() == 2 && scores.iter().all(|score| score.is_finite()));
            assert!(
                scores[0] != 0.0,
                "{kind:?}: head {head} does not tell the question from none"
            );
            for turn in &surveyed {
                let attention = turn.attention(head);
                assert!(attention.iter().all(|value| value.is_finite() && *value >= 0.0));
                assert!((attention.iter().sum::<f32>() - 1.0).abs() < 1e-4);
                let vector = &turn.main_point(&[head], 0.5)[0];
                assert!((vector.iter().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-4);
            }
        }
        let found = survey.calibration(&[0], &[5, 11]);
        assert_eq!((found.main_point_heads.len(), found.search_heads.len()), (1, 2));
    }
}

#[test]
fn more_layers_than_the_reader_has_are_refused() {
    let built = built(LLAMA);
    let mut config = EngineConfig::default();
    config.reader.model = built.path.clone();
    config.embedder.model = models().join("all-minilm-l6-v2-f32.gguf");
    let refused = Survey::start(&config, Some(LAYERS + 1)).err();
    assert!(matches!(refused, Some(EngineError::Setting { key: "layers", .. })));
}

#[test]
fn heads_together_are_read_as_the_reader_reads_them() {
    let built = built(QWEN3);
    let model = Model::load(&built.path, Role::Reader).unwrap();
    let every = Calibration::of_every_head(2, "unknown", &model.geometry);
    // Tokens are single letters and words stay whole, so that only a small share leaves words out.
    let config = ReaderConfig {
        keep: 0.05,
        ..ReaderConfig::default()
    };
    let mut reader = Reader::new(&model, every, &config, Sight::Softmax).unwrap();
    let passages = turns()
        .iter()
        .map(|turn| std::iter::once(0..turn.text.len()).collect())
        .collect();
    let job = ReadJob {
        turns: turns(),
        passages,
    };
    let read = reader.read(&job).unwrap();
    let surveyed = reader.survey(&turns()).unwrap();
    for (read, surveyed) in read.iter().zip(&surveyed) {
        assert_eq!(surveyed.heads.len(), 2 * HEADS);
        let rows = surveyed.heads.iter().map(Vec::as_slice);
        let mean = crate::salience::mean_over_heads(rows, surveyed.tokens.len());
        let strongest = mean.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let relative: Vec<f32> = surveyed
            .tokens
            .iter()
            .zip(&mean)
            .filter(|(token, _)| token.start < token.end)
            .map(|(_, score)| score / strongest)
            .collect();
        let salience: Vec<f32> = read.salience.iter().map(|token| token.score).collect();
        assert_eq!(relative, salience);
        assert!(surveyed.keys.tokens() > read.passages[0].1.tokens());
    }
}

#[tokio::test]
async fn a_model_without_a_head_file_works_by_the_fallback() {
    let built = built(LLAMA);
    let mut config = EngineConfig::default();
    config.reader.model = built.path.clone();
    config.embedder.model = models().join("all-minilm-l6-v2-f32.gguf");
    config.reader.keep = 0.05;
    let engine = Engine::start(&config).unwrap();
    let request = ReadRequest {
        previous: None,
        turns: turns(),
    };
    let readings = engine.read(request).await.unwrap();
    let keys: Vec<_> = readings
        .iter()
        .map(|reading| reading.passages[0].keys.clone())
        .collect();
    let question = engine.question("What is the code?").await.unwrap();
    let scores = engine.attention_scores(&question.queries, &keys);
    assert!(scores.len() == 2 && scores.iter().all(|score| score.is_finite() && *score != 0.0));

    // The fallback marks main points with every head and keeps the keys of the last layer alone.
    let survey = Survey::start(&config, None).unwrap();
    let every: Vec<usize> = (0..survey.heads().len()).collect();
    for (surveyed, keys) in survey.read(turns()).await.unwrap().iter().zip(&keys) {
        assert_eq!(
            surveyed.main_point_keys(&every, config.reader.keep).tokens(),
            keys.tokens()
        );
        assert!(surveyed.keys.tokens() > keys.tokens());
    }
}
