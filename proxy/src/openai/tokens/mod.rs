//! Counts the tokens of a prompt: with OpenAI's own tokenizers for its models, with the reader's for all others.
//!
//! It must not know budgets. Counts of messages are kept, because every request repeats the whole conversation. Texts are
//! counted segment by segment (`counting.rs`), in a time that is proportional to their length.

mod counting;

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use mainpoint_engine::EngineError;
use tiktoken_rs::CoreBPE;
use tiktoken_rs::tokenizer::{Tokenizer as OpenAiTokenizer, get_tokenizer};

use self::counting::count_in_segments;
use super::attachments::ImageRule;
use super::request::{ChatRequest, Message, Nature, OPAQUE, Part, Raw};
use crate::deadline::Deadline;
use crate::error::MemoryError;

/// Counts a text's tokens with the reader's tokenizer.
pub(crate) type ReaderCount = Arc<dyn Fn(&str) -> Result<usize, EngineError> + Send + Sync>;

/// Counts tokens and remembers the counts of messages.
pub(crate) struct TokenCounter {
    reader: ReaderCount,
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
    /// The reader's, for every model whose tokenizer is not known.
    Reader,
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
}

impl TokenCounter {
    /// Counts with `reader` where no tokenizer of OpenAI's fits.
    pub(crate) fn new(reader: ReaderCount) -> Self {
        Self { reader, cache: Mutex::new(LruCache::new(REMEMBERED)) }
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
        Ok(RequestTokens { messages, other })
    }

    /// Counts a text.
    ///
    /// # Errors
    /// When the reader's tokenizer fails.
    pub(crate) fn text(&self, tokenizer: Tokenizer, text: &str) -> Result<usize, EngineError> {
        count_in_segments(text, |segment| self.piece(tokenizer, segment))
    }

    fn piece(&self, tokenizer: Tokenizer, piece: &str) -> Result<usize, EngineError> {
        match tokenizer {
            // The tokenizer gives up on some very odd texts; a rough count serves then.
            Tokenizer::OpenAi(_, encoding) => {
                Ok(encoding.count(piece, &HashSet::new()).unwrap_or_else(|_| piece.len().div_ceil(3)))
            }
            Tokenizer::Reader => (self.reader)(piece),
        }
    }

