//! Reads the messages of a chat completions request.
//!
//! It must not know items of the Responses interface.

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Message, ParseError, Surface, parse_content, range_in};
use crate::chat::fields::Fields;

/// The messages in order.
pub(super) fn messages(body: &Bytes, fields: &Fields<'_>) -> Result<Vec<Message>, ParseError> {
    let messages: Vec<&RawValue> = fields.required("messages")?;
    messages
        .into_iter()
        .enumerate()
        .map(|(index, raw)| message(body, index, raw))
        .collect()
}

/// The fields besides role and content that make a message what it is. Others (such as `annotations`, `reasoning` or
/// null fields that a client library adds) come and go while the message stays the same.
const IDENTITY: [&str; 6] = [
    "name",
    "tool_calls",
    "tool_call_id",
    "function_call",
    "refusal",
    "audio",
];

/// The name of every call in the old form, which has none of its own: a result answers the last call before it.
const FUNCTION: &str = "function_call";

fn message(body: &Bytes, index: usize, raw: &RawValue) -> Result<Message, ParseError> {
    let own: Fields<'_> = serde_json::from_str(raw.get())?;
    let mut message = Message::bare(range_in(body, raw), own.required::<String>("role")?);
    if let Some(raw) = own.get("content") {
        let content = parse_content(Surface::ChatCompletions, body, raw).ok_or(ParseError::Content(index))?;
        (message.content, message.parts) = content;
    }
    for name in IDENTITY {
        if let Some(value) = own.optional::<Value>(name)? {
            let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            if !empty {
                message.fields.push((name, value));
            }
        }
    }
    message.calls = calls(&message.fields);
    message.answers = answers(&message);
    Ok(message)
}

fn calls(fields: &[(&'static str, Value)]) -> Vec<String> {
    let mut names = Vec::new();
    for (field, value) in fields {
        match *field {
            "tool_calls" => {
                let ids = value.as_array().into_iter().flatten();
                names.extend(ids.filter_map(|call| Some(call.get("id")?.as_str()?.to_owned())));
            }
            "function_call" => names.push(FUNCTION.to_owned()),
            _ => {}
        }
    }
    names
}

fn answers(message: &Message) -> Option<String> {
    match message.role.as_str() {
        "tool" => {
            let (_, id) = message.fields.iter().find(|(field, _)| *field == "tool_call_id")?;
            id.as_str().map(str::to_owned)
        }
        "function" => Some(FUNCTION.to_owned()),
        _ => None,
    }
}
