//! What the embedded model is asked: the chat completions format, read strictly where another answer would be wrong.
//!
//! What is not named here is ignored, such as `tools` that need not be called.

use std::ops::RangeInclusive;

use mainpoint_engine::{ChatMessage, ChatRole, GenerateRequest};
use serde_json::Value;

use super::field::{Field, shown};
use crate::error::ProxyError;

/// A request that can be answered.
#[derive(Debug)]
pub(super) struct EmbeddedRequest {
    /// The model that it names; any name is good.
    pub(super) model: Option<String>,
    /// Whether the answer is wanted as a stream of events.
    pub(super) streams: bool,
    /// Whether the last chunk of a stream should carry the usage.
    pub(super) wants_usage: bool,
    /// What the engine is asked for.
    pub(super) generate: GenerateRequest,
}

impl EmbeddedRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// [`ProxyError::InvalidRequest`] where it is no JSON object, [`ProxyError::InvalidParameter`] for a key whose value is not
    /// allowed, or asks for what the embedded model cannot do.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ProxyError> {
        let body: Value =
            serde_json::from_slice(body).map_err(|error| invalid(format!("The body is not valid JSON: {error}.")))?;
        if !body.is_object() {
            return Err(invalid(format!("The body is {}; expected a JSON object with messages.", shown(&body))));
        }
        let field = |key: &str| Field::of(&body, key);
        refuse_what_it_cannot_do(&body)?;
        let most_tokens = count(&field("max_completion_tokens"))?;
        let most_tokens_by_the_old_name = count(&field("max_tokens"))?;
        let options = field("stream_options");
        options.read("an object", Value::as_object)?;
        Ok(Self {
            model: field("model").read("a string", |value| value.as_str().map(str::to_owned))?,
            streams: truth(&field("stream"))?,
            wants_usage: truth(&options.inside("include_usage"))?,
            generate: GenerateRequest {
                messages: messages(&field("messages"))?,
                max_tokens: most_tokens.or(most_tokens_by_the_old_name).unwrap_or(DEFAULT_TOKENS),
                temperature: number(&field("temperature"), 0.0..=2.0)?.unwrap_or(DEFAULT_TEMPERATURE),
                top_p: number(&field("top_p"), 0.0..=1.0)?.unwrap_or(1.0),
                seed: field("seed").read("a whole number", seed)?,
                stop: stops(&field("stop"))?,
            },
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

/// Refuses what would be answered wrongly if it were ignored. What changes nothing but how likely words are is ignored where it is
/// in its range.
fn refuse_what_it_cannot_do(body: &Value) -> Result<(), ProxyError> {
    let only = |key: &str, allowed: &str, is_allowed: fn(&Value) -> bool| {
        Field::of(body, key).read(allowed, |value| is_allowed(value).then_some(())).map(|_| ())
    };
    let no_calls = "\"auto\" or \"none\", since the embedded model calls no tools";
    only("tool_choice", no_calls, |choice| choice == "auto" || choice == "none")?;
    only("function_call", no_calls, |choice| choice == "auto" || choice == "none")?;
    only("tools", "a list, whose tools the embedded model does not call", Value::is_array)?;
    only("functions", "a list, whose functions the embedded model does not call", Value::is_array)?;
    only("n", "1, since the embedded model gives one choice", |n| n.as_f64() == Some(1.0))?;
    only("logprobs", "false, since the embedded model gives no log probabilities", |wanted| wanted == false)?;
    only("top_logprobs", "0, since the embedded model gives no log probabilities", |n| n.as_f64() == Some(0.0))?;
    only("modalities", "[\"text\"], since the embedded model gives text only", |wanted| {
        wanted.as_array().is_some_and(|all| all.iter().all(|one| one == "text"))
    })?;
    let format = Field::of(body, "response_format");
    if format.read("an object with a type", Value::as_object)?.is_some() {
        let kind = format.inside("type");
        if kind.given().is_none_or(|kind| kind != "text") {
            return Err(kind.refused("\"text\", since the embedded model cannot be held to a format"));
        }
    }
    number(&Field::of(body, "presence_penalty"), -2.0..=2.0)?;
    number(&Field::of(body, "frequency_penalty"), -2.0..=2.0)?;
    Ok(())
}

fn messages(field: &Field<'_>) -> Result<Vec<ChatMessage>, ProxyError> {
    let asked = field.items().filter(|messages| !messages.is_empty());
    let asked = asked.ok_or_else(|| field.refused("a list with at least one message"))?;
    let mut messages: Vec<ChatMessage> = asked.iter().map(message).collect::<Result<_, _>>()?;
    if !messages.iter().any(|message| message.role == ChatRole::System) {
        messages.insert(0, ChatMessage { role: ChatRole::System, text: WHO_ANSWERS.to_owned() });
    }
    Ok(messages)
}

fn message(field: &Field<'_>) -> Result<ChatMessage, ProxyError> {
    if field.read("an object with a role and content", Value::as_object)?.is_none() {
        return Err(field.refused("an object with a role and content"));
    }
    let role = field.inside("role");
    let known = role.read(ROLES, |name| name.as_str().and_then(role_of))?;
    let known = known.ok_or_else(|| role.refused(ROLES))?;
    let content = field.inside("content");
    let text = match content.given() {
        // Whoever only called a tool said nothing.
        None if known == ChatRole::Assistant => String::new(),
        _ => text_of(&content)?,
    };
    Ok(ChatMessage { role: known, text })
}

const ROLES: &str = "\"system\", \"developer\", \"user\", \"assistant\", \"tool\" or \"function\"";

/// What a small model is told of a role: what a tool says comes from outside, as what the user says.
fn role_of(name: &str) -> Option<ChatRole> {
    match name {
        "system" | "developer" => Some(ChatRole::System),
        "assistant" => Some(ChatRole::Assistant),
        "user" | "tool" | "function" => Some(ChatRole::User),
        _ => None,
    }
}

fn text_of(content: &Field<'_>) -> Result<String, ProxyError> {
    if let Some(Value::String(text)) = content.given() {
        return Ok(text.clone());
    }
    let parts = content.items().ok_or_else(|| content.refused("a string or a list of parts"))?;
    let texts: Vec<&str> = parts.iter().map(text_of_part).collect::<Result<_, _>>()?;
    Ok(texts.join("\n"))
}

fn text_of_part<'request>(part: &Field<'request>) -> Result<&'request str, ProxyError> {
    if part.read("an object with a type", Value::as_object)?.is_none() {
        return Err(part.refused("an object with a type"));
    }
    let kind = part.inside("type");
    let text = match kind.given().and_then(Value::as_str) {
        Some(key @ ("text" | "refusal")) => part.inside(key),
        _ => return Err(kind.refused("\"text\", since the embedded model takes no images, audio or files")),
    };
    text.read("a string", Value::as_str)?.ok_or_else(|| text.refused("a string"))
}

