//! What answers say of their prompts' tokens makes the budget hold for models whose tokenizer is not known.

use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::reply::{Reply, chunk};
use mainpoint_tests::{Answer, Conversation, ScriptedUpstream, StartedProxy};
use serde_json::{Value, json};

use crate::shared::receipt;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_makes_more_tokens_than_we_count_keeps_its_budget_after_some_answers_and_after_a_restart() {
    let upstream = ScriptedUpstream::start().await;
    let builder = |budget| StartedProxy::before(&upstream).budget(budget, budget / 5);
    let chat = conversation();
    let proxy = builder(16_000).start().await;
    let counted = came(&proxy.chat(chat.body()).await);
    proxy.everything_read().await;
    let home = proxy.stop().await;
    let proxy = builder(counted * 5 / 4).home(&home).start().await;

    // What no tokenizer does is not believed.
    for lie in [json!(0), json!(-5), json!("many"), json!(1e300), json!(u64::MAX), json!(counted * 9), json!([])] {
        for reply in [told(&lie), streamed(&lie)] {
            upstream.reply_next(reply);
            let answer = proxy.chat(chat.body()).await;
            assert_eq!((answer.outcome(), came(&answer)), ("passthrough", counted), "after another lie than {lie}");
            assert_eq!(receipt(&proxy, &answer).await["token_factor"], Value::Null);
        }
    }

    let truth = json!(counted * 3 / 2);
    upstream.reply_next(told(&truth));
    proxy.chat(chat.body()).await;
    upstream.reply_next(streamed(&truth));
    proxy.chat(chat.streaming().body()).await;
    upstream.reply_next(Reply::bytes("application/json", response(&truth)));
    let answer = proxy.post("/v1/responses", items(&chat)).await;
    assert_eq!((answer.outcome(), came(&answer)), ("passthrough", counted), "the same prompt in another interface");

    let answer = proxy.chat(chat.body()).await;
    assert_kept(&proxy, &answer, counted).await;
    let forwarded = upstream.last_request().body;
    let another = proxy.chat(chat.body().replacen("local-model", "other-model", 1)).await;
    assert_eq!((another.outcome(), came(&another)), ("passthrough", counted), "each model has its own factor");

    let home = proxy.stop().await;
    let proxy = builder(counted * 5 / 4).home(&home).start().await;
    let answer = proxy.chat(chat.body()).await;
    assert_kept(&proxy, &answer, counted).await;
    assert_eq!(upstream.last_request().body, forwarded, "the same prompt, byte for byte");
}

/// The prompt is known to be half as large again as it was `counted`, and was rewritten to fit.
async fn assert_kept(proxy: &StartedProxy, answer: &Answer, counted: usize) {
    assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
    assert!(came(answer).abs_diff(counted * 3 / 2) * 100 <= counted, "{} for {counted}", came(answer));
    assert!(answer.count("x-mainpoint-tokens-forwarded") <= counted * 5 / 4, "{:?}", answer.headers);
    let factor = receipt(proxy, answer).await["token_factor"].as_f64();
    assert!(factor.is_some_and(|factor| (factor - 1.5).abs() < 0.02), "{factor:?}");
}

fn came(answer: &Answer) -> usize {
    answer.count("x-mainpoint-tokens-in")
}

fn conversation() -> Conversation {
    let mut conversation = Conversation::default().member("model", "\"local-model\"");
    let chat = everyday_chat("7391-K");
    conversation.exchanges(&chat[..30]);
    conversation.user(&chat[59].user);
    conversation
}

/// The same messages for the Responses API.
fn items(chat: &Conversation) -> String {
    let chat: Value = serde_json::from_str(&chat.body()).expect("JSON");
    json!({"model": chat["model"], "input": chat["messages"]}).to_string()
}

/// A chat completion that says how many tokens its prompt has.
fn told(tokens: &Value) -> Reply {
    let message = json!({"role": "assistant", "content": "All right."});
    let completion = json!({
        "object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 3},
    });
    Reply::bytes("application/json", completion.to_string())
}

/// The same as a stream.
fn streamed(tokens: &Value) -> Reply {
    let said = json!([{"index": 0, "delta": {"role": "assistant", "content": "All right."}, "finish_reason": null}]);
    let end = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
    let usage = json!({"object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": tokens}});
    Reply::events().event(&chunk(&said)).event(&chunk(&end)).event(&usage.to_string()).event("[DONE]")
}

fn response(tokens: &Value) -> String {
    let text = json!({"type": "output_text", "text": "All right.", "annotations": []});
    let message = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": [text]});
    let usage = json!({"input_tokens": tokens, "output_tokens": 3});
    json!({"object": "response", "status": "completed", "output": [message], "usage": usage}).to_string()
}
