//! When nothing that was said is near enough to the question, old turns leave all the same, and no memory is added.
//!
//! It must not know how near is measured.

use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt};
use serde_json::Value;

const GOODBYE: &str = "Thanks, bye!";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_over_the_budget_gets_no_memories_when_nothing_is_near_enough_and_its_receipt_says_so() {
    let upstream = ScriptedUpstream::start().await;
    // Only a passage with the question's own vector could be near enough.
    let proxy = StartedProxy::builder()
        .upstream(&upstream.base_url())
        .budget(1000, 200)
        .setting("memory", "least_similarity = 1.0")
        .start()
        .await;
    let mut conversation = Conversation::new();
    for exchange in everyday_chat("7391-K").into_iter().take(30) {
        conversation.user(&exchange.user);
        conversation.assistant(&exchange.assistant);
    }
    conversation.user(GOODBYE);
    proxy.chat(conversation.body()).await;
    proxy.everything_read().await;

    let answer = proxy.chat(conversation.body()).await;
    assert_eq!(answer.outcome(), "rewritten");
    assert_eq!(answer.count("x-mainpoint-memories"), 0);
    let forwarded = upstream.last_request();
    prompt::assert_well_formed(&forwarded.json());
    assert_eq!(prompt::memory_block(&forwarded.json()), None, "{}", forwarded.json());
    let id = answer.header("x-mainpoint-request-id");
    let receipt = proxy.get(&format!("/mainpoint/receipts/{id}")).await;
    let receipt: Value = serde_json::from_str(&receipt.text()).expect("JSON");
    assert_eq!(receipt["abstained"], true, "{receipt}");
    assert_eq!(receipt["memories"], Value::Array(Vec::new()), "{receipt}");
    let metrics = proxy.metrics().await;
    let abstentions = metrics.sum("mainpoint_abstentions_total", &[]);
    assert!((abstentions - 1.0).abs() < f64::EPSILON, "{abstentions} abstentions");
    let failures = metrics.sum("mainpoint_failures_total", &[]);
    assert!(failures < 1.0, "{failures} failures: to abstain is none");

    // What was decided for a message holds for it.
    proxy.chat(conversation.body()).await;
    assert_eq!(upstream.last_request().body, forwarded.body);
    proxy.stop().await;
}
