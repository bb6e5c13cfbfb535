//! Counts a request's tokens with OpenAI's own tokenizer, apart from the product's counting.

use serde_json::Value;

/// Tokens of `text` for the models of the GPT-4o family.
#[must_use]
pub fn count(text: &str) -> usize {
    tiktoken_rs::o200k_base_singleton().encode_ordinary(text).len()
}

/// Tokens of a chat request's prompt by OpenAI's published rule: three for each message and three for the reply's start,
/// besides role, name, content and tool calls; tools count as their JSON.
#[must_use]
pub fn count_prompt(request: &Value) -> usize {
    let messages = request["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let tools = request.get("tools").map_or(0, |tools| count(&tools.to_string()));
    3 + tools + messages.iter().map(count_message).sum::<usize>()
}

fn count_message(message: &Value) -> usize {
    let members = message.as_object().into_iter().flatten();
    let tokens = members.map(|(name, value)| match value {
        Value::String(text) => count(text),
        Value::Array(parts) if name == "content" => {
            parts.iter().filter_map(|part| part["text"].as_str()).map(count).sum()
        }
        Value::Null => 0,
        other => count(&other.to_string()),
    });
    3 + tokens.sum::<usize>()
}
