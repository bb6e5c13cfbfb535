//! Memory trouble never reaches the client: with any part stopped, requests pass as they are, visibly.

use mainpoint_tests::{Conversation, Reply, ScriptedUpstream, StartedProxy, sse};

use crate::shared::asked_again;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_reader_lets_every_request_pass() {
    requests_pass_without("reader").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_questions_let_every_request_pass() {
    requests_pass_without("questions").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_store_lets_every_request_pass() {
    requests_pass_without("store").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_cannot_be_injected_unless_the_configuration_allows_it() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    let request = proxy.request(http::Method::POST, "/mainpoint/faults").body(r#"{"stop":"reader"}"#);
    assert_eq!(request.send().await.expect("an answer").status(), 404);
    proxy.ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_is_ready_once_a_question_waits_for_nothing_any_more() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    let first = proxy.get("/readyz").await;
    let said = (first.status.as_u16(), first.json()["status"].clone(), first.json()["parts"]["questions"].clone());
    let allowed = [(503, "starting".into(), "starting".into()), (200, "ready".into(), "alive".into())];
    assert!(allowed.contains(&said), "{}", first.text());
    proxy.ready().await;
    let parts = proxy.get("/readyz").await.json()["parts"].clone();
    assert_eq!(parts, serde_json::json!({"reader": "alive", "questions": "alive", "store": "alive"}));
}

async fn requests_pass_without(part: &str) {
    let upstream = ScriptedUpstream::start().await;
    let builder = StartedProxy::before(&upstream).budget(200, 80);
    let proxy = builder.setting("server", "fault_injection = true").start().await;
    proxy.ready().await;

    // While every part is there, the conversation outgrows the budget and is rewritten.
    let mut conversation = Conversation::with_system_and_tools();
    conversation = without_tools(&conversation);
    for turn in 0..8 {
        conversation.user(&format!(
            "Day {turn}: we went to the market and bought {turn} melons, then we sat by the sea until late."
        ));
        conversation.assistant(&format!("Melons on day {turn}, that sounds like a good summer evening by the water."));
    }
    conversation.user("On which day did we buy no melon at all?");
    assert_eq!(asked_again(&proxy, conversation.body()).await.outcome(), "rewritten");

    proxy.stop_part(part).await;
    let failures = |metrics: mainpoint_tests::metrics::Metrics| metrics.sum("mainpoint_failures_total", &[]);
    let before = failures(proxy.metrics().await);
    let mut short = Conversation::new();
    short.user("Hello again!");
    let requests = [conversation.body(), conversation.streaming().body(), short.body(), conversation.body()];
    for (index, body) in requests.iter().enumerate() {
        let answer = proxy.chat(body.clone()).await;
        assert_eq!(answer.status, 200, "without {part}");
        assert_eq!(answer.outcome(), "failed-open", "without {part}");
        assert_eq!(&upstream.last_request().body, body, "the original bytes are forwarded");
        assert_eq!(answer.reply(), "All right.", "the reply arrives");
        assert_eq!(sse::is_done(&answer.body), index == 1);
    }
    upstream.reply_next(Reply::error(http::StatusCode::TOO_MANY_REQUESTS, "slow down"));
    let answer = proxy.chat(short.body()).await;
    assert_eq!((answer.status.as_u16(), answer.outcome()), (429, "failed-open"));

    let metrics = proxy.metrics().await;
    let kinds = metrics.label_values("mainpoint_failures_total", "kind");
    assert!(kinds.iter().any(|kind| kind.contains(part)), "a kind names {part}: {kinds:?}");
    assert!(failures(metrics) - before >= 5.0, "each of the five requests is counted");
    let ready = proxy.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains(part), "{}", ready.text());
    assert_eq!(proxy.get("/healthz").await.status, 200);
    proxy.stop().await;
}

fn without_tools(conversation: &Conversation) -> Conversation {
    let mut plain = Conversation::new();
    for message in conversation.messages() {
        plain.raw(message);
    }
    plain
}
