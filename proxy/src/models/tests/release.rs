//! A tiny release of a sentence encoder, which the engine can convert.

const HIDDEN: usize = 8;

/// The files of the release.
pub(super) fn minilm() -> Vec<(&'static str, Vec<u8>)> {
    let config = serde_json::json!({
        "hidden_size": HIDDEN, "num_hidden_layers": 0, "num_attention_heads": 1, "intermediate_size": HIDDEN,
        "max_position_embeddings": 4, "layer_norm_eps": 1e-12, "type_vocab_size": 2,
    });
    vec![
        ("model.safetensors", weights()),
        ("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n".to_vec()),
        ("config.json", config.to_string().into_bytes()),
    ]
}

/// Tensors of zeros in the layout of safetensors: the header's length, the header, the numbers.
fn weights() -> Vec<u8> {
    let shapes: [(&str, Vec<usize>); 5] = [
        ("embeddings.word_embeddings.weight", vec![4, HIDDEN]),
        ("embeddings.position_embeddings.weight", vec![4, HIDDEN]),
        ("embeddings.token_type_embeddings.weight", vec![2, HIDDEN]),
        ("embeddings.LayerNorm.weight", vec![HIDDEN]),
        ("embeddings.LayerNorm.bias", vec![HIDDEN]),
    ];
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (name, shape) in shapes {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        let tensor = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]});
        header.insert(name.to_owned(), tensor);
    }
    let header = serde_json::Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + end, 0);
    bytes
}
