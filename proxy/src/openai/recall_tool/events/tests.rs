//! Tests of streams with and without calls of our tool.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::calls::NAME;
use super::*;
use crate::openai::recordings_for_tests as recordings;

const DONE: &str = "data: [DONE]\n\n";

fn event(id: &str, delta: &Value, reason: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
    format!("data: {{\"id\":\"{id}\", \"x\":1.50,\"choices\":[{choice}]}}\n\n")
}

fn begin(id: &str) -> String {
    event(id, &json!({"role": "assistant", "content": ""}), None)
}

fn text(id: &str, text: &str) -> String {
    event(id, &json!({"content": text}), None)
}

fn end(id: &str, reason: &str) -> String {
    event(id, &json!({}), Some(reason))
}

fn cost(id: &str, tokens: u64) -> String {
    format!("data: {{\"id\":\"{id}\",\"choices\":[],\"usage\":{{\"total_tokens\":{tokens}}}}}\n\n")
}

/// The events of one call, its arguments in two pieces.
fn call(index: u64, name: &str, arguments: &str) -> [String; 3] {
    let (head, tail) = arguments.split_at(arguments.len() / 2);
    let begins = json!({"index": index, "id": format!("call-{index}"), "type": "function", "function": {"name": name, "arguments": ""}});
    let goes_on = |text: &str| json!({"index": index, "function": {"arguments": text}});
    [begins, goes_on(head), goes_on(tail)].map(|piece| event("a", &json!({"tool_calls": [piece]}), None))
}

fn passed(answer: &mut StreamedAnswer, stream: &str, size: usize) -> String {
    let pieces = stream.as_bytes().chunks(size).map(|piece| answer.push(piece));
    String::from_utf8(pieces.collect::<Vec<_>>().concat()).unwrap()
}

