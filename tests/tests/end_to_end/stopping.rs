//! A stop takes as long as `server.drain_seconds` and two seconds more, whatever is going on, and tells those whom it cuts off.

use std::time::{Duration, Instant};

use mainpoint_tests::{Answer, Conversation, Gate, Reply, ScriptedUpstream, StartedProxy, wait_until, within};

const DRAIN: Duration = Duration::from_secs(1);
/// What is promised on top of `server.drain_seconds`.
const PROMISE: Duration = Duration::from_secs(2);

async fn draining(upstream: &ScriptedUpstream) -> StartedProxy {
    let builder = StartedProxy::before(upstream);
    let setting = format!("drain_seconds = {}", DRAIN.as_secs());
    builder.setting("server", &setting).start().await
}

/// Stops the proxy, holds it to its promise, and gives the last lines that it wrote.
async fn stop_in_time(proxy: StartedProxy) -> String {
    let begun = Instant::now();
    let said = proxy.last_words().await;
    let took = begun.elapsed();
    assert!(took < DRAIN + PROMISE, "stopping took {took:?}");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_cut_by_a_stop_ends_in_an_error_event() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = draining(&upstream).await;
    let never = Gate::closed();
    upstream.reply_next(Reply::events().event("{\"choices\":[]}").then_wait(&never));
    let mut conversation = Conversation::new();
    conversation.user("Tell me a story without an end.");
    let mut response = proxy.open_chat(conversation.streaming().body()).await;
    assert!(response.chunk().await.expect("a stream").is_some());
    let rest = tokio::spawn(Answer::from_response(response));
    stop_in_time(proxy).await;
    let rest = rest.await.expect("the stream ends in good order");
    assert!(rest.text().contains("\"error\"") && !rest.text().contains("[DONE]"), "{}", rest.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_an_answer_is_told_that_the_proxy_stops() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = draining(&upstream).await;
    let never = Gate::closed();
    upstream.reply_next(Reply::chat("never").held_back(&never));
    let request = proxy.request(http::Method::POST, "/v1/embeddings").body("{}").send();
    let asked = tokio::spawn(async move { Answer::from_response(request.await.expect("an answer")).await });
    upstream.arrived(1).await;
    stop_in_time(proxy).await;
    let answer = asked.await.expect("an answer");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.error()["code"], "stopping");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_turn_that_is_being_read_does_not_hold_up_a_stop() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = draining(&upstream).await;
    let mut conversation = Conversation::new();
    let words = |turn: usize| (0..5_000).map(|word| format!("word{turn}x{word} ")).collect::<String>();
    for turn in 0..3 {
        conversation.user(&words(turn));
        conversation.assistant("Go on.");
    }
    conversation.user("What was the first word?");
    let answer = within("an answer", Duration::from_secs(60), proxy.chat(conversation.body())).await;
    assert_eq!(answer.status, 200);
    wait_until("the reader is at work", Duration::from_secs(60), || async {
        proxy.metrics().await.sum("mainpoint_backlog_turns", &[]) > 0.0
    })
    .await;
    let said = stop_in_time(proxy).await;
    assert!(!said.contains("ERROR"), "a pass that is cut short on purpose is no failure: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_request_and_an_idle_connection_do_not_hold_up_a_stop() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("memory", "mode = \"off\"").start().await;
    let authority = proxy.authority().to_owned();
    let half = mainpoint_tests::Crowd::gather(&authority, 5, b"GET /healthz HTTP/1.1\r\nHo").await;
    let idle = mainpoint_tests::Crowd::gather(&authority, 5, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    wait_until("all are there", Duration::from_secs(10), || async {
        proxy.metrics().await.sum("mainpoint_requests_total", &[("route", "own")]) >= 5.0
    })
    .await;
    let begun = Instant::now();
    proxy.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "these are no running requests");
    half.is_sent_away().await;
    idle.is_sent_away().await;
}
