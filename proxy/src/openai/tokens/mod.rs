//! Counts the tokens of a prompt: with OpenAI's own tokenizers for its models; for all others with the reader's, times a factor
//! that the answers of each model teach (`factor.rs`).
//!
//! Counts of messages are kept, because every request repeats the whole conversation. Texts are counted segment by
//! segment (`counting.rs`), in a time that is proportional to their length.

mod counting;
mod estimated;
mod factor;
mod factors;

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use mainpoint_engine::EngineError;
use tiktoken_rs::CoreBPE;
use tiktoken_rs::tokenizer::{Tokenizer as OpenAiTokenizer, get_tokenizer};

use self::counting::count_in_segments;
use self::factor::Factor;
use super::attachments::ImageRule;
use super::request::{ChatRequest, Message, Nature, OPAQUE, Part, Raw};
use crate::deadline::Deadline;
use crate::error::MemoryError;

pub(crate) use estimated::EstimatedPrompt;
pub(crate) use factors::{SavedFactor, TokenFactors};

/// Counts a text's tokens with the reader's tokenizer.
pub(crate) type ReaderCount = Arc<dyn Fn(&str) -> Result<usize, EngineError> + Send + Sync>;

/// Counts tokens and remembers the counts of messages.
pub(crate) struct TokenCounter {
    reader: ReaderCount,
    /// What the reader's counts are multiplied with. Kept counts are without it.
    factors: TokenFactors,
    cache: Mutex<LruCache<[u8; 16], usize>>,
}

impl std::fmt::Debug for TokenCounter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TokenCounter")
    }
}

/// The tokenizer that a request's model uses.
#[derive(Clone, Copy)]
pub(crate) enum Tokenizer {
    /// One of OpenAI's.
    OpenAi(OpenAiTokenizer, &'static CoreBPE),
    /// The reader's, for every model whose tokenizer is not known, and what its counts are multiplied with.
    Reader(Factor),
}

/// The tokens of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestTokens {
    /// Tokens of each message, in order.
    pub(crate) messages: Vec<usize>,
    /// Tokens of everything else: definitions and the priming of the reply.
    pub(crate) other: usize,
}

impl RequestTokens {
    /// Tokens of the whole prompt.
    pub(crate) fn total(&self) -> usize {
        self.messages.iter().sum::<usize>() + self.other
    }

    /// The same in tokens of the model. What rounding takes from one message it gives to the next, so that sums are right.
    fn scaled(self, tokenizer: Tokenizer) -> Self {
        let mut sum = 0;
        let mut scaled = |tokens: usize| {
            let before = tokenizer.scaled(sum);
            sum += tokens;
            tokenizer.scaled(sum) - before
        };
        Self { messages: self.messages.into_iter().map(&mut scaled).collect(), other: scaled(self.other) }
    }
}

impl TokenCounter {
    /// Counts with `reader` where no tokenizer of OpenAI's fits, and goes on learning `factors`.
    pub(crate) fn new(reader: ReaderCount, factors: TokenFactors) -> Self {
        Self { reader, factors, cache: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// The tokenizer of the model that is called `model`, with the factor that holds for it now.
    pub(crate) fn tokenizer(&self, model: &str) -> Tokenizer {
        match Tokenizer::new(model) {
            Tokenizer::Reader(_) => Tokenizer::Reader(self.factors.of(model)),
            known => known,
        }
    }

    /// Takes in how many tokens a prompt has, as its answer says.
    pub(crate) fn learn(&self, prompt: &EstimatedPrompt, told: u64) {
        self.factors.learn(&prompt.model, prompt.counted(), told, prompt.weight());
    }

    /// What is known of all models, if something was learnt since the last call.
    pub(crate) fn changed_factors(&self) -> Option<Vec<SavedFactor>> {
        self.factors.changed()
    }

    /// Counts every part of `request`.
    ///
    /// # Errors
    /// When the reader's tokenizer fails, or at the deadline.
    pub(crate) fn request(
        &self,
        tokenizer: Tokenizer,
        request: &ChatRequest,
        deadline: &Deadline,
    ) -> Result<RequestTokens, MemoryError> {
        let counting = Counting { counter: self, tokenizer, deadline };
        // An image costs something else with another model, though both have one tokenizer.
        let with_attachments = format!("{} {:?}", request.surface.label(), ImageRule::new(&request.model));
        let messages = request
            .messages
            .iter()
            .map(|message| {
                let bytes = request.slice(&message.range);
                let kind = if message.attachments > 0 { with_attachments.as_str() } else { request.surface.label() };
                self.remembered(tokenizer, kind.as_bytes(), bytes, || counting.message(message))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut other = REPLY_PRIMING;
        for definition in &request.definitions {
            let bytes = request.slice(definition);
            let text = String::from_utf8_lossy(bytes);
            other += self.remembered(tokenizer, b"definition", bytes, || counting.text(&text))?;
        }
        Ok(RequestTokens { messages, other }.scaled(tokenizer))
    }

    /// Counts a text.
    ///
    /// # Errors
    /// When the reader's tokenizer fails.
    pub(crate) fn text(&self, tokenizer: Tokenizer, text: &str) -> Result<usize, EngineError> {
        Ok(tokenizer.scaled(count_in_segments(text, |segment| self.piece(tokenizer, segment))?))
    }

    fn piece(&self, tokenizer: Tokenizer, piece: &str) -> Result<usize, EngineError> {
        match tokenizer {
            // The tokenizer gives up on some very odd texts; a rough count serves then.
            Tokenizer::OpenAi(_, encoding) => {
                Ok(encoding.count(piece, &HashSet::new()).unwrap_or_else(|_| piece.len().div_ceil(3)))
            }
            Tokenizer::Reader(_) => (self.reader)(piece),
        }
    }

    /// Counts a message, however long that takes.
    ///
    /// # Errors
    /// When the reader's tokenizer fails.
    pub(crate) fn message(&self, tokenizer: Tokenizer, message: &Message) -> Result<usize, MemoryError> {
        let counting = Counting { counter: self, tokenizer, deadline: &Deadline::none() };
        Ok(tokenizer.scaled(counting.message(message)?))
    }

    fn remembered(
        &self,
        tokenizer: Tokenizer,
        kind: &[u8],
        bytes: &[u8],
        count: impl FnOnce() -> Result<usize, MemoryError>,
    ) -> Result<usize, MemoryError> {
        let key = tokenizer.key(kind, bytes);
        if let Some(tokens) = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(*tokens);
        }
        let tokens = count()?;
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).put(key, tokens);
        Ok(tokens)
    }
}

/// Counting for a request, up to its deadline.
#[derive(Clone, Copy)]
struct Counting<'a> {
    counter: &'a TokenCounter,
    tokenizer: Tokenizer,
    deadline: &'a Deadline,
}

impl Counting<'_> {
    /// Counts a message as OpenAI documents it: 3 tokens, its role, its content, and 1 more for a name. What is more than
    /// that, such as calls, counts by its JSON.
    fn message(self, message: &Message) -> Result<usize, MemoryError> {
        let mut tokens = PER_MESSAGE + self.text(message.role)?;
        for part in &message.parts {
            tokens += match part {
                Part::Text(text) => self.text(text)?,
                Part::Other(other) => match other.nature {
                    Nature::Call => self.text(&other.raw.shown())?,
                    Nature::Aside => self.encoded(&other.raw)?,
                    // The base64 text that carries an attachment is not what the model sees.
                    Nature::Attachment(attachment) => match attachment.tokens(other.raw.bytes()) {
                        Some(tokens) => tokens,
                        None => self.encoded(&other.raw)?,
                    },
                },
            };
        }
        for (name, value) in &message.fields {
            tokens += if *name == OPAQUE { self.encoded(value)? } else { self.text(&value.shown())? };
            tokens += usize::from(*name == "name");
        }
        if let Some(odd) = message.odd.as_ref().filter(|_| message.parts.is_empty() && message.fields.is_empty()) {
            tokens += self.encoded(&odd.raw)?;
        }
        Ok(tokens)
    }

