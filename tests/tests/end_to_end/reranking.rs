//! With `memory.rerank` the memories found are read once more, and what was said still reaches the prompt.
//!
//! It must not know how memories are found or ranked.

use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt};

const FACT: &str = "Grandmother's recipe box stands in the blue cupboard, behind the jar with 31 marbles.";
const QUESTION: &str = "Where does grandmother's recipe box stand?";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_is_recalled_when_the_memories_are_read_once_more() {
    let upstream = ScriptedUpstream::start().await;
    // The first re-ranking sets a context up, which may take its time on a slow machine.
    let proxy = StartedProxy::builder()
        .upstream(&upstream.base_url())
        .budget(220, 120)
        .setting("memory", "rerank = true")
        .setting("memory", "deadline_ms = 120000")
        .start()
        .await;
    let mut conversation = Conversation::new();
    conversation.user(FACT);
    conversation.assistant("I will keep that in mind.");
    for exchange in everyday_chat("7391-K").into_iter().take(12) {
        conversation.user(&exchange.user);
        conversation.assistant(&exchange.assistant);
    }
    conversation.user(QUESTION);
    proxy.chat(conversation.body()).await;
    proxy.everything_read().await;

    let answer = proxy.chat(conversation.body()).await;
    assert_eq!(answer.outcome(), "rewritten");
    let forwarded = upstream.last_request();
    prompt::assert_well_formed(&forwarded.json());
    assert!(forwarded.contains("31 marbles"), "{}", forwarded.json());
    let failures = proxy.metrics().await.sum("mainpoint_failures_total", &[]);
    assert!(
        failures < 1.0,
        "{failures} failures, though re-ranking had all the time"
    );
    proxy.stop().await;
}
