//! The Responses API is rewritten by the same rules as chat completions.

use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::{ScriptedUpstream, StartedProxy, prompt};
use serde_json::{Value, json};

const BUDGET: usize = 1500;
const CODE: &str = "7391-K";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_items_over_the_budget_is_rewritten_and_knows_what_was_said_in_turn_3() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(BUDGET, 300).start().await;
    let items = items();
    let body = request(&items);
    proxy.post("/v1/responses", body.clone()).await;
    assert_eq!(upstream.last_request().body, body, "nothing that has not been read leaves");
    proxy.everything_read().await;
    let answer = proxy.post("/v1/responses", body.clone()).await;
    assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
    assert!(answer.count("x-mainpoint-tokens-forwarded") <= BUDGET);

    let forwarded = upstream.last_request().json();
    let kept = forwarded["input"].as_array().expect("a list of items");
    let block = prompt::text(kept.last().expect("a question"));
    assert!(block.contains(CODE) && block.contains(prompt::BLOCK_START), "the fact is recalled: {block}");
    assert_eq!(kept[0]["role"], "user", "what is kept begins with a user's message");
    assert_eq!(forwarded["instructions"], "Be brief.");
    assert_calls_are_whole(kept);
    // Whatever is kept has its own bytes, but for the question.
    let (_, before) = kept.split_last().expect("a question");
    for item in before {
        assert!(upstream.last_request().contains(item.to_string()), "{item}");
        assert!(items.contains(item), "{item} is as it came");
    }
    proxy.post("/v1/responses", body.clone()).await;
    assert_eq!(upstream.last_request().json(), forwarded, "a retry forwards the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_upstream_keeps_and_what_is_within_the_budget_is_relayed_untouched() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(BUDGET, 300).start().await;
    let long = items();
    let mut continued: Value = serde_json::from_str(&request(&long)).expect("JSON");
    continued["previous_response_id"] = json!("resp_1");
    let mut filed: Value = serde_json::from_str(&request(&long)).expect("JSON");
    filed["conversation"] = json!({"id": "conv_1"});
    let plain = "{\"model\":\"gpt-4o-mini\", \"input\":\"h\\u00e9llo\" }".to_owned();
    for body in [continued.to_string(), filed.to_string(), plain] {
        for _ in 0..2 {
            let answer = proxy.post("/v1/responses", body.clone()).await;
            assert_eq!(answer.outcome(), "passthrough");
            assert_eq!(upstream.last_request().body, body);
            proxy.everything_read().await;
        }
    }
}

/// Thirty exchanges of the everyday chat; every fifth one calls two functions after some reasoning.
fn items() -> Vec<Value> {
    let mut items = Vec::new();
    let mut chat = everyday_chat(CODE);
    let last = chat.pop().expect("sixty exchanges");
    for (turn, exchange) in chat[..30].iter().enumerate() {
        items.push(json!({"role": "user", "content": [{"type": "input_text", "text": exchange.user}]}));
        if turn % 5 == 4 {
            items.push(
                json!({"type": "reasoning", "id": format!("rs_{turn}"), "summary": [], "encrypted_content": "AAAA"}),
            );
            let ids = [format!("a{turn}"), format!("b{turn}")];
            for id in &ids {
                items.push(json!({"type": "function_call", "call_id": id, "name": "look", "arguments": "{}"}));
            }
            for id in &ids {
                items.push(json!({"type": "function_call_output", "call_id": id, "output": "nothing new"}));
            }
        }
        let content = json!([{"type": "output_text", "text": exchange.assistant, "annotations": []}]);
        let message = json!({"type": "message", "id": format!("msg_{turn}"), "role": "assistant", "status": "completed", "content": content});
        items.push(message);
    }
    items.push(json!({"role": "user", "content": last.user}));
    items
}

fn request(items: &[Value]) -> String {
    json!({"model": "gpt-4o-mini", "instructions": "Be brief.", "input": items, "store": false}).to_string()
}

/// Every output follows its call, every call has its output, and reasoning is followed by what it led to.
fn assert_calls_are_whole(items: &[Value]) {
    let mut open = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match item["type"].as_str() {
            Some("function_call") => open.push(&item["call_id"]),
            Some("function_call_output") => {
                let at = open.iter().position(|id| **id == item["call_id"]);
                open.remove(at.unwrap_or_else(|| panic!("item {index} answers no call: {item}")));
            }
            Some("reasoning") => {
                let next = items.get(index + 1).map(|next| next["type"].clone());
                assert!(
                    next.is_some_and(|kind| kind == "function_call" || kind == "message"),
                    "item {index} leads to nothing"
                );
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "calls without results: {open:?}");
}
