//! Reads what is needed of a chat request and remembers where in the body it lies.
//!
//! It must not change a byte nor decide anything. A message that cannot be read is odd and stays as it is; only a body in which
//! no messages can be found is an error, and the caller relays the request untouched.

mod completions;
mod content;
mod echo;
mod message;
mod raw;
mod responses;
#[cfg(test)]
pub(crate) mod tests;

use std::ops::Range;

use bytes::Bytes;
use serde_json::{Value, json};

use super::attachments::ImageRule;
use super::json_scan::{self, Malformed, Picked, Span, decoded, slice};
use super::oddity::Oddity;
use crate::deadline::Deadline;

pub(crate) use echo::Echo;
pub(crate) use message::{Content, Message, Nature, Odd, OriginalPart, Other, Part};
pub(crate) use raw::Raw;
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
    /// The body's `user`; one that is no text by its JSON behind U+0000, so that no text is the same.
    pub(crate) user: Option<String>,
    /// How many choices are asked for; 0 when that cannot be read.
    pub(crate) choices: u64,
    /// Whether its `store` says that it is not to be kept.
    pub(crate) declines_storage: bool,
    /// Raw JSON that is part of the prompt besides the messages, such as tools and the format of the reply.
    pub(crate) definitions: Vec<Range<usize>>,
    /// The messages, or items, in order. What is no message at all, or of a kind that is not known, is one odd message with its
    /// neighbours of that kind.
    pub(crate) messages: Vec<Message>,
}

/// The body is no chat request that could be rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseError {
    #[error("not JSON")]
    NotJson,
    #[error("there are no messages")]
    NoMessages,
    #[error("the messages are of a shape that is not known")]
    Shape,
    #[error("there are more messages than are looked at")]
    TooMany,
    #[error("the upstream keeps the conversation")]
    Elsewhere,
    #[error("reading the request took too long")]
    Deadline,
}

impl From<Malformed> for ParseError {
    fn from(_: Malformed) -> Self {
        Self::NotJson
    }
}

/// The further field of a Responses item whose size says little about its tokens, such as encrypted reasoning.
pub(crate) const OPAQUE: &str = "opaque";

/// Most messages of a request that the memory looks at, so that what is known of them stays small.
pub(crate) const MOST_MESSAGES: usize = 200_000;

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

    /// The fields of a request that are part of the prompt besides its messages.
    fn definitions(self) -> [&'static str; 3] {
        match self {
            Self::ChatCompletions => ["tools", "functions", "response_format"],
            Self::Responses => ["instructions", "tools", "text"],
        }
    }
}

/// The fields of a request that are looked at.
const FIELDS: [&str; 13] = [
    "messages",
    "input",
    "model",
    "user",
    "n",
    "store",
    "previous_response_id",
    "conversation",
    "tools",
    "functions",
    "response_format",
    "instructions",
    "text",
];

type TopLevel = Picked<13>;

/// A body that is being read, and how its model counts images.
#[derive(Clone, Copy)]
struct BodyParser<'a> {
    body: &'a Bytes,
    images: ImageRule,
    deadline: &'a Deadline,
}

impl ChatRequest {
    /// Parses `body`, however long that takes.
    ///
    /// # Errors
    /// When no messages can be found in it, or the upstream keeps the conversation.
    pub(crate) fn parse(surface: Surface, body: Bytes) -> Result<Self, ParseError> {
        Self::parse_until(surface, body, &Deadline::none())
    }

