//! Tokens with byte offsets. It must not know which model they are for or what is made of them.

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use crate::EngineError;

/// A token and the bytes of the text that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextToken {
    pub(crate) id: LlamaToken,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The token that a pass begins with: BOS, or the end of text where the vocabulary has no BOS.
pub(crate) fn opening(model: &LlamaModel) -> LlamaToken {
    let vocabulary = model.vocab();
    let known = |token: &LlamaToken| token.0 >= 0;
    Some(vocabulary.bos())
        .filter(known)
        .or_else(|| Some(vocabulary.eos()).filter(known))
        .unwrap_or(LlamaToken(0))
}

/// Tokens of `text` without BOS, whose pieces give the text back byte by byte.
///
/// # Errors
/// [`EngineError::Tokenizer`] if they do not.
pub(crate) fn tokenize(model: &LlamaModel, text: &str) -> Result<Vec<TextToken>, EngineError> {
    let vocabulary = model.vocab();
    let mut tokens = Vec::new();
    let mut at = 0;
    for id in vocabulary.tokenize(text.as_bytes(), false, false) {
        let piece = vocabulary.token_to_piece(id, true, None);
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        // Some tokenizers put one space in front of a text.
        let piece = if at == 0 && !rest.starts_with(&piece) {
            piece.strip_prefix(b" ").unwrap_or(&piece)
        } else {
            &piece
        };
        if !rest.starts_with(piece) {
            return Err(EngineError::Tokenizer);
        }
        tokens.push(TextToken {
            id,
            start: at,
            end: at + piece.len(),
        });
        at += piece.len();
    }
    if at == text.len() {
        Ok(tokens)
    } else {
        Err(EngineError::Tokenizer)
    }
}
