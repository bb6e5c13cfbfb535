//! Plain text generation with the reader model, for the embedded upstream.
//!
//! It must not know the OpenAI wire format.

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use tokio::sync::mpsc;

use crate::halt::Halt;
use crate::model::Model;
use crate::tokens::tokenize;
use crate::{EngineError, TurnText};

/// A conversation to continue.
#[derive(Debug, Clone)]
pub struct GenerateRequest {
    /// The conversation so far; the reply is the turn of a speaker named `Assistant`.
    pub turns: Vec<TurnText>,
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

/// Tokens of prompt and reply; of a longer prompt the end is kept.
const WINDOW: u32 = 4096;
/// Few prompts have more than 16 bytes a token; of a longer one the end is looked at.
const MOST_PROMPT_BYTES: usize = 16 * WINDOW as usize;
/// Tokens of a prompt that are computed before the next look at whether anybody waits.
const PREFILL: usize = 512;
const REPLIER: &str = "Assistant";

/// A generating context on one thread.
pub(crate) struct Generator<'model> {
    model: &'model Model,
    context: LlamaContext<'model>,
    halt: Halt,
}

impl<'model> Generator<'model> {
    pub(crate) fn new(model: &'model Model, threads: usize) -> Result<Self, EngineError> {
        let threads = i32::try_from(threads).unwrap_or(1);
        let params = LlamaContextParams::default()
            .with_n_ctx(std::num::NonZeroU32::new(WINDOW))
            .with_n_batch(WINDOW)
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_no_perf(true);
        let context = model
            .llama
            .new_context(&model.backend, params)
            .map_err(|error| failed(&error))?;
        Ok(Self {
            model,
            context,
            halt: Halt::default(),
        })
    }

    /// Ends between two tokens once `halt` is raised.
    pub(crate) fn heed(&mut self, halt: Halt) {
        self.halt = halt;
    }

    /// Generates until the reply ends or nobody listens any more.
    pub(crate) fn generate(&mut self, request: &GenerateRequest, pieces: &Pieces) -> Result<(), EngineError> {
        let prompt = self.prompt(request);
        let limit = request.max_tokens.min(WINDOW as usize - prompt.len());
        let mut sampler = sampler(request);
        let mut batch = LlamaBatch::new(PREFILL, 1);
        self.context.clear_kv_cache();
        for (position, token) in (0..).zip(&prompt) {
            if position > 0 && (position as usize).is_multiple_of(PREFILL) {
                self.decode(&mut batch)?;
                batch.clear();
            }
            let last = position as usize + 1 == prompt.len();
            batch
                .add(*token, position, &[0], last)
                .map_err(|error| failed(&error))?;
        }
        let mut tail = Tail::new(request);
        let mut generated = 0;
        let reason = loop {
            if generated >= limit {
                break FinishReason::Length;
            }
            self.decode(&mut batch)?;
            let token = sampler.sample(&self.context, -1);
            if self.model.llama.vocab().is_eog(token) {
                break FinishReason::Stop;
            }
            generated += 1;
            let piece = self.model.llama.vocab().token_to_piece(token, false, None);
            let (text, stopped) = tail.push(&piece);
            if !text.is_empty() && pieces.blocking_send(Ok(GeneratedPiece::Text(text))).is_err() {
                return Ok(());
            }
            if stopped {
                break FinishReason::Stop;
            }
            batch.clear();
            let position = i32::try_from(prompt.len() + generated - 1).unwrap_or(i32::MAX);
            batch.add(token, position, &[0], true).map_err(|error| failed(&error))?;
        };
        let rest = tail.rest();
        let finished = GeneratedPiece::Finished {
            reason,
            prompt_tokens: prompt.len(),
            completion_tokens: generated,
        };
        if rest.is_empty() || pieces.blocking_send(Ok(GeneratedPiece::Text(rest))).is_ok() {
            // Whoever left before the end needs no end.
            let _ = pieces.blocking_send(Ok(finished));
        }
        Ok(())
    }

    fn decode(&mut self, batch: &mut LlamaBatch) -> Result<(), EngineError> {
        if self.halt.is_raised() {
            return Err(EngineError::Unwanted);
        }
        self.context.decode(batch).map_err(|error| failed(&error))
    }

