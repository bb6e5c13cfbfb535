//! Trouble with the upstream is shown to the client as it is, and a client that leaves is not worked for.

use std::time::Duration;

use mainpoint_tests::reply::chunk;
use mainpoint_tests::{Answer, Conversation, Gate, Reply, ScriptedUpstream, StartedProxy, binary, sse, wire, within};
use serde_json::json;

use crate::shared::nobody;

const CHAT: &str = r#"{"model":"x","messages":[{"role":"user","content":"Tell me about lighthouses."}]}"#;
const STREAM: &str =
    r#"{"model":"x","stream":true,"messages":[{"role":"user","content":"Tell me about lighthouses."}]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_refuses_connections_is_a_502_in_the_error_envelope() {
    let (_socket, url) = nobody();
    let proxy = StartedProxy::builder().upstream(&url).start().await;
    for body in [CHAT, STREAM] {
        let answer = proxy.chat(body).await;
        assert_eq!(answer.status, 502);
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(answer.error()["message"].as_str().is_some_and(|text| text.contains("upstream")), "{}", answer.text());
    }
    let answer = proxy.get("/v1/models").await;
    assert_eq!(answer.status, 502);
    answer.error();
    assert_eq!(proxy.get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_breaks_off_is_seen_by_the_client_and_leaves_no_memory() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;

    // Before its first byte.
    upstream.reply_next(Reply::hang_up());
    let answer = proxy.chat(CHAT).await;
    assert_eq!(answer.status, 502);
    answer.error();

    // In the middle of a stream, at the end of an event and inside of one.
    let event = chunk(&json!([{"index": 0, "delta": {"content": "Zanzibarquark"}, "finish_reason": null}]));
    for half in ["", "data: {\"half\": tru"] {
        upstream.reply_next(Reply::events().event(&event).then(half).then_cut());
        let answer = proxy.chat(STREAM).await;
        assert_eq!(answer.status, 200, "the status was sent before the trouble came");
        let whole = format!("data: {event}\n\n{half}");
        assert!(answer.body.starts_with(whole.as_bytes()), "what came before arrives: {}", answer.text());
        let last = sse::data_lines(&answer.body).pop().expect("an event");
        let error: serde_json::Value = serde_json::from_str(&last).unwrap_or_else(|_| panic!("{}", answer.text()));
        assert!(error["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{}", answer.text());
        assert!(answer.text().ends_with("\n\n"), "the last event is complete");
        assert!(!answer.text().contains("[DONE]"), "nobody says that the stream is complete");
    }

    // In the middle of a body that is no stream: the client must not take it for a whole one.
    upstream.reply_next(Reply::bytes("application/json", "{\"choices\":").then("[").then_cut());
    let response = proxy.open_chat(CHAT).await;
    assert!(response.bytes().await.is_err(), "the client sees that the body broke off");

    // A conversation that goes well, so that the store has something; then nothing partial is found in it.
    upstream.say_next("Lighthouses are towers with a lamp for ships.");
    assert_eq!(proxy.chat(CHAT).await.status, 200);
    proxy.everything_read().await;
    let home = proxy.stop().await;
    let configuration = home.configuration().display().to_string();
    let found =
        binary::run(&["search", "Zanzibarquark lighthouses", "--json", "--config", &configuration]).successful();
    assert!(found.stdout.contains("towers with a lamp"), "{}", found.said());
    assert!(!found.stdout.contains("Zanzibarquark\"") && !found.stdout.contains("\"Zanzibarquark"), "{}", found.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_cancels_the_request_at_the_upstream() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    let never = Gate::closed();

    // In the middle of a stream.
    upstream.reply_next(Reply::events().event("{\"choices\":[]}").then_wait(&never).event("[DONE]"));
    let mut response = proxy.open_chat(STREAM).await;
    let first = within("the first event arrives", Duration::from_secs(30), response.chunk()).await;
    assert!(first.expect("a stream").is_some());
    drop(response);
    upstream.abandoned(1).await;

    // Before the first byte.
    upstream.reply_next(Reply::events().then_wait(&never).event("[DONE]"));
    let client = wire::client();
    let asking = client.post(format!("{}/chat/completions", proxy.base_url())).body(CHAT).send();
    let asking = tokio::spawn(asking);
    upstream.arrived(2).await;
    asking.abort();
    upstream.abandoned(2).await;

    // On a relayed path.
    upstream.reply_next(Reply::events().event("one").then_wait(&never));
    let mut response = proxy.request(http::Method::POST, "/v1/responses").body("{}").send().await.expect("an answer");
    assert!(response.chunk().await.expect("a stream").is_some());
    drop(response);
    upstream.abandoned(3).await;

    let answer = proxy.chat(CHAT).await;
    assert_eq!(answer.status, 200, "the proxy goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_upstream_is_given_up_after_the_idle_timeout() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("upstream", "idle_timeout_seconds = 1").start().await;
    let never = Gate::closed();
    upstream.reply_next(Reply::chat("late").held_back(&never));
    let answer = proxy.chat(CHAT).await;
    assert_eq!(answer.status, 504);
    answer.error();
    upstream.reply_next(Reply::events().event("{\"choices\":[]}").then_wait(&never));
    let answer = proxy.chat(STREAM).await;
    assert!(answer.text().contains("\"error\"") && !answer.text().contains("[DONE]"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_lets_a_running_stream_end() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    let gate = Gate::closed();
    upstream.reply_next(Reply::events().event("{\"choices\":[]}").then_wait(&gate).event("[DONE]"));
    let mut conversation = Conversation::new();
    conversation.user("Good night!");
    let mut response = proxy.open_chat(conversation.streaming().body()).await;
    assert!(response.chunk().await.expect("a stream").is_some());
    let stopping = stopping(proxy).await;
    gate.open();
    let rest = Answer::from_response(response).await;
    assert!(sse::is_done(&rest.body), "the stream was cut: {}", rest.text());
    within("the proxy stops", Duration::from_secs(60), stopping).await.expect("it stops in good order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_memory_many_running_streams_may_end_after_sigterm() {
    const STREAMS: usize = 40;
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("memory", "mode = \"off\"").start().await;
    let gate = Gate::closed();
    let mut streams = Vec::new();
    for number in 0..STREAMS {
        let reply = Reply::events().event(&format!("{{\"number\":{number}}}"));
        upstream.reply_next(reply.then_wait(&gate).event("[DONE]"));
        // Its connection is in use until the gate opens, so that the next one needs a connection of its own.
        let mut response = proxy.open_chat(STREAM).await;
        let first = response.chunk().await.expect("a stream").expect("a chunk");
        streams.push((response, String::from_utf8_lossy(&first).into_owned()));
    }
    let stopping = stopping(proxy).await;
    gate.open();
    for (number, (response, first)) in streams.into_iter().enumerate() {
        let rest = Answer::from_response(response).await;
        assert!(first.contains(&format!("\"number\":{number}}}")), "{first}");
        assert!(sse::is_done(&rest.body), "stream {number} was cut: {}", rest.text());
    }
    within("the proxy stops", Duration::from_secs(60), stopping).await.expect("it stops in good order");
}

/// Sends SIGTERM and waits until the proxy has begun to stop, which it has when it takes no connection any more.
async fn stopping(proxy: StartedProxy) -> tokio::task::JoinHandle<()> {
    let authority = proxy.authority().to_owned();
    let stopping = tokio::spawn(async move { drop(proxy.stop().await) });
    mainpoint_tests::wait_until("the proxy refuses new connections", Duration::from_secs(30), || async {
        tokio::net::TcpStream::connect(&authority).await.is_err()
    })
    .await;
    stopping
}
