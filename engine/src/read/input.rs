//! Getting texts ready for the model: passages of turns and questions with their prompts, as tokens.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use llama_cpp_2::token::LlamaToken;

use super::encoder::{PassOutput, PassTokens};
use super::passages::{Word, passages};
use super::reading::{PassageTokens, ReadToken};
use super::structure::{Seam, seams};
use super::words::is_unspaced_script;
use crate::llama::model::Model;
use crate::llama::tokens::{TextToken, tokenize};
use crate::llama::vocabulary::Vocabulary;
use crate::{EncoderConfig, EngineError};

/// What makes passes of texts; cheap to share.
#[derive(Clone)]
pub(crate) struct InputBuilder {
    shared: Arc<Shared>,
}

struct Shared {
    vocabulary: Vocabulary,
    /// The prompts without the white space behind them.
    passage_prompt: Vec<LlamaToken>,
    question_prompt: Vec<LlamaToken>,
    /// Most tokens of a passage, without what stands around it.
    passage_tokens: usize,
}

/// A text that is ready for a pass.
#[derive(Debug, Clone)]
pub(crate) struct EncoderInput {
    /// The passage's bytes in the text.
    range: Range<usize>,
    pub(crate) pass: PassTokens,
    /// One for each of the text's own tokens.
    tokens: Vec<InputToken>,
}

#[derive(Debug, Clone)]
struct InputToken {
    range: Range<usize>,
    has_content: bool,
    rarity: f32,
}

/// A part of a turn, ready to be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct TurnInput {
    /// All tokens of the text, also those that are in no passage.
    pub(crate) tokens: usize,
    pub(crate) passages: Vec<EncoderInput>,
}

/// Tokens of the longest passage unless the configuration says otherwise, so that its mean vector stays sharp.
const PASSAGE_TOKENS: usize = 320;
/// The least that may be asked for: a word that is never cut has about as many.
pub(crate) const LEAST_PASSAGE_TOKENS: usize = 32;
/// Tokens of a speaker's name and the colon behind it; a longer one is cut.
const SPEAKER_TOKENS: usize = 24;
/// Tokens of the longest question; of a longer one as many of the beginning as of the end are read, so that none takes
/// much longer than others.
const QUESTION_TOKENS: usize = 128;
/// Few words have more than 16 bytes a token.
const QUESTION_BYTES: usize = 16 * QUESTION_TOKENS;
/// Tokens that may hang together without a space between them before they are cut.
const WORD_TOKENS: usize = 24;
/// The least room that a passage must have in the model's window.
const LEAST_ROOM: usize = 200;

impl InputBuilder {
    /// Checks that passages fit the model's window behind the prompts.
    ///
    /// # Errors
    /// [`EngineError::Setting`].
    pub(crate) fn new(model: &Model, config: &EncoderConfig) -> Result<Self, EngineError> {
        let vocabulary = Vocabulary::new(model);
        let prompt = |text: &str| -> Vec<LlamaToken> {
            let tokens = tokenize(&model.llama, text.trim_end());
            tokens.into_iter().map(|token| token.id).collect()
        };
        let (passage_prompt, question_prompt) = (prompt(&config.prompts.passage), prompt(&config.prompts.question));
        let (before, behind) = vocabulary.frame();
        let longest = passage_prompt.len().max(question_prompt.len());
        let around = before.len() + behind.len() + longest + SPEAKER_TOKENS;
        let room = model.geometry.window.saturating_sub(around);
        if room < LEAST_ROOM {
            return Err(EngineError::Setting {
                key: "prompts",
                value: format!("{:?}", config.prompts),
                allowed: "what leaves at least 200 tokens of the model's window",
            });
        }
        if config.passage_tokens > room {
            return Err(EngineError::Setting {
                key: "reader.passage_tokens",
                value: config.passage_tokens.to_string(),
                allowed: "0 (the model's own choice), or 32 up to what its window holds behind the prompt",
            });
        }
        let passage_tokens = match config.passage_tokens {
            0 => PASSAGE_TOKENS.min(room),
            tokens => tokens,
        };
        Ok(Self { shared: Arc::new(Shared { vocabulary, passage_prompt, question_prompt, passage_tokens }) })
    }

    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        &self.shared.vocabulary
    }

    /// Tokens of the longest pass of one text.
    pub(crate) fn longest_pass(&self) -> usize {
        let shared = &self.shared;
        let (before, behind) = shared.vocabulary.frame();
        let prompt = shared.passage_prompt.len().max(shared.question_prompt.len());
        // A word of a word-wise vocabulary may be longer than the passage that it should fit.
        let own = shared.passage_tokens.max(LEAST_ROOM).max(QUESTION_TOKENS);
        before.len() + behind.len() + prompt + SPEAKER_TOKENS + own
    }

    /// The passages of a turn.
    pub(crate) fn turn(&self, speaker: &str, text: &str) -> TurnInput {
        self.stretch(speaker, text, &seams(text), 0)
    }

    /// The passages of a part of a turn that begins at byte `start` of it, and that falls apart at these seams.
    pub(crate) fn stretch(&self, speaker: &str, text: &str, seams: &[Seam], start: usize) -> TurnInput {
        let shared = &self.shared;
        let tokens = shared.vocabulary.tokens(text);
        let ranges = passages(text, seams, shared.passage_tokens, |range| words(text, &tokens, range));
        let head = self.head(speaker);
        let passages = ranges.into_iter().map(|range| self.input(&head, text, within(&tokens, &range), range, start));
        TurnInput { passages: passages.collect(), tokens: tokens.len() }
    }

    /// A question: as much of its beginning and its end as is read.
    pub(crate) fn question(&self, text: &str) -> EncoderInput {
        let shared = &self.shared;
        let text = ends(text, QUESTION_BYTES);
        let mut tokens = shared.vocabulary.tokens(&text);
        if tokens.len() > QUESTION_TOKENS {
            let half = QUESTION_TOKENS / 2;
            tokens.drain(half..tokens.len() - half);
        }
        self.input(&shared.question_prompt, &text, &tokens, 0..text.len(), 0)
    }

    /// What stands in front of a passage: the prompt and who speaks. Who speaks is half of what a question asks for.
    fn head(&self, speaker: &str) -> Vec<LlamaToken> {
        let shared = &self.shared;
        let mut head = shared.passage_prompt.clone();
        let speaker = shared.vocabulary.tokens(&format!("{speaker}:"));
        head.extend(speaker.iter().take(SPEAKER_TOKENS).map(|token| token.id));
        head
    }

    fn input(
        &self,
        head: &[LlamaToken],
        text: &str,
        own: &[TextToken],
        range: Range<usize>,
        start: usize,
    ) -> EncoderInput {
        let vocabulary = &self.shared.vocabulary;
        let (before, behind) = vocabulary.frame();
        let first = before.len() + head.len();
        let ids = [before, head].concat().into_iter();
        let ids = ids.chain(own.iter().map(|token| token.id)).chain(behind.iter().copied());
        let tokens = own.iter().map(|token| {
            let piece = &text[token.start..token.end];
            InputToken {
                range: start + token.start..start + token.end,
                has_content: piece.chars().any(char::is_alphanumeric),
                rarity: vocabulary.rarity(token.id, piece),
            }
        });
        EncoderInput {
            range: start + range.start..start + range.end,
            pass: PassTokens { ids: ids.collect(), own: first..first + own.len() },
            tokens: tokens.collect(),
        }
    }
}