    fn prompt(&self, request: &GenerateRequest) -> Vec<LlamaToken> {
        let mut text = String::new();
        for turn in &request.turns {
            text.push_str(&format!("{}: {}\n", turn.speaker, turn.text));
        }
        text.push_str(REPLIER);
        text.push(':');
        let vocabulary = self.model.llama.vocab();
        let mut start = text.len().saturating_sub(MOST_PROMPT_BYTES);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        let tokens = tokenize(&self.model.llama, text.get(start..).unwrap_or_default());
        let room = WINDOW as usize - 1 - request.max_tokens.min(WINDOW as usize / 2);
        let from = tokens.len().saturating_sub(room);
        std::iter::once(vocabulary.bos())
            .chain(tokens[from..].iter().map(|token| token.id))
            .collect()
    }
}

/// Text that was generated but not yet handed out: an unfinished character or the possible
/// beginning of a stop text.
struct Tail {
    held: Vec<u8>,
    stops: Vec<String>,
    started: bool,
}

impl Tail {
    fn new(request: &GenerateRequest) -> Self {
        let mut stops: Vec<String> = request
            .turns
            .iter()
            .map(|turn| format!("\n{}:", turn.speaker))
            .collect();
        stops.push(format!("\n{REPLIER}:"));
        stops.extend(request.stop.iter().filter(|stop| !stop.is_empty()).cloned());
        stops.sort_unstable();
        stops.dedup();
        Self {
            held: Vec::new(),
            stops,
            started: false,
        }
    }

    /// Takes a piece; gives the text that is certain by now, and whether a stop text appeared.
    fn push(&mut self, piece: &[u8]) -> (String, bool) {
        self.held.extend_from_slice(piece);
        if !self.started {
            let blank = self.held.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.held.drain(..blank);
            self.started = !self.held.is_empty();
        }
        let text = String::from_utf8_lossy(&self.held).into_owned();
        if let Some(at) = self.stops.iter().filter_map(|stop| text.find(stop.as_str())).min() {
            self.held.clear();
            return (text[..at].trim_end().to_owned(), true);
        }
        let whole = match std::str::from_utf8(&self.held) {
            Ok(_) => self.held.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            // Bytes that can never become a character are handed out as replacement characters.
            Err(_) => {
                self.held.clear();
                return (text, false);
            }
        };
        let certain = first_possible_stop(&text[..whole], &self.stops);
        self.held.drain(..certain);
        (text[..certain].to_owned(), false)
    }

    fn rest(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held))
            .trim_end()
            .to_owned()
    }
}

/// Where the first stop text may begin: the start of the longest end of `text` that begins one.
fn first_possible_stop(text: &str, stops: &[String]) -> usize {
    text.char_indices()
        .map(|(at, _)| at)
        .find(|at| stops.iter().any(|stop| stop.starts_with(&text[*at..])))
        .unwrap_or(text.len())
}

fn sampler(request: &GenerateRequest) -> LlamaSampler {
    if request.temperature <= 0.0 {
        return LlamaSampler::greedy();
    }
    let seed = request.seed.unwrap_or_else(|| {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |now| now.subsec_nanos())
    });
    LlamaSampler::chain_simple([
        LlamaSampler::top_k(64),
        LlamaSampler::top_p(request.top_p, 1),
        LlamaSampler::temp(request.temperature),
        LlamaSampler::dist(seed),
    ])
}

fn failed(error: &dyn std::error::Error) -> EngineError {
    EngineError::Compute {
        operation: "generating",
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail() -> Tail {
        let turns = vec![TurnText {
            speaker: "User".into(),
            text: "hi".into(),
        }];
        Tail::new(&GenerateRequest {
            turns,
            max_tokens: 8,
            temperature: 0.0,
            top_p: 1.0,
            seed: None,
            stop: vec![],
        })
    }

    #[test]
    fn a_stop_text_across_pieces_is_never_handed_out() {
        let mut tail = tail();
        assert_eq!(tail.push(b" Hello\nUs"), ("Hello".into(), false));
        assert_eq!(tail.push(b"er: and"), (String::new(), true));
    }

    #[test]
    fn a_character_cut_in_two_pieces_comes_out_whole() {
        let mut tail = tail();
        let bytes = "né".as_bytes();
        assert_eq!(tail.push(&bytes[..2]), ("n".into(), false));
        assert_eq!(tail.push(&bytes[2..]), ("é".into(), false));
    }

    #[test]
    fn what_only_looked_like_a_stop_text_comes_out_in_the_end() {
        let mut tail = tail();
        assert_eq!(tail.push(b"one\n"), ("one".into(), false));
        assert_eq!(tail.push(b"two"), ("\ntwo".into(), false));
        assert_eq!(tail.push(b"\nUser"), (String::new(), false));
        assert_eq!(tail.rest(), "\nUser");
    }
}