fn truth(field: &Field<'_>) -> Result<bool, ProxyError> {
    Ok(field.read("true or false", Value::as_bool)?.unwrap_or(false))
}

fn count(field: &Field<'_>) -> Result<Option<usize>, ProxyError> {
    let whole = |value: &Value| value.as_u64().and_then(|count| usize::try_from(count).ok());
    field.read("a whole number from 1", |value| whole(value).filter(|count| *count > 0))
}

fn number(field: &Field<'_>, range: RangeInclusive<f64>) -> Result<Option<f32>, ProxyError> {
    let allowed = format!("a number from {} to {}", range.start(), range.end());
    field.read(&allowed, |value| value.as_f64().filter(|number| range.contains(number)).map(|number| number as f32))
}

/// A seed of the engine's for every whole number.
fn seed(value: &Value) -> Option<u32> {
    let whole = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))?;
    u32::try_from(whole.rem_euclid(1 << 32)).ok()
}

fn stops(field: &Field<'_>) -> Result<Vec<String>, ProxyError> {
    let texts = match field.given() {
        None => return Ok(Vec::new()),
        Some(Value::String(text)) => vec![text.clone()],
        Some(_) => {
            let items = field.items().ok_or_else(|| field.refused("a string or a list of strings"))?;
            let text = |item: &Field<'_>| match item.given().and_then(Value::as_str) {
                Some(text) => Ok(text.to_owned()),
                None => Err(item.refused("a string")),
            };
            items.iter().map(text).collect::<Result<_, _>>()?
        }
    };
    Ok(texts.into_iter().filter(|text| !text.is_empty()).collect())
}

fn invalid(message: String) -> ProxyError {
    ProxyError::InvalidRequest { message, param: None }
}
