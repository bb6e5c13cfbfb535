//! What is said again word for word: one turn, dated by when it was said last, in searches, in prompts, in what is moved and in what is
//! deleted.

use http::Method;
use mainpoint_tests::proxy::TENANT;
use mainpoint_tests::{Conversation, ProxyBuilder, ScriptedUpstream, StartedProxy};
use serde_json::{Value, json};

use crate::isolation::small_talk;
use crate::memory_api::{OTHER, call, delete, get};
use crate::shared::asked_again;

const OSLO: &str = "My brother Tomas lives in Oslo with his two cats.";
const BERGEN: &str = "My brother Tomas has moved and lives in Bergen with his two cats.";
const BOX: &str = "Grandmother's recipe box stands in the blue cupboard.";
const QUESTION: &str = "Where does my brother Tomas live with his two cats?";

fn builder(upstream: &ScriptedUpstream) -> ProxyBuilder {
    StartedProxy::before(upstream)
        .budget(200, 100)
        .setting("memory", "recall = \"caller\"")
        .setting("store", "flush_interval_ms = 50")
}

fn line(conversation: &str, text: &str, day: &str) -> String {
    let time = format!("{day}T12:00:00Z");
    json!({"conversation": conversation, "role": "user", "text": text, "time": time}).to_string() + "\n"
}

/// Oslo and the box in May, Bergen in June, Oslo again in August.
async fn moved_twice(proxy: &StartedProxy) {
    let lines = [
        line("spring", BOX, "2020-05-01"),
        line("spring", OSLO, "2020-05-01"),
        line("summer", BERGEN, "2020-06-02"),
        line("late summer", OSLO, "2020-08-03"),
    ];
    let answer = call(proxy, TENANT, Method::POST, "/import", lines.concat()).await;
    assert_eq!(answer.json(), json!({"lines": 4, "turns_taken": 3, "turns_known": 0}), "{}", answer.text());
    proxy.everything_searchable().await;
}

/// The lines of an exported memory: text and day, in order.
async fn exported(proxy: &StartedProxy, caller: &str) -> Vec<(String, String)> {
    let text = call(proxy, caller, Method::GET, "/export", "").await.text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let word = |line: &Value, key: &str| line[key].as_str().expect("a text").to_owned();
    let mut lines: Vec<(String, String)> =
        lines.map(|line| (word(&line, "text"), word(&line, "time")[..10].to_owned())).collect();
    lines.sort();
    lines
}

fn owned(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut lines: Vec<_> = lines.iter().map(|(text, day)| ((*text).to_owned(), (*day).to_owned())).collect();
    lines.sort();
    lines
}