    /// A value most of which may be encoded data.
    fn encoded(self, value: &Raw) -> Result<usize, MemoryError> {
        let text = value.shown();
        let end = text.char_indices().nth(OTHER_CHARACTERS).map_or(text.len(), |(end, _)| end);
        let shown = text.get(..end).unwrap_or_default();
        Ok(self.text(shown)? + (text.len() - shown.len()) / OTHER_BYTES_PER_TOKEN)
    }

    fn text(self, text: &str) -> Result<usize, MemoryError> {
        count_in_segments(text, |segment| {
            self.deadline.check()?;
            Ok(self.counter.piece(self.tokenizer, segment)?)
        })
    }
}

impl Tokenizer {
    /// The tokenizer of the model that is called `model`, such as `gpt-4o` or `openai/gpt-4.1-mini`.
    pub(crate) fn new(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        let known = get_tokenizer(name).or_else(|| newer(name));
        match known.and_then(|known| Some((known, tiktoken_rs::bpe_for_tokenizer(known).ok()?))) {
            Some((known, encoding)) => Self::OpenAi(known, encoding),
            None => Self::Reader(Factor::ONE),
        }
    }

    /// What counts are multiplied with; 1 where they are exact.
    pub(crate) fn factor(self) -> f64 {
        match self {
            Self::OpenAi(..) => 1.0,
            Self::Reader(factor) => factor.value(),
        }
    }

    /// The most that what has `tokens` tokens was ever taken to have, since factors change.
    pub(crate) fn ever(self, tokens: usize) -> usize {
        match self {
            Self::OpenAi(..) => tokens,
            Self::Reader(factor) => factor.ever(tokens),
        }
    }

    fn scaled(self, counted: usize) -> usize {
        match self {
            Self::OpenAi(..) => counted,
            Self::Reader(factor) => factor.of(counted),
        }
    }

    fn key(self, kind: &[u8], bytes: &[u8]) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        match self {
            Self::OpenAi(known, _) => hasher.update(format!("{known:?}").as_bytes()),
            Self::Reader(_) => hasher.update(b"reader"),
        };
        hasher.update(&[0]);
        hasher.update(kind);
        hasher.update(&[0]);
        hasher.update(bytes);
        let mut key = [0; 16];
        hasher.finalize_xof().fill(&mut key);
        key
    }
}

/// How many messages' counts are kept, at about 100 bytes each.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);
const PER_MESSAGE: usize = 3;
const REPLY_PRIMING: usize = 3;
/// So much of an unknown part is counted exactly; the rest is most likely encoded data.
const OTHER_CHARACTERS: usize = 2000;
const OTHER_BYTES_PER_TOKEN: usize = 12;

/// Models of OpenAI's that are newer than the tokenizer library; its newest chat tokenizer is the best guess.
fn newer(name: &str) -> Option<OpenAiTokenizer> {
    let mut letters = name.chars();
    let numbered_o = letters.next() == Some('o') && letters.next().is_some_and(|digit| digit.is_ascii_digit());
    (numbered_o || name.starts_with("gpt-") || name.starts_with("chatgpt-")).then_some(OpenAiTokenizer::O200kBase)
}

#[cfg(test)]
mod tests;