/// The data of the events of a stream, but for its last.
fn events(stream: &str) -> Vec<Value> {
    let data = stream.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

proptest! {
    #[test]
    fn bytes_without_a_call_of_ours_pass_as_they_came(
        stream in "(data: |\\{\"choices\":\\[\\]\\}|\r|\n|:|é|\\[DONE\\]|x){0,40}", size in 1..9_usize,
    ) {
        let mut answer = StreamedAnswer::default();
        let mut all = Vec::new();
        for piece in stream.as_bytes().chunks(size) {
            all.extend_from_slice(&answer.push(piece));
        }
        all.extend_from_slice(&answer.finish());
        prop_assert_eq!(all, stream.as_bytes());
        prop_assert_eq!(answer.take_question(), None);
    }
}

#[test]
fn recorded_streams_pass_byte_for_byte() {
    let streams = recordings::streams(&recordings::directory());
    assert!(!streams.is_empty());
    for stream in streams {
        let mut answer = StreamedAnswer::default();
        let passed = [answer.push(stream.as_ref()), answer.finish()].concat();
        assert_eq!(passed, AsRef::<[u8]>::as_ref(&stream));
    }
}

#[test]
fn a_call_of_ours_is_not_seen_and_the_next_answer_goes_on_with_the_stream() {
    for size in [1, 7, 10_000] {
        let mut answer = StreamedAnswer::default();
        let calls = call(0, NAME, "{\"query\":\"Where?\"}").concat();
        let before = format!("{}{}", begin("a"), text("a", "I look. "));
        let first = format!("{before}{calls}{}{}{DONE}", end("a", "tool_calls"), cost("a", 5));
        assert_eq!(passed(&mut answer, &first, size), before);
        assert!(answer.is_done());
        let asked = answer.take_question().unwrap();
        assert_eq!(asked.calls[0].query, "Where?");
        let messages = asked.messages(&["here".to_owned()]);
        let function = json!({"name": NAME, "arguments": "{\"query\":\"Where?\"}"});
        let made = json!([{"id": "call-0", "type": "function", "function": function}]);
        assert_eq!(messages[0], json!({"role": "assistant", "content": "I look. ", "tool_calls": made}));
        assert_eq!(messages[1]["tool_call_id"], "call-0");

        let second = format!("{}{}{}{}{DONE}", begin("b"), text("b", "There."), end("b", "stop"), cost("b", 7));
        let expected = format!("{}{}{}{DONE}", text("a", "There."), end("a", "stop"), cost("a", 12));
        assert_eq!(passed(&mut answer, &second, size), expected);
        assert_eq!(answer.take_question(), None);
    }
}

#[test]
fn who_speaks_is_said_once_whichever_answer_says_it_first() {
    let mut answer = StreamedAnswer::default();
    let function = json!({"name": NAME, "arguments": "{}"});
    let all_at_once =
        json!({"role": "assistant", "content": null, "tool_calls": [{"index": 0, "id": "1", "function": function}]});
    assert_eq!(passed(&mut answer, &event("a", &all_at_once, Some("tool_calls")), 9), "");
    assert_eq!(answer.finish(), "");
    assert!(answer.take_question().is_some(), "a stream may end without saying so");
    let second = format!("{}{}", begin("b"), event("b", &json!({"role": "assistant", "content": "x"}), Some("stop")));
    let roles =
        |stream: &str| events(stream).iter().filter(|event| event["choices"][0]["delta"]["role"].is_string()).count();
    let seen = passed(&mut answer, &second, 9);
    assert_eq!(roles(&seen), 1, "{seen}");
    assert!(seen.contains("\"content\":\"x\"") && seen.contains("stop"), "{seen}");
}

#[test]
fn of_calls_beside_ours_the_client_sees_its_own_alone_numbered_anew() {
    for ours_first in [true, false] {
        let names = if ours_first { [NAME, "weather"] } else { ["weather", NAME] };
        let calls = [call(0, names[0], "{\"a\":1}"), call(1, names[1], "{\"b\":2}")].concat().concat();
        let mut answer = StreamedAnswer::default();
        let seen = passed(&mut answer, &format!("{}{calls}{}{DONE}", begin("a"), end("a", "tool_calls")), 100);
        assert_eq!(answer.take_question(), None);
        let seen = events(&seen);
        let pieces: Vec<&Value> = seen.iter().map(|event| &event["choices"][0]["delta"]["tool_calls"][0]).collect();
        let pieces: Vec<&&Value> = pieces.iter().filter(|piece| !piece.is_null()).collect();
        assert_eq!(pieces.len(), 3);
        assert!(pieces.iter().all(|piece| piece["index"] == 0), "{pieces:?}");
        assert_eq!(pieces[0]["function"]["name"], "weather");
        assert_eq!(seen.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
    }
}

#[test]
fn calls_that_all_have_one_index_are_told_apart_by_their_ids() {
    let call = |id: &str, name: &str| json!({"index": 0, "id": id, "function": {"name": name, "arguments": "{}"}});
    let calls = json!({"tool_calls": [call("1", NAME), call("2", "weather"), call("3", NAME)]});
    let mut answer = StreamedAnswer::default();
    let seen = passed(&mut answer, &event("a", &calls, Some("tool_calls")), 50);
    assert_eq!(events(&seen)[0]["choices"][0]["delta"]["tool_calls"], json!([call("2", "weather")]));
    assert_eq!(answer.take_question(), None);
}

#[test]
fn in_the_last_answer_a_call_of_ours_ends_it() {
    let mut answer = StreamedAnswer::default();
    answer.expect_last();
    let calls = call(0, NAME, "{\"query\":\"Where?\"}").concat();
    let stream = format!("{}{calls}{}{DONE}", begin("a"), end("a", "tool_calls"));
    assert_eq!(passed(&mut answer, &stream, 50), format!("{}{}{DONE}", begin("a"), end("a", "stop")));
    assert_eq!(answer.take_question(), None);
}

#[test]
fn an_error_or_an_end_in_the_middle_of_a_call_asks_nothing() {
    let calls = call(0, NAME, "{\"query\":\"Where?\"}").concat();
    let error = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    let mut answer = StreamedAnswer::default();
    assert_eq!(passed(&mut answer, &format!("{calls}{error}{DONE}"), 50), format!("{error}{DONE}"));
    assert_eq!(answer.take_question(), None);
    let mut answer = StreamedAnswer::default();
    passed(&mut answer, &calls, 50);
    assert_eq!((answer.finish(), answer.take_question()), (Bytes::new(), None));
}

#[test]
fn an_event_that_is_too_large_passes_and_nothing_is_read_from_then_on() {
    let mut answer = StreamedAnswer::default();
    let large = format!("data: {}\n\n{}{DONE}", "x".repeat(1 << 20), call(0, NAME, "{}").concat());
    let seen = [answer.push(large.as_bytes()), answer.finish()].concat();
    assert!(seen == large.as_bytes());
    assert_eq!(answer.take_question(), None);
}
