//! Reads a conversation in the form of OpenAI messages from a file or standard input.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;

use super::CliError;
use super::messages::value;
use crate::openai::json_scan::{Picked, decoded, slice};
use crate::openai::oddity::Oddity;
use crate::openai::request::{self, ChatRequest, ParseError, Part, Surface};

/// One message with its text; messages without text have an empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// The role as it is written; empty where none is.
    pub(super) role: String,
    pub(super) text: String,
    /// Why the proxy passes it over in a request, if it does.
    pub(super) oddity: Option<Oddity>,
}

/// Reads the file at `path`, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<Vec<Message>, CliError> {
    let name = name(path);
    let mut bytes = Vec::new();
    let outcome = if path == Path::new(INPUT) {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(path).map(|content| bytes = content)
    };
    outcome.map_err(|source| CliError::Read { name: name.clone(), source })?;
    parse(&bytes).map_err(|reason| CliError::Conversation { name, reason })
}

/// What errors call the file at `path`.
pub(super) fn name(path: &Path) -> String {
    if path == Path::new(INPUT) { "standard input".to_owned() } else { path.display().to_string() }
}

/// The path that means standard input.
pub(super) const INPUT: &str = "-";

/// Messages are read as those of a request: what is odd about one is no error.
fn parse(bytes: &[u8]) -> Result<Vec<Message>, String> {
    let whole = value(bytes)?;
    let text = slice(bytes, &whole.range);
    let body = match text.first() {
        Some(b'{') => text.to_vec(),
        Some(b'[') => [br#"{"messages":"#, text, b"}"].concat(),
        _ => return Err("neither an object nor a list".to_owned()),
    };
    let request = ChatRequest::parse(Surface::ChatCompletions, Bytes::from(body)).map_err(|error| match error {
        ParseError::NoMessages => "there is no \"messages\"".to_owned(),
        ParseError::Shape => "\"messages\" is not a list".to_owned(),
        other => other.to_string(),
    })?;
    if request.messages.is_empty() {
        return Err("there are no messages".to_owned());
    }
    Ok(request.messages.iter().map(|message| read_message(&request, message)).collect())
}

fn read_message(request: &ChatRequest, message: &request::Message) -> Message {
    let Some(odd) = &message.odd else {
        return Message { role: message.role.to_owned(), text: message.text(), oddity: None };
    };
    let fields = Picked::new(&request.body, &message.range, ["role"]);
    let role = fields.as_ref().and_then(|fields| fields.get("role"));
    let role = role.and_then(|role| decoded(slice(&request.body, &role.range)));
    let texts = message.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        Part::Other(_) => None,
    });
    Message {
        role: role.unwrap_or_default().into_owned(),
        text: texts.collect::<Vec<_>>().join("\n"),
        oddity: Some(odd.why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: &str, text: &str) -> Message {
        Message { role: role.to_owned(), text: text.to_owned(), oddity: None }
    }

    #[test]
    fn what_the_proxy_passes_over_in_a_request_is_passed_over_and_shown_as_far_as_it_can_be() {
        let list = r#"[{"role":"critic","content":"x"},{"role":"user","content":"a \ud83d"},{"content":"y"},
            {"role":"user","content":3},{"role":"user","content":"hello"}]"#;
        let odd = |role, text, why| Message { oddity: Some(why), ..message(role, text) };
        let expected = vec![
            odd("critic", "x", Oddity::UnknownRole),
            odd("user", r"a \ud83d", Oddity::LoneSurrogate),
            odd("", "y", Oddity::NoRole),
            odd("user", "", Oddity::UnknownShape),
            message("user", "hello"),
        ];
        assert_eq!(parse(list.as_bytes()), Ok(expected));
    }

    #[test]
    fn a_request_body_and_a_bare_list_are_the_same_conversation() {
        let list = r#"[{"role":"user","content":"hello"},{"role":"assistant","content":null,"tool_calls":[]}]"#;
        let body = format!(r#"{{"model":"m","messages":{list}}}"#);
        let expected = vec![message("user", "hello"), message("assistant", "")];
        assert_eq!(parse(list.as_bytes()), Ok(expected.clone()));
        assert_eq!(parse(body.as_bytes()), Ok(expected));
    }

    #[test]
    fn text_parts_are_joined_and_other_parts_left_out() {
        let list = r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url"},{"type":"text","text":"b"}]}]"#;
        assert_eq!(parse(list.as_bytes()), Ok(vec![message("user", "a\nb")]));
    }

    #[test]
    fn what_is_not_a_conversation_is_refused_by_name() {
        let refusals = [
            ("nonsense", "not JSON"),
            ("3", "neither an object nor a list"),
            ("{}", "there is no \"messages\""),
            (r#"{"messages":{}}"#, "\"messages\" is not a list"),
            ("[]", "there are no messages"),
        ];
        for (text, reason) in refusals {
            let error = parse(text.as_bytes()).err().unwrap_or_default();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
