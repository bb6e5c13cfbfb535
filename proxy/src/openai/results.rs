//! Tools' results that a shorter text can take the place of: which they are, and how they are written then.
//!
//! Role, name of the call and every other field keep their bytes, so that a service which took the message takes it
//! still. A result of a shape that is not plain text is left alone.

use bytes::BytesMut;
use serde_json::{Map, Value};

use super::json_scan::{Picked, decoded, slice};
use super::request::{ChatRequest, Content, Message, Part, Surface};

/// Whether a message is the result of one call and nothing but text.
pub(crate) fn takes_text(request: &ChatRequest, message: &Message) -> bool {
    let answers_one = matches!(message.answers.as_slice(), [name] if !name.is_empty());
    let is_text = !message.parts.is_empty() && message.parts.iter().all(|part| matches!(part, Part::Text(_)));
    let is_plain =
        message.role == "tool" && answers_one && is_text && message.odd.is_none() && message.attachments == 0;
    if !is_plain || message.carries_memory() {
        return false;
    }
    let is_known = match request.surface {
        Surface::ChatCompletions => true,
        Surface::Responses => is_output_of_a_function(request, message),
    };
    is_known
        && match &message.content {
            Content::None => false,
            Content::Text(_) => true,
            Content::Parts(place) => is_bare(request.slice(place)),
        }
}

/// Writes a message with `text` for its content; `None` when it has none.
pub(crate) fn write(out: &mut BytesMut, request: &ChatRequest, message: &Message, text: &str) -> Option<()> {
    let (place, content) = match &message.content {
        Content::None => return None,
        Content::Text(place) => (place, Value::from(text)),
        Content::Parts(place) => (place, Value::from(vec![request.surface.text_part(text)])),
    };
    out.extend_from_slice(request.body.get(message.range.start..place.start)?);
    out.extend_from_slice(content.to_string().as_bytes());
    out.extend_from_slice(request.body.get(place.end..message.range.end)?);
    Some(())
}

/// Whether an item is what a function, or a tool of the client's own, returned.
fn is_output_of_a_function(request: &ChatRequest, message: &Message) -> bool {
    let own = Picked::new(&request.body, &message.range, ["type"]);
    let kind = own.as_ref().and_then(|own| own.set(&request.body, "type"));
    let kind = kind.and_then(|kind| decoded(slice(&request.body, &kind.range)));
    kind.is_some_and(|kind| matches!(kind.as_ref(), "function_call_output" | "custom_tool_call_output"))
}

/// Whether a list holds texts and nothing else is said of them.
fn is_bare(parts: &[u8]) -> bool {
    let Ok(parts) = serde_json::from_slice::<Vec<Map<String, Value>>>(parts) else {
        return false;
    };
    parts.iter().all(|part| part.len() == 2 && part.contains_key("type") && part.contains_key("text"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use serde_json::json;

    use super::super::request::tests::{parsed, parsed_response};
    use super::*;

    fn written(request: &ChatRequest, text: &str) -> Option<Value> {
        let message = request.messages.first()?;
        let mut out = BytesMut::new();
        takes_text(request, message).then(|| write(&mut out, request, message, text))??;
        Some(serde_json::from_slice(&out).unwrap())
    }

    #[test]
    fn a_plain_result_keeps_everything_but_its_text() {
        let chat = |message: &Value| parsed(&json!({"messages": [message]}).to_string());
        let with =
            |content: Value| json!({"role": "tool", "tool_call_id": "c", "name": "f", "content": content, "x": 1.5});
        let short = "a \"short\" one\n";
        assert_eq!(written(&chat(&with(json!("long"))), short), Some(with(json!(short))));
        let parts = json!([{"type": "text", "text": "long"}, {"type": "text", "text": "and longer"}]);
        assert_eq!(written(&chat(&with(parts)), short), Some(with(json!([{"type": "text", "text": short}]))));
        let item = |output: Value| json!({"type": "function_call_output", "id": "o", "call_id": "c", "output": output});
        let response = |item: &Value| parsed_response(&json!({"input": [item]}).to_string());
        assert_eq!(written(&response(&item(json!("long"))), short), Some(item(json!(short))));
        let parts = json!([{"type": "input_text", "text": "long"}]);
        let expected = item(json!([{"type": "input_text", "text": short}]));
        assert_eq!(written(&response(&item(parts)), short), Some(expected));
        let custom = json!({"type": "custom_tool_call_output", "call_id": "c", "output": "long"});
        assert!(written(&response(&custom), short).is_some());
    }

    #[test]
    fn whatever_is_unclear_about_a_result_leaves_it_alone() {
        for message in [
            json!({"role": "user", "content": "a"}),
            json!({"role": "assistant", "content": "a"}),
            json!({"role": "tool", "content": "no name"}),
            json!({"role": "tool", "tool_call_id": "c", "content": null}),
            json!({"role": "tool", "tool_call_id": "c", "content": []}),
            json!({"role": "tool", "tool_call_id": "c", "content": {"x": 1}}),
            json!({"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "a", "cache_control": {}}]}),
            json!({"role": "tool", "tool_call_id": "c", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}),
            json!({"role": "function", "name": "f", "content": "a"}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "a"}]}),
            json!({"role": "tool", "tool_call_id": "c", "content": "a\u{0}"}),
        ] {
            assert_eq!(written(&parsed(&json!({"messages": [message]}).to_string()), "x"), None, "{message}");
        }
        for item in [
            json!({"type": "local_shell_call_output", "id": "c", "output": "{}"}),
            json!({"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}}),
            json!({"type": "mcp_approval_response", "approval_request_id": "c", "approve": true}),
            json!({"type": "something_new_output", "call_id": "c", "output": "a"}),
        ] {
            assert_eq!(written(&parsed_response(&json!({"input": [item]}).to_string()), "x"), None, "{item}");
        }
    }
}
