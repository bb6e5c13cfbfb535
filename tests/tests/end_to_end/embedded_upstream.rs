//! Without a configured upstream a small instruct model answers, so that a first start is a whole working system.
//!
//! It must not know how text is generated.

use mainpoint_tests::{StartedProxy, sse};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_model_answers_chats_with_text_it_really_generates() {
    let proxy = StartedProxy::builder().start().await;
    let said = proxy.output();
    let warned = said.lines().any(|line| line.contains("models.chat") && line.contains("upstream.url"));
    assert!(warned, "the start-up says in one line what answers: {said}");

    let request = |question: &str, extra: serde_json::Value| {
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
