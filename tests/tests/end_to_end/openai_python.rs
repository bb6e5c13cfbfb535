//! The official `openai` Python package against the started binary, as an application would use it.

use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::{RecordedRequest, ScriptedUpstream, StartedProxy, prompt, tokens};
use serde_json::{Value, json};

use crate::shared::{PYTHON_KEY, run_in_python};

const BUDGET: usize = 2000;
const CODE: &str = "4406-Q";
const REPLY: &str = "It is the code from the beginning — naïve, but true. ☕";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_openai_package_gets_the_fact_of_turn_3_in_turn_60_with_and_without_streaming_and_after_a_restart() {
    let upstream = ScriptedUpstream::start().await;
    let builder = || StartedProxy::before(&upstream).budget(BUDGET, 700);
    let proxy = builder().start().await;
    let turns = sixty_turns();

    // The application comes back in turn 59 with its whole history; reading it takes a moment.
    let before = json!({"messages": &turns[..turns.len() - 2], "tools": tools()});
    chat(&proxy, &upstream, &before).await;
    proxy.everything_read().await;

    let request = json!({"messages": turns, "tools": tools()});
    for (kind, answer, forwarded) in chat(&proxy, &upstream, &request).await {
        assert_remembered(kind, &answer, &forwarded, &request);
    }
    let home = proxy.stop().await;
    let proxy = builder().home(&home).start().await;
    for (kind, answer, forwarded) in chat(&proxy, &upstream, &request).await {
        assert_remembered(kind, &answer, &forwarded, &request);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_openai_package_gets_a_short_chat_as_the_upstream_answered_it() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    let request = json!({"messages": [{"role": "user", "content": "Hello from Köln!"}], "tools": tools()});
    for (kind, answer, forwarded) in chat(&proxy, &upstream, &request).await {
        assert_eq!(answer["text"], REPLY, "{kind}");
        assert_eq!(answer["finish_reason"], "stop", "{kind}");
        assert_eq!(answer["outcome"], "passthrough", "{kind}");
        assert_eq!(forwarded.json()["messages"], request["messages"], "{kind}");
        assert_eq!(forwarded.header("authorization"), format!("Bearer {PYTHON_KEY}"), "{kind}");
    }
}

/// Runs the script: what it assembled and what the upstream received, without and with streaming.
async fn chat(
    proxy: &StartedProxy,
    upstream: &ScriptedUpstream,
    request: &Value,
) -> [(&'static str, Value, RecordedRequest); 2] {
    upstream.say_next(REPLY);
    upstream.say_next(REPLY);
    run_in_python("chat.py", proxy, upstream, request).await
}

fn assert_remembered(kind: &str, answer: &Value, forwarded: &RecordedRequest, asked: &Value) {
    assert_eq!(answer["text"], REPLY, "{kind}");
    assert_eq!(answer["finish_reason"], "stop", "{kind}");
    assert_eq!(answer["outcome"], "rewritten", "{kind}");
    let request = forwarded.json();
    assert_eq!(request["messages"][0], asked["messages"][0], "{kind}: the system message is what it was");
    assert_eq!(request["tools"], asked["tools"], "{kind}: the tools are what they were");
    assert!(tokens::count_prompt(&request) <= BUDGET, "{kind}: {} tokens", tokens::count_prompt(&request));
    prompt::assert_well_formed(&request);
    let block = prompt::memory_block(&request).unwrap_or_else(|| panic!("{kind}: no memory block in {request}"));
    assert!(block.contains(CODE), "{kind}: {block}");
}

fn sixty_turns() -> Vec<Value> {
    let mut messages = vec![json!({"role": "system", "content": "You are a friendly, brief assistant."})];
    for exchange in everyday_chat(CODE) {
        messages.push(json!({"role": "user", "content": exchange.user}));
        messages.push(json!({"role": "assistant", "content": exchange.assistant}));
    }
    messages.pop();
    messages
}

fn tools() -> Value {
    let parameters = json!({"type": "object", "properties": {"minutes": {"type": "number"}}});
    json!([{"type": "function", "function": {"name": "set_timer", "parameters": parameters}}])
}
