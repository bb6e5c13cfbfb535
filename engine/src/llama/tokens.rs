//! Tokens with byte offsets, and how many there are, of any text. It must not know which model they are for or what is made
//! of them.
//!
//! llama.cpp is given a text in short segments: what some texts take it grows with the square of their length.

use std::borrow::Cow;

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::vocab::LlamaVocab;

use crate::segments::{SegmentSize, segments};

/// A token and the bytes of the text that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextToken {
    pub(crate) id: LlamaToken,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What is tokenised at once.
pub(crate) const SEGMENT: SegmentSize = SegmentSize { bytes: 1024, gaps: 64 };
/// What SentencePiece writes for a space, and what stands for it where a text has it itself; both have three bytes.
const WRITTEN_SPACE: char = '\u{2581}';
const STAND_IN: &str = "\u{2582}";

/// The token that a pass begins with: BOS, or the end of text where the vocabulary has no BOS.
pub(crate) fn opening(model: &LlamaModel) -> LlamaToken {
    let vocabulary = model.vocab();
    let known = |token: &LlamaToken| token.0 >= 0;
    Some(vocabulary.bos())
        .filter(known)
        .or_else(|| Some(vocabulary.eos()).filter(known))
        .unwrap_or(LlamaToken(0))
}

/// Tokens of `text` without BOS, in its order. Each stands for the bytes that its piece gives back; where a tokenizer changes
/// a text, for the character that it was made of. Every text has tokens, but for characters that its tokenizer drops.
pub(crate) fn tokenize(model: &LlamaModel, text: &str) -> Vec<TextToken> {
    let vocabulary = model.vocab();
    let mut tokens = Vec::new();
    for_segments(&vocabulary, text, |segment| {
        let found = aligned(&vocabulary, &segment)
            .or_else(|| aligned(&vocabulary, &segment.disguised()))
            .unwrap_or_else(|| by_character(&vocabulary, &segment));
        tokens.extend(found);
    });
    tokens
}

/// How many tokens `text` has, without BOS. The time this takes is proportional to the text's length.
pub(crate) fn count(model: &LlamaModel, text: &str) -> usize {
    let vocabulary = model.vocab();
    let mut tokens = 0;
    for_segments(&vocabulary, text, |segment| {
        tokens += vocabulary.tokenize(segment.asked().as_bytes(), false, false).len();
    });
    tokens
}

/// A part of a text.
struct Segment<'text> {
    text: Cow<'text, str>,
    /// Where it begins in the whole text.
    start: usize,
    /// Whether the tokenizer puts the space in front of it that it begins with.
    is_given_its_space: bool,
}

impl Segment<'_> {
    /// What the tokenizer is given.
    fn asked(&self) -> &str {
        let rest = self.text.strip_prefix(' ').filter(|_| self.is_given_its_space);
        rest.unwrap_or(&self.text)
    }

    /// The same without the character that comes back as a space.
    fn disguised(&self) -> Self {
        Self {
            text: self.text.replace(WRITTEN_SPACE, STAND_IN).into(),
            ..*self
        }
    }
}

fn for_segments<'text>(vocabulary: &LlamaVocab<'_>, text: &'text str, mut work: impl FnMut(Segment<'text>)) {
    let mut adds_space = None;
    for range in segments(text, SEGMENT) {
        let is_given_its_space =
            range.start > 0 && *adds_space.get_or_insert_with(|| puts_a_space_in_front(vocabulary));
        work(Segment {
            text: text.get(range.clone()).unwrap_or_default().into(),
            start: range.start,
            is_given_its_space,
        });
    }
}

/// Whether the tokenizer puts a space in front of every text.
fn puts_a_space_in_front(vocabulary: &LlamaVocab<'_>) -> bool {
    let first = vocabulary.tokenize(b"a", false, false).first().copied();
    first.is_some_and(|first| vocabulary.token_to_piece(first, true, None).starts_with(b" "))
}

/// The tokens of a segment whose pieces give it back byte by byte; `None` if they do not.
fn aligned(vocabulary: &LlamaVocab<'_>, segment: &Segment<'_>) -> Option<Vec<TextToken>> {
    let bytes = segment.text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    for id in vocabulary.tokenize(segment.asked().as_bytes(), false, false) {
        let piece = vocabulary.token_to_piece(id, true, None);
        let rest = bytes.get(at..)?;
        // Some tokenizers put one space in front of a text.
        let piece = if at == 0 && !rest.starts_with(&piece) {
            piece.strip_prefix(b" ").unwrap_or(&piece)
        } else {
            &piece
        };
        if !rest.starts_with(piece) {
            return None;
        }
        tokens.push(TextToken {
            id,
            start: segment.start + at,
            end: segment.start + at + piece.len(),
        });
        at += piece.len();
    }
    (at == bytes.len()).then_some(tokens)
}

/// The tokens of a segment's characters, each by itself; all tokens of a character stand for all of it.
fn by_character(vocabulary: &LlamaVocab<'_>, segment: &Segment<'_>) -> Vec<TextToken> {
    let mut tokens = Vec::new();
    for (at, character) in segment.text.char_indices() {
        let start = segment.start + at;
        let end = start + character.len_utf8();
        let ids = vocabulary.tokenize(character.encode_utf8(&mut [0; 4]).as_bytes(), false, false);
        tokens.extend(ids.into_iter().map(|id| TextToken { id, start, end }));
    }
    tokens
}
