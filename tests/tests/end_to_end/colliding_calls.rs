//! Calls in the parts of messages, as some editors send them, and calls that all have one name: no call leaves without its
//! result and no result without its call.

use mainpoint_tests::conversation::SYSTEM;
use mainpoint_tests::{ScriptedUpstream, StartedProxy, prompt};
use serde_json::{Value, json};

use crate::shared::asked_again;

const BUDGET: usize = 600;
const CODE: &str = "7391-K";
const ROUNDS: usize = 24;

/// How a client writes a call and its result in the round of a number.
type Round = fn(usize) -> [Value; 2];

fn in_parts(round: usize) -> [Value; 2] {
    let call = json!({"type": "tool_use", "id": format!("toolu_{round}"), "name": "read", "input": {"path": format!("src/file{round}.rs")}});
    let result = json!({"type": "tool_result", "tool_use_id": format!("toolu_{round}"), "content": output(round)});
    [
        json!({"role": "assistant", "content": [{"type": "text", "text": format!("Step {round}: reading a file.")}, call]}),
        json!({"role": "user", "content": [result]}),
    ]
}

fn in_parts_that_are_named_alike(round: usize) -> [Value; 2] {
    let call = json!({"type": "tool_use", "id": "toolu", "name": "read", "input": {}});
    let text = json!([{"type": "text", "text": output(round)}]);
    let result = json!({"type": "tool_result", "tool_use_id": "toolu", "content": text});
    [
        json!({"role": "assistant", "content": [call]}),
        json!({"role": "user", "content": [result, {"type": "text", "text": "Go on."}]}),
    ]
}

fn named_alike(round: usize) -> [Value; 2] {
    let function = json!({"name": "look", "arguments": "{\"q\":\"call_0\"}"});
    [
        json!({"role": "assistant", "content": null, "tool_calls": [{"id": "call_0", "type": "function", "function": function}]}),
        json!({"role": "tool", "tool_call_id": "call_0", "content": output(round)}),
    ]
}

fn without_names(round: usize) -> [Value; 2] {
    let function = json!({"name": "look", "arguments": "{}"});
    [
        json!({"role": "assistant", "content": null, "tool_calls": [{"type": "function", "function": function}]}),
        json!({"role": "tool", "content": output(round)}),
    ]
}

fn output(round: usize) -> String {
    format!("file {round}: {}", "fn parse(input) returns a tree of nodes and errors. ".repeat(4))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_and_results_stay_together_however_they_are_written_and_named() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(BUDGET, 150).start().await;
    let rounds: [(&str, Round); 4] = [
        ("calls in parts", in_parts),
        ("calls in parts that are named alike", in_parts_that_are_named_alike),
        ("calls that are named alike", named_alike),
        ("calls without names", without_names),
    ];
    for (name, round) in rounds {
        for ends_in_a_question in [false, true] {
            let messages = conversation(round, ends_in_a_question);
            let mut body = json!({"model": "gpt-4o", "messages": messages});
            // Each has a memory of its own.
            body["user"] = json!(name);
            let body = body.to_string();
            let answer = asked_again(&proxy, body).await;
            assert_eq!(answer.outcome(), "rewritten", "{name}: {:?}", answer.headers);
            assert!(answer.count("x-mainpoint-tokens-forwarded") <= BUDGET, "{name}: {:?}", answer.headers);
            let forwarded = upstream.last_request().json();
            assert_paired(prompt::messages(&forwarded), name);
            assert!(upstream.last_request().contains(CODE), "{name}: what was asked for at first is there");
        }
    }
}

fn conversation(round: Round, ends_in_a_question: bool) -> Vec<Value> {
    let mut messages: Vec<Value> = vec![serde_json::from_str(SYSTEM).expect("JSON")];
    let task = format!(
        "Please refactor the parser. The padlock code of my locker at the climbing gym is {CODE}, please keep it in mind."
    );
    messages.push(json!({"role": "user", "content": task}));
    messages.extend((0..ROUNDS).flat_map(round));
    if ends_in_a_question {
        messages.push(json!({"role": "assistant", "content": "All files are read."}));
        let question = "What was the padlock code of my locker at the climbing gym again?";
        messages.push(json!({"role": "user", "content": question}));
    }
    messages
}

/// Every call is followed by its result, and every result by its call preceded.
fn assert_paired(messages: &[Value], name: &str) {
    let parts = |message: &Value, kind: &str| {
        let parts = message["content"].as_array().into_iter().flatten();
        parts.filter(|part| part["type"] == kind).count()
    };
    let calls = |message: &Value| message["tool_calls"].as_array().map_or(0, Vec::len) + parts(message, "tool_use");
    let results = |message: &Value| usize::from(prompt::role(message) == "tool") + parts(message, "tool_result");
    let shown = || messages.iter().map(|message| format!("\n  {message}")).collect::<String>();
    let mut open = 0;
    for message in messages.iter().filter(|message| prompt::role(message) != "system") {
        let answered = results(message);
        assert!(answered <= open, "{name}: a result without its call:{}", shown());
        open -= answered;
        assert_eq!(open, 0, "{name}: a call without its result:{}", shown());
        open = calls(message);
    }
    assert_eq!(open, 0, "{name}: a call without its result:{}", shown());
}
