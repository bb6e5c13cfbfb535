//! One line of a history: a conversation in the shape of an OpenAI request, with its dates.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::cli::messages::{ListedMessage, listed, value};
use crate::memory::{ALLOWED_TIME, time};
use crate::openai::json_scan::{Picked, decoded, slice};
use crate::openai::request::Message;
use crate::openai::request::{ChatRequest, Surface};

/// A conversation, checked.
#[derive(Debug)]
pub(super) struct Line {
    /// The request that it is.
    pub(super) request: ChatRequest,
    /// Its messages as they stand in the list.
    pub(super) listed: Vec<ListedMessage>,
    /// The name that it is given.
    pub(super) name: Option<String>,
    /// When it began.
    begun: Option<DateTime<Utc>>,
    /// When each message of the request was written, as far as messages say so.
    written: Vec<Option<DateTime<Utc>>>,
}

/// What some editors put at the beginning of a file.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// The fields of a line that are looked at here.
const FIELDS: [&str; 4] = ["messages", "conversation", "user", "created_at"];
const MESSAGES: &str = "a list of at least one message, each with \"role\" and \"content\"";
const WITHOUT_TEXT: &str =
    "skipped: no message has text to remember; expected \"content\" with text in one that is no system message";
/// So many messages without content are named for each line.
const MOST_NAMED: usize = 5;
/// Characters of a wrong value that an error shows.
const SHOWN: usize = 60;

/// What a message about a line says of the name that it gives its conversation, if it gives one.
pub(super) fn of_conversation(name: Option<&str>) -> String {
    name.map(|name| format!(" (conversation {name:?})")).unwrap_or_default()
}

impl Line {
    /// Reads a line. Messages are read as those of a request: what is odd about one is no error.
    ///
    /// # Errors
    /// The key, its value and what is allowed.
    pub(super) fn parse(bytes: Bytes) -> Result<Self, String> {
        // One belongs to the beginning of a file, where it was taken away.
        if bytes.starts_with(BYTE_ORDER_MARK) {
            return Err("not JSON: a byte order mark within the file".to_owned());
        }
        let whole = value(&bytes)?;
        let fields = Picked::new(&bytes, &whole.range, FIELDS)
            .ok_or_else(|| wrong("the line", slice(&bytes, &whole.range), "an object with \"messages\""))?;
        let name = text(&bytes, &fields, "conversation")?;
        text(&bytes, &fields, "user")?;
        let begun = date(&bytes, &fields, "created_at")?;
        let messages = fields.get("messages").ok_or_else(|| format!("messages is missing; expected {MESSAGES}"))?;
        let list = messages.range.clone();
        let messages = bytes.slice(list.clone());
        let refused = || wrong("messages", &messages, MESSAGES);
        if !messages.starts_with(b"[") {
            return Err(refused());
        }
        // What is left to be wrong is told by the parser of requests.
        let request = ChatRequest::parse(Surface::ChatCompletions, bytes).map_err(|error| error.to_string())?;
        let listed = listed(&request, &list);
        if listed.is_empty() {
            return Err(refused());
        }
        let mut written = vec![None; request.messages.len()];
        for (index, message) in listed.iter().enumerate() {
            let own = Picked::new(&request.body, &message.range, ["created_at"]);
            let own = own.map_or(Ok(None), |own| date(&request.body, &own, "created_at"));
            let own = own.map_err(|reason| format!("messages[{index}].{reason}"))?;
            if let Some(slot) = written.get_mut(message.parsed) {
                *slot = own.or(*slot);
            }
        }
        Ok(Self { request, listed, name, begun, written })
    }

    /// The messages that become turns, with their places in the request.
    pub(super) fn spoken(&self) -> impl Iterator<Item = (usize, &Message)> {
        let messages = self.request.messages.iter().enumerate();
        messages.filter(|(_, message)| !message.is_instruction() && message.has_text())
    }

    /// What is missing, in words: every text, or the content of some messages.
    pub(super) fn missing(&self) -> Option<String> {
        if self.spoken().next().is_none() {
            return Some(WITHOUT_TEXT.to_owned());
        }
        let empty = self.listed.iter().enumerate().filter(|(_, message)| message.oddity.is_none());
        let empty = empty.filter(|(_, message)| self.request.messages.get(message.parsed).is_some_and(is_empty));
        let mut named: Vec<String> = empty.map(|(index, _)| format!("messages[{index}]")).collect();
        let more = named.len().saturating_sub(MOST_NAMED);
        named.truncate(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!named.is_empty()).then(|| format!("passed over, without \"content\": {}{more}", named.join(", ")))
    }

    /// When the message `index` of the request was written: what it says itself, else the last message before it that says so,
    /// else the conversation.
    pub(super) fn time_of(&self, index: usize) -> Option<DateTime<Utc>> {
        let said = self.written.iter().take(index + 1).rev().copied().flatten().next();
        said.or(self.begun)
    }
}