/// The day of a turn, as a search for it shows it.
async fn day_found(proxy: &StartedProxy, text: &str) -> String {
    let found = call(proxy, TENANT, Method::POST, "/search", json!({"question": QUESTION}).to_string()).await.json();
    let results = found["results"].as_array().expect("a list");
    let turn = results.iter().find(|result| result["text"] == text).unwrap_or_else(|| panic!("{text} in {found}"));
    turn["time"].as_str().expect("a time")[..10].to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_again_last_is_the_newest_also_after_a_restart() {
    let upstream = ScriptedUpstream::start().await;
    let mut proxy = builder(&upstream).start().await;
    moved_twice(&proxy).await;
    for restarted in [false, true] {
        if restarted {
            let home = proxy.stop().await;
            proxy = builder(&upstream).home(&home).start().await;
        }
        assert_eq!(day_found(&proxy, OSLO).await, "2020-08-03", "restarted: {restarted}");
        assert_eq!(day_found(&proxy, BERGEN).await, "2020-06-02");
    }
    let asking = small_talk(QUESTION);
    assert_eq!(asked_again(&proxy, asking.body()).await.outcome(), "rewritten");
    let forwarded = upstream.last_request().json().to_string();
    let place = |words: &str| forwarded.find(words).unwrap_or_else(|| panic!("{words} in {forwarded}"));
    let before = &forwarded[..place(OSLO)];
    let day = before.rfind('[').map_or("", |at| &before[at..]);
    assert!(day.starts_with("[3 August 2020]"), "when it was said first is no matter: {forwarded}");
    assert!(forwarded.find(BERGEN).is_none_or(|bergen| bergen < place(OSLO)), "the newest comes last: {forwarded}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_left_the_prompt_of_a_conversation_bears_the_day_on_which_it_was_said_in_it() {
    let upstream = ScriptedUpstream::start().await;
    // Nothing but the conversation is asked unless it is said otherwise.
    let proxy =
        StartedProxy::before(&upstream).budget(200, 100).setting("store", "flush_interval_ms = 50").start().await;
    moved_twice(&proxy).await;
    let mut told = Conversation::new();
    told.user(BOX);
    told.user(OSLO);
    for message in small_talk(QUESTION).messages() {
        told.raw(message);
    }
    for _ in 0..2 {
        proxy.chat(told.body()).await;
        proxy.everything_searchable().await;
    }
    let forwarded = upstream.last_request().json().to_string();
    assert!(forwarded.contains("[1 May 2020]"), "{forwarded}");
    assert!(!forwarded.contains("August 2020"), "that was in another conversation: {forwarded}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_by_date_spares_what_was_said_again_since_and_an_export_has_every_time() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    moved_twice(&proxy).await;
    let whole = [(BOX, "2020-05-01"), (OSLO, "2020-05-01"), (BERGEN, "2020-06-02"), (OSLO, "2020-08-03")];
    assert_eq!(exported(&proxy, TENANT).await, owned(&whole));
    let moved = call(&proxy, TENANT, Method::GET, "/export", "").await.text();
    let answer = call(&proxy, OTHER, Method::POST, "/import", moved.clone()).await;
    assert_eq!(answer.json()["turns_taken"], 3, "{}", answer.text());
    assert_eq!(call(&proxy, OTHER, Method::GET, "/export", "").await.text(), moved, "as it was");

    assert_eq!(delete(&proxy, TENANT, "/memory?before=2020-06-01T00:00:00Z").await, 1, "the box alone");
    assert_eq!(exported(&proxy, TENANT).await, owned(&[(BERGEN, "2020-06-02"), (OSLO, "2020-08-03")]));
    assert_eq!(delete(&proxy, TENANT, "/memory?before=2020-08-01T00:00:00Z").await, 1, "Bergen");
    assert_eq!(delete(&proxy, TENANT, "/memory?before=2020-09-01T00:00:00Z").await, 1, "Oslo");
    assert_eq!(exported(&proxy, OTHER).await, owned(&whole), "another caller's memory stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_chat_that_begins_as_one_long_ago_says_it_now_and_sent_again_says_it_once() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    moved_twice(&proxy).await;
    let mut told = Conversation::new();
    told.user(BERGEN);
    for _ in 0..2 {
        upstream.say_next("Give him my regards.");
        proxy.chat(told.body()).await;
    }
    proxy.everything_searchable().await;
    let conversations = get(&proxy, TENANT, "/conversations").await;
    assert_eq!(conversations["data"].as_array().map(Vec::len), Some(4), "{conversations}");
    let lines = exported(&proxy, TENANT).await;
    let days: Vec<&str> = lines.iter().filter(|(text, _)| text == BERGEN).map(|(_, day)| day.as_str()).collect();
    assert!(days.len() == 2 && days[0] == "2020-06-02" && days[1] > "2021", "{lines:?}");
    assert!(day_found(&proxy, BERGEN).await.as_str() > "2021");
}

/// How well the best of what is found matches the question.
async fn strength(proxy: &StartedProxy) -> f64 {
    let found = call(proxy, TENANT, Method::POST, "/search", json!({"question": QUESTION}).to_string()).await.json();
    found["evidence"]["strength"].as_f64().unwrap_or_else(|| panic!("no strength in {found}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_a_question_was_asked_before_neither_answers_it_nor_hides_its_answer() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = builder(&upstream).start().await;
    moved_twice(&proxy).await;
    let before = strength(&proxy).await;
    for number in 0..3 {
        let mut chat = Conversation::new();
        chat.message(&json!({"role": "system", "content": format!("You are assistant {number}.")}));
        chat.user(QUESTION);
        let answer = proxy.chat(chat.body()).await;
        assert_eq!(answer.outcome(), "rewritten", "chat {number}");
        let forwarded = upstream.last_request().json().to_string();
        assert!(forwarded.contains(OSLO), "chat {number}: {forwarded}");
        assert_eq!(forwarded.matches(QUESTION).count(), 1, "the question is not quoted: {forwarded}");
        proxy.everything_searchable().await;
        let after = strength(&proxy).await;
        assert!((after - before).abs() < 0.15, "chat {number}: {before} has become {after}");
    }
}
