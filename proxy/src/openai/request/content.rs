//! Reads the content of a message, on either interface and in the forms that clients of other providers send to both.

use std::ops::Range;

use super::raw::name_of;
use super::{BodyParser, Content, Message, Nature, Other, Part, Raw};
use crate::openai::attachments::{Attachment, Kind};
use crate::openai::json_scan::{self, Picked, decoded, slice};

/// What a part of a message's content is, by its type.
#[derive(Clone, Copy)]
enum PartType {
    /// Text in its field `text`.
    Text,
    /// A call, named by its field `id`.
    Call,
    /// The result of a call, named by its field `tool_use_id`.
    Result,
    /// What was thought, refused or searched for on the way.
    Aside,
    /// What the memory cannot quote.
    Attachment(Kind),
}

impl PartType {
    fn new(name: &str) -> Self {
        match name {
            "text" | "input_text" | "output_text" => Self::Text,
            "refusal" | "thinking" | "redacted_thinking" | "reasoning" | "reasoning_text" | "summary_text" => {
                Self::Aside
            }
            "tool_result" | "mcp_tool_result" => Self::Result,
            _ if name.ends_with("tool_use") => Self::Call,
            // Of a tool of the service's own, in the message that called it.
            _ if name.ends_with("_tool_result") => Self::Aside,
            _ => Self::Attachment(Kind::from_name(name).unwrap_or(Kind::Unknown)),
        }
    }
}

/// What a list of parts is the content of. No result of a tool holds another, so that parts are never nested deeper.
#[derive(Clone, Copy)]
enum Within {
    Message,
    Result,
}

/// The fields of a part that are looked at.
const FIELDS: [&str; 7] = ["type", "text", "id", "tool_use_id", "content", "stdout", "stderr"];

impl BodyParser<'_> {
    /// Puts the content at `place` into `message`; false when it is neither text, parts nor null.
    pub(super) fn content(self, message: &mut Message, place: &Range<usize>) -> bool {
        let raw = slice(self.body, place);
        match raw.first() {
            Some(b'"') => {
                message.content = Content::Text(place.clone());
                message.parts = vec![Part::Text(text_of(raw))];
                true
            }
            Some(b'[') => {
                message.content = Content::Parts(place.clone());
                self.parts(message, place, Within::Message);
                true
            }
            _ => raw == b"null",
        }
    }

    /// Puts something that is no text into `message`, as an attachment.
    pub(super) fn attach(self, message: &mut Message, place: &Range<usize>, kind: Kind) {
        self.attach_raw(message, self.raw(place), kind);
    }

    /// Puts an attachment into `message`.
    pub(super) fn attach_raw(self, message: &mut Message, raw: Raw, kind: Kind) {
        let rule = self.images;
        self.add(message, raw, Nature::Attachment(Attachment { kind, rule }));
        message.attachments = message.attachments.saturating_add(1);
    }

    fn add(self, message: &mut Message, raw: Raw, nature: Nature) {
        message.parts.push(Part::Other(Other { raw, nature }));
    }

    fn parts(self, message: &mut Message, place: &Range<usize>, within: Within) {
        // Where the parts of an unknown kind begin that the last part is made of, if it is.
        let mut unknown: Option<usize> = None;
        // An array in which another value ends early was refused with the whole body.
        let _ = json_scan::elements::<json_scan::Malformed>(self.body, place, |span| {
            let part = Picked::new(self.body, &span.range, FIELDS);
            let kind = match part.as_ref().map(|part| self.type_of(part)) {
                Some(PartType::Result | PartType::Call) if matches!(within, Within::Result) => None,
                kind => kind,
            };
            let kind = kind.unwrap_or(PartType::Attachment(Kind::Unknown));
            if let PartType::Attachment(Kind::Unknown) = kind {
                // Many small ones in a row are one, or they would take many times their bytes.
                let from = *unknown.get_or_insert(span.range.start);
                if from != span.range.start {
                    message.parts.pop();
                    message.attachments = message.attachments.saturating_sub(1);
                }
                self.attach(message, &(from..span.range.end), Kind::Unknown);
                return Ok(());
            }
            unknown = None;
            if let Some(part) = part {
                self.part(message, &span.range, kind, &part);
            }
            Ok(())
        });
    }

    /// The type of a part that says it, and of one that does not.
    fn type_of<const N: usize>(self, part: &Picked<N>) -> PartType {
        let field = |name: &str| part.set(self.body, name).map(|span| slice(self.body, &span.range));
        let is_text = |raw: Option<&[u8]>| raw.is_some_and(|raw| raw.starts_with(b"\""));
        match field("type").and_then(decoded) {
            Some(name) => match PartType::new(&name) {
                PartType::Text if !is_text(field("text")) => PartType::Attachment(Kind::Unknown),
                known => known,
            },
            // What a shell printed.
            None if is_text(field("stdout")) || is_text(field("stderr")) => PartType::Text,
            None => PartType::Attachment(Kind::Unknown),
        }
    }

    fn part<const N: usize>(self, message: &mut Message, place: &Range<usize>, kind: PartType, part: &Picked<N>) {
        let field = |name: &str| part.set(self.body, name).map(|span| slice(self.body, &span.range));
        let name = |field: Option<&[u8]>| field.map(name_of).unwrap_or_default();
        let whole = || self.raw(place);
        match kind {
            PartType::Text => {
                let text = field("text").map(text_of);
                let printed = || ["stdout", "stderr"].into_iter().filter_map(field).map(text_of).collect();
                message.parts.push(Part::Text(text.unwrap_or_else(printed)));
            }
            PartType::Call => {
                message.calls.push(name(field("id")));
                self.call_in_words(message, place);
                self.add(message, whole(), Nature::Call);
            }
            PartType::Result => {
                message.answers.push(name(field("tool_use_id")));
                self.add(message, Raw::facts(self.body.slice(place.clone()), &["content"]), Nature::Call);
                self.inner(message, part);
            }
            PartType::Aside => self.add(message, whole(), Nature::Aside),
            PartType::Attachment(kind) => self.attach(message, place, kind),
        }
    }

    /// The content of a result that is itself a part: text, or parts.
    fn inner<const N: usize>(self, message: &mut Message, part: &Picked<N>) {
        let Some(place) = part.set(self.body, "content").map(|span| &span.range) else {
            return;
        };
        let raw = slice(self.body, place);
        match raw.first() {
            Some(b'"') => message.parts.push(Part::Text(text_of(raw))),
            Some(b'[') => self.parts(message, place, Within::Result),
            _ => self.attach(message, place, Kind::Unknown),
        }
    }
}

/// What a JSON string says. An odd one by its bytes, for its tokens are to be counted all the same.
fn text_of(raw: &[u8]) -> String {
    match decoded(raw) {
        Some(text) => text.into_owned(),
        None => {
            let inside = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
            String::from_utf8_lossy(inside).into_owned()
        }
    }
}
