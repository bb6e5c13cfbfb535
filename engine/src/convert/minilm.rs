//! The all-MiniLM-L6-v2 release (safetensors, WordPiece vocabulary) as a GGUF file, and the tensors of BERT.

use std::path::Path;

use serde::Deserialize;

use super::output::{Planned, write};
use super::weights::Weights;
use super::{fail, json, read};
use crate::EngineError;
use crate::ffi::gguf::GgufWriter;

/// The fields of `config.json` that the GGUF header needs.
#[derive(Debug, Deserialize)]
pub(super) struct BertConfig {
    hidden_size: u32,
    num_hidden_layers: u32,
    num_attention_heads: u32,
    intermediate_size: u32,
    max_position_embeddings: u32,
    layer_norm_eps: f32,
    type_vocab_size: u32,
}

const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;

/// Writes `target` (a bert GGUF in f32, mean pooling) from a directory with `model.safetensors`,
/// `vocab.txt` and `config.json`. The file appears under its name only when it is complete.
///
/// # Errors
/// [`EngineError::Convert`] naming the file that is missing or malformed.
pub fn minilm_to_gguf(source: &Path, target: &Path) -> Result<(), EngineError> {
    let config: BertConfig = json(&source.join("config.json"))?;
    let vocabulary_path = source.join("vocab.txt");
    let vocabulary = String::from_utf8(read(&vocabulary_path)?).map_err(|error| fail(&vocabulary_path, &error))?;
    let planned = tensors(&config);
    let mut writer = GgufWriter::new(planned.len())?;
    header(&mut writer, &config, "all-MiniLM-L6-v2", "apache-2.0")?;
    tokenizer(&mut writer, &vocabulary)?;
    write(writer, &planned, &mut Weights::open(&source.join("model.safetensors"))?, target)
}

/// The keys of a BERT with mean pooling, under its name and its licence.
pub(super) fn header(
    writer: &mut GgufWriter,
    config: &BertConfig,
    name: &str,
    licence: &str,
) -> Result<(), EngineError> {
    writer.text("general.architecture", "bert")?;
    writer.text("general.name", name)?;
    writer.text("general.license", licence)?;
    writer.unsigned("bert.context_length", config.max_position_embeddings)?;
    writer.unsigned("bert.embedding_length", config.hidden_size)?;
    writer.unsigned("bert.block_count", config.num_hidden_layers)?;
    writer.unsigned("bert.feed_forward_length", config.intermediate_size)?;
    writer.unsigned("bert.attention.head_count", config.num_attention_heads)?;
    writer.float("bert.attention.layer_norm_epsilon", config.layer_norm_eps)?;
    writer.flag("bert.attention.causal", false)?;
    // Mean pooling in llama.cpp's numbering.
    writer.unsigned("bert.pooling_type", 1)?;
    writer.unsigned("tokenizer.ggml.token_type_count", config.type_vocab_size)
}

/// WordPiece as llama.cpp wants it: words begin with "▁", continuations lose their "##".
fn tokenizer(writer: &mut GgufWriter, vocabulary: &str) -> Result<(), EngineError> {
    let mut tokens = Vec::new();
    let mut kinds = Vec::new();
    let mut special = std::collections::HashMap::new();
    for (index, token) in (0..).zip(vocabulary.lines()) {
        if token.starts_with('[') && token.ends_with(']') && token.len() > 2 {
            special.insert(token.to_owned(), index);
            tokens.push(token.to_owned());
            kinds.push(if token == "[UNK]" { UNKNOWN } else { CONTROL });
        } else {
            tokens.push(token.strip_prefix("##").map_or_else(|| format!("▁{token}"), str::to_owned));
            kinds.push(NORMAL);
        }
    }
    writer.text("tokenizer.ggml.model", "bert")?;
    writer.texts("tokenizer.ggml.tokens", &tokens)?;
    writer.integers("tokenizer.ggml.token_type", &kinds)?;
    for (key, token) in [
        ("tokenizer.ggml.bos_token_id", "[CLS]"),
        ("tokenizer.ggml.cls_token_id", "[CLS]"),
        ("tokenizer.ggml.eos_token_id", "[SEP]"),
        ("tokenizer.ggml.seperator_token_id", "[SEP]"),
        ("tokenizer.ggml.unknown_token_id", "[UNK]"),
        ("tokenizer.ggml.padding_token_id", "[PAD]"),
        ("tokenizer.ggml.mask_token_id", "[MASK]"),
    ] {
        if let Some(index) = special.get(token) {
            writer.unsigned(key, *index)?;
        }
    }
    Ok(())
}

/// All tensors of a BERT, in 32-bit numbers.
pub(super) fn tensors(config: &BertConfig) -> Vec<Planned> {
    let both = |ours: &str, theirs: &str| {
        ["weight", "bias"].map(|kind| Planned::plain(format!("{ours}.{kind}"), format!("{theirs}.{kind}")))
    };
    let embedding = |ours: &str, theirs: &str| Planned::plain(ours, format!("embeddings.{theirs}.weight"));
    let mut planned = vec![
        embedding("token_embd.weight", "word_embeddings"),
        embedding("position_embd.weight", "position_embeddings"),
        embedding("token_types.weight", "token_type_embeddings"),
    ];
    planned.extend(both("token_embd_norm", "embeddings.LayerNorm"));
    for layer in 0..config.num_hidden_layers {
        for (ours, theirs) in LAYER {
            planned.extend(both(&format!("blk.{layer}.{ours}"), &format!("encoder.layer.{layer}.{theirs}")));
        }
    }
    planned
}

const LAYER: [(&str, &str); 8] = [
    ("attn_q", "attention.self.query"),
    ("attn_k", "attention.self.key"),
    ("attn_v", "attention.self.value"),
    ("attn_output", "attention.output.dense"),
    ("attn_output_norm", "attention.output.LayerNorm"),
    ("ffn_up", "intermediate.dense"),
    ("ffn_down", "output.dense"),
    ("layer_output_norm", "output.LayerNorm"),
];
