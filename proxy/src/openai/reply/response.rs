//! Puts the text of a response together from its events, or takes it from a whole one.
//!
//! A response that is more than one plain text (calls, refusals, several messages) is left to the next request, which
//! brings it in the client's own form. What has no name in a conversation, such as reasoning, may stand beside the
//! text.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::Assembled;
use crate::openai::request::is_unnamed;

/// Reads the data of one event.
pub(super) fn event(reply: &mut Assembled, data: &str) {
    if data.trim() == "[DONE]" {
        // It never said how the response ended.
        (reply.done, reply.unusable) = (true, true);
        return;
    }
    let Ok(head) = serde_json::from_str::<Head>(data) else {
        reply.unusable = true;
        return;
    };
    if let Some(number) = head.sequence_number {
        reply.next_number = number.saturating_add(1);
    }
    match head.kind.as_deref() {
        Some("response.output_text.delta" | "response.output_text.done") => text(reply, data),
        Some("response.output_item.added" | "response.output_item.done") => item(reply, data),
        Some("response.refusal.delta" | "response.refusal.done") => reply.unusable = true,
        Some("response.completed" | "response.incomplete") => end(reply, data),
        Some("response.failed" | "error") => {
            reply.done = true;
            reply.fail();
        }
        _ if head.error.is_some() => reply.fail(),
        _ => {}
    }
}

fn text(reply: &mut Assembled, data: &str) {
    reply.begun = true;
    let Ok(event) = serde_json::from_str::<TextEvent>(data) else {
        reply.unusable = true;
        return;
    };
    let place = (event.output_index, event.content_index);
    reply.unusable |= *reply.place.get_or_insert(place) != place;
    if let Some(delta) = event.delta {
        reply.add(&delta);
    }
    // The end of a part repeats it as a whole.
    if let Some(text) = event.text {
        reply.text = text;
    }
}

fn item(reply: &mut Assembled, data: &str) {
    reply.begun = true;
    let event = serde_json::from_str::<ItemEvent>(data);
    let is_plain = |event: ItemEvent| event.item.is_unnamed() || event.item.is_message();
    reply.unusable |= !event.is_ok_and(is_plain);
}

/// The last event repeats all items; some services leave them out.
fn end(reply: &mut Assembled, data: &str) {
    (reply.done, reply.whole) = (true, true);
    let Ok(event) = serde_json::from_str::<EndEvent>(data) else {
        reply.unusable = true;
        return;
    };
    reply.unusable |= event.response.error.is_some();
    let output = event.response.output.unwrap_or_default();
    if !output.is_empty() {
        match plain(&output) {
            Some(text) => text.clone_into(&mut reply.text),
            None => reply.unusable = true,
        }
    }
}

/// The text of a whole `response`.
pub(super) fn document(bytes: &[u8]) -> Option<String> {
    let response: Response = serde_json::from_slice(bytes).ok()?;
    let ended = matches!(response.status.as_deref(), None | Some("completed" | "incomplete"));
    if !ended || response.error.is_some() {
        return None;
    }
    plain(&response.output?).map(str::to_owned)
}

/// Whether a document holds an error and no output.
pub(super) fn is_refusal(bytes: &[u8]) -> bool {
    let response = serde_json::from_slice::<Response>(bytes);
    response.is_ok_and(|response| response.error.is_some() && response.output.is_none_or(|output| output.is_empty()))
}

