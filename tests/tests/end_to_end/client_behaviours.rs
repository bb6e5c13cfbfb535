//! What clients do to a conversation before they send it, and what the memory makes of that.
//!
//! It must not know how conversations are told apart. Printed as a table: whether what was said in exchange 3 reaches the prompt of the
//! last question, and how many tokens are read for each token that a client with its whole history makes the reader read.
#![expect(clippy::print_stdout, reason = "the table is to be seen")]

use comfy_table::Table;
use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt};
use serde_json::{Value, json};

const CODE: &str = "7391-K";
/// Exchanges before the question.
const LENGTH: usize = 20;
/// The question is about exchange 3.
const WINDOW: usize = 5;

/// What a client makes of the messages of its conversation; the number says how many requests there were before.
type View = fn(&[Value], usize) -> Vec<Value>;

struct Behaviour {
    name: &'static str,
    view: View,
    /// Whether what it does cannot be done without saying something new.
    says_more: bool,
}

const BEHAVIOURS: [Behaviour; 6] = [
    Behaviour { name: "whole history", view: |history, _| history.to_vec(), says_more: false },
    Behaviour { name: "window of turns", view: |history, _| window(history), says_more: false },
    Behaviour { name: "window of tokens", view: |history, _| window_of_bytes(history), says_more: false },
    Behaviour { name: "summary in front", view: summary, says_more: true },
    Behaviour { name: "clock in front", view: clock, says_more: false },
    Behaviour { name: "documents in the question", view: documents, says_more: true },
];

fn message(role: &str, text: &str) -> Value {
    json!({"role": role, "content": text})
}

fn window(history: &[Value]) -> Vec<Value> {
    history[history.len().saturating_sub(2 * WINDOW + 1)..].to_vec()
}

/// As much of the end as there is room for, whoever speaks first.
fn window_of_bytes(history: &[Value]) -> Vec<Value> {
    let mut room = 700;
    let mut kept: Vec<Value> = Vec::new();
    for message in history.iter().rev() {
        let length = message["content"].as_str().map_or(0, str::len);
        if length > room && kept.len() > 2 {
            break;
        }
        room = room.saturating_sub(length);
        kept.push(message.clone());
    }
    kept.reverse();
    kept
}

fn summary(history: &[Value], number: usize) -> Vec<Value> {
    let left_out = history.len().saturating_sub(2 * WINDOW + 1);
    let words =
        format!("Summary of {left_out} messages so far, made for request {number}: they chatted about their days.");
    let mut view =
        if left_out > 0 { vec![message("user", &words), message("assistant", "I see.")] } else { Vec::new() };
    view.extend(window(history));
    view
}

fn clock(history: &[Value], number: usize) -> Vec<Value> {
    let mut view = history.to_vec();
    let first = view[0]["content"].as_str().unwrap_or_default().to_owned();
    view[0] = message("user", &format!("Now: 2026-11-30T{:02}:{:02}:07Z\n{first}", 8 + number / 60, number % 60));
    view
}

fn documents(history: &[Value], _: usize) -> Vec<Value> {
    let mut view = window(history);
    if let Some(question) = view.last_mut() {
        let asked = question["content"].as_str().unwrap_or_default().to_owned();
        *question = message("user", &format!("Use this: the museum opens at ten.\n\n{asked}"));
    }
    view
}

fn body(messages: &[Value]) -> String {
    let mut conversation = Conversation::new();
    messages.iter().for_each(|message| conversation.message(message));
    conversation.body()
}

/// What was measured of one behaviour.
struct Measured {
    is_recalled: bool,
    tokens_read: f64,
}

async fn started(upstream: &ScriptedUpstream) -> StartedProxy {
    StartedProxy::builder().upstream(&upstream.base_url()).budget(4000, 700).start().await
}

