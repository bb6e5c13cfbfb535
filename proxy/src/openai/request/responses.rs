//! Reads the input of a Responses request: one text, or a list of items.
//!
//! An item that stands for what cannot be seen here, or is of a type that is not known, is odd: it stays where it is,
//! and so does what belongs to it.

use super::completions::{TOOL, role_of};
use super::raw::name_of;
use super::{BodyParser, Message, OPAQUE, ParseError, Raw, TopLevel};
use crate::openai::attachments::Kind as AttachmentKind;
use crate::openai::json_scan::{Picked, Span, decoded, slice};
use crate::openai::oddity::Oddity;

/// The items in order.
pub(super) fn messages(parser: BodyParser<'_>, fields: &TopLevel) -> Result<Vec<Message>, ParseError> {
    if ELSEWHERE.iter().any(|name| fields.set(parser.body, name).is_some()) {
        return Err(ParseError::Elsewhere);
    }
    let input = fields.get("input").ok_or(ParseError::NoMessages)?;
    if slice(parser.body, &input.range).starts_with(b"\"") {
        let mut message = Message::bare(input.range.clone(), "user");
        parser.content(&mut message, &input.range);
        message.odd = input.oddity.and_then(|why| parser.odd(input, why));
        return Ok(vec![message]);
    }
    parser.each(&input.range, |span| parser.item(span))
}

/// Whether items of type `kind` have no name, because clients may leave them out when they send a conversation back.
pub(crate) fn is_unnamed(kind: &str) -> bool {
    matches!(Kind::from_name(kind), Kind::Aside | Kind::Tools)
}

/// The fields that say that the upstream keeps the conversation.
const ELSEWHERE: [&str; 2] = ["previous_response_id", "conversation"];

/// The field that holds everything that makes an item what it is, besides its content.
const ITEM: &str = "item";

/// The fields of an item that are looked at.
const FIELDS: [&str; 7] = ["type", "role", "content", "output", "id", "call_id", "approval_request_id"];

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
    fn from_name(kind: &str) -> Self {
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

    /// The role that a message would have in its place.
    fn role(self) -> &'static str {
        match self {
            Self::Output | Self::Loading { is_output: true } => TOOL,
            Self::Tools => "developer",
            _ => "assistant",
        }
    }

    /// The fields besides null ones that clients add and drop.
    fn passing_fields(self) -> &'static [&'static str] {
        match self {
            Self::Aside | Self::Tools | Self::Unknown => &[],
            Self::Output | Self::Loading { is_output: true } => &["id", "status", "output"],
            Self::Message | Self::Call | Self::Loading { is_output: false } => &["id", "status"],
        }
    }
}

/// The fields by which a call is named. The result of a local shell call may name it by its id.
fn call_names(kind: &str) -> &'static [&'static str] {
    match kind {
        "mcp_approval_request" => &["id"],
        "local_shell_call" => &["call_id", "id"],
        _ => &["call_id"],
    }
}

/// Whether most of an item is encoded data.
fn is_opaque(kind: &str) -> bool {
    kind == "reasoning"
}

impl BodyParser<'_> {
    /// An item. Whatever is odd about it, the names of calls are read as far as they can be, for pairs stay together.
    fn item(self, span: &Span) -> Message {
        let Some(own) = Picked::new(self.body, &span.range, FIELDS) else {
            return self.nothing(span, Oddity::NotAnObject);
        };
        let mut why = span.oddity.or(own.is_repeated.then_some(Oddity::RepeatedKey));
        let kind = match own.set(self.body, "type") {
            Some(kind) => decoded(slice(self.body, &kind.range)).unwrap_or_default(),
            None if own.get("role").is_some() => "message".into(),
            None => "item_reference".into(),
        };
        let mut message = match Kind::from_name(&kind) {
            Kind::Message => self.said(span, &own, &mut why),
            what => self.done(span, &own, kind.as_ref(), what, &mut why),
        };
        message.odd = why.and_then(|why| self.odd(span, why));
        message
    }

    /// What somebody said.
    fn said<const N: usize>(self, span: &Span, own: &Picked<N>, why: &mut Option<Oddity>) -> Message {
        let role = own.set(self.body, "role").map(|role| role_of(slice(self.body, &role.range)));
        let role = role.unwrap_or(Err(Oddity::NoRole));
        *why = why.or(role.err());
        let mut message = Message::bare(span.range.clone(), role.unwrap_or_default());
        if let Some(place) = own.set(self.body, "content")
            && !self.content(&mut message, &place.range)
        {
            self.attach(&mut message, &place.range, AttachmentKind::Unknown);
            *why = why.or(Some(Oddity::UnknownShape));
        }
        if message.role == "user" && !message.answers.is_empty() {
            message.role = TOOL;
        }
        message
    }

    /// What was called, answered or done besides.
    fn done<const N: usize>(
        self,
        span: &Span,
        own: &Picked<N>,
        kind: &str,
        what: Kind,
        why: &mut Option<Oddity>,
    ) -> Message {
        let name = |field: &&str| own.set(self.body, field).map(|span| name_of(slice(self.body, &span.range)));
        let mut message = Message::bare(span.range.clone(), what.role());
        let field = if is_opaque(kind) { OPAQUE } else { ITEM };
        let raw = Raw::facts(self.body.slice(span.range.clone()), what.passing_fields());
        match AttachmentKind::from_name(kind) {
            // A picture that the service made.
            Some(kind) => self.attach_raw(&mut message, raw, kind),
            // It is known by all that it is.
            None if what == Kind::Unknown => {}
            None => message.fields.push((field, raw)),
        }
        message.binds_next = what == Kind::Aside;
        match what {
            Kind::Output | Kind::Loading { is_output: true } => {
                if let Some(output) = own.set(self.body, "output")
                    && !self.content(&mut message, &output.range)
                {
                    // Something of the tool's own, such as a screenshot.
                    let kind = Picked::new(self.body, &output.range, ["type"]);
                    let kind = kind.as_ref().and_then(|output| output.set(self.body, "type"));
                    let kind = kind.and_then(|kind| decoded(slice(self.body, &kind.range)));
                    let kind = kind.and_then(|kind| AttachmentKind::from_name(&kind));
                    self.attach(&mut message, &output.range, kind.unwrap_or(AttachmentKind::Unknown));
                }
                let called = ["call_id", "approval_request_id", "id"].iter().find_map(name);
                message.answers.push(called.unwrap_or_default());
            }
            Kind::Call | Kind::Loading { is_output: false } => {
                self.call_in_words(&mut message, &span.range);
                message.calls.extend(call_names(kind).iter().filter_map(name));
                if message.calls.is_empty() && message.attachments == 0 {
                    message.calls.push(String::new());
                }
                message.answers.extend(name(&"approval_request_id"));
            }
            _ => message.answers.extend(name(&"approval_request_id")),
        }
        if matches!(what, Kind::Unknown | Kind::Loading { .. }) {
            *why = why.or(Some(Oddity::UnknownItem));
        }
        message
    }
}
