//! Tiny releases, converted and read back.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;
use tempfile::TempDir;

use super::sentence_piece::tests::written;
use super::sentence_piece::{Kind, Piece};
use super::*;
use crate::ffi::gguf::reading::GgufFile;

const HIDDEN: usize = 64;
const WORDS: usize = 8;

/// The shapes of a Gemma of one layer, with the names of the release.
fn gemma_shapes() -> BTreeMap<String, Vec<usize>> {
    let layer = [
        ("self_attn.q_proj", vec![HIDDEN, HIDDEN]),
        ("self_attn.k_proj", vec![32, HIDDEN]),
        ("self_attn.v_proj", vec![32, HIDDEN]),
        ("self_attn.o_proj", vec![HIDDEN, HIDDEN]),
        ("mlp.gate_proj", vec![96, HIDDEN]),
        ("mlp.up_proj", vec![96, HIDDEN]),
        ("mlp.down_proj", vec![HIDDEN, 96]),
        ("input_layernorm", vec![HIDDEN]),
        ("self_attn.q_norm", vec![32]),
        ("self_attn.k_norm", vec![32]),
        ("post_attention_layernorm", vec![HIDDEN]),
        ("pre_feedforward_layernorm", vec![HIDDEN]),
        ("post_feedforward_layernorm", vec![HIDDEN]),
    ];
    let layer = layer.map(|(name, shape)| (format!("layers.0.{name}.weight"), shape));
    let rest = [("embed_tokens.weight".to_owned(), vec![WORDS, HIDDEN]), ("norm.weight".to_owned(), vec![HIDDEN])];
    layer.into_iter().chain(rest).collect()
}

/// Numbers that differ from place to place and are never far from zero.
fn numbers(name: &str, count: usize) -> Vec<f32> {
    let start = name.bytes().map(u32::from).sum::<u32>();
    let number = |index: u32| f64::from((start + index * 37) % 201) / 100.0 - 1.0;
    #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
    (0..u32::try_from(count).unwrap()).map(|index| number(index) as f32).collect()
}