/// Plays the everyday chat through a proxy of its own.
async fn play(behaviour: &Behaviour) -> Measured {
    let upstream = ScriptedUpstream::start().await;
    let proxy = started(&upstream).await;
    let mut chat = everyday_chat(CODE);
    let question = chat.pop().expect("sixty exchanges");
    let mut history: Vec<Value> = Vec::new();
    for (number, exchange) in chat.iter().take(LENGTH).enumerate() {
        history.push(message("user", &exchange.user));
        upstream.say_next(&exchange.assistant);
        let answer = proxy.chat(body(&(behaviour.view)(&history, number))).await;
        assert_eq!(answer.reply(), exchange.assistant, "{}: the reply of exchange {}", behaviour.name, number + 1);
        history.push(message("assistant", &exchange.assistant));
        proxy.everything_read().await;
    }
    history.push(message("user", &question.user));
    let sent = body(&(behaviour.view)(&history, LENGTH));
    let answer = proxy.chat(sent.clone()).await;
    let forwarded = upstream.last_request();
    prompt::assert_well_formed(&forwarded.json());
    assert_ne!(answer.outcome(), "failed-open", "{}", behaviour.name);
    proxy.everything_read().await;
    let tokens_read = proxy.metrics().await.sum("mainpoint_reader_tokens_total", &[]);
    Measured { is_recalled: forwarded.contains(CODE), tokens_read }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_leaves_out_is_recalled_and_no_turn_is_read_twice() {
    let mut table = Table::new();
    table.set_header(["client", "recalled", "tokens read", "of the whole history's"]);
    let mut whole = None;
    for behaviour in &BEHAVIOURS {
        let measured = play(behaviour).await;
        let of_whole = measured.tokens_read / *whole.get_or_insert(measured.tokens_read);
        table.add_row([
            behaviour.name.to_owned(),
            measured.is_recalled.to_string(),
            format!("{}", measured.tokens_read),
            format!("{of_whole:.2}"),
        ]);
        println!("{table}");
        assert!(measured.is_recalled, "{}", behaviour.name);
        let most = if behaviour.says_more { 1.8 } else { 1.05 };
        assert!((0.9..=most).contains(&of_whole), "{}: {of_whole}", behaviour.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_message_of_a_new_chat_is_answered_from_an_earlier_one_where_the_caller_is_asked() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::builder()
        .upstream(&upstream.base_url())
        .budget(4000, 700)
        .setting("store", "flush_interval_ms = 50")
        .start()
        .await;
    let mut chat = everyday_chat(CODE);
    let question = chat.pop().expect("sixty exchanges").user;
    let mut telling = Conversation::new();
    telling.exchanges(&chat[..6]);
    telling.user("Thank you!");
    assert_eq!(proxy.chat(telling.body()).await.status, 200);
    proxy.everything_searchable().await;
    let mut asking = Conversation::new();
    asking.user(&question);
    let plain = proxy.chat(asking.body()).await;
    assert_eq!((plain.outcome(), &upstream.last_request().body[..]), ("passthrough", asking.body().as_bytes()));
    let asked = |reach: &'static str| {
        let request = proxy.request(http::Method::POST, "/v1/chat/completions").header("x-mainpoint-recall", reach);
        request.header("content-type", "application/json").body(asking.body()).send()
    };
    assert_eq!(asked("caller").await.expect("an answer").headers()["x-mainpoint"], "rewritten");
    let forwarded = upstream.last_request().json();
    assert!(prompt::memory_block(&forwarded).is_some_and(|block| block.contains(CODE)), "{forwarded}");
    assert_eq!(asked("everybody").await.expect("an answer").status(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_made_anew_is_not_quoted_in_its_place_and_two_devices_share_what_both_have_seen() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = started(&upstream).await;
    let chat = everyday_chat(CODE);
    let question = "Which colour has the door of the boat house?";
    let mut history = vec![message("user", question)];
    for colour in ["vermilion", "turquoise"] {
        // Asked twice: the client shows the second answer only.
        upstream.say_next(&format!("The door of the boat house is {colour}, as far as anybody knows."));
        proxy.chat(body(&history)).await;
        proxy.everything_read().await;
    }
    history.push(message("assistant", "The door of the boat house is turquoise, as far as anybody knows."));
    for exchange in &chat[5..14] {
        history.push(message("user", &exchange.user));
        upstream.say_next(&exchange.assistant);
        proxy.chat(body(&window(&history))).await;
        proxy.everything_read().await;
        history.push(message("assistant", &exchange.assistant));
    }
    // Another device has not seen the last exchange, and says something else there.
    let mut elsewhere = history[..history.len() - 2].to_vec();
    elsewhere.push(message("user", "I write this from my telephone."));
    upstream.say_next("Nice to hear from your telephone.");
    proxy.chat(body(&window(&elsewhere))).await;
    proxy.everything_read().await;
    for device in [&mut history, &mut elsewhere] {
        device.push(message("user", &format!("Tell me again: {question}")));
        proxy.chat(body(&window(device))).await;
        let forwarded = upstream.last_request();
        assert!(forwarded.contains("turquoise"), "{}", forwarded.json());
        assert!(!forwarded.contains("vermilion"), "{}", forwarded.json());
    }
}
