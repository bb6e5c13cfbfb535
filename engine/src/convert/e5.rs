//! The multilingual-e5-small release (safetensors, XLM-R's SentencePiece vocabulary) as a GGUF file: a BERT with the
//! words of XLM-R.

use std::path::Path;

use super::minilm::{BertConfig, header, tensors};
use super::output::write;
use super::sentence_piece::{self, Kind, Piece, SentencePieces};
use super::weights::Weights;
use super::{fail, json, read};
use crate::EngineError;
use crate::ffi::gguf::GgufWriter;

/// Writes `target` (a bert GGUF in f32, mean pooling) from a directory with `model.safetensors`, `sentencepiece.bpe.model` and
/// `config.json`. The file appears under its name only when it is complete.
///
/// # Errors
/// [`EngineError::Convert`] naming the file that is missing or malformed.
pub fn e5_to_gguf(source: &Path, target: &Path) -> Result<(), EngineError> {
    let config: BertConfig = json(&source.join("config.json"))?;
    let path = source.join("sentencepiece.bpe.model");
    let model = sentence_piece::read(&read(&path)?)
        .filter(|model| model.pieces.len() > FIRST_WORD)
        .ok_or_else(|| fail(&path, &"it is not a complete SentencePiece vocabulary"))?;
    let mut weights = Weights::open(&source.join("model.safetensors"))?;
    let size = weights.tensor(EMBEDDINGS)?.shape.first().copied().unwrap_or(0);
    let planned = tensors(&config);
    let mut writer = GgufWriter::new(planned.len())?;
    header(&mut writer, &config, "multilingual-e5-small", "mit")?;
    tokenizer(&mut writer, &model, size)?;
    write(writer, &planned, &mut weights, target)
}

const EMBEDDINGS: &str = "embeddings.word_embeddings.weight";
/// The vocabulary file begins with three pieces that XLM-R has in another order, and one more.
const FIRST_WORD: usize = 3;
const SPECIAL: [(&str, Kind); 4] =
    [("<s>", Kind::Control), ("<pad>", Kind::Control), ("</s>", Kind::Control), ("<unk>", Kind::Unknown)];

/// XLM-R's vocabulary: its own four tokens, the words, `<mask>`, and as many more as make it `size` tokens.
fn tokenizer(writer: &mut GgufWriter, model: &SentencePieces, size: usize) -> Result<(), EngineError> {
    let piece = |(text, kind): (&str, Kind)| Piece { text: text.into(), score: 0.0, kind };
    let words = model.pieces.iter().skip(FIRST_WORD).cloned();
    let mut pieces: Vec<Piece> = SPECIAL.map(piece).into_iter().chain(words).collect();
    let mask = u32::try_from(pieces.len()).unwrap_or(0);
    pieces.push(piece(("<mask>", Kind::Control)));
    pieces.truncate(size);
    for index in pieces.len()..size {
        pieces.push(Piece { text: format!("[PAD{index}]"), score: -10_000.0, kind: Kind::Unused });
    }
    let texts: Vec<String> = pieces.iter().map(|piece| piece.text.clone()).collect();
    let scores: Vec<f32> = pieces.iter().map(|piece| piece.score).collect();
    let kinds: Vec<i32> = pieces.iter().map(|piece| piece.kind as i32).collect();
    writer.text("tokenizer.ggml.model", "t5")?;
    writer.text("tokenizer.ggml.pre", "default")?;
    writer.texts("tokenizer.ggml.tokens", &texts)?;
    writer.floats("tokenizer.ggml.scores", &scores)?;
    writer.integers("tokenizer.ggml.token_type", &kinds)?;
    writer.flag("tokenizer.ggml.add_space_prefix", true)?;
    writer.flag("tokenizer.ggml.remove_extra_whitespaces", true)?;
    if !model.character_map.is_empty() {
        writer.bytes("tokenizer.ggml.precompiled_charsmap", &model.character_map)?;
    }
    for (key, token) in [("bos", 0), ("cls", 0), ("padding", 1), ("eos", 2), ("seperator", 2), ("unknown", 3)] {
        writer.unsigned(&format!("tokenizer.ggml.{key}_token_id"), token)?;
    }
    writer.unsigned("tokenizer.ggml.mask_token_id", mask)?;
    writer.flag("tokenizer.ggml.add_bos_token", true)?;
    writer.flag("tokenizer.ggml.add_eos_token", true)
}
