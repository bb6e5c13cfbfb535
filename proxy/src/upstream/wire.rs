//! The part of the chat completions format that the embedded upstream speaks.
//!
//! It must not know how text is generated.

use mainpoint_engine::{FinishReason, GenerateRequest, TurnText};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ProxyError;

/// What the embedded upstream reads of a request; everything else, such as `tools`, is ignored.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    pub(super) model: String,
    messages: Vec<AskedMessage>,
    #[serde(default)]
    pub(super) stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    seed: Option<i64>,
    stop: Option<Stop>,
    n: Option<u32>,
    tool_choice: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct AskedMessage {
    role: String,
    #[serde(default)]
    content: Value,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Stop {
    One(String),
    Many(Vec<String>),
}

impl Asked {
    /// Parses a body and refuses what this upstream cannot do.
    ///
    /// # Errors
    /// [`ProxyError::InvalidRequest`], naming the field and what is allowed.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ProxyError> {
        let asked: Self = serde_json::from_slice(body)
            .map_err(|error| invalid(format!("The body is not a chat request: {error}."), None))?;
        if asked.messages.is_empty() {
            return Err(invalid(
                "messages must hold at least one message.".to_owned(),
                Some("messages"),
            ));
        }
        if asked.n.is_some_and(|n| n != 1) {
            return Err(invalid(
                "The embedded upstream gives one choice; n must be 1.".to_owned(),
                Some("n"),
            ));
        }
        let forced = asked
            .tool_choice
            .as_ref()
            .is_some_and(|choice| *choice == "required" || choice.is_object());
        if forced {
            let message = "The embedded upstream calls no tools; tool_choice must be \"auto\" or \"none\".";
            return Err(invalid(message.to_owned(), Some("tool_choice")));
        }
        Ok(asked)
    }

    /// Whether the last chunk of a stream should carry the usage.
    pub(super) fn wants_usage(&self) -> bool {
        self.stream_options
            .as_ref()
            .and_then(|options| options.include_usage)
            .unwrap_or(false)
    }

    /// What the engine is asked for. A base model would go on to write the other side's turns, so those end the answer.
    pub(super) fn to_generate(&self) -> GenerateRequest {
        let turns: Vec<TurnText> = self
            .messages
            .iter()
            .map(|message| TurnText {
                speaker: speaker(&message.role),
                text: text_of(&message.content),
            })
            .collect();
        let mut stop = match &self.stop {
            None => Vec::new(),
            Some(Stop::One(text)) => vec![text.clone()],
            Some(Stop::Many(texts)) => texts.clone(),
        };
        stop.retain(|text| !text.is_empty());
        stop.extend(["\nUser:", "\nAssistant:", "\nSystem:"].map(str::to_owned));
        GenerateRequest {
            turns,
            max_tokens: self
                .max_completion_tokens
                .or(self.max_tokens)
                .unwrap_or(DEFAULT_TOKENS)
                .max(1),
            temperature: self.temperature.unwrap_or(DEFAULT_TEMPERATURE),
            top_p: self.top_p.unwrap_or(1.0),
            seed: self
                .seed
                .map(|seed| u32::try_from(seed.rem_euclid(1 << 32)).unwrap_or(0)),
            stop,
        }
    }
}

/// What every object of one answer has in common.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) model: String,
}

/// Tokens that an answer cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub(super) prompt: usize,
    pub(super) completion: usize,
}

impl Answer {
    /// A whole `chat.completion`.
    pub(super) fn completion(&self, text: &str, reason: FinishReason, usage: Usage) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": null},
                "logprobs": null,
                "finish_reason": reason_name(reason),
            }],
            "usage": usage_value(usage),
        })
    }

    /// One `chat.completion.chunk`.
    pub(super) fn chunk(&self, delta: &Value, reason: Option<FinishReason>) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason.map(reason_name)}],
        })
    }

    /// The chunk that carries the usage and no choice.
    pub(super) fn usage_chunk(&self, usage: Usage) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": [],
            "usage": usage_value(usage),
        })
    }
}

const DEFAULT_TOKENS: usize = 256;
/// Lower than OpenAI's 1.0: a base model of this size soon loses the thread at 1.0.
const DEFAULT_TEMPERATURE: f32 = 0.7;

fn speaker(role: &str) -> String {
    let mut letters = role.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

fn reason_name(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length => "length",
        FinishReason::Stop => "stop",
    }
}

fn usage_value(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    })
}

fn invalid(message: String, param: Option<&'static str>) -> ProxyError {
    ProxyError::InvalidRequest { message, param }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    #[test]
    fn a_request_for_two_choices_or_a_forced_tool_is_refused_with_the_field() {
        let two = Asked::parse(br#"{"messages":[{"role":"user","content":"a"}],"n":2}"#).unwrap_err();
        assert_eq!(two.param(), Some("n"));
        let forced = br#"{"messages":[{"role":"user","content":"a"}],"tool_choice":"required"}"#;
        assert_eq!(Asked::parse(forced).unwrap_err().param(), Some("tool_choice"));
        assert!(Asked::parse(br#"{"messages":[]}"#).is_err());
        assert!(Asked::parse(b"nonsense").is_err());
    }

    #[test]
    fn parts_become_text_and_stop_words_keep_the_model_on_its_side() {
        let body = br#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}],
            "stop":"END","max_tokens":7,"seed":-1}"#;
        let request = Asked::parse(body).unwrap().to_generate();
        assert_eq!(
            request.turns,
            [TurnText {
                speaker: "User".to_owned(),
                text: "a\nb".to_owned()
            }]
        );
        assert_eq!(request.max_tokens, 7);
        assert_eq!(request.seed, Some(u32::MAX));
        assert_eq!(request.stop[0], "END");
        assert!(request.stop.contains(&"\nUser:".to_owned()));
    }
}
