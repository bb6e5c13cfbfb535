//! Reads a conversation in the form of OpenAI messages from a file or standard input.
//!
//! It must not know what is done with it; it keeps roles and texts only.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::CliError;

/// One message with its text; messages without text have an empty one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) role: String,
    pub(super) text: String,
}

/// Reads the file at `path`, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<Vec<Message>, CliError> {
    let from_input = path == Path::new("-");
    let name = if from_input { "standard input".to_owned() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let outcome = if from_input {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(path).map(|content| bytes = content)
    };
    outcome.map_err(|source| CliError::Read { name: name.clone(), source })?;
    parse(&bytes).map_err(|reason| CliError::Conversation { name, reason })
}

fn parse(bytes: &[u8]) -> Result<Vec<Message>, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))?;
    let messages = match &value {
        Value::Array(messages) => messages,
        Value::Object(object) => match object.get("messages") {
            Some(Value::Array(messages)) => messages,
            Some(_) => return Err("\"messages\" is not a list".to_owned()),
            None => return Err("there is no \"messages\"".to_owned()),
        },
        _ => return Err("neither an object nor a list".to_owned()),
    };
    if messages.is_empty() {
        return Err("there are no messages".to_owned());
    }
    messages.iter().enumerate().map(|(index, message)| read_message(index, message)).collect()
}

fn read_message(index: usize, message: &Value) -> Result<Message, String> {
    let role =
        message.get("role").and_then(Value::as_str).ok_or_else(|| format!("messages[{index}] has no \"role\""))?;
    let text = match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect();
            texts.join("\n")
        }
        Some(Value::Null) | None => String::new(),
        Some(_) => {
            return Err(format!("messages[{index}].content is neither a string nor a list of parts"));
        }
    };
    Ok(Message { role: role.to_owned(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_body_and_a_bare_list_are_the_same_conversation() {
        let list = r#"[{"role":"user","content":"hello"},{"role":"assistant","content":null,"tool_calls":[]}]"#;
        let body = format!(r#"{{"model":"m","messages":{list}}}"#);
        let expected = vec![
            Message { role: "user".to_owned(), text: "hello".to_owned() },
            Message { role: "assistant".to_owned(), text: String::new() },
        ];
        assert_eq!(parse(list.as_bytes()), Ok(expected.clone()));
        assert_eq!(parse(body.as_bytes()), Ok(expected));
    }

    #[test]
    fn text_parts_are_joined_and_other_parts_left_out() {
        let list = r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url"},{"type":"text","text":"b"}]}]"#;
        assert_eq!(parse(list.as_bytes()), Ok(vec![Message { role: "user".to_owned(), text: "a\nb".to_owned() }]));
    }

    #[test]
    fn what_is_not_a_conversation_is_refused_by_name() {
        let refusals = [
            ("nonsense", "not JSON"),
            ("3", "neither an object nor a list"),
            ("{}", "there is no \"messages\""),
            (r#"{"messages":{}}"#, "\"messages\" is not a list"),
            ("[]", "there are no messages"),
            (r#"[{"content":"x"}]"#, "messages[0] has no \"role\""),
            (r#"[{"role":"user","content":"x"},{"role":"user","content":3}]"#, "messages[1].content"),
        ];
        for (text, reason) in refusals {
            let error = parse(text.as_bytes()).err().unwrap_or_default();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
