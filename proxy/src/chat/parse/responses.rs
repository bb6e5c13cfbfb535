//! Reads the input of a Responses request: one text, or a list of items.
//!
//! It must not know messages of chat completions. Items that stand for what cannot be seen here make the request one that
//! is read and never rewritten.

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Content, Message, OPAQUE, ParseError, Part, Surface, parse_content, range_in};
use crate::chat::fields::Fields;

/// The items in order, and whether they may leave.
pub(super) fn messages(body: &Bytes, fields: &Fields<'_>) -> Result<(Vec<Message>, bool), ParseError> {
    let is_set = |name: &&str| fields.get(name).is_some_and(|raw| raw.get() != "null");
    if ELSEWHERE.iter().any(is_set) {
        return Err(ParseError::Elsewhere);
    }
    let input: &RawValue = fields.required("input")?;
    if input.get().starts_with('"') {
        let mut message = Message::bare(range_in(body, input), "user");
        (message.content, message.parts) = content(body, 0, input)?;
        return Ok((vec![message], true));
    }
    let items: Vec<&RawValue> = serde_json::from_str(input.get())?;
    let mut rewritable = true;
    let mut messages = Vec::with_capacity(items.len());
    for (index, raw) in items.into_iter().enumerate() {
        let own: Fields<'_> = serde_json::from_str(raw.get())?;
        let kind: Option<String> = own.optional("type")?;
        let kind = kind.unwrap_or_else(|| default_kind(&own).to_owned());
        rewritable &= Kind::of(&kind).may_leave();
        messages.push(item(body, index, raw, &own, &kind)?);
    }
    Ok((messages, rewritable))
}

/// Whether items of type `kind` have no name, because clients may leave them out when they send a conversation back.
pub(crate) fn is_unnamed(kind: &str) -> bool {
    matches!(Kind::of(kind), Kind::Aside | Kind::Tools)
}

/// The fields that say that the upstream keeps the conversation.
const ELSEWHERE: [&str; 2] = ["previous_response_id", "conversation"];

/// The field that holds everything that makes an item what it is, besides its content.
const ITEM: &str = "item";

/// What an item is to the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What somebody said.
    Message,
    /// What the service did on its way to what comes after it: reasoning, or a tool of its own.
    Aside,
    /// What tools there are.
    Tools,
    /// A call.
    Call,
    /// The result of a call.
    Output,
    /// A call or result by which the service remembers which tools are loaded.
    Loading { is_output: bool },
    /// Stands for something else, or is not known.
    Unknown,
}

impl Kind {
    fn of(kind: &str) -> Self {
        match kind {
            "message" => Self::Message,
            "reasoning" | "web_search_call" | "file_search_call" | "code_interpreter_call" | "mcp_call" => Self::Aside,
            "mcp_list_tools" | "additional_tools" => Self::Tools,
            "mcp_approval_request" => Self::Call,
            "mcp_approval_response" => Self::Output,
            "tool_search_call" => Self::Loading { is_output: false },
            "tool_search_output" => Self::Loading { is_output: true },
            _ if kind.ends_with("_call") => Self::Call,
            _ if kind.ends_with("_output") => Self::Output,
            _ => Self::Unknown,
        }
    }

    fn may_leave(self) -> bool {
        !matches!(self, Self::Loading { .. } | Self::Unknown)
    }

    /// The role that a message would have in its place.
    fn role(self) -> &'static str {
        match self {
            Self::Output | Self::Loading { is_output: true } => "tool",
            Self::Tools => "developer",
            _ => "assistant",
        }
    }
}

/// The type of an item that does not say it.
fn default_kind(own: &Fields<'_>) -> &'static str {
    if own.get("role").is_some() {
        "message"
    } else {
        "item_reference"
    }
}

fn item(body: &Bytes, index: usize, raw: &RawValue, own: &Fields<'_>, kind: &str) -> Result<Message, ParseError> {
    let place = range_in(body, raw);
    let what = Kind::of(kind);
    if what == Kind::Message {
        let mut message = Message::bare(place, own.required::<String>("role")?);
        if let Some(raw) = own.get("content") {
            (message.content, message.parts) = content(body, index, raw)?;
        }
        return Ok(message);
    }
    let mut message = Message::bare(place, what.role());
    let field = if is_opaque(kind) { OPAQUE } else { ITEM };
    message.answers = first(own, &["approval_request_id"])?;
    match what {
        Kind::Aside | Kind::Tools => {
            message.binds_next = what == Kind::Aside;
            message.fields.push((field, facts(raw, &[])?));
        }
        // Its id may be all there is.
        Kind::Unknown => message.fields.push((OPAQUE, facts(raw, &["status"])?)),
        Kind::Output | Kind::Loading { is_output: true } => {
            if let Some(raw) = own.get("output") {
                (message.content, message.parts) = output(body, raw)?;
            }
            message.answers = first(own, &["call_id", "approval_request_id", "id"])?;
            message.fields.push((field, facts(raw, &["id", "status", "output"])?));
        }
        _ => {
            message.calls = calls(own, kind)?;
            message.fields.push((field, facts(raw, &["id", "status"])?));
        }
    }
    Ok(message)
}

/// Whether most of an item is encoded data.
fn is_opaque(kind: &str) -> bool {
    matches!(kind, "reasoning" | "image_generation_call")
}

fn content(body: &Bytes, index: usize, raw: &RawValue) -> Result<(Content, Vec<Part>), ParseError> {
    parse_content(Surface::Responses, body, raw).ok_or(ParseError::Content(index))
}

/// A result is text, parts, or something of the tool's own such as a screenshot.
fn output(body: &Bytes, raw: &RawValue) -> Result<(Content, Vec<Part>), ParseError> {
    match parse_content(Surface::Responses, body, raw) {
        Some(found) => Ok(found),
        None => Ok((Content::None, vec![Part::Other(serde_json::from_str(raw.get())?)])),
    }
}

fn calls(own: &Fields<'_>, kind: &str) -> Result<Vec<String>, ParseError> {
    // The result of a local shell call may name it by its id.
    let names: &[&str] = match kind {
        "mcp_approval_request" => &["id"],
        "local_shell_call" => &["call_id", "id"],
        _ => &["call_id"],
    };
    let mut calls = Vec::new();
    for name in names {
        calls.extend(own.optional::<String>(name)?);
    }
    Ok(calls)
}

fn first(own: &Fields<'_>, names: &[&str]) -> Result<Option<String>, ParseError> {
    for name in names {
        if let Some(found) = own.optional(name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The item without the fields `without` and those that are null, which clients add and drop.
fn facts(raw: &RawValue, without: &[&str]) -> Result<Value, ParseError> {
    let mut facts: Map<String, Value> = serde_json::from_str(raw.get())?;
    facts.retain(|name, value| !value.is_null() && !without.contains(&name.as_str()));
    Ok(Value::Object(facts))
}
