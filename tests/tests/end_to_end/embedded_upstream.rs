//! Without a configured upstream a small instruct model answers, so that a first start is a whole working system.

use std::time::{Duration, Instant};

use mainpoint_tests::{Answer, StartedProxy, sse};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_model_answers_chats_with_text_it_really_generates() {
    let proxy = StartedProxy::builder().start().await;
    let said = proxy.output();
    let warned = said.lines().any(|line| line.contains("models.chat") && line.contains("upstream.url"));
    assert!(warned, "the start-up says in one line what answers: {said}");

    let request = |question: &str, extra: Value| {
        let mut request = json!({
            "model": "embedded", "temperature": 0, "max_tokens": 16, "seed": 7,
            "messages": [{"role": "system", "content": "You answer briefly."}, {"role": "user", "content": question}],
        });
        for (name, value) in extra.as_object().into_iter().flatten() {
            request[name] = value.clone();
        }
        request.to_string()
    };
    let plain = proxy.chat(request("Name three colours of the rainbow.", json!({}))).await;
    assert_eq!(plain.status, 200, "{}", plain.text());
    assert_eq!(plain.outcome(), "passthrough");
    let completion = plain.json();
    assert_eq!(completion["object"], "chat.completion");
    assert_eq!(completion["choices"][0]["message"]["role"], "assistant");
    assert!(!plain.reply().trim().is_empty(), "{completion}");
    let finish = completion["choices"][0]["finish_reason"].as_str().expect("a reason");
    assert!(["stop", "length"].contains(&finish), "{finish}");
    let usage = |name: &str| completion["usage"][name].as_u64().expect("a number");
    assert!(usage("prompt_tokens") > 5, "{completion}");
    assert!((1..=16).contains(&usage("completion_tokens")), "{completion}");
    assert_eq!(usage("total_tokens"), usage("prompt_tokens") + usage("completion_tokens"));

    let options = json!({"stream": true, "stream_options": {"include_usage": true}});
    let streamed = proxy.chat(request("Name three colours of the rainbow.", options)).await;
    assert!(streamed.header("content-type").starts_with("text/event-stream"));
    assert!(sse::is_done(&streamed.body), "{}", streamed.text());
    let chunks = sse::chunks(&streamed.body);
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"), "{}", streamed.text());
    assert!(chunks.len() >= 3, "the text comes piece by piece: {}", streamed.text());
    assert_eq!(streamed.reply(), plain.reply(), "without temperature the same text comes again");
    let used = chunks.iter().find_map(|chunk| chunk["usage"].as_object()).expect("usage, as it was asked for");
    assert_eq!(used["completion_tokens"], completion["usage"]["completion_tokens"]);
    let reasons = chunks.iter().filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str());
    assert_eq!(reasons.collect::<Vec<_>>(), [finish]);

    let other = proxy.chat(request("What is a lighthouse?", json!({}))).await;
    assert_ne!(other.reply(), plain.reply(), "another question has another answer");
    let short = proxy.chat(request("Name three colours of the rainbow.", json!({"max_tokens": 2}))).await;
    assert_eq!(short.json()["choices"][0]["finish_reason"], "length");

    let sensible = proxy.chat(request("What is the capital of France?", json!({"max_tokens": 24}))).await;
    assert!(sensible.reply().contains("Paris"), "{}", sensible.reply());

    // Our own refusals have OpenAI's envelope.
    let refused = proxy.chat(r#"{"model":"embedded"}"#).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.error()["type"], "invalid_request_error");
    let refused = proxy.chat("not JSON").await;
    assert_eq!(refused.status, 400);
    refused.error();
    let models = proxy.get("/v1/models").await;
    assert_eq!(models.status, 200);
    assert!(models.json()["data"][0]["id"].is_string(), "{}", models.text());
    let unknown = proxy.get("/v1/files").await;
    assert!(unknown.status.is_client_error() || unknown.status == 501, "{}", unknown.status);
    unknown.error();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_model_refuses_what_it_cannot_do_as_openai_would() {
    let proxy = StartedProxy::builder().start().await;
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let image = json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]);
    let unknown_role = json!([{"role": "user", "content": "Hi"}, {"role": "robot", "content": "Hello"}]);
    for (key, value, param) in [
        ("max_tokens", json!(-5), "max_tokens"),
        ("temperature", json!(9), "temperature"),
        ("n", json!(2), "n"),
        ("tool_choice", json!("required"), "tool_choice"),
        ("response_format", json!({"type": "json_object"}), "response_format.type"),
        ("messages", unknown_role, "messages[1].role"),
        ("messages", user(image), "messages[0].content[0].type"),
    ] {
        let mut body = json!({"model": "embedded", "stream": true, "messages": user(json!("Hi"))});
        body[key] = value;
        let error = refused(&proxy.chat(body.to_string()).await, 400, "invalid_parameter");
        assert_eq!(error["param"], param, "{error}");
        let message = error["message"].as_str().expect("a message");
        assert!(message.starts_with(param) && message.contains("expected "), "{message}");
    }
    let error = refused(&proxy.chat("[]").await, 400, "invalid_request");
    assert_eq!(error["message"], "The body is []; expected a JSON object with messages.");

    // Tools that need not be called are no reason to refuse.
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    let offered = json!({"messages": user(json!("Hi")), "max_tokens": 2, "tools": tools, "tool_choice": "auto"});
    let answered = proxy.chat(offered.to_string()).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_that_is_longer_than_the_window_is_refused_at_once_with_both_numbers() {
    let proxy = StartedProxy::builder().start().await;
    for stream in [false, true] {
        let words = format!("What is the most frequent word of this? {}", "lighthouse ".repeat(60_000));
        let body = json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": words}]});
        let asked = Instant::now();
        let answer = proxy.chat(body.to_string()).await;
        assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
        let error = refused(&answer, 400, "context_length_exceeded");
        assert_eq!(error["param"], "messages", "{error}");
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains("8192 tokens") && message.contains("7168"), "{message}");
    }
    let said = proxy.output();
    assert!(said.contains("memory.budget_tokens is more than the embedded model takes"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_that_is_listed_is_found_and_other_paths_say_what_to_set() {
    let proxy = StartedProxy::builder().start().await;
    let listed = proxy.get("/v1/models").await.json()["data"][0].clone();
    let id = listed["id"].as_str().expect("an id");
    let found = proxy.get(&format!("/v1/models/{id}")).await;
    assert_eq!(found.status, 200, "{}", found.text());
    assert_eq!(found.json(), listed);
    for unknown in ["gpt-4o", "somebody/model", &format!("{id}/x"), &format!("{id}x")] {
        let error = refused(&proxy.get(&format!("/v1/models/{unknown}")).await, 404, "model_not_found");
        assert_eq!(error["param"], "model", "{error}");
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(unknown) && message.contains(id), "{message}");
    }

    let responses = proxy.post("/v1/responses", r#"{"model":"m","input":"Hi"}"#).await;
    let error = refused(&responses, 404, "unknown_url");
    let message = error["message"].as_str().expect("a message");
    for part in ["POST /v1/responses", "/v1/chat/completions", "upstream.url"] {
        assert!(message.contains(part), "{message}");
    }
}

/// The error of a refusal that has this status and code.
fn refused(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    let error = answer.error();
    assert_eq!(error["type"], "invalid_request_error", "{error}");
    assert_eq!(error["code"], code, "{error}");
    error
}
