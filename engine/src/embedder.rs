//! The embedder: token vectors of texts from a bert model, several texts in one pass.
//!
//! It lives on one thread. It must not know about attention or main points.

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{LlamaContextParams, LlamaPoolingType};
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use crate::ffi::attention::FlashAttention;
use crate::halt::Halt;
use crate::model::Model;
use crate::passages::Word;
use crate::{EncodedToken, Encoding, EngineError};

/// A text to encode.
#[derive(Debug, Clone)]
pub(crate) struct EncodeItem {
    pub(crate) text: String,
    /// Text put in front of it in the same pass; its beginning is left out if both do not fit.
    pub(crate) context: Option<String>,
}

/// The embedder.
pub(crate) struct Embedder<'model> {
    model: &'model LlamaModel,
    context: LlamaContext<'model>,
    halt: Halt,
}

/// One text, ready for a pass.
struct Sequence {
    ids: Vec<LlamaToken>,
    /// Index of the first token that belongs to the text itself.
    own_from: usize,
    words: Vec<(usize, usize)>,
}

/// Tokens of the longest text, `[CLS]` and `[SEP]` included: the model's positions.
pub(crate) const WINDOW: usize = 512;
/// Texts in one pass.
const BATCH: usize = 16;
/// A word of more characters is cut: WordPiece makes up to three tokens of one, and a passage must hold a word.
const WORD_CHARACTERS: usize = 64;
/// Few words have more than 16 bytes a token.
const MOST_END_BYTES: usize = 16 * WINDOW;

impl<'model> Embedder<'model> {
    /// With flash attention the texts that share a pass cost nothing where they cannot see each other; a short one alone
    /// takes a seventh less time without it.
    pub(crate) fn new(
        model: &'model Model,
        threads: usize,
        flash_attention: FlashAttention,
    ) -> Result<Self, EngineError> {
        let threads = i32::try_from(threads).unwrap_or(1);
        let tokens = u32::try_from(WINDOW).unwrap_or(u32::MAX);
        let params = LlamaContextParams::default()
            .with_n_ctx(std::num::NonZeroU32::new(tokens))
            .with_n_batch(tokens)
            .with_n_ubatch(tokens)
            .with_n_seq_max(u32::try_from(BATCH).unwrap_or(1))
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_pooling_type(LlamaPoolingType::None)
            .with_embeddings(true)
            .with_flash_attention_policy(flash_attention.policy())
            .with_no_perf(true);
        let context = model
            .llama
            .new_context(&model.backend, params)
            .map_err(|error| failed("creating the embedding context", &error))?;
        let mut embedder = Self {
            model: &model.llama,
            context,
            halt: Halt::default(),
        };
        embedder.encode(&[EncodeItem {
            text: "ready".into(),
            context: None,
        }])?;
        Ok(embedder)
    }

    /// Ends between two passes once `halt` is raised.
    pub(crate) fn heed(&mut self, halt: Halt) {
        self.halt = halt;
    }

    /// Encodes texts; their tokens' vectors come back in order.
    pub(crate) fn encode(&mut self, items: &[EncodeItem]) -> Result<Vec<Encoding>, EngineError> {
        let sequences = items
            .iter()
            .map(|item| sequence(self.model, item))
            .collect::<Result<Vec<_>, _>>()?;
        let mut encodings = Vec::with_capacity(sequences.len());
        let mut from = 0;
        while from < sequences.len() {
            if self.halt.is_raised() {
                return Err(EngineError::Stopped { part: "embedder" });
            }
            let to = batch_end(&sequences, from);
            encodings.extend(self.pass(&sequences[from..to])?);
            from = to;
        }
        Ok(encodings)
    }

