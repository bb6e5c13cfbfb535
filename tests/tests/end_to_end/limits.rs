//! What one caller may use: requests and reading in a minute, and what is stored. Whoever has used it up does not take it from others.

use std::time::Duration;

use http::Method;
use mainpoint_tests::{Answer, Conversation, ScriptedUpstream, StartedProxy, wait_until};
use serde_json::{Value, json};

use crate::shared::receipt_of;

const ANN: &str = "Bearer sk-of-ann";
const BEN: &str = "Bearer sk-of-ben";
const READING: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_at_its_limit_of_requests_is_told_when_to_come_again_and_others_are_answered() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("limits", "requests_per_minute = 1").start().await;
    proxy.ready().await;
    assert_eq!(proxy.chat_as(ANN, saying("Is the tea ready?").body()).await.status, 200);
    let forwarded = upstream.requests().len();
    let as_a_user = proxy.client().request(Method::GET, format!("{}/models", proxy.base_url()));
    let as_a_user = as_a_user.header("authorization", ANN).header("x-mainpoint-user", "somebody-else");
    let refused = [
        proxy.chat_as(ANN, saying("Is it ready now?").body()).await,
        proxy.chat_as(ANN, saying("Is it ready now?").streaming().body()).await,
        Answer::from_response(as_a_user.send().await.expect("an answer")).await,
        proxy.get_as(ANN, "/mainpoint/v1/stats").await,
        proxy.get_as(ANN, "/mainpoint/mcp").await,
    ];
    for answer in &refused {
        assert_eq!(answer.status, 429, "{}", answer.text());
        let error = answer.error();
        assert_eq!((&error["type"], &error["code"]), (&json!("requests"), &json!("rate_limit_exceeded")));
        let wait: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!((1..=60).contains(&wait), "{wait}");
        assert!(error["message"].as_str().is_some_and(|text| text.contains("limit 1 for a caller")), "{error}");
    }
    assert_eq!(upstream.requests().len(), forwarded, "nothing was forwarded");

    assert_eq!(proxy.chat_as(BEN, saying("Is the tea ready?").body()).await.status, 200);
    for own in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(proxy.get_as(ANN, own).await.status, 200, "{own}");
    }
    let metrics = proxy.metrics().await;
    let counted = metrics.sum("mainpoint_limited_total", &[("limit", "requests_per_minute")]);
    assert_eq!(counted as usize, refused.len());
    let answered = metrics.sum("mainpoint_requests_total", &[("status", "429"), ("outcome", "rate_limit_exceeded")]);
    assert_eq!(answered as usize, refused.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_caller_has_read_beyond_its_minute_waits_and_anothers_turns_do_not_wait_for_it() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("limits", "read_tokens_per_minute = 100").start().await;
    let much = turns(40);
    assert_eq!(proxy.chat_as(ANN, much.body()).await.status, 200);
    assert_eq!(proxy.chat_as(BEN, saying("A single word of mine.").body()).await.status, 200);
    wait_until("the other caller's turns are read", READING, || async {
        let stats = stats(&proxy, BEN).await;
        stats["turns"] == 2 && stats["turns_waiting"] == 0
    })
    .await;
    wait_until("as much of the first caller is read as may be", READING, || async {
        let waiting = stats(&proxy, ANN).await["turns_waiting"].as_u64();
        waiting.is_some_and(|waiting| (1..42).contains(&waiting))
    })
    .await;
    let home = proxy.stop().await;

    let proxy = StartedProxy::before(&upstream).home(&home).start().await;
    proxy.everything_read().await;
    let stats = stats(&proxy, ANN).await;
    assert_eq!((&stats["turns"], &stats["turns_waiting"]), (&json!(42), &json!(0)), "nothing is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_caller_at_its_stored_limit_nothing_more_is_stored_and_its_requests_pass() {
    const BEYOND: &str = "a heron beyond the limit";
    let upstream = ScriptedUpstream::start().await;
    let builder = || StartedProxy::before(&upstream).setting("limits", "stored_turns = 3");
    let proxy = builder().start().await;
    let mut conversation = saying("The boat lies at the second pier.");
    let told = proxy.chat_as(ANN, conversation.body()).await;
    assert_eq!((told.status.as_u16(), &receipt_of(&proxy, ANN, &told).await["not_stored"]), (200, &Value::Null));
    conversation.assistant(&told.reply());
    conversation.user("Its oars stand in the shed.");
    assert_eq!(proxy.chat_as(ANN, conversation.body()).await.status, 200);
    assert_eq!(stats(&proxy, ANN).await["turns"], 3, "the reply found no room");

    let beyond = saying(&format!("I saw {BEYOND}."));
    for _ in 0..2 {
        let answer = proxy.chat_as(ANN, beyond.body()).await;
        assert_eq!((answer.status.as_u16(), answer.outcome()), (200, "passthrough"));
        assert_eq!(upstream.last_request().body, beyond.body().as_bytes());
        assert_eq!(receipt_of(&proxy, ANN, &answer).await["not_stored"], "stored_limit");
    }
    let of_user = proxy.client().post(format!("{}/chat/completions", proxy.base_url()));
    let of_user = of_user.header("authorization", ANN).header("x-mainpoint-user", "another").body(beyond.body());
    assert_eq!(of_user.send().await.expect("an answer").status(), 200);
    assert_eq!(proxy.chat_as(BEN, saying("The ferry leaves at noon.").body()).await.status, 200);
    proxy.everything_searchable().await;
    assert_eq!(
        (stats(&proxy, ANN).await["turns"].clone(), stats(&proxy, BEN).await["turns"].clone()),
        (3.into(), 2.into())
    );
    assert!(proxy.metrics().await.sum("mainpoint_limited_total", &[("limit", "stored")]) >= 3.0);
    let said = proxy.output();
    assert_eq!(said.matches("as much of this caller is stored as").count(), 1, "{said}");
    let export = proxy.get_as(BEN, "/mainpoint/v1/export").await.text();
    let import = proxy.client().post(format!("http://{}/mainpoint/v1/import", proxy.authority()));
    let import = import.header("authorization", ANN).body(export).send().await.expect("an answer");
    let import = Answer::from_response(import).await;
    assert_eq!((import.status.as_u16(), &import.error()["code"]), (403, &json!("stored_limit")), "{}", import.text());
    let home = proxy.stop().await;
    assert!(home.data_files_with(BEYOND).is_empty(), "{:?}", home.data_files_with(BEYOND));

    // What is stored counts after a restart as well, and what is deleted leaves its room.
    let proxy = builder().home(&home).start().await;
    assert_eq!(proxy.chat_as(ANN, beyond.body()).await.status, 200);
    assert_eq!(stats(&proxy, ANN).await["turns"], 3);
    let delete = proxy.client().delete(format!("http://{}/mainpoint/v1/memory", proxy.authority()));
    assert_eq!(delete.header("authorization", ANN).send().await.expect("an answer").status(), 200);
    let answer = proxy.chat_as(ANN, beyond.body()).await;
    assert_eq!(receipt_of(&proxy, ANN, &answer).await["not_stored"], Value::Null);
    assert_eq!(stats(&proxy, ANN).await["turns"], 2);
}

fn saying(text: &str) -> Conversation {
    let mut conversation = Conversation::new();
    conversation.user(text);
    conversation
}

/// So many turns, each of some twenty tokens.
fn turns(count: usize) -> Conversation {
    let mut conversation = Conversation::new();
    for day in 0..count / 2 {
        conversation
            .user(&format!("On day {day} we walked {} miles along the river and rested below the old mill.", day + 3));
        conversation
            .assistant(&format!("Day {day} sounds long; I hope that the mill had shade and something to drink."));
    }
    conversation.raw(&json!({"role": "user", "content": "And on the last day?"}).to_string());
    conversation
}

async fn stats(proxy: &StartedProxy, caller: &str) -> Value {
    let answer = proxy.get_as(caller, "/mainpoint/v1/stats").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}
