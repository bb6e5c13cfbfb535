//! Reads what is needed of a chat request and remembers where in the body it lies.
//!
//! It must not change a byte nor decide anything. Whatever it does not understand is an error, and the caller relays the
//! request untouched.

use std::ops::Range;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::block;
use super::fields::Fields;

/// A chat request and where its parts lie in the original body.
#[derive(Debug)]
pub(crate) struct ChatRequest {
    /// The original bytes.
    pub(crate) body: Bytes,
    /// The model that is asked for; empty when none is named.
    pub(crate) model: String,
    /// The body's `user`.
    pub(crate) user: Option<String>,
    /// How many choices are asked for.
    pub(crate) choices: u64,
    /// Raw JSON that is part of the prompt besides the messages: tools, functions and the response format.
    pub(crate) definitions: Vec<Range<usize>>,
    /// The messages in order.
    pub(crate) messages: Vec<Message>,
}

/// One message and where it lies in the body.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The message's bytes in the body.
    pub(crate) range: Range<usize>,
    /// `system`, `developer`, `user`, `assistant`, `tool`, `function` or whatever the client sent.
    pub(crate) role: String,
    /// What kind of content it has and where that lies.
    pub(crate) content: Content,
    /// The content in order.
    pub(crate) parts: Vec<Part>,
    /// Further fields that make the message what it is, by name.
    pub(crate) fields: Vec<(&'static str, Value)>,
}

/// Where a message's content lies in the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Missing or null.
    None,
    /// A string, with its quotes.
    Text(Range<usize>),
    /// An array of parts, with its brackets.
    Parts(Range<usize>),
}

/// One piece of content.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// Text, as sent.
    Text(String),
    /// Anything else, such as an image.
    Other(Value),
}

/// The body is no chat request that could be rewritten.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ParseError {
    /// Not JSON, or a field of another type than OpenAI's.
    #[error("not a chat request: {0}")]
    Json(#[from] serde_json::Error),
    /// A message's content is neither text, parts nor null.
    #[error("the content of message {0} is neither text nor parts")]
    Content(usize),
}

impl ChatRequest {
    /// Parses `body`.
    ///
    /// # Errors
    /// When the body is not JSON, or a field that is needed is missing or of another type.
    pub(crate) fn parse(body: Bytes) -> Result<Self, ParseError> {
        let fields: Fields<'_> = serde_json::from_slice(&body)?;
        let messages: Vec<&RawValue> = fields.required("messages")?;
        let messages = messages
            .into_iter()
            .enumerate()
            .map(|(index, raw)| parse_message(&body, index, raw))
            .collect::<Result<Vec<_>, _>>()?;
        let model = fields.optional::<String>("model")?.unwrap_or_default();
        let user = fields.optional::<String>("user")?.filter(|user| !user.is_empty());
        let choices = fields.optional("n")?.unwrap_or(1);
        let definitions = DEFINITIONS
            .iter()
            .filter_map(|name| fields.get(name).filter(|raw| raw.get() != "null"))
            .map(|raw| range_in(&body, raw))
            .collect();
        Ok(Self {
            model,
            user,
            choices,
            definitions,
            messages,
            body,
        })
    }

    /// The bytes of `range`, which lie in a valid JSON string or value.
    pub(crate) fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.body.get(range.clone()).unwrap_or_default()
    }

    /// Index of the last message with role `user`.
    pub(crate) fn last_user(&self) -> Option<usize> {
        self.messages.iter().rposition(|message| message.role == "user")
    }
}

impl Message {
    /// Whether the message instructs the model (`system`, `developer`); such messages are never touched and are no memory.
    pub(crate) fn is_instruction(&self) -> bool {
        matches!(self.role.as_str(), "system" | "developer")
    }

    /// The content without injected memory; text parts that held nothing else are gone.
    pub(crate) fn original_parts(&self) -> impl Iterator<Item = OriginalPart<'_>> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => {
                let own = block::strip(text);
                (own.len() == text.len() || !own.is_empty()).then_some(OriginalPart::Text(own))
            }
            Part::Other(value) => Some(OriginalPart::Other(value)),
        })
    }

    /// Whether the content holds injected memory, because a client sent it back.
    pub(crate) fn carries_memory(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Text(text) if block::strip(text).len() != text.len()))
    }

    /// The text without injected memory; text parts are joined by line breaks.
    pub(crate) fn text(&self) -> String {
        let texts: Vec<&str> = self
            .original_parts()
            .filter_map(|part| match part {
                OriginalPart::Text(text) => Some(text),
                OriginalPart::Other(_) => None,
            })
            .collect();
        texts.join("\n")
    }

    /// A further field's value.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
    }
}

