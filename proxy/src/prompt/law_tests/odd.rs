//! The laws of rewriting for conversations with something odd in them, and for calls whose names collide.

use std::collections::HashMap;

use super::*;
use crate::conversation::exchanges::tests::answered;
use crate::openai::request::Message;

/// How many conversations are tried.
const CASES: u32 = 5_000;

fn run<S: Strategy>(strategy: &S, law: impl Fn(S::Value) -> Result<u32, TestCaseError>) -> u32 {
    let rewritten = Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    runner
        .run(strategy, |case| {
            rewritten.set(rewritten.get() + law(case)?);
            Ok(())
        })
        .unwrap();
    rewritten.get()
}

#[test]
fn odd_messages_never_leave_and_keep_their_bytes_wherever_they_stand() {
    let laws = Laws::new();
    let places = prop::collection::vec((any::<prop::sample::Index>(), 0..ODD.len()), 1..4);
    let rewritten = run(&(conversation(), places, any::<u64>()), |(messages, places, choice)| {
        let mut raw: Vec<String> = messages.iter().map(Value::to_string).collect();
        for (place, which) in places {
            raw.insert(place.index(raw.len() + 1), odd(which));
        }
        let body = format!("\u{feff}{{\"messages\":[{}],\"user\":42,\"x\":1e400}}", raw.join(" , "));
        let Some(rewritten) = laws.rewritten(Surface::ChatCompletions, body.as_bytes(), choice)? else {
            return Ok(0);
        };
        let text = std::str::from_utf8(&rewritten.bytes).unwrap();
        let mut rest = text.strip_prefix("\u{feff}{\"messages\":[").unwrap_or_default();
        let end = "],\"user\":42,\"x\":1e400}";
        prop_assert!(rest.ends_with(end));
        let all: Vec<String> = (0..ODD.len()).map(odd).collect();
        for message in raw.iter().filter(|message| all.contains(message)) {
            let at = rest.find(message.as_str());
            prop_assert!(at.is_some(), "{message} is not in {text}");
            rest = &rest[at.unwrap_or_default() + message.len()..];
        }
        Ok(1)
    });
    println!("{CASES} conversations with odd messages, {rewritten} of them rewritten");
    assert!(rewritten > CASES / 4);
}

#[test]
fn no_call_and_no_result_is_left_alone_whatever_their_names() {
    let laws = Laws::new();
    let chats = prop::collection::vec(chat_message(), 1..24).prop_map(|messages| json!({"messages": messages}));
    let items = prop::collection::vec(item(), 1..24).prop_map(|items| json!({"input": items}));
    let body = prop_oneof![
        chats.prop_map(|body| (Surface::ChatCompletions, body)),
        items.prop_map(|body| (Surface::Responses, body)),
    ];
    let rewritten = run(&(body, any::<u64>()), |((surface, body), choice)| {
        let Some(rewritten) = laws.rewritten(surface, body.to_string().as_bytes(), choice)? else {
            return Ok(0);
        };
        let before = &rewritten.prepared.request.messages;
        let dropped = &rewritten.edits.dropped;
        for (call, result) in answered(before) {
            prop_assert_eq!(dropped.contains(&call), dropped.contains(&result), "{} and {}", call, result);
        }
        let after = laws.prepared(surface, rewritten.bytes).unwrap();
        let (before, after) = (lonely(before), lonely(&after.request.messages));
        prop_assert!(after.0 <= before.0 && after.1 <= before.1, "{before:?} before, {after:?} after");
        Ok(1)
    });
    println!("{CASES} conversations whose calls have colliding names, {rewritten} of them rewritten");
    assert!(rewritten > CASES / 4);
}

/// Results without a call before them, and calls without a result.
fn lonely(messages: &[Message]) -> (usize, usize) {
    let mut open: HashMap<&str, usize> = HashMap::new();
    let mut results = 0;
    for message in messages {
        for call in &message.calls {
            *open.entry(call).or_default() += 1;
        }
        for name in &message.answers {
            match open.get_mut(name.as_str()).filter(|count| **count > 0) {
                Some(count) => *count -= 1,
                None => results += 1,
            }
        }
    }
    (results, open.values().sum())
}

/// Odd messages; `DEEP` stands for many levels.
const ODD: [&str; 12] = [
    r#"{"role":"user","content":"cut \ud83d"}"#,
    r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"custom","v":1e400}]}"#,
    r#"{"role":"user","content":[{"type":"custom","v":DEEP}]}"#,
    r#"{"role":"assistant","content":null,"tool_calls":[{"id":"odd","function":{"arguments":"\ud83d"}}]}"#,
    r#"{"role":"assistant","content":5}"#,
    r#"{"role":"user","content":{"text":"a"}}"#,
    r#"{"role":"user","content":"a","content":"b"}"#,
    r#"{"role":"assistant","content":"\u0000"}"#,
    r#"{"role":"narrator","content":"a"}"#,
    r#"{"content":"nobody"}"#,
    "null",
    r#"[{"role":"user"}]"#,
];

fn odd(which: usize) -> String {
    ODD[which].replace("DEEP", &format!("{}{}", "[".repeat(200), "]".repeat(200)))
}

/// A name of a call: one of few, or none, or none that is a text.
fn name() -> impl Strategy<Value = Value> {
    prop_oneof![4 => Just(json!("a")), 4 => Just(json!("b")), 1 => Just(json!(7)), 1 => Just(Value::Null)]
}

fn chat_message() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => Just(json!({"role": "user", "content": "said"})),
        2 => Just(json!({"role": "assistant", "content": "answered"})),
        1 => Just(json!({"role": "system", "content": "note"})),
        3 => prop::collection::vec(name(), 1..3).prop_map(|ids| {
            let calls: Vec<Value> = ids.iter().map(|id| json!({"id": id, "type": "function"})).collect();
            json!({"role": "assistant", "content": null, "tool_calls": calls})
        }),
        3 => name().prop_map(|id| json!({"role": "tool", "tool_call_id": id, "content": "x"})),
        2 => name().prop_map(|id| json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "f", "input": {}}]})),
        2 => prop::collection::vec(name(), 1..3).prop_map(|ids| {
            let results: Vec<Value> =
                ids.iter().map(|id| json!({"type": "tool_result", "tool_use_id": id, "content": "x"})).collect();
            json!({"role": "user", "content": results})
        }),
        1 => Just(json!({"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": ""}})),
        1 => Just(json!({"role": "function", "name": "f", "content": "x"})),
    ]
}

fn item() -> impl Strategy<Value = Value> {
    let kinds = prop::sample::select(vec!["function_call", "custom_tool_call", "computer_call", "local_shell_call"]);
    prop_oneof![
        3 => Just(json!({"role": "user", "content": "said"})),
        2 => Just(json!({"type": "message", "role": "assistant", "content": "answered"})),
        2 => Just(json!({"type": "reasoning", "summary": []})),
        1 => Just(json!({"type": "something_new", "id": "n"})),
        3 => (kinds.clone(), name()).prop_map(|(kind, id)| json!({"type": kind, "call_id": id})),
        3 => (kinds, name()).prop_map(|(kind, id)| json!({"type": format!("{kind}_output"), "call_id": id, "output": "x"})),
        1 => name().prop_map(|id| json!({"type": "mcp_approval_request", "id": id})),
        1 => name().prop_map(|id| json!({"type": "mcp_approval_response", "approval_request_id": id, "approve": true})),
    ]
}