impl EncoderInput {
    /// Joins what is known with what the pass has shown, token by token; only tokens with content, or all if none has.
    pub(crate) fn with_output(&self, output: &PassOutput) -> PassageTokens {
        let any = self.tokens.iter().any(|token| token.has_content);
        let width = output.vectors.len().checked_div(self.tokens.len()).unwrap_or(0).max(1);
        let vectors = output.vectors.chunks_exact(width);
        let attention = output.attention.iter().copied().chain(std::iter::repeat(1.0));
        let tokens = self.tokens.iter().zip(vectors).zip(attention);
        let content = tokens.filter(|((token, _), _)| token.has_content || !any);
        PassageTokens {
            start: self.range.start,
            end: self.range.end,
            vector: output.mean.clone(),
            tokens: content
                .map(|((token, vector), attention)| ReadToken {
                    start: token.range.start,
                    end: token.range.end,
                    vector: vector.to_vec(),
                    attention,
                    rarity: token.rarity,
                })
                .collect(),
        }
    }
}

/// A text, or of one with more than `most` bytes its beginning and its end.
fn ends(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let beginning = &text[..text.floor_char_boundary(most / 2)];
    let end = &text[text.ceil_char_boundary(text.len() - most / 2)..];
    Cow::Owned(format!("{beginning}\n{end}"))
}

/// The tokens that begin in a range of the text.
fn within<'a>(tokens: &'a [TextToken], range: &Range<usize>) -> &'a [TextToken] {
    let from = tokens.partition_point(|token| token.start < range.start);
    let to = tokens.partition_point(|token| token.start < range.end);
    &tokens[from..to]
}

/// The words of a stretch of the text, as [`passages`] wants them: tokens that belong to one character or word.
fn words(text: &str, tokens: &[TextToken], stretch: Range<usize>) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for token in within(tokens, &stretch) {
        let start = token.start - stretch.start;
        let end = token.end.min(stretch.end) - stretch.start;
        match words.last_mut() {
            Some(word) if start < word.range.end || goes_on(text, token, word, &stretch) => {
                word.range.end = word.range.end.max(end);
                word.tokens += 1;
            }
            _ => words.push(Word { range: start..end.max(start), tokens: 1 }),
        }
    }
    words
}

/// Whether a token belongs to the word before it.
fn goes_on(text: &str, token: &TextToken, word: &Word, stretch: &Range<usize>) -> bool {
    let is_beside = token.start == stretch.start + word.range.end && word.tokens < WORD_TOKENS;
    let is_letter = |character: char| character.is_alphanumeric() && !is_unspaced_script(character);
    let (before, behind) = text.split_at(token.start);
    is_beside && before.chars().next_back().is_some_and(is_letter) && behind.chars().next().is_some_and(is_letter)
}
