//! The part of the chat completions format that the embedded upstream speaks.
//!
//! It must not know how text is generated.

use mainpoint_engine::{ChatMessage, ChatRole, FinishReason, GenerateRequest};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ProxyError;

/// What the embedded upstream reads of a request; everything else, such as `tools`, is ignored.
#[derive(Debug, Deserialize)]
pub(super) struct EmbeddedRequest {
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

impl EmbeddedRequest {
    /// Parses a body and refuses what this upstream cannot do.
    ///
    /// # Errors
    /// [`ProxyError::InvalidRequest`], naming the field and what is allowed.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ProxyError> {
        let asked: Self = serde_json::from_slice(body)
            .map_err(|error| invalid(format!("The body is not a chat request: {error}."), None))?;
        if asked.messages.is_empty() {
            return Err(invalid("messages must hold at least one message.".to_owned(), Some("messages")));
        }
        if asked.n.is_some_and(|n| n != 1) {
            return Err(invalid("The embedded upstream gives one choice; n must be 1.".to_owned(), Some("n")));
        }
        let forced = asked.tool_choice.as_ref().is_some_and(|choice| *choice == "required" || choice.is_object());
        if forced {
            let message = "The embedded upstream calls no tools; tool_choice must be \"auto\" or \"none\".";
            return Err(invalid(message.to_owned(), Some("tool_choice")));
        }
        Ok(asked)
    }

    /// Whether the last chunk of a stream should carry the usage.
    pub(super) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false)
    }

    /// What the engine is asked for.
    pub(super) fn to_generate(&self) -> GenerateRequest {
        let mut messages: Vec<ChatMessage> = self.messages.iter().map(AskedMessage::to_chat).collect();
        if !messages.iter().any(|message| message.role == ChatRole::System) {
            messages.insert(0, ChatMessage { role: ChatRole::System, text: WHO_ANSWERS.to_owned() });
        }
        let mut stop = match &self.stop {
            None => Vec::new(),
            Some(Stop::One(text)) => vec![text.clone()],
            Some(Stop::Many(texts)) => texts.clone(),
        };
        stop.retain(|text| !text.is_empty());
        GenerateRequest {
            messages,
            max_tokens: self.max_completion_tokens.or(self.max_tokens).unwrap_or(DEFAULT_TOKENS).max(1),
            temperature: self.temperature.unwrap_or(DEFAULT_TEMPERATURE),
            top_p: self.top_p.unwrap_or(1.0),
            seed: self.seed.map(|seed| u32::try_from(seed.rem_euclid(1 << 32)).unwrap_or(0)),
            stop,
        }
    }
}

impl AskedMessage {
    fn to_chat(&self) -> ChatMessage {
        ChatMessage { role: role(&self.role), text: text_of(&self.content) }
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

/// A small model that nobody told who it is makes something up.
const WHO_ANSWERS: &str = "You are a helpful assistant: a small language model that runs inside mainpoint, a proxy with a memory. \
                           Answer clearly and in the language of the question.";
/// An answer ends by itself; this ends one that does not.
const DEFAULT_TOKENS: usize = 1024;
/// Lower than OpenAI's 1.0: a model of this size soon loses the thread at 1.0.
const DEFAULT_TEMPERATURE: f32 = 0.7;

/// What a small model is told of a role: what a tool says comes from outside, as what the user says.
fn role(name: &str) -> ChatRole {
    match name {
        "system" | "developer" => ChatRole::System,
        "assistant" => ChatRole::Assistant,
        _ => ChatRole::User,
    }
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
        let two = EmbeddedRequest::parse(br#"{"messages":[{"role":"user","content":"a"}],"n":2}"#).unwrap_err();
        assert_eq!(two.param(), Some("n"));
        let forced = br#"{"messages":[{"role":"user","content":"a"}],"tool_choice":"required"}"#;
        assert_eq!(EmbeddedRequest::parse(forced).unwrap_err().param(), Some("tool_choice"));
        assert!(EmbeddedRequest::parse(br#"{"messages":[]}"#).is_err());
        assert!(EmbeddedRequest::parse(b"nonsense").is_err());
    }

    #[test]
    fn parts_become_text_and_roles_those_that_a_template_knows() {
        let body = br#"{"messages":[
            {"role":"developer","content":"Be brief."},
            {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
            {"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":"42"}],
            "stop":["END",""],"max_tokens":7,"seed":-1}"#;
        let request = EmbeddedRequest::parse(body).unwrap().to_generate();
        let messages: Vec<(ChatRole, &str)> =
            request.messages.iter().map(|message| (message.role, message.text.as_str())).collect();
        let expected = [
            (ChatRole::System, "Be brief."),
            (ChatRole::User, "a\nb"),
            (ChatRole::Assistant, ""),
            (ChatRole::User, "42"),
        ];
        assert_eq!(messages, expected);
        assert_eq!(request.max_tokens, 7);
        assert_eq!(request.seed, Some(u32::MAX));
        assert_eq!(request.stop, ["END"]);
    }

    #[test]
    fn whoever_says_nothing_of_how_to_answer_gets_an_assistant() {
        let request = EmbeddedRequest::parse(br#"{"messages":[{"role":"user","content":"a"}]}"#).unwrap().to_generate();
        let roles: Vec<ChatRole> = request.messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [ChatRole::System, ChatRole::User]);
    }
}