    fn pass(&mut self, sequences: &[Sequence]) -> Result<Vec<Encoding>, EngineError> {
        let mut batch = LlamaBatch::new(WINDOW, 1);
        for (index, sequence) in (0..).zip(sequences) {
            for (position, id) in (0..).zip(&sequence.ids) {
                batch
                    .add(*id, position, &[index], true)
                    .map_err(|error| failed("filling an embedding batch", &error))?;
            }
        }
        self.context
            .encode(&mut batch)
            .map_err(|error| failed("encoding", &error))?;
        let mut at = 0_i32;
        let mut encodings = Vec::with_capacity(sequences.len());
        for sequence in sequences {
            let mut tokens = Vec::with_capacity(sequence.words.len());
            for (index, (start, end)) in sequence.words.iter().enumerate() {
                let row = at + i32::try_from(sequence.own_from + index).unwrap_or(i32::MAX);
                let vector = self
                    .context
                    .embeddings_ith(row)
                    .map_err(|error| failed("reading a token vector", &error))?;
                tokens.push(EncodedToken {
                    start: *start,
                    end: *end,
                    vector: vector.to_vec(),
                });
            }
            at += i32::try_from(sequence.ids.len()).unwrap_or(i32::MAX);
            encodings.push(Encoding { tokens });
        }
        Ok(encodings)
    }
}

/// The words of a text, and how many tokens the embedder makes of each. Those of a longer text are those of its parts, so
/// that a stretch of whole words has as many tokens by itself as it has within the text.
pub(crate) fn words(model: &LlamaModel, text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for (_, start, end) in word_tokens(model, text) {
        match words.last_mut() {
            Some(word) if word.range.start == start => word.tokens += 1,
            _ => words.push(Word {
                range: start..end,
                tokens: 1,
            }),
        }
    }
    words
}

/// How many tokens the embedder makes of a text, without special tokens.
pub(crate) fn count_tokens(model: &LlamaModel, text: &str) -> usize {
    word_tokens(model, text).len()
}

/// As much of a text's end as the embedder can use: its last bytes, more than any window holds.
pub(crate) fn end_of(text: &str) -> &str {
    let mut from = text.len().saturating_sub(MOST_END_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or_default()
}

fn batch_end(sequences: &[Sequence], from: usize) -> usize {
    let mut room = WINDOW;
    let mut to = from;
    while to < sequences.len() && to - from < BATCH && sequences[to].ids.len() <= room {
        room -= sequences[to].ids.len();
        to += 1;
    }
    to
}

fn sequence(model: &LlamaModel, item: &EncodeItem) -> Result<Sequence, EngineError> {
    let own = word_tokens(model, &item.text);
    let room = WINDOW - 2;
    if own.len() > room {
        return Err(EngineError::TooLong {
            tokens: own.len(),
            window: room,
        });
    }
    let context = item
        .context
        .as_deref()
        .map(|text| word_tokens(model, text))
        .unwrap_or_default();
    let kept = context.len().min(room - own.len());
    let vocabulary = model.vocab();
    let mut ids = vec![vocabulary.bos()];
    ids.extend(context[context.len() - kept..].iter().map(|token| token.0));
    ids.extend(own.iter().map(|token| token.0));
    ids.push(vocabulary.sep());
    let words = own.iter().map(|token| (token.1, token.2)).collect();
    Ok(Sequence {
        ids,
        own_from: 1 + kept,
        words,
    })
}

/// Tokens with the byte range of their word, each word tokenised by itself. Words without a token, such as control characters,
/// are left out.
fn word_tokens(model: &LlamaModel, text: &str) -> Vec<(LlamaToken, usize, usize)> {
    let vocabulary = model.vocab();
    let mut tokens = Vec::new();
    for (start, end) in basic_words(text) {
        let ids = vocabulary.tokenize(&text.as_bytes()[start..end], false, false);
        tokens.extend(ids.into_iter().map(|id| (id, start, end)));
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

fn failed(operation: &'static str, error: &dyn std::error::Error) -> EngineError {
    EngineError::Compute {
        operation,
        reason: error.to_string(),
    }
}
