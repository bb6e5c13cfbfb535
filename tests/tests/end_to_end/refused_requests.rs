//! Nothing is kept of a request that the upstream refused, so that nobody fills a memory without being let in.

use std::time::Duration;

use http::StatusCode;
use mainpoint_tests::reply::chunk;
use mainpoint_tests::{Conversation, Reply, ScriptedUpstream, StartedProxy, sse, wait_until};
use serde_json::json;

use crate::acknowledged::imported;
use crate::shared::nobody;

const REFUSALS: [u16; 9] = [400, 401, 402, 403, 404, 422, 429, 500, 503];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_kept_of_refused_requests_and_all_of_one_that_is_let_in_later() {
    let (_socket, nowhere) = nobody();
    let proxy = StartedProxy::builder().upstream(&nowhere).start().await;
    for conversation in [history(0), history(0).streaming()] {
        assert_eq!(proxy.chat(conversation.body()).await.status, 502);
    }
    nothing_is_kept(&proxy).await;
    let home = proxy.stop().await;

    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).home(&home).start().await;
    for status in REFUSALS {
        for conversation in [history(status), history(status).streaming()] {
            let refusal = Reply::error(StatusCode::from_u16(status).expect("a status"), "not for you");
            upstream.reply_next(refusal);
            assert_eq!(proxy.chat(conversation.body()).await.status, status);
        }
    }
    nothing_is_kept(&proxy).await;

    // Let in at last, the same conversation is kept from its beginning.
    assert_eq!(proxy.chat(history(401).body()).await.status, 200);
    proxy.everything_read().await;
    // Of a stream that breaks off the question is kept, which the upstream took, and not the half answer.
    let event = chunk(&json!([{"index": 0, "delta": {"content": "Half of"}, "finish_reason": null}]));
    upstream.reply_next(Reply::events().event(&event).then_cut());
    let broken = proxy.chat(history(1).streaming().body()).await;
    assert!(!sse::is_done(&broken.body));
    proxy.everything_read().await;
    let home = proxy.stop().await;

    let mut answered = history(401);
    answered.assistant("All right.");
    let known = imported(&home, &[answered, history(1)]);
    assert_eq!((&known["turns_known"], &known["turns"]), (&json!(7), &json!(0)), "{known}");
    let refused: Vec<Conversation> =
        REFUSALS.into_iter().filter(|status| *status != 401).chain([0]).map(history).collect();
    let unknown = imported(&home, &refused);
    assert_eq!(unknown["turns_known"], 0, "{unknown}");
}

async fn nothing_is_kept(proxy: &StartedProxy) {
    let metrics = proxy.metrics().await;
    for name in ["mainpoint_backlog_turns", "mainpoint_reader_tokens_total"] {
        assert!(metrics.has(name));
        let value = metrics.sum(name, &[]);
        assert!(value < 0.5, "{name} is {value}");
    }
}

/// Three turns that are different for every number.
fn history(number: u16) -> Conversation {
    let mut conversation = Conversation::new();
    conversation.user(&format!("My ticket has the number {number}, please remember it."));
    conversation.assistant(&format!("Your ticket has the number {number}."));
    conversation.user(&format!("Where do I go with ticket {number}?"));
    conversation
}

/// Some 90,000 tokens, which take minutes to read.
const LONG: usize = 6000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_callers_long_text_does_not_keep_anothers_turns_from_being_read() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(200, 80).start().await;
    let mut long = Conversation::new();
    let text: String = (0..LONG)
        .map(|line| format!("In row {line} of the orchard stand {} old pear trees and a ladder. ", line % 7 + 3))
        .collect();
    long.user(&text);
    assert_eq!(proxy.chat_as("Bearer sk-with-much-to-say", long.body()).await.status, 200);

    let mut short = Conversation::new();
    for day in 0..8 {
        short.user(&format!("Day {day}: we went to the market and bought {day} melons for the whole family."));
        short.assistant(&format!("Melons on day {day}, that sounds like a good summer evening."));
    }
    short.user("On which day did we buy no melon at all?");
    wait_until("the short conversation is read", Duration::from_secs(300), || async {
        // Reading has the lowest priority: who asks without a pause keeps the processor from it.
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy.chat(short.body()).await.outcome() == "rewritten"
    })
    .await;
    let waiting = proxy.metrics().await.sum("mainpoint_backlog_turns", &[]);
    assert!(waiting > 0.5, "the long text is still being read");
}
