//! EmbeddingGemma's release (safetensors, SentencePiece vocabulary) as a GGUF file in Q8_0, without the two dense
//! layers that follow its pooling.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::output::{Planned, write};
use super::sentence_piece::{self, Kind, Piece};
use super::weights::Weights;
use super::{fail, json, read};
use crate::EngineError;
use crate::ffi::gguf::{Form, GgufWriter};

/// The fields of `config.json` that the GGUF header needs.
#[derive(Debug, Deserialize)]
struct GemmaConfig {
    hidden_size: u32,
    num_hidden_layers: u32,
    num_attention_heads: u32,
    num_key_value_heads: u32,
    head_dim: u32,
    intermediate_size: u32,
    max_position_embeddings: u32,
    rms_norm_eps: f32,
    rope_theta: f32,
    rope_local_base_freq: f32,
    sliding_window: u32,
    #[serde(rename = "_sliding_window_pattern")]
    sliding_window_pattern: u32,
    vocab_size: u32,
    bos_token_id: u32,
    eos_token_id: u32,
    pad_token_id: u32,
}

/// The field of `tokenizer_config.json` that changes the vocabulary.
#[derive(Debug, Deserialize)]
struct TokenizerConfig {
    #[serde(default)]
    added_tokens_decoder: BTreeMap<u32, AddedToken>,
}

#[derive(Debug, Deserialize)]
struct AddedToken {
    content: String,
    special: bool,
}

const ARCHITECTURE: &str = "gemma-embedding";
/// Of so many layers llama.cpp takes the last for one that sees the whole text.
const PATTERN: u32 = 6;
/// The score that keeps a piece from being put together from others.
const NEVER_JOINED: f32 = -1000.0;
/// An HTML tag of the vocabulary that other vocabularies end a text with.
const LOOKS_LIKE_CONTROL: &str = "</s>";
/// GGUF's number for files that are mostly Q8_0, and for the present layout of quantised blocks.
const MOSTLY_Q8_0: u32 = 7;
const QUANTIZATION_VERSION: u32 = 2;
/// Mean pooling in llama.cpp's numbering.
const MEAN_POOLING: u32 = 1;

/// Writes `target` (a gemma-embedding GGUF in Q8_0, mean pooling) from a directory with `model.safetensors` in 32-bit numbers,
/// `config.json`, `tokenizer.model` and `tokenizer_config.json`. The file appears under its name only when it is complete. Few
/// megabytes of the numbers are in memory at once.
///
/// # Errors
/// [`EngineError::Convert`] naming the file that is missing or malformed.
pub fn embeddinggemma_to_gguf(source: &Path, target: &Path) -> Result<(), EngineError> {
    let config_path = source.join("config.json");
    let config: GemmaConfig = json(&config_path)?;
    if config.sliding_window_pattern != PATTERN {
        let found = config.sliding_window_pattern;
        return Err(fail(&config_path, &format!("_sliding_window_pattern is {found}, {PATTERN} is needed")));
    }
    let pieces = vocabulary(source, config.vocab_size)?;
    let mut weights = Weights::open(&source.join("model.safetensors"))?;
    let planned = tensors(&config, &weights);
    let mut writer = GgufWriter::new(planned.len())?;
    header(&mut writer, &config)?;
    tokenizer(&mut writer, &config, &pieces)?;
    write(writer, &planned, &mut weights, target)
}

fn header(writer: &mut GgufWriter, config: &GemmaConfig) -> Result<(), EngineError> {
    let key = |name: &str| format!("{ARCHITECTURE}.{name}");
    writer.text("general.architecture", ARCHITECTURE)?;
    writer.text("general.name", "embeddinggemma-300m")?;
    writer.text("general.license", "gemma")?;
    writer.unsigned("general.file_type", MOSTLY_Q8_0)?;
    writer.unsigned("general.quantization_version", QUANTIZATION_VERSION)?;
    writer.unsigned(&key("context_length"), config.max_position_embeddings)?;
    writer.unsigned(&key("embedding_length"), config.hidden_size)?;
    writer.unsigned(&key("block_count"), config.num_hidden_layers)?;
    writer.unsigned(&key("feed_forward_length"), config.intermediate_size)?;
    writer.unsigned(&key("attention.head_count"), config.num_attention_heads)?;
    writer.unsigned(&key("attention.head_count_kv"), config.num_key_value_heads)?;
    writer.unsigned(&key("attention.key_length"), config.head_dim)?;
    writer.unsigned(&key("attention.value_length"), config.head_dim)?;
    writer.float(&key("attention.layer_norm_rms_epsilon"), config.rms_norm_eps)?;
    writer.unsigned(&key("attention.sliding_window"), config.sliding_window)?;
    writer.flag(&key("attention.causal"), false)?;
    writer.float(&key("rope.freq_base"), config.rope_theta)?;
    writer.float(&key("rope.freq_base_swa"), config.rope_local_base_freq)?;
    writer.unsigned(&key("pooling_type"), MEAN_POOLING)
}

