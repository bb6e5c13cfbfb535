//! Bodies that the service takes, and bodies that it refuses.

use serde_json::{Value, json};

use super::objection;

fn chat(messages: &Value) -> Option<String> {
    objection("/v1/chat/completions?x=1", &json!({"messages": messages}))
}

fn responses(input: &Value) -> Option<String> {
    objection("/v1/responses", &json!({"input": input}))
}

fn user() -> Value {
    json!({"role": "user", "content": "a"})
}

fn calling(ids: &[&str]) -> Value {
    let call = |id: &&str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    json!({"role": "assistant", "content": null, "tool_calls": ids.iter().map(call).collect::<Vec<_>>()})
}

fn result(id: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": "x"})
}

fn item(id: &str) -> Value {
    json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"})
}

fn output(id: &str) -> Value {
    json!({"type": "function_call_output", "call_id": id, "output": "x"})
}

fn thought() -> Value {
    json!({"type": "reasoning", "id": "rs", "summary": []})
}

#[test]
fn messages_that_the_service_takes_are_taken() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:,"}});
    let accepted = [
        json!([user()]),
        json!([{"role": "developer", "content": "d"}, {"role": "user", "name": "Z", "content": [{"type": "text", "text": "t"}, image]}]),
        json!([user(), calling(&["1", "2"]), result("2"), result("1"), {"role": "assistant", "content": "b"}]),
        json!([user(), calling(&["1"]), result("1"), calling(&["1"]), result("1"), user()]),
        json!([user(), {"role": "assistant", "content": null, "refusal": "no"}, user()]),
        json!([user(), {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": ""}}, {"role": "function", "name": "f", "content": "x"}]),
    ];
    for messages in accepted {
        assert_eq!(chat(&messages), None, "{messages}");
    }
    assert_eq!(objection("/v1/models", &json!(null)), None);
}

#[test]
fn messages_that_the_service_refuses_are_refused_with_their_index() {
    let assistant = |members: Value| json!([user(), members]);
    let refused = [
        (json!([]), "messages:", "at least one"),
        (json!([{"role": "robot", "content": "a"}]), "messages[0]", "robot"),
        (json!([user(), result("1")]), "messages[1]", "\"1\""),
        (json!([user(), calling(&["1", "2"]), result("1"), user()]), "messages[3]", "\"2\""),
        (json!([user(), calling(&["1"])]), "messages:", "\"1\""),
        (json!([user(), calling(&["1"]), result("1"), result("1")]), "messages[3]", "twice"),
        (json!([user(), calling(&["1", "1"]), result("1")]), "messages[1]", "twice"),
        (json!([user(), calling(&["1"]), result("1"), user(), result("1")]), "messages[4]", "\"1\""),
        (json!([user(), calling(&["1"]), result("1"), calling(&["2"]), result("1")]), "messages[4]", "\"1\""),
        (json!([{"role": "user", "content": null}]), "messages[0]", "content"),
        (json!([{"role": "user", "content": 1}]), "messages[0]", "content"),
        (json!([{"role": "system", "content": [{"type": "image_url"}]}]), "messages[0]", "image_url"),
        (assistant(json!({"role": "assistant", "content": null})), "messages[1]", "content or calls"),
        (assistant(json!({"role": "assistant", "tool_calls": []})), "messages[1]", "at least one call"),
        (
            assistant(
                json!({"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}}]}),
            ),
            "messages[1]",
            "arguments",
        ),
    ];
    for (messages, place, reason) in refused {
        let objection = chat(&messages).unwrap_or_else(|| panic!("{messages} was taken"));
        assert!(objection.starts_with(place) && objection.contains(reason), "{messages}: {objection}");
    }
}

#[test]
fn items_that_the_service_takes_are_taken() {
    let accepted = [
        json!("hello"),
        json!([user(), {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]}]),
        json!([user(), thought(), item("1"), item("2"), output("2"), output("1"), user()]),
        json!([user(), thought(), thought(), item("1"), output("1")]),
        json!([user(), item("1"), item("2"), output("1")]),
        json!([user(), {"type": "item_reference", "id": "x"}, {"type": "web_search_call", "id": "w"}]),
    ];
    for input in accepted {
        assert_eq!(responses(&input), None, "{input}");
    }
}

#[test]
fn items_that_the_service_refuses_are_refused_with_their_index() {
    let refused = [
        (json!([]), "input:", "at least one"),
        (json!(""), "input:", "at least one"),
        (json!([user(), output("1")]), "input[1]", "\"1\""),
        (json!([output("1"), item("1")]), "input[0]", "\"1\""),
        (json!([item("1"), user()]), "input[0]", "no output"),
        (json!([item("1"), output("1"), output("1")]), "input[2]", "not open"),
        (json!([item("1"), item("1")]), "input[1]", "twice"),
        (json!([thought(), user()]), "input[0]", "reasoning"),
        (json!([user(), thought()]), "input[1]", "reasoning"),
        (json!([{"role": "tool", "content": "a"}]), "input[0]", "tool"),
        (json!([{"role": "user", "content": [{"type": "output_text", "text": "a"}]}]), "input[0]", "output_text"),
        (json!([{"type": "function_call", "call_id": "1", "name": "f", "arguments": {}}]), "input[0]", "arguments"),
    ];
    for (input, place, reason) in refused {
        let objection = responses(&input).unwrap_or_else(|| panic!("{input} was taken"));
        assert!(objection.starts_with(place) && objection.contains(reason), "{input}: {objection}");
    }
}