/// One piece of content without injected memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum OriginalPart<'a> {
    /// Text.
    Text(&'a str),
    /// Anything else.
    Other(&'a Value),
}

impl From<OriginalPart<'_>> for Part {
    fn from(part: OriginalPart<'_>) -> Self {
        match part {
            OriginalPart::Text(text) => Self::Text(text.to_owned()),
            OriginalPart::Other(value) => Self::Other(value.clone()),
        }
    }
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

/// The fields of a request that are part of the prompt besides its messages.
const DEFINITIONS: [&str; 3] = ["tools", "functions", "response_format"];

fn parse_message(body: &Bytes, index: usize, raw: &RawValue) -> Result<Message, ParseError> {
    let own: Fields<'_> = serde_json::from_str(raw.get())?;
    let role: String = own.required("role")?;
    let (content, parts) = match own.get("content") {
        None => (Content::None, Vec::new()),
        Some(raw) => parse_content(body, raw).ok_or(ParseError::Content(index))?,
    };
    let mut fields = Vec::new();
    for name in IDENTITY {
        if let Some(value) = own.optional::<Value>(name)? {
            let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            if !empty {
                fields.push((name, value));
            }
        }
    }
    Ok(Message {
        range: range_in(body, raw),
        role,
        content,
        parts,
        fields,
    })
}

fn parse_content(body: &Bytes, raw: &RawValue) -> Option<(Content, Vec<Part>)> {
    let place = range_in(body, raw);
    match serde_json::from_str(raw.get()).ok()? {
        Value::Null => Some((Content::None, Vec::new())),
        Value::String(text) => Some((Content::Text(place), vec![Part::Text(text)])),
        Value::Array(parts) => Some((Content::Parts(place), parts.into_iter().map(part_of).collect())),
        _ => None,
    }
}

fn part_of(value: Value) -> Part {
    let is_text = value.get("type").is_some_and(|kind| kind == "text");
    match value.get("text").and_then(Value::as_str) {
        Some(text) if is_text => Part::Text(text.to_owned()),
        _ => Part::Other(value),
    }
}

/// `raw` borrows from `body`, so its address tells where it lies.
fn range_in(body: &Bytes, raw: &RawValue) -> Range<usize> {
    let start = raw.get().as_ptr() as usize - body.as_ptr() as usize;
    start..start + raw.get().len()
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    pub(crate) fn parsed(body: &str) -> ChatRequest {
        ChatRequest::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    #[test]
    fn every_message_is_found_with_its_own_bytes() {
        let request = parsed(
            "{ \"messages\" : [ {\"role\":\"user\" , \"content\":\"h\\u00e9\"},\n {\"content\":null,\"role\":\"assistant\"} ], \"model\":\"m\"}",
        );
        let slices: Vec<_> = request
            .messages
            .iter()
            .map(|m| std::str::from_utf8(request.slice(&m.range)).unwrap())
            .collect();
        assert_eq!(
            slices,
            [
                "{\"role\":\"user\" , \"content\":\"h\\u00e9\"}",
                "{\"content\":null,\"role\":\"assistant\"}"
            ]
        );
        assert_eq!(request.messages[0].text(), "hé");
        assert_eq!(request.messages[1].content, Content::None);
        let Content::Text(place) = &request.messages[0].content else {
            unreachable!()
        };
        assert_eq!(request.slice(place), b"\"h\\u00e9\"");
    }

    #[test]
    fn what_is_no_chat_request_is_an_error() {
        for body in [
            "",
            "nonsense",
            "[]",
            "{}",
            r#"{"messages":null}"#,
            r#"{"messages":"hi"}"#,
            r#"{"messages":[1]}"#,
            r#"{"messages":[{"content":"no role"}]}"#,
            r#"{"messages":[{"role":"user","content":5}]}"#,
            r#"{"messages":[{"role":7,"content":"a"}]}"#,
            r#"{"messages":[],"model":5}"#,
        ] {
            assert!(
                ChatRequest::parse(Bytes::copy_from_slice(body.as_bytes())).is_err(),
                "{body}"
            );
        }
        assert!(
            ChatRequest::parse(Bytes::from_static(
                b"{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}"
            ))
            .is_err()
        );
    }

    #[test]
    fn a_field_that_comes_twice_counts_as_most_parsers_count_it() {
        let request =
            parsed(r#"{"model":"x","messages":[],"model":"gpt-4o","messages":[{"role":"user","content":"a"}]}"#);
        assert_eq!(request.model, "gpt-4o");
        assert_eq!(request.messages.len(), 1);
    }

    #[test]
    fn fields_that_clients_add_and_drop_do_not_count() {
        let request = parsed(
            r#"{"messages":[{"role":"assistant","content":"a","tool_calls":[],"refusal":null,"annotations":[1],"name":"bob"}]}"#,
        );
        assert_eq!(request.messages[0].fields, [("name", Value::from("bob"))]);
    }

    #[test]
    fn injected_memory_is_no_part_of_the_text() {
        let block = block::render(&["[2026-11-22 14:03 UTC] user: x".to_owned()]);
        let body = serde_json::json!({"messages": [
            {"role": "user", "content": format!("hello\n\n{block}")},
            {"role": "user", "content": [{"type": "text", "text": "hello"}, {"type": "text", "text": block}]},
        ]});
        let request = parsed(&body.to_string());
        assert_eq!(request.messages[0].text(), "hello");
        assert_eq!(request.messages[1].text(), "hello");
    }
}
