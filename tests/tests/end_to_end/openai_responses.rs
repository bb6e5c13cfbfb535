//! The Responses interface of the official `openai` Python package against the started binary, as an application uses it.

use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::{RecordedRequest, Reply, ScriptedUpstream, StartedProxy, prompt};
use serde_json::{Value, json};

use crate::shared::{PYTHON_KEY, run_in_python};

const BUDGET: usize = 2000;
const CODE: &str = "4406-Q";
const REPLY: &str = "It is the code from the beginning — naïve, but true. ☕";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_responses_interface_gets_the_fact_of_turn_3_in_turn_60_with_and_without_streaming() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(BUDGET, 700).start().await;
    let items = sixty_turns();

    // The application comes back in turn 59 with its whole history; reading it takes a moment.
    let before = json!({"instructions": "Be brief.", "input": &items[..items.len() - 2], "store": false});
    respond(&proxy, &upstream, &before).await;
    proxy.everything_read().await;

    let request = json!({"instructions": "Be brief.", "input": items, "store": false});
    for (kind, answer, forwarded) in respond(&proxy, &upstream, &request).await {
        assert_eq!(answer["text"], REPLY, "{kind}");
        assert_eq!(answer["status"], "completed", "{kind}");
        assert_eq!(answer["outcome"], "rewritten", "{kind}");
        let count = |name: &str| answer[name].as_u64().and_then(|count| usize::try_from(count).ok());
        let (came, went) = (count("came").expect("a count"), count("forwarded").expect("a count"));
        assert!(came > BUDGET && went <= BUDGET, "{kind}: {came} tokens came, {went} went");
        let forwarded = forwarded.json();
        assert_eq!(forwarded["instructions"], "Be brief.", "{kind}");
        let kept = forwarded["input"].as_array().expect("a list of items");
        assert!(kept.len() < items.len() && prompt::role(&kept[0]) == "user", "{kind}: {forwarded}");
        let question = prompt::text(kept.last().expect("a question"));
        let (_, block) =
            question.split_once(prompt::BLOCK_START).unwrap_or_else(|| panic!("{kind}: no memory block in {question}"));
        assert!(block.contains(CODE), "{kind}: {block}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_text_through_the_responses_interface_passes_as_it_is() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    let request = json!({"input": "Hello from Köln!"});
    for (kind, answer, forwarded) in respond(&proxy, &upstream, &request).await {
        assert_eq!(answer["text"], REPLY, "{kind}");
        assert_eq!(answer["outcome"], "passthrough", "{kind}");
        assert_eq!(forwarded.json()["input"], request["input"], "{kind}");
        assert_eq!(forwarded.header("authorization"), format!("Bearer {PYTHON_KEY}"), "{kind}");
    }
}

/// Runs the script: what came back and what the upstream received, without and with streaming.
async fn respond(
    proxy: &StartedProxy,
    upstream: &ScriptedUpstream,
    request: &Value,
) -> [(&'static str, Value, RecordedRequest); 2] {
    upstream.reply_next(Reply::bytes("application/json", response("completed", &[message(REPLY)]).to_string()));
    upstream.reply_next(events(REPLY));
    let received = run_in_python("respond.py", proxy, upstream, request).await;
    assert!(received.iter().all(|(_, _, request)| request.target == "/v1/responses"));
    received
}

fn sixty_turns() -> Vec<Value> {
    let mut items = Vec::new();
    for exchange in everyday_chat(CODE) {
        items.push(json!({"role": "user", "content": exchange.user}));
        items.push(message(&exchange.assistant));
    }
    items.pop();
    items
}

fn message(text: &str) -> Value {
    let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
    json!({"type": "message", "id": "msg_scripted", "status": "completed", "role": "assistant", "content": content})
}

fn response(status: &str, output: &[Value]) -> Value {
    json!({
        "id": "resp_scripted", "object": "response", "created_at": 1_764_000_000, "status": status, "error": null,
        "incomplete_details": null, "instructions": null, "metadata": {}, "model": "scripted", "output": output,
        "parallel_tool_calls": true, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0, "usage": null,
    })
}

/// The stream of a response: each word an event, and the whole of it at the end.
fn events(text: &str) -> Reply {
    let place = |kind: &str| json!({"type": kind, "item_id": "msg_scripted", "output_index": 0, "content_index": 0});
    let with = |kind: &str, name: &str, value: Value| {
        let mut event = place(kind);
        event[name] = value;
        event
    };
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let begun =
        json!({"type": "message", "id": "msg_scripted", "status": "in_progress", "role": "assistant", "content": []});
    let mut events = vec![
        json!({"type": "response.created", "response": response("in_progress", &[])}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": begun}),
        with("response.content_part.added", "part", part("")),
    ];
    let words = text.split_inclusive(' ');
    events.extend(words.map(|word| with("response.output_text.delta", "delta", json!(word))));
    events.extend([
        with("response.output_text.done", "text", json!(text)),
        with("response.content_part.done", "part", part(text)),
        json!({"type": "response.output_item.done", "output_index": 0, "item": message(text)}),
        json!({"type": "response.completed", "response": response("completed", &[message(text)])}),
    ]);
    let mut reply = Reply::events();
    for (number, mut event) in events.into_iter().enumerate() {
        event["sequence_number"] = json!(number);
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        reply = reply.then(format!("event: {kind}\ndata: {event}\n\n"));
    }
    reply
}