    /// Parses `body` until `deadline`. Takes time and memory in proportion to the body.
    ///
    /// # Errors
    /// As [`Self::parse`], and [`ParseError::Deadline`].
    pub(crate) fn parse_until(surface: Surface, body: Bytes, deadline: &Deadline) -> Result<Self, ParseError> {
        let whole = json_scan::document(&body)?;
        let other = whole.oddity.map_or(ParseError::NoMessages, |_| ParseError::NotJson);
        let fields = Picked::new(&body, &whole.range, FIELDS).ok_or(other)?;
        let model = fields.get("model").and_then(|span| decoded(slice(&body, &span.range)));
        let model = model.unwrap_or_default().into_owned();
        let parser = BodyParser { body: &body, images: ImageRule::new(&model), deadline };
        let messages = match surface {
            Surface::ChatCompletions => completions::messages(parser, &fields)?,
            Surface::Responses => responses::messages(parser, &fields)?,
        };
        let user = fields.set(&body, "user").map(|span| user_of(slice(&body, &span.range)));
        let choices = match fields.set(&body, "n") {
            Some(span) => serde_json::from_slice(slice(&body, &span.range)).unwrap_or(0),
            None => 1,
        };
        let declines_storage = fields.get("store").is_some_and(|span| slice(&body, &span.range) == b"false");
        let definitions = surface.definitions().into_iter().filter_map(|name| fields.set(&body, name));
        Ok(Self {
            surface,
            model,
            user: user.filter(|user| !user.is_empty()),
            choices,
            declines_storage,
            definitions: definitions.map(|span| span.range.clone()).collect(),
            messages,
            body,
        })
    }

    /// The bytes of `range`, which lie in a JSON string or value.
    pub(crate) fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.body.get(range.clone()).unwrap_or_default()
    }

    /// Index of the last message that a user said.
    pub(crate) fn last_user(&self) -> Option<usize> {
        self.messages.iter().rposition(|message| message.role == "user")
    }
}

impl BodyParser<'_> {
    /// The messages of the array at `list`, each made by `read`, up to the deadline.
    fn each(self, list: &Range<usize>, mut read: impl FnMut(&Span) -> Message) -> Result<Vec<Message>, ParseError> {
        if self.body.get(list.start) != Some(&b'[') {
            return Err(ParseError::Shape);
        }
        let mut messages: Vec<Message> = Vec::with_capacity(self.most(list)?);
        json_scan::elements(self.body, list, |span| {
            if self.deadline.is_over() {
                return Err(ParseError::Deadline);
            }
            let mut message = read(&span);
            message.shrink();
            if let Some(before) = messages.last_mut().filter(|before| before.is_nothing() && message.is_nothing()) {
                before.range.end = message.range.end;
                if let Some(odd) = &mut before.odd {
                    odd.raw = self.raw(&before.range);
                }
                return Ok(());
            }
            if messages.len() == MOST_MESSAGES {
                return Err(ParseError::TooMany);
            }
            messages.push(message);
            Ok(())
        })?;
        Ok(messages)
    }

    /// How many messages the array at `list` can have, so that room for them is made once.
    fn most(self, list: &Range<usize>) -> Result<usize, ParseError> {
        let mut objects = 0;
        json_scan::elements::<Malformed>(self.body, list, |span| {
            objects += usize::from(self.body.get(span.range.start) == Some(&b'{'));
            Ok(())
        })?;
        // What has no role is one message with its neighbours.
        Ok(objects.min(list.len() / SHORTEST_MESSAGE + 1).min(MOST_MESSAGES))
    }

    /// An odd message of which nothing is known.
    fn nothing(self, span: &Span, why: Oddity) -> Message {
        let mut message = Message::bare(span.range.clone(), "");
        message.odd = self.odd(span, why);
        message
    }

    fn odd(self, span: &Span, why: Oddity) -> Option<Box<Odd>> {
        let raw = self.raw(&span.range);
        Some(Box::new(Odd { why, raw }))
    }

    fn raw(self, range: &Range<usize>) -> Raw {
        Raw::whole(self.body.slice(range.clone()))
    }
}

/// Bytes of a message that says no more than its role.
const SHORTEST_MESSAGE: usize = br#"{"role":"user"},"#.len();

/// The user whose request it is.
fn user_of(raw: &[u8]) -> String {
    if let Some(text) = decoded(raw) {
        return text.into_owned();
    }
    match std::str::from_utf8(raw) {
        Ok(json) => format!("\0{json}"),
        Err(_) => "\0\0".chars().chain(raw.iter().map(|byte| char::from(*byte))).collect(),
    }
}
