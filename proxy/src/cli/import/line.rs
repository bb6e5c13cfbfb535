//! One line of a history: a conversation in the shape of an OpenAI request, with its dates.
//!
//! It must not know what becomes of it.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::openai::request::{ChatRequest, Surface};

/// A conversation, checked.
#[derive(Debug)]
pub(super) struct Line {
    /// The request that it is.
    pub(super) request: ChatRequest,
    /// The name that it is given.
    pub(super) name: Option<String>,
    /// When it began.
    begun: Option<DateTime<Utc>>,
    /// When each message was written, as far as messages say so.
    written: Vec<Option<DateTime<Utc>>>,
}

/// What OpenAI's clients write, and what the proxy's requests have.
const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];
/// Characters of a wrong value that an error shows.
const SHOWN: usize = 60;

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// The key, its value and what is allowed.
    pub(super) fn parse(bytes: Bytes) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| format!("not JSON: {error}"))?;
        let Value::Object(object) = &value else {
            return Err(wrong("the line", &value, "an object with \"messages\""));
        };
        let name = text(object, "conversation")?;
        text(object, "user")?;
        let begun = date(object, "created_at", "created_at")?;
        let written = messages(object)?
            .iter()
            .enumerate()
            .map(|(index, message)| message_date(index, message))
            .collect::<Result<Vec<_>, String>>()?;
        // What is left to be wrong is told by the parser of requests.
        let request = ChatRequest::parse(Surface::ChatCompletions, bytes).map_err(|error| error.to_string())?;
        Ok(Self { request, name, begun, written })
    }

    /// When the message `index` was written: what it says itself, else the last message before it that says so, else the
    /// conversation.
    pub(super) fn time_of(&self, index: usize) -> Option<DateTime<Utc>> {
        let said = self.written.iter().take(index + 1).rev().copied().flatten().next();
        said.or(self.begun)
    }
}

fn messages(object: &Map<String, Value>) -> Result<&[Value], String> {
    const ALLOWED: &str = "a list of at least one message, each with \"role\" and \"content\"";
    match object.get("messages") {
        Some(Value::Array(messages)) if !messages.is_empty() => Ok(messages),
        Some(other) => Err(wrong("messages", other, ALLOWED)),
        None => Err(format!("messages is missing; expected {ALLOWED}")),
    }
}

/// Checks a message and gives its date.
fn message_date(index: usize, message: &Value) -> Result<Option<DateTime<Utc>>, String> {
    let place = format!("messages[{index}]");
    let Value::Object(object) = message else {
        return Err(wrong(&place, message, "an object with \"role\" and \"content\""));
    };
    let key = format!("{place}.role");
    match object.get("role") {
        Some(Value::String(role)) if ROLES.contains(&role.as_str()) => {}
        Some(other) => return Err(wrong(&key, other, &listed(&ROLES))),
        None => return Err(format!("{key} is missing; expected {}", listed(&ROLES))),
    }
    if let Some(content) = object.get("content")
        && !(content.is_string() || content.is_null() || is_parts(content))
    {
        let key = format!("{place}.content");
        return Err(wrong(&key, content, "text, a list of parts, or null"));
    }
    date(object, "created_at", &format!("{place}.created_at"))
}

fn is_parts(content: &Value) -> bool {
    content.as_array().is_some_and(|parts| parts.iter().all(Value::is_object))
}

fn text(object: &Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(wrong(key, other, "text")),
    }
}

fn date(object: &Map<String, Value>, key: &str, shown: &str) -> Result<Option<DateTime<Utc>>, String> {
    let value = match object.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    let time = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    match time {
        Some(time) => Ok(Some(time.to_utc())),
        None => Err(wrong(shown, value, "a time in RFC 3339, such as \"2026-05-08T13:56:00Z\"")),
    }
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    format!("one of {}", quoted.join(", "))
}

fn wrong(key: &str, value: &Value, allowed: &str) -> String {
    let value = value.to_string();
    let shown: String = value.chars().take(SHOWN).collect();
    let more = if shown.len() < value.len() { "…" } else { "" };
    format!("{key} = {shown}{more}; expected {allowed}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    fn parse(text: &str) -> Result<Line, String> {
        Line::parse(Bytes::from(text.to_owned()))
    }

    #[test]
    fn a_message_without_a_date_has_the_one_before_it_else_the_conversations() {
        let line = parse(
            r#"{"conversation":"trip","created_at":"2026-05-08T13:56:00+02:00","user":"ann","model":"gpt-4o","messages":[
                {"role":"system","content":"Be brief."},{"role":"user","content":"a"},
                {"role":"assistant","content":"b","created_at":"2026-05-09T00:00:00Z"},{"role":"user","content":"c"}]}"#,
        )
        .unwrap();
        let time = |index| line.time_of(index).unwrap().to_rfc3339();
        assert_eq!(time(1), "2026-05-08T11:56:00+00:00");
        for later in [2, 3] {
            assert_eq!(time(later), "2026-05-09T00:00:00+00:00");
        }
        assert_eq!((line.name.as_deref(), line.request.user.as_deref()), (Some("trip"), Some("ann")));
        let bare = parse(r#"{"messages":[{"role":"user","content":"a"}]}"#).unwrap();
        assert_eq!(bare.time_of(0), None);
    }

    #[test]
    fn what_is_wrong_is_named_by_key_value_and_what_is_allowed() {
        let message = |message: &str| format!(r#"{{"messages":[{{"role":"user","content":"x"}},{message}]}}"#);
        let refusals = [
            ("nonsense".to_owned(), "not JSON"),
            ("[]".to_owned(), "the line = []; expected an object"),
            ("{}".to_owned(), "messages is missing"),
            (r#"{"messages":[]}"#.to_owned(), "messages = []; expected a list of at least one"),
            (r#"{"messages":[{}],"user":3}"#.to_owned(), "user = 3; expected text"),
            (message("3"), "messages[1] = 3; expected an object"),
            (message("{}"), "messages[1].role is missing; expected one of"),
            (message(r#"{"role":"bot","content":"x"}"#), "messages[1].role = \"bot\"; expected one of \"system\""),
            (
                message(r#"{"role":"user","content":3}"#),
                "messages[1].content = 3; expected text, a list of parts, or null",
            ),
            (
                message(r#"{"role":"user","content":"x","created_at":"yesterday"}"#),
                "messages[1].created_at = \"yesterday\"; expected a time in RFC 3339",
            ),
        ];
        for (text, reason) in refusals {
            let found = parse(&text).unwrap_err();
            assert!(found.contains(reason), "{text}: {found}");
        }
    }
}
