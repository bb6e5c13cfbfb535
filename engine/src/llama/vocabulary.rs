//! What a model's vocabulary makes of a text: tokens with their places, and how rare each is.

use std::ops::Range;

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use super::model::Model;
use super::tokens::{TextToken, count, tokenize_behind};

/// The vocabulary of an encoder.
#[derive(Clone)]
pub(crate) struct Vocabulary {
    model: Model,
    /// Whether tokens are made word by word, as BERT does.
    by_word: bool,
    /// What every pass begins and ends with.
    frame: (Vec<LlamaToken>, Vec<LlamaToken>),
    landmarks: Landmarks,
}

/// Tokens that tell where others stand in a vocabulary, which is ordered by how common tokens are.
#[derive(Debug, Clone, Copy)]
struct Landmarks {
    /// One of the commonest words.
    word: i32,
    /// The commonest letter by itself; in some vocabularies the letters follow all words.
    letter: i32,
}

/// What GGUF files call the vocabularies that make tokens word by word.
const WORD_PIECE: &str = "bert";
/// A word of more characters is cut: WordPiece makes up to three tokens of one, and a passage must hold a word.
const WORD_CHARACTERS: usize = 64;
/// The rarity of a digit: which digits are common says nothing about a number.
const DIGIT_RARITY: f32 = 7.5;

impl Vocabulary {
    pub(crate) fn new(model: &Model) -> Self {
        let llama = &model.llama;
        let kind = llama.meta_val_str("tokenizer.ggml.model");
        let by_word = kind.is_ok_and(|kind| kind == WORD_PIECE);
        let landmark = |text: &str| {
            let tokens = raw_tokens(llama, by_word, text);
            tokens.last().map_or(0, |token| token.id.0)
        };
        Self {
            model: model.clone(),
            by_word,
            frame: frame(llama),
            landmarks: Landmarks { word: landmark("the"), letter: landmark("e") },
        }
    }

    /// Tokens of a text that begins with a word, in its order, with the bytes that they stand for: whole characters, without
    /// the white space in front of them; the whole word where tokens are made word by word.
    pub(crate) fn tokens(&self, text: &str) -> Vec<TextToken> {
        let mut tokens = raw_tokens(&self.model.llama, self.by_word, text);
        for token in &mut tokens {
            let own = trimmed(text, token.start..token.end);
            (token.start, token.end) = (own.start, own.end);
        }
        tokens
    }

    /// How many tokens a text has. The time this takes is proportional to the text's length.
    pub(crate) fn count(&self, text: &str) -> usize {
        if self.by_word {
            return word_tokens(&self.model.llama, text).len();
        }
        count(&self.model.llama, text)
    }

    /// What a pass begins and ends with, around everything else.
    pub(crate) fn frame(&self) -> (&[LlamaToken], &[LlamaToken]) {
        (&self.frame.0, &self.frame.1)
    }

    /// How rare a token is that stands for `piece`: the logarithm of its rank, about ln(2) for the commonest words.
    pub(crate) fn rarity(&self, id: LlamaToken, piece: &str) -> f32 {
        if piece.chars().all(char::is_numeric) {
            return DIGIT_RARITY;
        }
        let mut characters = piece.chars();
        let is_letter = characters.next().is_some() && characters.next().is_none();
        let from = match self.landmarks {
            Landmarks { letter, .. } if is_letter && id.0 >= letter => letter,
            Landmarks { word, .. } => word,
        };
        #[expect(clippy::cast_precision_loss, reason = "ranks are small")]
        let rank = (id.0 - from).max(0) as f32;
        (2.0 + rank).ln()
    }
}

fn raw_tokens(model: &LlamaModel, by_word: bool, text: &str) -> Vec<TextToken> {
    if by_word { word_tokens(model, text) } else { tokenize_behind(model, text) }
}

/// The special tokens that the model wants before and behind a text.
fn frame(model: &LlamaModel) -> (Vec<LlamaToken>, Vec<LlamaToken>) {
    const PROBE: &[u8] = b"a";
    let bare = model.vocab().tokenize(PROBE, false, false);
    let framed = model.vocab().tokenize(PROBE, true, false);
    let at = framed.windows(bare.len().max(1)).position(|window| window == bare);
    at.map_or_else(
        || (vec![model.vocab().bos()], Vec::new()),
        |at| (framed[..at].to_vec(), framed[at + bare.len()..].to_vec()),
    )
}

/// Whole characters without the white space in front of them; all of the range if there is nothing else.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let (mut start, mut end) = (range.start, range.end);
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    let whole = &text[start..end];
    let bare = whole.trim_start();
    if bare.is_empty() { start..end } else { end - bare.len()..end }
}

/// Tokens with the byte range of their word, each word tokenised by itself. Words without a token, such as control characters,
/// are left out.
fn word_tokens(model: &LlamaModel, text: &str) -> Vec<TextToken> {
    let vocabulary = model.vocab();
    let mut tokens = Vec::new();
    for (start, end) in basic_words(text) {
        let ids = vocabulary.tokenize(&text.as_bytes()[start..end], false, false);
        tokens.extend(ids.into_iter().map(|id| TextToken { id, start, end }));
    }
    tokens
}

/// BERT's basic words: runs of letters and digits, and single other characters.
fn basic_words(text: &str) -> Vec<(usize, usize)> {
    let mut words: Vec<(usize, usize)> = Vec::new();
    // Characters of the word that goes on; 0 between words.
    let mut length = 0;
    for (at, character) in text.char_indices() {
        let end = at + character.len_utf8();
        if character.is_whitespace() {
            length = 0;
        } else if character.is_alphanumeric() {
            match words.last_mut() {
                Some(last) if (1..WORD_CHARACTERS).contains(&length) => last.1 = end,
                _ => {
                    words.push((at, end));
                    length = 0;
                }
            }
            length += 1;
        } else {
            words.push((at, end));
            length = 0;
        }
    }
    words
}
