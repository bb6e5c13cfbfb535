//! Reads the messages of a chat completions request.

use std::ops::Range;

use super::raw::name_of;
use super::{BodyParser, Message, ParseError, TopLevel};
use crate::openai::attachments::Kind;
use crate::openai::json_scan::{self, Picked, Span, decoded, slice};
use crate::openai::oddity::Oddity;

/// The messages in order.
pub(super) fn messages(parser: BodyParser<'_>, fields: &TopLevel) -> Result<Vec<Message>, ParseError> {
    let list = fields.get("messages").ok_or(ParseError::NoMessages)?;
    parser.each(&list.range, |span| parser.message(span))
}

/// The role that a message with results of tools in its parts has, whoever brings them.
pub(super) const TOOL: &str = "tool";

/// The role that `raw` says.
///
/// # Errors
/// What is odd about it.
pub(super) fn role_of(raw: &[u8]) -> Result<&'static str, Oddity> {
    let name = decoded(raw).ok_or(Oddity::NoRole)?;
    let known = ROLES.into_iter().find(|role| *role == name);
    known.ok_or(Oddity::UnknownRole)
}

const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", TOOL, "function"];

/// The fields besides role and content that make a message what it is. Others (such as `annotations`, `reasoning` or
/// null fields that a client library adds) come and go while the message stays the same.
const IDENTITY: [&str; 6] = ["name", "tool_calls", "tool_call_id", "function_call", "refusal", AUDIO];
const AUDIO: &str = "audio";

/// The fields that are looked at.
const FIELDS: [&str; 8] = ["role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal", AUDIO];

/// The name of every call in the old form, which has none of its own: a result answers the last call before it.
const FUNCTION: &str = "function_call";

impl BodyParser<'_> {
    /// A message. Whatever is odd about it, its role and the names of calls are read as far as they can be, for pairs stay
    /// together.
    fn message(self, span: &Span) -> Message {
        let Some(own) = Picked::new(self.body, &span.range, FIELDS) else {
            return self.nothing(span, Oddity::NotAnObject);
        };
        let role = own.set(self.body, "role").map(|role| role_of(slice(self.body, &role.range)));
        let role = role.unwrap_or(Err(Oddity::NoRole));
        let mut why = span.oddity.or(own.is_repeated.then_some(Oddity::RepeatedKey)).or(role.err());
        let mut message = Message::bare(span.range.clone(), role.unwrap_or_default());
        if let Some(place) = own.set(self.body, "content")
            && !self.content(&mut message, &place.range)
        {
            self.attach(&mut message, &place.range, Kind::Unknown);
            why = why.or(Some(Oddity::UnknownShape));
        }
        for name in IDENTITY {
            let field = own.set(self.body, name).map(|field| field.range.clone());
            if let Some(place) = field.filter(|place| !self.is_empty(place)) {
                if name == AUDIO {
                    // What was said aloud is kept by the service, and nobody can quote it.
                    self.attach(&mut message, &place, Kind::Audio);
                    continue;
                }
                message.fields.push((name, self.raw(&place)));
                match name {
                    "tool_calls" => {
                        let is_list = self.calls(&mut message, &place);
                        why = why.or((!is_list).then_some(Oddity::UnknownShape));
                    }
                    "tool_call_id" if message.role == TOOL => message.answers.push(name_of(slice(self.body, &place))),
                    "function_call" => {
                        message.calls.push(FUNCTION.to_owned());
                        self.call_in_words(&mut message, &place);
                    }
                    _ => {}
                }
            }
        }
        match message.role {
            "function" => message.answers.push(FUNCTION.to_owned()),
            TOOL if message.answers.is_empty() => message.answers.push(String::new()),
            "user" if !message.answers.is_empty() => message.role = TOOL,
            _ => {}
        }
        message.odd = why.and_then(|why| self.odd(span, why));
        message
    }

    /// Adds every call of a list, by its name and in words; false when it is no list.
    fn calls(self, message: &mut Message, place: &Range<usize>) -> bool {
        let before = message.calls.len();
        let found = json_scan::elements::<json_scan::Malformed>(self.body, place, |call| {
            let own = Picked::new(self.body, &call.range, ["id", "function", "custom"]);
            let field = |name: &str| own.as_ref().and_then(|call| call.set(self.body, name)).map(|span| &span.range);
            let name = field("id").map(|id| name_of(slice(self.body, id))).unwrap_or_default();
            if let Some(made) = field("function").or_else(|| field("custom")) {
                self.call_in_words(message, made);
            }
            let names = &mut message.calls;
            // What is no call has no name, and one of them stands for all.
            if !(name.is_empty() && names.len() > before && names.last().is_some_and(String::is_empty)) {
                names.push(name);
            }
            Ok(())
        });
        if found.is_err() {
            message.calls.push(String::new());
        }
        found.is_ok()
    }

    /// Notes in words the call that the object at `place` describes: its name, and its arguments or what is put in else.
    pub(super) fn call_in_words(self, message: &mut Message, place: &Range<usize>) {
        let Some(own) = Picked::new(self.body, place, ["name", "arguments", "input"]) else {
            return;
        };
        let field = |name: &str| own.set(self.body, name).map(|span| name_of(slice(self.body, &span.range)));
        let arguments = field("arguments").or_else(|| field("input")).unwrap_or_default();
        message.calls_in_words(&field("name").unwrap_or_default(), &arguments);
    }

    /// Whether a field holds an empty list.
    fn is_empty(self, place: &Range<usize>) -> bool {
        let inside = slice(self.body, place).strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
        inside.is_some_and(|inside| inside.trim_ascii().is_empty())
    }
}
