//! Clients that send little of what was said last, with a short exchange or calls and results in it: what they leave out stays known.

use mainpoint_tests::conversation::{Exchange, everyday_chat};
use mainpoint_tests::{Conversation, Reply, ScriptedUpstream, StartedProxy};
use serde_json::{Value, json};

use crate::chats_apart::{conversations, say};
use crate::memory_api::builder;
use crate::shared::receipt;

const CODE: &str = "7391-K";
const QUESTION: &str =
    "I am standing in the climbing gym in front of my locker right now. What was the padlock code again?";

/// Eight exchanges of everyday chat, the third of which tells the code, and a short one in their midst.
fn exchanges() -> Vec<Exchange> {
    let mut exchanges = everyday_chat(CODE);
    exchanges.truncate(8);
    exchanges.insert(6, Exchange { user: "OK".to_owned(), assistant: "Fine.".to_owned() });
    exchanges
}

/// Plays the exchanges and the question by a client that makes a request of what was said and what is said now. Every request has
/// lost what it has not got.
async fn play(client: impl Fn(&[Exchange], &str) -> Conversation, sent: impl Fn(usize) -> usize) {
    let left_out = |before: usize| u64::try_from(2 * (before - sent(before))).expect("a count");
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    let exchanges = exchanges();
    for (number, exchange) in exchanges.iter().enumerate() {
        let mut chat = client(&exchanges[..number], &exchange.user);
        let lost = say(&proxy, &upstream, &mut chat, &exchange.assistant).await;
        assert_eq!(lost, left_out(number), "before {:?}", exchange.user);
    }
    let mut asking = client(&exchanges, QUESTION);
    assert!(!asking.body().contains(CODE), "the client leaves it out");
    let lost = say(&proxy, &upstream, &mut asking, "It is the one that you told me.").await;
    assert_eq!(lost, left_out(exchanges.len()));
    assert!(upstream.last_request().contains(CODE), "{}", upstream.last_request().json());
    assert_eq!(conversations(&proxy).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_of_one_exchange_recalls_what_was_said_before_a_short_one() {
    let sent = |before: usize| before.min(1);
    let client = |before: &[Exchange], question: &str| {
        let mut chat = Conversation::new();
        chat.exchanges(&before[before.len() - sent(before.len())..]);
        chat.user(question);
        chat
    };
    play(client, sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_summary_in_front_of_one_short_exchange_recalls_what_was_said_before_it() {
    // The first summary stands for three exchanges.
    let sent = |before: usize| if before < 4 { before } else { 1 };
    let client = |before: &[Exchange], question: &str| {
        let mut chat = Conversation::new();
        let sent = sent(before.len());
        if sent < before.len() {
            chat.user(&format!("Summary of {} exchanges: they chatted about their days.", before.len() - sent));
        }
        chat.exchanges(&before[before.len() - sent..]);
        chat.user(question);
        chat
    };
    play(client, sent).await;
}

/// What the model calls in a round.
fn call(round: usize) -> Value {
    let arguments = json!({"station": round}).to_string();
    let call = json!({
        "id": format!("call-{round}"), "type": "function", "function": {"name": "weather", "arguments": arguments},
    });
    json!({"role": "assistant", "content": null, "tool_calls": [call]})
}

/// Sends the last so many messages. Returns how many turns the request is told to have lost.
async fn send(proxy: &StartedProxy, messages: &[Value], window: usize) -> usize {
    let mut chat = Conversation::new();
    messages[messages.len().saturating_sub(window)..].iter().for_each(|message| chat.message(message));
    let answered = proxy.chat(chat.body()).await;
    assert_eq!(answered.status, 200, "{}", answered.text());
    let receipt = receipt(proxy, &answered).await;
    proxy.everything_searchable().await;
    let lost = receipt["lost_turns"].as_u64().unwrap_or_else(|| panic!("no lost_turns in {receipt}"));
    usize::try_from(lost).expect("a count")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agents_window_of_calls_and_results_recalls_its_task() {
    for window in [4, 5] {
        let upstream = ScriptedUpstream::start().await;
        let proxy = builder(&upstream).start().await;
        let task = format!(
            "Before I forget it: my locker at the climbing gym is number 214 and its padlock code is {CODE}. Please keep that \
             in mind for me, and compare six stations."
        );
        let mut messages = vec![json!({"role": "user", "content": task})];
        for round in 0..6 {
            upstream.reply_next(calling(&call(round)));
            let lost = send(&proxy, &messages, window).await;
            assert_eq!(lost, messages.len().saturating_sub(window), "window {window}, round {round}");
            messages.push(call(round));
            let report = format!("Station {round} reports {} degrees.", 7 * round);
            messages.push(json!({"role": "tool", "tool_call_id": format!("call-{round}"), "content": report}));
        }
        for (question, answer) in [("", "Done."), (QUESTION, "It is the one that you told me.")] {
            if !question.is_empty() {
                messages.push(json!({"role": "user", "content": question}));
            }
            upstream.say_next(answer);
            let lost = send(&proxy, &messages, window).await;
            assert_eq!(lost, messages.len().saturating_sub(window), "window {window}, {answer}");
            messages.push(json!({"role": "assistant", "content": answer}));
        }
        assert!(upstream.last_request().contains(CODE), "{}", upstream.last_request().json());
        assert_eq!(conversations(&proxy).await.len(), 1, "window {window}");
    }
}

fn calling(message: &Value) -> Reply {
    let completion = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "logprobs": null, "message": message}],
    });
    Reply::bytes("application/json", completion.to_string())
}