    /// Counts a message, however long that takes.
    ///
    /// # Errors
    /// When the reader's tokenizer fails.
    pub(crate) fn message(&self, tokenizer: Tokenizer, message: &Message) -> Result<usize, MemoryError> {
        let counting = Counting { counter: self, tokenizer, deadline: &Deadline::none() };
        counting.message(message)
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
            None => Self::Reader,
        }
    }

    fn key(self, kind: &[u8], bytes: &[u8]) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        match self {
            Self::OpenAi(known, _) => hasher.update(format!("{known:?}").as_bytes()),
            Self::Reader => hasher.update(b"reader"),
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
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::request::tests::{parsed, parsed_response};
    use super::*;

    fn words() -> TokenCounter {
        TokenCounter::new(Arc::new(|text| Ok(text.split_whitespace().count())))
    }

    fn count(counter: &TokenCounter, tokenizer: Tokenizer, request: &ChatRequest) -> RequestTokens {
        counter.request(tokenizer, request, &Deadline::none()).unwrap()
    }

    #[test]
    fn known_texts_have_the_counts_that_tiktoken_gives() {
        let counter = words();
        // Values of Python's tiktoken: o200k_base for gpt-4o, cl100k_base for gpt-4.
        for (model, text, expected) in [
            ("gpt-4o", "hello world", 2),
            ("gpt-4o-mini", "tiktoken is great!", 6),
            ("gpt-4", "tiktoken is great!", 6),
            ("gpt-4", "antidisestablishmentarianism", 6),
            ("gpt-4.1", "", 0),
        ] {
            assert_eq!(counter.text(Tokenizer::new(model), text).unwrap(), expected, "{model}: {text}");
        }
    }

    #[test]
    fn models_of_openai_have_its_tokenizers_and_all_others_the_readers() {
        let name = |model: &str| match Tokenizer::new(model) {
            Tokenizer::OpenAi(known, _) => format!("{known:?}"),
            Tokenizer::Reader => "reader".to_owned(),
        };
        for model in
            ["gpt-4o", "gpt-4.1-mini", "gpt-5", "gpt-5.2", "o1", "o3-mini", "o4-mini", "openai/gpt-4o", "gpt-7"]
        {
            assert_eq!(name(model), "O200kBase", "{model}");
        }
        assert_eq!(name("gpt-4-turbo"), "Cl100kBase");
        for model in ["llama-3", "mistral", "", "ollama/gemma3", "o-model"] {
            assert_eq!(name(model), "reader", "{model}");
        }
    }

    #[test]
    fn a_prompt_costs_three_tokens_a_message_and_three_for_the_reply() {
        // The example of OpenAI's cookbook counts 124 tokens for gpt-4o and 129 for gpt-4.
        let body = serde_json::json!({"messages": [
            {"role": "system", "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},
            {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
            {"role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue."},
            {"role": "system", "name": "example_user", "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."},
            {"role": "system", "name": "example_assistant", "content": "Let's talk later when we're less busy about how to do better."},
            {"role": "user", "content": "This late pivot means we don't have time to boil the ocean for the client deliverable."},
        ]});
        let request = parsed(&body.to_string());
        let counter = words();
        assert_eq!(count(&counter, Tokenizer::new("gpt-4o"), &request).total(), 124);
        assert_eq!(count(&counter, Tokenizer::new("gpt-4"), &request).total(), 129);
    }

    #[test]
    fn a_message_is_counted_once_and_tools_count_too() {
        let calls = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&calls);
        let counter = TokenCounter::new(Arc::new(move |text| {
            seen.fetch_add(1, Ordering::Relaxed);
            Ok(text.split_whitespace().count())
        }));
        let request = parsed(r#"{"messages":[{"role":"user","content":"a b c"}],"tools":[ {"x": 1} ]}"#);
        let first = count(&counter, Tokenizer::Reader, &request);
        let after_first = calls.load(Ordering::Relaxed);
        assert_eq!(count(&counter, Tokenizer::Reader, &request), first);
        assert_eq!(calls.load(Ordering::Relaxed), after_first);
        assert_eq!(first.messages, [3 + 1 + 3]);
        assert!(first.other > 3);
    }

    #[test]
    fn an_image_costs_what_the_model_sees_and_not_its_base64() {
        let data = "A".repeat(1_000_000);
        let body = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}]}}]}}"#
        );
        let tokens = count(&words(), Tokenizer::new("gpt-4o"), &parsed(&body));
        assert_eq!(tokens.messages, [3 + 1 + 765]);
    }

    #[test]
    fn a_response_costs_what_the_same_chat_costs() {
        let counter = words();
        let chat = r#"{"messages":[{"role":"user","content":"a b c"},{"role":"assistant","content":"d e"}]}"#;
        let items = r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"a b c"}]},
            {"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"d e"}]}]}"#;
        let chat = count(&counter, Tokenizer::Reader, &parsed(chat));
        assert_eq!(count(&counter, Tokenizer::Reader, &parsed_response(items)), chat);
        let text = count(&counter, Tokenizer::Reader, &parsed_response(r#"{"input":"a b c"}"#));
        assert_eq!(text.messages, [3 + 1 + 3]);
    }

    #[test]
    fn calls_count_by_their_json_and_instructions_tools_and_format_count_too() {
        let counter = words();
        let counted = |body: &str| count(&counter, Tokenizer::Reader, &parsed_response(body));
        let bare = counted(r#"{"input":"a"}"#);
        for name in ["instructions", "tools", "text"] {
            let more = counted(&format!(r#"{{"input":"a","{name}":{{"x": 1}}}}"#));
            assert_eq!(more.other, bare.other + 2, "{name}");
        }
        let call = |arguments: &str| {
            let body = format!(
                r#"{{"input":[{{"type":"function_call","call_id":"c","name":"f","arguments":"{arguments}"}}]}}"#
            );
            counted(&body).messages[0]
        };
        assert_eq!(call(&"x ".repeat(5000)), call("") + 5000);
    }

    #[test]
    fn pictures_and_encrypted_reasoning_do_not_cost_their_length() {
        let data = "A".repeat(1_000_000);
        let counted = |item: &str| {
            let request = parsed_response(&format!(r#"{{"model":"gpt-4o","input":[{item}]}}"#));
            count(&words(), Tokenizer::new("gpt-4o"), &request).messages[0]
        };
        let image = |detail: &str| {
            format!(
                r#"{{"role":"user","content":[{{"type":"input_image","detail":"{detail}","image_url":"data:image/png;base64,{data}"}}]}}"#
            )
        };
        assert_eq!(counted(&image("auto")), 3 + 1 + 765);
        assert_eq!(counted(&image("low")), 3 + 1 + 85);
        let picture = format!(r#"{{"type":"image_generation_call","id":"ig","result":"{data}"}}"#);
        assert_eq!(counted(&picture), 3 + 1 + 765);
        let reasoning = format!(r#"{{"type":"reasoning","summary":[],"encrypted_content":"{data}"}}"#);
        assert!(counted(&reasoning) < 150_000);
    }

    #[test]
    fn counting_ends_at_the_deadline() {
        let request = parsed(r#"{"messages":[{"role":"user","content":"a"}]}"#);
        let over = Deadline::after(std::time::Duration::ZERO);
        let counted = words().request(Tokenizer::Reader, &request, &over);
        assert!(matches!(counted, Err(MemoryError::Deadline)));
    }

    #[test]
    fn an_attachment_costs_what_its_model_says_though_another_model_has_the_same_tokenizer() {
        let counter = words();
        let tokens = |model: &str| {
            let image = r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}"#;
            let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":[{image}]}}]}}"#);
            count(&counter, Tokenizer::new(model), &parsed(&body)).messages[0]
        };
        assert_eq!(tokens("gpt-4o"), 3 + 1 + 765);
        assert_eq!(tokens("gpt-4.1-mini"), 3 + 1 + 1659);
    }

    #[test]
    fn results_in_the_parts_of_a_message_count_once() {
        let result = |content: &str| {
            let part = format!(r#"{{"type":"tool_result","tool_use_id":"t","content":{content}}}"#);
            let body = format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
            count(&words(), Tokenizer::Reader, &parsed(&body)).messages[0]
        };
        let text = "a b c d e f g h";
        assert_eq!(result(&format!("\"{text}\"")), result("\"\"") + 8);
        assert_eq!(result(&format!(r#"[{{"type":"text","text":"{text}"}}]"#)), result("[]") + 8);
    }
}
