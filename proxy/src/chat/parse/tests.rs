//! Tests of what is read of requests on both interfaces.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use proptest::prelude::*;

use super::*;

/// A parsed chat completions request.
pub(crate) fn parsed(body: &str) -> ChatRequest {
    ChatRequest::parse(Surface::ChatCompletions, Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

/// A parsed Responses request.
pub(crate) fn parsed_response(body: &str) -> ChatRequest {
    ChatRequest::parse(Surface::Responses, Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn slices(request: &ChatRequest) -> Vec<&str> {
    let messages = request.messages.iter();
    messages
        .map(|message| std::str::from_utf8(request.slice(&message.range)).unwrap())
        .collect()
}

#[test]
fn every_message_is_found_with_its_own_bytes() {
    let request = parsed(
        "{ \"messages\" : [ {\"role\":\"user\" , \"content\":\"h\\u00e9\"},\n {\"content\":null,\"role\":\"assistant\"} ], \"model\":\"m\"}",
    );
    assert_eq!(
        slices(&request),
        [
            "{\"role\":\"user\" , \"content\":\"h\\u00e9\"}",
            "{\"content\":null,\"role\":\"assistant\"}"
        ]
    );
    assert_eq!(request.messages[0].text(), "hé");
    assert_eq!(request.messages[1].content, Content::None);
    let Content::Text(place) = &request.messages[0].content else {
        unreachable!()
    };
    assert_eq!(request.slice(place), b"\"h\\u00e9\"");
    assert!(request.rewritable);
}

#[test]
fn what_is_no_chat_request_is_an_error() {
    for body in [
        "",
        "nonsense",
        "[]",
        "{}",
        r#"{"messages":null}"#,
        r#"{"messages":"hi"}"#,
        r#"{"messages":[1]}"#,
        r#"{"messages":[{"content":"no role"}]}"#,
        r#"{"messages":[{"role":"user","content":5}]}"#,
        r#"{"messages":[{"role":7,"content":"a"}]}"#,
        r#"{"messages":[],"model":5}"#,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"\u{1}\"}]}",
    ] {
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        assert!(ChatRequest::parse(Surface::ChatCompletions, bytes).is_err(), "{body}");
    }
    let not_utf8 = Bytes::from_static(b"{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}");
    assert!(ChatRequest::parse(Surface::ChatCompletions, not_utf8).is_err());
}

#[test]
fn a_field_that_comes_twice_counts_as_most_parsers_count_it() {
    let request = parsed(r#"{"model":"x","messages":[],"model":"gpt-4o","messages":[{"role":"user","content":"a"}]}"#);
    assert_eq!(request.model, "gpt-4o");
    assert_eq!(request.messages.len(), 1);
}

#[test]
fn fields_that_clients_add_and_drop_do_not_count() {
    let request = parsed(
        r#"{"messages":[{"role":"assistant","content":"a","tool_calls":[],"refusal":null,"annotations":[1],"name":"bob"}]}"#,
    );
    assert_eq!(request.messages[0].fields, [("name", Value::from("bob"))]);
}

#[test]
fn injected_memory_is_no_part_of_the_text() {
    let block = block::render(&["[2026-11-22 14:03 UTC] user: x".to_owned()]);
    for surface in [Surface::ChatCompletions, Surface::Responses] {
        let (own, memory) = (surface.text_part("hello"), surface.text_part(&block));
        let messages = json!([
            {"role": "user", "content": format!("hello\n\n{block}")},
            {"role": "user", "content": [own, memory]},
        ]);
        let body = match surface {
            Surface::ChatCompletions => json!({"messages": messages}),
            Surface::Responses => json!({"input": messages}),
        };
        let request = ChatRequest::parse(surface, Bytes::from(body.to_string())).unwrap();
        for message in &request.messages {
            assert_eq!(message.text(), "hello");
            assert!(message.carries_memory());
        }
    }
}

#[test]
fn calls_and_results_of_a_chat_are_named_in_the_old_form_too() {
    let request = parsed(
        r#"{"messages":[
            {"role":"assistant","tool_calls":[{"id":"a"},{"id":"b"},{"no":"id"}]},{"role":"tool","tool_call_id":"b","content":"x"},
            {"role":"assistant","function_call":{"name":"f"}},{"role":"function","name":"f","content":"x"},
            {"role":"user","content":"x"}]}"#,
    );
    let calls: Vec<usize> = request.messages.iter().map(|message| message.calls.len()).collect();
    assert_eq!(calls, [2, 0, 1, 0, 0]);
    assert_eq!(request.messages[0].calls, ["a", "b"]);
    assert_eq!(request.messages[1].answers.as_deref(), Some("b"));
    assert_eq!(request.messages[3].answers.as_ref(), request.messages[2].calls.first());
    assert_eq!(request.messages[4].answers, None);
}

#[test]
fn a_text_input_is_one_user_message_in_its_place() {
    let request = parsed_response(r#"{"model":"gpt-4o", "input" : "h\u00e9" ,"instructions":"Be kind.","tools":null}"#);
    assert_eq!(slices(&request), [r#""h\u00e9""#]);
    let message = &request.messages[0];
    assert_eq!((message.role.as_str(), message.text().as_str()), ("user", "hé"));
    assert_eq!(message.content, Content::Text(message.range.clone()));
    assert!(request.rewritable);
    let definitions: Vec<&[u8]> = request.definitions.iter().map(|place| request.slice(place)).collect();
    assert_eq!(definitions, [b"\"Be kind.\""]);
}

#[test]
fn every_item_is_found_with_its_role_its_bytes_and_its_text() {
    let items = [
        (r#"{"role":"developer","content":"d"}"#, "developer", "d"),
        (
            r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"u"},{"type":"input_image","image_url":"x"}]}"#,
            "user",
            "u",
        ),
        (
            r#"{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"hm"}]}"#,
            "assistant",
            "",
        ),
        (
            r#"{"id":"msg","type":"message","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]},{"type":"refusal","refusal":"no"}]}"#,
            "assistant",
            "a",
        ),
        (
            r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#,
            "assistant",
            "",
        ),
        (
            r#"{"type":"function_call_output","call_id":"c","output":"found"}"#,
            "tool",
            "found",
        ),
        (
            r#"{"type":"custom_tool_call_output","call_id":"c","output":[{"type":"input_text","text":"one"}]}"#,
            "tool",
            "one",
        ),
        (
            r#"{"type":"computer_call_output","call_id":"k","output":{"type":"computer_screenshot"}}"#,
            "tool",
            "",
        ),
        (r#"{"type":"mcp_list_tools","id":"l","tools":[]}"#, "developer", ""),
        (r#"{"type":"web_search_call","id":"ws"}"#, "assistant", ""),
    ];
    let joined: Vec<&str> = items.iter().map(|(raw, _, _)| *raw).collect();
    let request = parsed_response(&format!("{{\"input\":[ {} ]}}", joined.join(" ,\n")));
    assert_eq!(slices(&request), joined);
    for (message, (raw, role, text)) in request.messages.iter().zip(items) {
        assert_eq!((message.role.as_str(), message.text().as_str()), (role, text), "{raw}");
    }
    assert!(request.rewritable);
}

#[test]
fn calls_and_results_are_named_and_reasoning_belongs_to_what_follows() {
    let request = parsed_response(
        r#"{"input":[
            {"type":"reasoning","summary":[]},{"type":"function_call","id":"fc","call_id":"a"},{"type":"local_shell_call","id":"ls","call_id":"b"},
            {"type":"function_call_output","id":"x","call_id":"a","output":"1"},{"type":"local_shell_call_output","id":"ls","output":"2"},
            {"type":"mcp_approval_request","id":"ap"},{"type":"mcp_approval_response","approval_request_id":"ap","approve":true},
            {"type":"mcp_call","id":"m","approval_request_id":"ap"}]}"#,
    );
    let known: Vec<(&[String], Option<&str>, bool)> = request
        .messages
        .iter()
        .map(|message| (message.calls.as_slice(), message.answers.as_deref(), message.binds_next))
        .collect();
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<String>>();
    let expected = [
        (names(&[]), None, true),
        (names(&["a"]), None, false),
        (names(&["b", "ls"]), None, false),
        (names(&[]), Some("a"), false),
        (names(&[]), Some("ls"), false),
        (names(&["ap"]), None, false),
        (names(&[]), Some("ap"), false),
        (names(&[]), Some("ap"), true),
    ];
    for (known, (calls, answers, binds_next)) in known.into_iter().zip(expected) {
        assert_eq!(known, (calls.as_slice(), answers, binds_next));
    }
}

#[test]
fn items_that_stand_for_what_cannot_be_seen_may_not_leave() {
    for item in [
        r#"{"type":"item_reference","id":"msg_1"}"#,
        r#"{"id":"msg_1"}"#,
        r#"{"type":"compaction","encrypted_content":"x"}"#,
        r#"{"type":"tool_search_call","call_id":"t"}"#,
        r#"{"type":"tool_search_output","call_id":"t","tools":[]}"#,
        r#"{"type":"something_new"}"#,
    ] {
        let request = parsed_response(&format!(r#"{{"input":[{{"role":"user","content":"a"}},{item}]}}"#));
        assert!(!request.rewritable, "{item}");
        assert_eq!(request.messages[1].text(), "", "{item}");
    }
}

#[test]
fn a_conversation_that_the_upstream_keeps_and_what_is_no_input_are_errors() {
    let parse = |body: &str| ChatRequest::parse(Surface::Responses, Bytes::copy_from_slice(body.as_bytes()));
    for body in [
        r#"{"input":"a","previous_response_id":"resp_1"}"#,
        r#"{"input":"a","conversation":"conv_1"}"#,
        r#"{"input":"a","conversation":{"id":"conv_1"}}"#,
    ] {
        assert!(matches!(parse(body), Err(ParseError::Elsewhere)), "{body}");
    }
    assert!(parse(r#"{"input":"a","previous_response_id":null,"conversation":null}"#).is_ok());
    for body in [
        "{}",
        r#"{"input":null}"#,
        r#"{"input":5}"#,
        r#"{"input":{"role":"user"}}"#,
        r#"{"input":["a"]}"#,
        r#"{"input":[{"type":"message","content":"no role"}]}"#,
        r#"{"input":[{"role":"user","content":5}]}"#,
        r#"{"input":[{"type":5}]}"#,
        r#"{"input":[{"type":"function_call","call_id":5}]}"#,
    ] {
        assert!(parse(body).is_err(), "{body}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for surface in [Surface::ChatCompletions, Surface::Responses] {
            if let Ok(request) = ChatRequest::parse(surface, Bytes::from(bytes.clone())) {
                for message in &request.messages {
                    prop_assert!(message.range.end <= bytes.len());
                }
            }
        }
    }

    #[test]
    fn items_lie_where_they_were_written(
        texts in prop::collection::vec("\\PC{0,12}", 1..8), space in "[ \n\t]{0,3}",
    ) {
        let items: Vec<String> = texts
            .iter()
            .map(|text| json!({"role": "user", "content": [{"type": "input_text", "text": text}]}).to_string())
            .collect();
        let body = format!("{{\"input\"{space}:{space}[{space}{}{space}]}}", items.join(&format!("{space},{space}")));
        let request = parsed_response(&body);
        prop_assert_eq!(slices(&request), items);
        for (message, text) in request.messages.iter().zip(&texts) {
            prop_assert_eq!(&message.text(), text);
        }
    }
}