/// Whether a message has nothing at all: no text, no attachment, no call and no answer to one.
fn is_empty(message: &Message) -> bool {
    let is_bare = message.attachments == 0 && message.calls.is_empty() && message.answers.is_empty();
    is_bare && !message.is_instruction() && !message.has_text()
}

fn text<const N: usize>(body: &[u8], fields: &Picked<N>, key: &str) -> Result<Option<String>, String> {
    let Some(value) = fields.set(body, key).map(|span| slice(body, &span.range)) else {
        return Ok(None);
    };
    if !value.starts_with(b"\"") {
        return Err(wrong(key, value, "text"));
    }
    Ok(Some(decoded(value).unwrap_or_else(|| String::from_utf8_lossy(value)).into_owned()))
}

fn date<const N: usize>(body: &[u8], fields: &Picked<N>, key: &str) -> Result<Option<DateTime<Utc>>, String> {
    let Some(value) = fields.set(body, key).map(|span| slice(body, &span.range)) else {
        return Ok(None);
    };
    let time = decoded(value).and_then(|text| time(&text));
    time.map(Some).ok_or_else(|| wrong(key, value, ALLOWED_TIME))
}

fn wrong(key: &str, value: &[u8], allowed: &str) -> String {
    let value = String::from_utf8_lossy(value);
    let shown: String = value.chars().take(SHOWN).map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    let more = if shown.len() < value.len() { "…" } else { "" };
    format!("{key} = {shown}{more}; expected {allowed}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

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
    fn what_the_proxy_passes_over_in_a_request_is_passed_over_and_every_other_message_keeps_its_date() {
        for odd in [
            "3",
            "{}",
            r#"{"role":"critic","content":"x"}"#,
            r#"{"role":"user","content":"\ud83d"}"#,
            r#"{"role":"user","content":3}"#,
            r#"{"role":"user","content":"x","n":1e400}"#,
        ] {
            let line = parse(&format!(
                r#"{{"user":"\ud83d","conversation":"\ud83d","messages":[{{"role":"user","content":"a"}},{odd},{odd},
                    {{"role":"user","content":"b","created_at":"2026-05-09T00:00:00Z"}}]}}"#
            ));
            let line = line.unwrap_or_else(|reason| panic!("{odd}: {reason}"));
            let odd_ones = line.listed.iter().map(|message| message.oddity.is_some());
            assert_eq!(odd_ones.collect::<Vec<_>>(), [false, true, true, false], "{odd}");
            let last = line.request.messages.len() - 1;
            assert_eq!(line.time_of(last).unwrap().to_rfc3339(), "2026-05-09T00:00:00+00:00");
            assert_eq!(line.time_of(last - 1), None);
        }
    }

    #[test]
    fn a_line_without_text_is_skipped_and_a_message_without_content_named() {
        let missing = |messages: &str| parse(&format!(r#"{{"messages":[{messages}]}}"#)).unwrap().missing();
        let system = r#"{"role":"system","content":"Be brief."}"#;
        let said = r#"{"role":"user","content":"Hello"}"#;
        let call = r#"{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
        for textless in [r#"{"role":"user"}"#, r#"{"role":"user","content":" "}"#, system] {
            assert_eq!(missing(textless).as_deref(), Some(WITHOUT_TEXT), "{textless}");
        }
        assert_eq!(missing(&format!("{system},{said},{call}")), None);
        let named = missing(&format!(r#"{said},{{"role":"assistant"}},{said}"#)).unwrap();
        assert_eq!(named, "passed over, without \"content\": messages[1]");
        let many = [r#"{"role":"user"}"#; 9].join(",");
        assert!(missing(&format!("{said},{many}")).unwrap().ends_with("messages[5] and 4 more"));
    }

    #[test]
    fn what_is_wrong_is_named_by_key_value_and_what_is_allowed() {
        let message = |message: &str| format!(r#"{{"messages":[{{"role":"user","content":"x"}},{message}]}}"#);
        let refusals = [
            ("nonsense".to_owned(), "not JSON"),
            ("[]".to_owned(), "the line = []; expected an object"),
            ("{}".to_owned(), "messages is missing"),
            (r#"{"messages":[]}"#.to_owned(), "messages = []; expected a list of at least one"),
            (r#"{"messages":3}"#.to_owned(), "messages = 3; expected a list of at least one"),
            (r#"{"messages":[{}],"user":3}"#.to_owned(), "user = 3; expected text"),
            (
                message(r#"{"role":"user","content":"x","created_at":"yesterday"}"#),
                "messages[1].created_at = \"yesterday\"; expected a time in RFC 3339",
            ),
            (
                r#"{"messages":[{}],"created_at":"9999-12-31T23:59:59-23:59"}"#.to_owned(),
                "created_at = \"9999-12-31T23:59:59-23:59\"; expected a time in RFC 3339",
            ),
        ];
        for (text, reason) in refusals {
            let found = parse(&text).unwrap_err();
            assert!(found.contains(reason), "{text}: {found}");
        }
    }
}
