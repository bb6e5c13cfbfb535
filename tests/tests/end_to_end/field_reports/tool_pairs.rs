//! Long rounds of tool calls in the forms that clients send: no call is forwarded without its result.
//!
//! It must not know how prompts are cut.

use mainpoint_tests::calls;

use super::stage::{CODE, Report, Seen, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropics_parts_leave_in_pairs_before_a_plain_question() {
    let (report, seen) = in_pairs("c-anthropic-parts-then-a-plain-question.json").await;
    seen.check(&[1, 2, 3, 4, 5], &[0, report.last()]);
    seen.check_recalled(CODE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropics_parts_leave_in_pairs_when_the_last_message_is_a_result() {
    let (report, seen) = in_pairs("c-anthropic-tool-use-tool-result-parts-cursor-last-is-a-result.json").await;
    // The task itself and the round that is still going on stay.
    seen.check(&[2, 3, 4, 5], &[0, 1, report.last() - 1, report.last()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_all_have_the_same_name_leave_in_pairs() {
    let (report, seen) = in_pairs("c-one-user-message-30-calls-that-are-all-named-call-0.json").await;
    seen.check(&[2, 3, 4, 5], &[0, 1, report.last() - 1, report.last()]);
}

async fn in_pairs(name: &'static str) -> (Report, Seen) {
    let report = Report::named(name);
    let stage = Stage::set().await;
    let seen = stage.sent_twice(&report).await;
    let messages = seen.values();
    assert_eq!(calls::objection(&messages), None, "{messages:#?}");
    let first = messages.iter().find(|message| message["role"] != "system");
    let is_said = |content: &serde_json::Value| content.is_string();
    assert!(
        first.is_some_and(|message| message["role"] == "user" && is_said(&message["content"])),
        "what is kept begins with what a person said: {messages:#?}"
    );
    (report, seen)
}