/// The text of the only message, if that is one plain text and nothing else with a name stands beside it.
fn plain(output: &[Item]) -> Option<&str> {
    let mut named = output.iter().filter(|item| !item.is_unnamed());
    let message = named.next().filter(|item| item.is_message())?;
    if named.next().is_some() {
        return None;
    }
    match message.content.as_ref()?.as_array()?.as_slice() {
        [part] if part.get("type").is_some_and(|kind| kind == "output_text") => {
            part.get("text")?.as_str().filter(|text| !text.is_empty())
        }
        _ => None,
    }
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: Option<String>,
    sequence_number: Option<u64>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct TextEvent {
    #[serde(default)]
    output_index: u64,
    #[serde(default)]
    content_index: u64,
    delta: Option<String>,
    text: Option<String>,
}

#[derive(Deserialize)]
struct ItemEvent {
    item: Item,
}

#[derive(Deserialize)]
struct EndEvent {
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    status: Option<String>,
    output: Option<Vec<Item>>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: Option<String>,
    content: Option<Value>,
}

impl Item {
    fn is_unnamed(&self) -> bool {
        self.kind.as_deref().is_some_and(is_unnamed)
    }

    fn is_message(&self) -> bool {
        self.kind.as_deref() == Some("message")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn assembled(events: &[Value]) -> (bool, u64, Option<String>) {
        let mut reply = Assembled::default();
        for data in events {
            reply.event(event, &data.to_string());
        }
        (reply.done, reply.next_number, reply.whole_text())
    }

    fn reply(events: &[Value]) -> Option<String> {
        assembled(events).2
    }

    fn delta(output: u64, text: &str) -> Value {
        json!({"type": "response.output_text.delta", "output_index": output, "content_index": 0, "delta": text, "sequence_number": 7})
    }

    fn said(text: &str) -> Value {
        json!({"type": "message", "id": "msg", "role": "assistant", "content": [{"type": "output_text", "text": text, "annotations": []}]})
    }

    fn end(output: &[Value]) -> Value {
        json!({"type": "response.completed", "response": {"status": "completed", "error": null, "output": output}})
    }

    #[test]
    fn deltas_make_the_text_and_the_last_event_ends_it() {
        let events = [
            json!({"type": "response.created", "sequence_number": 0, "response": {"output": [], "error": null}}),
            json!({"type": "response.output_item.added", "item": {"type": "reasoning", "content": null}}),
            json!({"type": "response.output_item.added", "item": {"type": "message", "content": []}}),
            delta(1, "a"),
            delta(1, "b"),
        ];
        assert_eq!(assembled(&events), (false, 8, None));
        let whole = [&events[..], &[end(&[])]].concat();
        assert_eq!(assembled(&whole), (true, 8, Some("ab".to_owned())));
        let part = json!({"type": "response.output_text.done", "output_index": 1, "content_index": 0, "text": "abc"});
        assert_eq!(reply(&[&events[..], &[part, end(&[])]].concat()).as_deref(), Some("abc"));
        let reasoning = json!({"type": "reasoning", "summary": []});
        let last = end(&[reasoning, said("abcd")]);
        assert_eq!(reply(&[&events[..], &[last]].concat()).as_deref(), Some("abcd"));
        let cut_short = json!({"type": "response.incomplete", "response": {"status": "incomplete", "output": []}});
        assert_eq!(reply(&[&events[..], &[cut_short]].concat()).as_deref(), Some("ab"));
    }

    #[test]
    fn failures_calls_refusals_and_several_texts_give_no_reply() {
        let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
        let failed = json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "x"}}});
        for odd in [
            json!({"type": "response.output_item.added", "item": call}),
            json!({"type": "response.refusal.delta", "delta": "no"}),
            delta(2, "another"),
            json!({"type": "error", "message": "overloaded"}),
            json!({"error": {"message": "overloaded"}}),
            json!("nonsense"),
            failed,
        ] {
            assert_eq!(reply(&[delta(1, "a"), odd.clone(), end(&[])]), None, "{odd}");
        }
        assert_eq!(reply(&[delta(1, "a"), end(&[said("a"), call])]), None);
        assert_eq!(reply(&[delta(1, "a"), end(&[said("a"), said("b")])]), None);
        assert_eq!(reply(&[delta(1, "a")]), None);
    }

    #[test]
    fn what_ends_a_response_is_known_and_nothing_after_it_counts() {
        let failed = json!({"type": "error", "code": "x", "message": "y", "sequence_number": 3});
        assert_eq!(assembled(&[delta(0, "a"), failed]), (true, 4, None));
        assert_eq!(reply(&[delta(0, "a"), end(&[]), json!({"error": {}}), delta(0, "b")]).as_deref(), Some("a"));
        let mut reply = Assembled::default();
        reply.event(event, &delta(0, "a").to_string());
        reply.event(event, "[DONE]");
        assert!(reply.done);
        assert_eq!(reply.whole_text(), None);
    }

    #[test]
    fn a_whole_response_gives_its_text_if_that_is_all_there_is() {
        let document = |value: &Value| document(value.to_string().as_bytes());
        let search = json!({"type": "web_search_call", "id": "ws"});
        let plain = json!({"object": "response", "status": "completed", "error": null, "output": [search, said("a")]});
        assert_eq!(document(&plain).as_deref(), Some("a"));
        for (status, output) in [
            ("failed", json!([said("a")])),
            ("in_progress", json!([said("a")])),
            ("completed", json!([])),
            ("completed", json!([said("")])),
            ("completed", json!([said("a"), {"type": "function_call"}])),
            ("completed", json!([{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}])),
        ] {
            let response = json!({"object": "response", "status": status, "output": output});
            assert_eq!(document(&response), None, "{response}");
        }
        assert_eq!(document(&json!({"object": "response", "error": {"code": "x"}, "output": [said("a")]})), None);
    }
}
