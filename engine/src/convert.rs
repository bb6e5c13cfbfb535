//! Turning the all-MiniLM-L6-v2 release (safetensors, WordPiece vocabulary) into a GGUF file with
//! llama.cpp's own writer. It must not know where the release comes from.

use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::EngineError;
use crate::ffi::gguf::GgufWriter;

/// The fields of `config.json` that the GGUF header needs.
#[derive(Debug, Deserialize)]
struct BertConfig {
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
    let config_path = source.join("config.json");
    let config: BertConfig =
        serde_json::from_slice(&read(&config_path)?).map_err(|error| fail(&config_path, &error))?;
    let vocabulary_path = source.join("vocab.txt");
    let vocabulary = String::from_utf8(read(&vocabulary_path)?).map_err(|error| fail(&vocabulary_path, &error))?;
    let weights_path = source.join("model.safetensors");
    let bytes = read(&weights_path)?;
    let weights = SafeTensors::deserialize(&bytes).map_err(|error| fail(&weights_path, &error))?;

    let mut writer = GgufWriter::new(8 + 16 * config.num_hidden_layers as usize)?;
    header(&mut writer, &config)?;
    tokenizer(&mut writer, &vocabulary)?;
    for (ours, theirs) in names(config.num_hidden_layers) {
        let (shape, values) = tensor(&weights, &weights_path, &theirs)?;
        writer.tensor(&ours, &shape, values)?;
    }
    install(writer, target)
}

fn header(writer: &mut GgufWriter, config: &BertConfig) -> Result<(), EngineError> {
    writer.text("general.architecture", "bert")?;
    writer.text("general.name", "all-MiniLM-L6-v2")?;
    writer.text("general.license", "apache-2.0")?;
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
            tokens.push(
                token
                    .strip_prefix("##")
                    .map_or_else(|| format!("▁{token}"), str::to_owned),
            );
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

/// llama.cpp's tensor names beside those of the release.
fn names(layers: u32) -> Vec<(String, String)> {
    let both = |ours: &str, theirs: &str| {
        ["weight", "bias"].map(|kind| (format!("{ours}.{kind}"), format!("{theirs}.{kind}")))
    };
    let mut names = vec![
        (
            "token_embd.weight".to_owned(),
            "embeddings.word_embeddings.weight".to_owned(),
        ),
        (
            "position_embd.weight".to_owned(),
            "embeddings.position_embeddings.weight".to_owned(),
        ),
        (
            "token_types.weight".to_owned(),
            "embeddings.token_type_embeddings.weight".to_owned(),
        ),
    ];
    names.extend(both("token_embd_norm", "embeddings.LayerNorm"));
    for layer in 0..layers {
        for (ours, theirs) in [
            ("attn_q", "attention.self.query"),
            ("attn_k", "attention.self.key"),
            ("attn_v", "attention.self.value"),
            ("attn_output", "attention.output.dense"),
            ("attn_output_norm", "attention.output.LayerNorm"),
            ("ffn_up", "intermediate.dense"),
            ("ffn_down", "output.dense"),
            ("layer_output_norm", "output.LayerNorm"),
        ] {
            names.extend(both(
                &format!("blk.{layer}.{ours}"),
                &format!("encoder.layer.{layer}.{theirs}"),
            ));
        }
    }
    names
}

fn tensor(weights: &SafeTensors<'_>, path: &Path, name: &str) -> Result<(Vec<usize>, Vec<f32>), EngineError> {
    let view = weights.tensor(name).map_err(|error| fail(path, &error))?;
    if view.dtype() != Dtype::F32 {
        return Err(EngineError::Convert {
            path: path.to_owned(),
            reason: format!("tensor {name} is {:?}, F32 is needed", view.dtype()),
        });
    }
    let values = view
        .data()
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
        .collect();
    Ok((view.shape().to_vec(), values))
}

fn install(writer: GgufWriter, target: &Path) -> Result<(), EngineError> {
    let folder = target
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let temporary = readable_by_all()
        .tempfile_in(folder)
        .map_err(|error| fail(target, &error))?;
    writer.write(temporary.path())?;
    temporary.as_file().sync_all().map_err(|error| fail(target, &error))?;
    temporary.persist(target).map_err(|error| fail(target, &error.error))?;
    Ok(())
}

/// Temporary files are private by default; a model is not.
fn readable_by_all() -> tempfile::Builder<'static, 'static> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "permissions are a matter of Unix"))]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    builder
}

fn read(path: &Path) -> Result<Vec<u8>, EngineError> {
    std::fs::read(path).map_err(|error| fail(path, &error))
}

fn fail(path: &Path, error: &dyn std::error::Error) -> EngineError {
    EngineError::Convert {
        path: PathBuf::from(path),
        reason: error.to_string(),
    }
}