fn tokenizer(writer: &mut GgufWriter, config: &GemmaConfig, pieces: &[Piece]) -> Result<(), EngineError> {
    let texts: Vec<String> = pieces.iter().map(|piece| piece.text.clone()).collect();
    let scores: Vec<f32> = pieces.iter().map(|piece| piece.score).collect();
    let kinds: Vec<i32> = pieces.iter().map(|piece| piece.kind as i32).collect();
    writer.text("tokenizer.ggml.model", "llama")?;
    writer.text("tokenizer.ggml.pre", "default")?;
    writer.texts("tokenizer.ggml.tokens", &texts)?;
    writer.floats("tokenizer.ggml.scores", &scores)?;
    writer.integers("tokenizer.ggml.token_type", &kinds)?;
    writer.unsigned("tokenizer.ggml.bos_token_id", config.bos_token_id)?;
    writer.unsigned("tokenizer.ggml.eos_token_id", config.eos_token_id)?;
    if let Some(unknown) = (0..).zip(pieces).find(|(_, piece)| piece.text == "<unk>") {
        writer.unsigned("tokenizer.ggml.unknown_token_id", unknown.0)?;
    }
    writer.unsigned("tokenizer.ggml.padding_token_id", config.pad_token_id)?;
    writer.flag("tokenizer.ggml.add_bos_token", true)?;
    writer.flag("tokenizer.ggml.add_eos_token", true)?;
    writer.flag("tokenizer.ggml.add_space_prefix", false)
}

/// The pieces of the vocabulary with the tokens that were added to it; `size` of them.
fn vocabulary(source: &Path, size: u32) -> Result<Vec<Piece>, EngineError> {
    let path = source.join("tokenizer.model");
    let model = sentence_piece::read(&read(&path)?)
        .ok_or_else(|| fail(&path, &"it is not a complete SentencePiece vocabulary"))?;
    let size = usize::try_from(size).unwrap_or(0);
    let mut pieces = model.pieces;
    for piece in &mut pieces {
        // What the vocabulary calls so stands among the added tokens too, if it is one.
        if piece.kind == Kind::UserDefined {
            piece.kind = Kind::Normal;
        }
    }
    pieces.truncate(size);
    for index in pieces.len()..size {
        pieces.push(Piece { text: format!("[PAD{index}]"), score: NEVER_JOINED, kind: Kind::Unused });
    }
    let added: TokenizerConfig = json(&source.join("tokenizer_config.json"))?;
    for (index, token) in added.added_tokens_decoder {
        let place = usize::try_from(index).ok().and_then(|index| pieces.get_mut(index));
        if let Some(place) = place {
            *place = added_piece(token);
        }
    }
    // llama.cpp takes it for a control token in any case, and warns when a file says otherwise.
    if let Some(end) = pieces.iter_mut().find(|piece| piece.text == LOOKS_LIKE_CONTROL) {
        end.kind = Kind::Control;
    }
    Ok(pieces)
}

fn added_piece(token: AddedToken) -> Piece {
    let (text, kind) = if token.special {
        (token.content, Kind::Control)
    } else {
        (token.content.replace('▁', " "), Kind::UserDefined)
    };
    Piece { text, score: NEVER_JOINED, kind }
}

/// All tensors: norms in 32-bit numbers and one more than the release has them, as llama.cpp multiplies by them as they are.
fn tensors(config: &GemmaConfig, weights: &Weights) -> Vec<Planned> {
    let prefix = if weights.has("model.embed_tokens.weight") { "model." } else { "" };
    let matrix =
        |ours: String, theirs: &str| Planned { form: Form::Q8_0, ..Planned::plain(ours, format!("{prefix}{theirs}")) };
    let norm =
        |ours: String, theirs: &str| Planned { offset: 1.0, ..Planned::plain(ours, format!("{prefix}{theirs}")) };
    let mut planned = vec![
        matrix("token_embd.weight".into(), "embed_tokens.weight"),
        norm("output_norm.weight".into(), "norm.weight"),
    ];
    for layer in 0..config.num_hidden_layers {
        let both = |(ours, theirs): (&str, &str)| {
            (format!("blk.{layer}.{ours}.weight"), format!("layers.{layer}.{theirs}.weight"))
        };
        planned.extend(MATRICES.map(both).map(|(ours, theirs)| matrix(ours, &theirs)));
        planned.extend(NORMS.map(both).map(|(ours, theirs)| norm(ours, &theirs)));
    }
    planned
}

const MATRICES: [(&str, &str); 7] = [
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

const NORMS: [(&str, &str); 6] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("post_attention_norm", "post_attention_layernorm"),
    ("ffn_norm", "pre_feedforward_layernorm"),
    ("post_ffw_norm", "post_feedforward_layernorm"),
];
