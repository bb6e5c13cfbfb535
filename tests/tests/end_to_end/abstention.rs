//! When nothing that was said bears on the question, old turns leave all the same, and no memory is added.

use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt};
use serde_json::Value;

use crate::shared::{asked_again, receipt};

/// What needs no memory, in the languages that most people speak.
const GOODBYES: [&str; 12] = [
    "Thanks, bye!",
    "谢谢，再见！",
    "धन्यवाद, अलविदा!",
    "¡Gracias, adiós!",
    "Merci, au revoir !",
    "شكرا، مع السلامة!",
    "ধন্যবাদ, বিদায়!",
    "Obrigado, tchau!",
    "Спасибо, пока!",
    "ありがとう、さようなら！",
    "Danke, tschüss!",
    "Teşekkürler, hoşça kal!",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_over_the_budget_gets_no_memories_when_nothing_matches_and_its_receipt_says_so() {
    let upstream = ScriptedUpstream::start().await;
    // Only a turn with the question's own words could match well enough.
    let proxy = StartedProxy::before(&upstream).budget(1000, 200).setting("memory", "least_match = 1.0").start().await;
    let mut conversation = everyday_talk();
    conversation.user(GOODBYES[0]);
    let answer = asked_again(&proxy, conversation.body()).await;
    assert_eq!(answer.outcome(), "rewritten");
    assert_eq!(answer.count("x-mainpoint-memories"), 0);
    let forwarded = upstream.last_request();
    prompt::assert_well_formed(&forwarded.json());
    assert_eq!(prompt::memory_block(&forwarded.json()), None, "{}", forwarded.json());
    let receipt = receipt(&proxy, &answer).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_within_the_budget_that_nothing_bears_on_is_forwarded_as_it_came_and_counted() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream)
        .setting("memory", "least_match = 1.0")
        .setting("memory", "recall = \"caller\"")
        .setting("store", "flush_interval_ms = 50")
        .start()
        .await;
    proxy.chat(everyday_talk().body()).await;
    proxy.everything_searchable().await;
    let mut chat = Conversation::new();
    chat.user(GOODBYES[0]);
    let answer = proxy.chat(chat.body()).await;
    assert_eq!(answer.outcome(), "passthrough");
    assert_eq!(upstream.last_request().body, chat.body().as_bytes());
    let receipt = receipt(&proxy, &answer).await;
    assert_eq!(receipt["abstained"], true, "{receipt}");
    assert!(receipt["milliseconds"]["recall"].as_f64().is_some_and(|time| time > 0.0), "{receipt}");
    for step in ["ledger", "question", "search"] {
        assert!(receipt["milliseconds"]["steps"][step].is_number(), "{step}: {receipt}");
    }
    let metrics = proxy.metrics().await;
    assert!(metrics.sum("mainpoint_abstentions_total", &[]) >= 1.0);
    assert!(metrics.sum("mainpoint_failures_total", &[]) < 1.0);
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_gets_no_memories_in_any_language_and_a_question_of_two_words_gets_its_answer() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).default_model().budget(1000, 200).start().await;
    let talk = everyday_talk();
    proxy.chat(asked(&talk, GOODBYES[0])).await;
    proxy.everything_read().await;
    for goodbye in GOODBYES {
        let answer = proxy.chat(asked(&talk, goodbye)).await;
        assert_eq!(answer.outcome(), "rewritten", "{goodbye}");
        let block = prompt::memory_block(&upstream.last_request().json());
        assert_eq!(block, None, "{goodbye}");
    }
    proxy.chat(asked(&talk, "Padlock code?")).await;
    assert!(upstream.last_request().contains("7391-K"), "{}", upstream.last_request().json());
    proxy.stop().await;
}

fn everyday_talk() -> Conversation {
    let mut conversation = Conversation::new();
    conversation.exchanges(&everyday_chat("7391-K")[..30]);
    conversation
}

fn asked(talk: &Conversation, question: &str) -> String {
    let mut conversation = talk.clone();
    conversation.user(question);
    conversation.body()
}
