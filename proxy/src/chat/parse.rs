//! Reads what is needed of a chat request and remembers where in the body it lies.
//!
//! It must not change a byte nor decide anything. Whatever it does not understand is an error, and the caller relays the
//! request untouched.

mod completions;
mod responses;
#[cfg(test)]
pub(crate) mod tests;

use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::block;
use super::fields::Fields;

pub(crate) use responses::is_unnamed;

/// Which of OpenAI's interfaces a request speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// `/chat/completions`.
    ChatCompletions,
    /// `/responses`.
    Responses,
}

/// A chat request and where its parts lie in the original body.
#[derive(Debug)]
pub(crate) struct ChatRequest {
    /// Which interface it speaks.
    pub(crate) surface: Surface,
    /// The original bytes.
    pub(crate) body: Bytes,
    /// The model that is asked for; empty when none is named.
    pub(crate) model: String,
    /// The body's `user`.
    pub(crate) user: Option<String>,
    /// How many choices are asked for.
    pub(crate) choices: u64,
    /// Raw JSON that is part of the prompt besides the messages, such as tools and the format of the reply.
    pub(crate) definitions: Vec<Range<usize>>,
    /// The messages, or items, in order.
    pub(crate) messages: Vec<Message>,
    /// Whether a message may leave. False when some of them stand for what cannot be seen here.
    pub(crate) rewritable: bool,
}

/// One message, or one item of a Responses request, and where it lies in the body.
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
    /// Names of the calls that it makes.
    pub(crate) calls: Vec<String>,
    /// Name of the call that it answers.
    pub(crate) answers: Option<String>,
    /// Whether it belongs to the message after it, as reasoning does: it has no name and never leaves without it.
    pub(crate) binds_next: bool,
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
    /// The request continues a conversation that the upstream keeps, so that it is no whole conversation.
    #[error("the upstream keeps the conversation")]
    Elsewhere,
}

/// The further field of a Responses item whose size says little about its tokens, such as encrypted reasoning.
pub(crate) const OPAQUE: &str = "opaque";

impl Surface {
    /// Its name in receipts.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat.completions",
            Self::Responses => "responses",
        }
    }

    /// A part of a user message that holds `text`.
    pub(crate) fn text_part(self, text: &str) -> Value {
        match self {
            Self::ChatCompletions => json!({"type": "text", "text": text}),
            Self::Responses => json!({"type": "input_text", "text": text}),
        }
    }

    /// Whether a part of type `kind` is plain text.
    fn is_text(self, kind: &str) -> bool {
        match self {
            Self::ChatCompletions => kind == "text",
            Self::Responses => matches!(kind, "input_text" | "output_text" | "text"),
        }
    }

    /// The fields of a request that are part of the prompt besides its messages.
    fn definitions(self) -> [&'static str; 3] {
        match self {
            Self::ChatCompletions => ["tools", "functions", "response_format"],
            Self::Responses => ["instructions", "tools", "text"],
        }
    }
}

impl ChatRequest {
    /// Parses `body`.
    ///
    /// # Errors
    /// When the body is not JSON, a field that is needed is missing or of another type, or the upstream keeps the
    /// conversation.
    pub(crate) fn parse(surface: Surface, body: Bytes) -> Result<Self, ParseError> {
        let fields: Fields<'_> = serde_json::from_slice(&body)?;
        let (messages, rewritable) = match surface {
            Surface::ChatCompletions => (completions::messages(&body, &fields)?, true),
            Surface::Responses => responses::messages(&body, &fields)?,
        };
        let model = fields.optional::<String>("model")?.unwrap_or_default();
        let user = fields.optional::<String>("user")?.filter(|user| !user.is_empty());
        let choices = fields.optional("n")?.unwrap_or(1);
        let definitions = surface
            .definitions()
            .iter()
            .filter_map(|name| fields.get(name).filter(|raw| raw.get() != "null"))
            .map(|raw| range_in(&body, raw))
            .collect();
        Ok(Self {
            surface,
            model,
            user,
            choices,
            definitions,
            messages,
            rewritable,
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

    /// A message of which nothing but its place and role is known yet.
    fn bare(range: Range<usize>, role: impl Into<String>) -> Self {
        Self {
            range,
            role: role.into(),
            content: Content::None,
            parts: Vec::new(),
            fields: Vec::new(),
            calls: Vec::new(),
            answers: None,
            binds_next: false,
        }
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

/// `None` when the content is neither text, parts nor null.
fn parse_content(surface: Surface, body: &Bytes, raw: &RawValue) -> Option<(Content, Vec<Part>)> {
    let place = range_in(body, raw);
    match serde_json::from_str(raw.get()).ok()? {
        Value::Null => Some((Content::None, Vec::new())),
        Value::String(text) => Some((Content::Text(place), vec![Part::Text(text)])),
        Value::Array(parts) => {
            let parts = parts.into_iter().map(|part| part_of(surface, part)).collect();
            Some((Content::Parts(place), parts))
        }
        _ => None,
    }
}

fn part_of(surface: Surface, value: Value) -> Part {
    let kind = value.get("type").and_then(Value::as_str);
    match value.get("text").and_then(Value::as_str) {
        Some(text) if kind.is_some_and(|kind| surface.is_text(kind)) => Part::Text(text.to_owned()),
        _ => Part::Other(value),
    }
}

/// `raw` borrows from `body`, so its address tells where it lies.
fn range_in(body: &Bytes, raw: &RawValue) -> Range<usize> {
    let start = raw.get().as_ptr() as usize - body.as_ptr() as usize;
    start..start + raw.get().len()
}
