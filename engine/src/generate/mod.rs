//! Answers of an instruct model, for the embedded upstream.

mod prompt;
mod tail;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::path::Path;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaChatTemplate;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use tokio::sync::mpsc;

use crate::EngineError;
use crate::halt::Halt;
use crate::llama::model::{Model, Role};
use tail::Tail;

/// A conversation to answer.
#[derive(Debug, Clone)]
pub struct GenerateRequest {
    /// The conversation so far, the oldest first. Messages without text are left out.
    pub messages: Vec<ChatMessage>,
    /// At most this many tokens are generated.
    pub max_tokens: usize,
    /// 0 always takes the likeliest token.
    pub temperature: f32,
    /// Share of probability that tokens are drawn from, in (0, 1].
    pub top_p: f32,
    /// Makes sampling repeatable.
    pub seed: Option<u32>,
    /// Texts that end the reply; they are not part of it.
    pub stop: Vec<String>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// Whose it is.
    pub role: ChatRole,
    /// What it says.
    pub text: String,
}

/// Whose a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatRole {
    /// Whoever says how to answer.
    System,
    /// Whoever asks.
    User,
    /// The model.
    Assistant,
}

/// A piece of the reply; `Finished` is the last one.
#[derive(Debug, Clone, PartialEq)]
pub enum GeneratedPiece {
    /// More text.
    Text(String),
    /// The end.
    Finished {
        /// Why it ended.
        reason: FinishReason,
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// Tokens generated.
        completion_tokens: usize,
    },
}

/// Why a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended its turn or a stop text appeared.
    Stop,
    /// `max_tokens` or the context's end was reached.
    Length,
}

/// Where pieces go.
pub(crate) type Pieces = mpsc::Sender<Result<GeneratedPiece, EngineError>>;

/// Tokens of the longest prompt and its reply together, if the model's own window is not shorter. Two cores read a prompt that
/// leaves just enough of it for a reply in about half a minute.
const MOST_WINDOW: u32 = 8192;
/// This part of the window is kept for the reply.
const REPLY_PART: u32 = 8;
/// Tokens that a context has room for at first; it grows when a conversation needs more.
const FIRST_WINDOW: u32 = 4096;
/// Tokens of a prompt that are computed before the next look at whether anybody waits.
const PREFILL: u32 = 512;

/// A conversation that was found short enough, before anything is computed for it.
pub(crate) struct PreparedRequest {
    prompt: Vec<LlamaToken>,
    request: GenerateRequest,
}

/// An instruct model and how it wants its messages written.
#[derive(Clone)]
pub(crate) struct ChatModel {
    model: Model,
    template: LlamaChatTemplate,
}

impl ChatModel {
    /// Loads an instruct model.
    ///
    /// # Errors
    /// As [`Model::load`], and [`EngineError::Architecture`] for a model without a usable chat template.
    pub(crate) fn load(path: &Path) -> Result<Self, EngineError> {
        let model = Model::load(path, Role::Chat)?;
        let refuse = |lack: &str| Role::Chat.refuse(path, lack);
        let template = model.llama.chat_template(None);
        let template = template.map_err(|_| refuse("a model without a chat template"))?;
        let chat = Self { model, template };
        let trial = ChatMessage { role: ChatRole::User, text: "Hello".into() };
        chat.prompt(&[trial]).map_err(|_| refuse("a model with an unknown chat template"))?;
        Ok(chat)
    }

    /// Writes and counts the prompt of a request. Computes nothing; takes a time that is bounded, whatever the request is.
    ///
    /// # Errors
    /// [`EngineError::PromptTooLong`], or what the chat template refuses.
    pub(crate) fn prepare(&self, request: GenerateRequest) -> Result<PreparedRequest, EngineError> {
        let prompt = self.prompt(&request.messages)?;
        Ok(PreparedRequest { prompt, request })
    }

    /// Tokens of the longest prompt.
    pub(crate) fn longest_prompt(&self) -> usize {
        (self.window() - self.window() / REPLY_PART) as usize
    }

    /// Tokens of the longest prompt and its reply together.
    fn window(&self) -> u32 {
        self.model.llama.n_ctx_train().clamp(PREFILL, MOST_WINDOW)
    }
}

/// A generating context on one thread.
pub(crate) struct Generator<'model> {
    chat: &'model ChatModel,
    context: LlamaContext<'model>,
    /// What the context has computed: a prompt that begins alike goes on from there.
    computed: Vec<LlamaToken>,
    threads: i32,
    halt: Halt,
}

impl<'model> Generator<'model> {
    pub(crate) fn new(chat: &'model ChatModel, threads: usize) -> Result<Self, EngineError> {
        let threads = i32::try_from(threads).unwrap_or(1);
        Ok(Self {
            chat,
            context: context(chat, FIRST_WINDOW.min(chat.window()), threads)?,
            computed: Vec::new(),
            threads,
            halt: Halt::default(),
        })
    }

    /// Ends between two tokens once `halt` is raised.
    pub(crate) fn stop_on(&mut self, halt: Halt) {
        self.halt = halt;
    }

