//! Modes and receipts: what the memory may do, and what it says it did.

use http::Method;
use mainpoint_tests::conversation::thirty_exchanges_and_the_question;
use mainpoint_tests::{Answer, Conversation, ScriptedUpstream, StartedProxy};

use crate::shared::{asked_again, receipt};

const CODE: &str = "7391-K";
const STRANGER: &str = "Bearer sk-test-stranger";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shadow_mode_changes_no_byte_and_says_what_it_would_have_saved() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(1000, 200).setting("memory", "mode = \"shadow\"").start().await;
    let history = thirty_exchanges_and_the_question(CODE);
    let answer = asked_again(&proxy, history.body()).await;
    assert_eq!(answer.outcome(), "passthrough");
    assert_eq!(upstream.last_request().body, history.body(), "no byte is changed");
    let receipt = receipt(&proxy, &answer).await;
    assert_eq!(receipt["mode"], "shadow");
    let count = |name: &str| receipt[name].as_u64().unwrap_or_else(|| panic!("{name} in {receipt}"));
    assert!(count("tokens_would_forward") <= 1000 && count("tokens_in") > 1000, "{receipt}");
    assert_eq!(count("tokens_forwarded"), count("tokens_in"));
    assert_eq!(count("tokens_saved"), count("tokens_in") - count("tokens_would_forward"));
    assert!(receipt["memories"].as_array().is_some_and(|memories| !memories.is_empty()), "{receipt}");
    assert!(receipt["eviction"]["cost"].is_number() && receipt["eviction"]["saving_per_turn"].is_number(), "{receipt}");

    // The header cannot raise what the configuration sets.
    let raised = with_mode(&proxy, &history, "on").await;
    assert_eq!(raised.outcome(), "passthrough");
    assert_eq!(upstream.last_request().body, history.body());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_lowers_the_mode_of_one_request_and_receipts_open_to_their_caller_only() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(1000, 200).start().await;
    let history = thirty_exchanges_and_the_question(CODE);
    proxy.chat(history.body()).await;
    proxy.everything_read().await;
    for mode in ["shadow", "off"] {
        let answer = with_mode(&proxy, &history, mode).await;
        assert_eq!(answer.outcome(), "passthrough", "{mode}");
        assert_eq!(upstream.last_request().body, history.body(), "{mode}");
        assert_eq!(upstream.last_request().header("x-mainpoint-mode"), "", "the header is for the proxy");
    }
    let rewritten = with_mode(&proxy, &history, "on").await;
    assert_eq!(rewritten.outcome(), "rewritten");
    let told = receipt(&proxy, &rewritten).await;
    assert_eq!(told["outcome"], "rewritten");
    assert_eq!(told["surface"], "chat.completions");
    assert_eq!(told["tokens_forwarded"], rewritten.count("x-mainpoint-tokens-forwarded"));
    assert!(!told.to_string().contains(CODE), "a receipt holds no words: {told}");

    let arrived = upstream.requests().len();
    let refused = with_mode(&proxy, &history, "sideways").await;
    assert_eq!(refused.status, 400);
    for expected in ["x-mainpoint-mode", "sideways", "\\\"shadow\\\"", "invalid_request_error"] {
        assert!(refused.text().contains(expected), "{expected} in {}", refused.text());
    }
    assert_eq!(upstream.requests().len(), arrived, "nothing was forwarded");

    let path = format!("/mainpoint/receipts/{}", rewritten.header("x-mainpoint-request-id"));
    assert_eq!(proxy.get_as(STRANGER, &path).await.status, 404, "another key does not open a receipt");
    let unknown = proxy.get("/mainpoint/receipts/nonsense").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("receipt_not_found"), "{}", unknown.text());
}

async fn with_mode(proxy: &StartedProxy, conversation: &Conversation, mode: &str) -> Answer {
    let request = proxy.request(Method::POST, "/v1/chat/completions");
    let request = request.header("content-type", "application/json").header("x-mainpoint-mode", mode);
    Answer::from_response(request.body(conversation.body()).send().await.expect("an answer")).await
}