fn write_weights(path: &Path, shapes: &BTreeMap<String, Vec<usize>>) {
    let bytes: BTreeMap<&String, Vec<u8>> = shapes
        .iter()
        .map(|(name, shape)| {
            let numbers = numbers(name, shape.iter().product());
            (name, numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
        })
        .collect();
    let views =
        shapes.iter().map(|(name, shape)| (name, TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn piece(text: &str, kind: Kind) -> Piece {
    Piece { text: text.to_owned(), score: -1.5, kind }
}

fn gemma_release() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let put = |name: &str, content: Vec<u8>| std::fs::write(directory.path().join(name), content).unwrap();
    let config = json!({
        "hidden_size": HIDDEN, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32,
        "intermediate_size": 96, "max_position_embeddings": 128, "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0,
        "rope_local_base_freq": 10_000.0, "sliding_window": 16, "_sliding_window_pattern": 6, "vocab_size": WORDS,
        "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
    });
    put("config.json", config.to_string().into_bytes());
    let pieces = [
        piece("<pad>", Kind::Control),
        piece("<eos>", Kind::Control),
        piece("<bos>", Kind::Control),
        piece("<unk>", Kind::Unknown),
        piece("▁▁", Kind::UserDefined),
        piece("▁word", Kind::Normal),
    ];
    put("tokenizer.model", written(&pieces, b""));
    let added = json!({"added_tokens_decoder": {
        "0": {"content": "<pad>", "special": true}, "3": {"content": "<unk>", "special": true},
        "4": {"content": "▁▁", "special": false}, "8": {"content": "beyond", "special": true},
    }});
    put("tokenizer_config.json", added.to_string().into_bytes());
    write_weights(&directory.path().join("model.safetensors"), &gemma_shapes());
    directory
}

#[test]
fn embeddinggemma_has_its_matrices_in_blocks_and_its_norms_raised_by_one() {
    let release = gemma_release();
    let target = release.path().join("model.gguf");
    embeddinggemma_to_gguf(release.path(), &target).unwrap();
    let file = GgufFile::open(&target);
    assert_eq!(file.unsigned("gemma-embedding.embedding_length"), 64);
    assert_eq!(file.unsigned("gemma-embedding.attention.sliding_window"), 16);
    assert_eq!(file.float("gemma-embedding.rope.freq_base"), 1e6);
    assert_eq!(
        file.texts("tokenizer.ggml.tokens"),
        ["<pad>", "<eos>", "<bos>", "<unk>", "  ", "▁word", "[PAD6]", "[PAD7]"]
    );
    assert_eq!(file.integers("tokenizer.ggml.token_type"), [3, 3, 3, 3, 4, 1, 5, 5]);

    let raised: Vec<u8> =
        numbers("norm.weight", HIDDEN).iter().flat_map(|number| (number + 1.0).to_le_bytes()).collect();
    assert_eq!(file.tensor("output_norm.weight"), raised);
    let blocks = file.tensor("blk.0.ffn_down.weight");
    assert_eq!(blocks.len(), HIDDEN * 96 / 32 * 34);
    let original = numbers("layers.0.mlp.down_proj.weight", HIDDEN * 96);
    for (block, numbers) in blocks.chunks_exact(34).zip(original.chunks_exact(32)) {
        let largest = numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        for (byte, number) in block[2..].iter().zip(numbers) {
            let value = f32::from(byte.cast_signed()) * largest / 127.0;
            assert!((value - number).abs() <= largest / 250.0, "{value} {number}");
        }
    }
}

#[test]
fn a_release_that_is_not_complete_is_named_and_leaves_no_file() {
    let release = gemma_release();
    let target = release.path().join("model.gguf");
    std::fs::write(release.path().join("tokenizer.model"), "no vocabulary").unwrap();
    let error = embeddinggemma_to_gguf(release.path(), &target).unwrap_err().to_string();
    assert!(error.contains("tokenizer.model: it is not a complete"), "{error}");

    let release = gemma_release();
    let mut shapes = gemma_shapes();
    shapes.remove("layers.0.self_attn.k_norm.weight");
    write_weights(&release.path().join("model.safetensors"), &shapes);
    let error = embeddinggemma_to_gguf(release.path(), &target).unwrap_err().to_string();
    assert!(error.contains("layers.0.self_attn.k_norm.weight is missing"), "{error}");

    let mut shapes = gemma_shapes();
    shapes.insert("layers.0.self_attn.q_proj.weight".into(), vec![HIDDEN, 33]);
    write_weights(&release.path().join("model.safetensors"), &shapes);
    assert!(embeddinggemma_to_gguf(release.path(), &target).is_err());
    assert!(!target.exists());
}

/// The shapes of a BERT of one layer, with the names of the release.
fn bert_shapes(words: usize) -> BTreeMap<String, Vec<usize>> {
    let matrices = [
        ("attention.self.query", HIDDEN, HIDDEN),
        ("attention.self.key", HIDDEN, HIDDEN),
        ("attention.self.value", HIDDEN, HIDDEN),
        ("attention.output.dense", HIDDEN, HIDDEN),
        ("intermediate.dense", 96, HIDDEN),
        ("output.dense", HIDDEN, 96),
    ];
    let mut shapes = BTreeMap::new();
    for (name, rows, columns) in matrices {
        shapes.insert(format!("encoder.layer.0.{name}.weight"), vec![rows, columns]);
        shapes.insert(format!("encoder.layer.0.{name}.bias"), vec![rows]);
    }
    for name in ["encoder.layer.0.attention.output", "encoder.layer.0.output", "embeddings"] {
        for kind in ["weight", "bias"] {
            shapes.insert(format!("{name}.LayerNorm.{kind}"), vec![HIDDEN]);
        }
    }
    for (name, rows) in [("word_embeddings", words), ("position_embeddings", 16), ("token_type_embeddings", 2)] {
        shapes.insert(format!("embeddings.{name}.weight"), vec![rows, HIDDEN]);
    }
    shapes
}

fn bert_release(words: usize) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let config = json!({
        "hidden_size": HIDDEN, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 96,
        "max_position_embeddings": 16, "layer_norm_eps": 1e-12, "type_vocab_size": 2,
    });
    std::fs::write(directory.path().join("config.json"), config.to_string()).unwrap();
    write_weights(&directory.path().join("model.safetensors"), &bert_shapes(words));
    directory
}

#[test]
fn minilm_keeps_its_numbers_and_its_words_begin_with_a_mark() {
    let release = bert_release(6);
    std::fs::write(release.path().join("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\nword\n##s\n").unwrap();
    let target = release.path().join("model.gguf");
    minilm_to_gguf(release.path(), &target).unwrap();
    let file = GgufFile::open(&target);
    assert_eq!(file.texts("tokenizer.ggml.tokens"), ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁word", "s"]);
    assert_eq!(file.unsigned("tokenizer.ggml.cls_token_id"), 2);
    let source = "encoder.layer.0.attention.self.key.weight";
    let kept: Vec<u8> = numbers(source, HIDDEN * HIDDEN).iter().flat_map(|number| number.to_le_bytes()).collect();
    assert_eq!(file.tensor("blk.0.attn_k.weight"), kept);
}

#[test]
fn e5_has_the_words_of_xlm_r_in_the_order_of_xlm_r() {
    let release = bert_release(8);
    let pieces = [
        piece("<unk>", Kind::Unknown),
        piece("<s>", Kind::Control),
        piece("</s>", Kind::Control),
        piece("▁a", Kind::Normal),
        piece("b", Kind::Normal),
    ];
    std::fs::write(release.path().join("sentencepiece.bpe.model"), written(&pieces, b"map")).unwrap();
    let target = release.path().join("model.gguf");
    e5_to_gguf(release.path(), &target).unwrap();
    let file = GgufFile::open(&target);
    assert_eq!(file.texts("tokenizer.ggml.tokens"), ["<s>", "<pad>", "</s>", "<unk>", "▁a", "b", "<mask>", "[PAD7]"]);
    assert_eq!(file.unsigned("tokenizer.ggml.mask_token_id"), 6);
    assert_eq!(file.unsigned("tokenizer.ggml.eos_token_id"), 2);
}