    /// Generates until the reply ends or nobody listens any more.
    pub(crate) fn generate(&mut self, prepared: &PreparedRequest, pieces: &Pieces) -> Result<(), EngineError> {
        let PreparedRequest { prompt, request } = prepared;
        let limit = request.max_tokens.min((self.chat.window() as usize).saturating_sub(prompt.len()));
        self.make_room(prompt.len() + limit)?;
        let mut sampler = sampler(request);
        let mut batch = LlamaBatch::new(PREFILL as usize, 1);
        let known = self.keep_common(prompt)?;
        let mut added = Vec::new();
        for (position, token) in (0..).zip(prompt).skip(known) {
            if batch.n_tokens() as u32 >= PREFILL {
                if pieces.is_closed() {
                    return Ok(());
                }
                self.decode(&mut batch, &mut added)?;
            }
            let last = position as usize + 1 == prompt.len();
            batch.add(*token, position, &[0], last).map_err(|error| failed(&error))?;
            added.push(*token);
        }
        let mut tail = Tail::new(&request.stop);
        let mut generated = 0;
        let reason = loop {
            if generated >= limit {
                break FinishReason::Length;
            }
            self.decode(&mut batch, &mut added)?;
            let vocabulary = self.chat.model.llama.vocab();
            let token = sampler.sample(&self.context, -1);
            if vocabulary.is_eog(token) {
                break FinishReason::Stop;
            }
            generated += 1;
            let (text, stopped) = tail.push(&vocabulary.token_to_piece(token, false, None));
            if !text.is_empty() && pieces.blocking_send(Ok(GeneratedPiece::Text(text))).is_err() {
                return Ok(());
            }
            if stopped {
                break FinishReason::Stop;
            }
            let position = i32::try_from(prompt.len() + generated - 1).unwrap_or(i32::MAX);
            batch.add(token, position, &[0], true).map_err(|error| failed(&error))?;
            added.push(token);
        };
        let rest = tail.rest();
        let finished = GeneratedPiece::Finished { reason, prompt_tokens: prompt.len(), completion_tokens: generated };
        if rest.is_empty() || pieces.blocking_send(Ok(GeneratedPiece::Text(rest))).is_ok() {
            // Whoever left before the end needs no end.
            let _ = pieces.blocking_send(Ok(finished));
        }
        Ok(())
    }

    /// Forgets what the context has computed but for what a prompt begins with, and says how many tokens that are. The last token
    /// of the prompt is always computed, since what follows it is wanted.
    fn keep_common(&mut self, prompt: &[LlamaToken]) -> Result<usize, EngineError> {
        let most = prompt.len().saturating_sub(1);
        let same =
            self.computed.iter().zip(prompt.iter().take(most)).take_while(|(known, token)| known == token).count();
        self.computed.clear();
        let position = u32::try_from(same).unwrap_or(0);
        let kept = self.context.clear_kv_cache_seq(Some(0), Some(position), None).map_err(|error| failed(&error))?;
        if !kept {
            self.context.clear_kv_cache();
            return Ok(0);
        }
        self.computed.extend_from_slice(prompt.get(..same).unwrap_or_default());
        Ok(same)
    }

    /// Makes the context large enough.
    fn make_room(&mut self, tokens: usize) -> Result<(), EngineError> {
        let needed = u32::try_from(tokens).unwrap_or(u32::MAX);
        if needed > self.context.n_ctx() {
            let larger = needed.next_power_of_two().min(self.chat.window());
            self.computed.clear();
            self.context = context(self.chat, larger, self.threads)?;
        }
        Ok(())
    }

    /// Computes the tokens of the batch, which is empty then.
    fn decode(&mut self, batch: &mut LlamaBatch, added: &mut Vec<LlamaToken>) -> Result<(), EngineError> {
        if self.halt.is_raised() {
            return Err(EngineError::Unwanted);
        }
        self.context.decode(batch).map_err(|error| failed(&error))?;
        self.computed.append(added);
        batch.clear();
        Ok(())
    }
}

fn context(chat: &ChatModel, tokens: u32, threads: i32) -> Result<LlamaContext<'_>, EngineError> {
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(tokens))
        .with_n_batch(PREFILL)
        .with_n_threads(threads)
        .with_n_threads_batch(threads)
        .with_no_perf(true);
    let context = chat.model.llama.new_context(&chat.model.backend, params);
    context.map_err(|error| failed(&error))
}

fn sampler(request: &GenerateRequest) -> LlamaSampler {
    if request.temperature <= 0.0 {
        return LlamaSampler::greedy();
    }
    let seed = request.seed.unwrap_or_else(|| {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos())
    });
    LlamaSampler::chain_simple([
        LlamaSampler::top_k(64),
        LlamaSampler::top_p(request.top_p, 1),
        LlamaSampler::temp(request.temperature),
        LlamaSampler::dist(seed),
    ])
}

fn failed(error: &dyn std::fmt::Display) -> EngineError {
    EngineError::Compute { operation: "generating", reason: error.to_string() }
}
