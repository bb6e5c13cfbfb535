//! The connection to the upstream: when it is given up, and when a request is sent a second time.

use std::time::Duration;

use futures::stream;
use http::Method;
use mainpoint_tests::raw_upstream::{Manners, RawUpstream};
use mainpoint_tests::{Answer, ProxyBuilder, ScriptedUpstream, StartedProxy};

const CHAT: &str = r#"{"messages":[{"role":"user","content":"hi"}],"model":"x"}"#;
const ROUNDS: usize = 8;

fn relaying(base_url: &str) -> ProxyBuilder {
    StartedProxy::builder().upstream(base_url).setting("memory", "mode = \"off\"")
}

async fn post(proxy: &StartedProxy, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = proxy.request(Method::POST, path).body(body).send();
    Answer::from_response(request.await.expect("an answer")).await
}

/// A body that the client sends in pieces, so that its length is not known.
fn in_pieces() -> reqwest::Body {
    let pieces = ["{\"input\":", "\"hi\"}"].map(Ok::<_, std::io::Error>);
    reqwest::Body::wrap_stream(stream::iter(pieces))
}

async fn every_request_is_answered(manners: Manners) {
    let upstream = RawUpstream::start(manners).await;
    let proxy = relaying(&upstream.base_url()).start().await;
    for round in 0..ROUNDS {
        let chat = proxy.chat(CHAT).await;
        assert_eq!(chat.status, 200, "{manners:?}, round {round}: {}", chat.text());
        let relayed = post(&proxy, "/v1/embeddings", CHAT).await;
        assert_eq!(relayed.status, 200, "{manners:?}, round {round}: {}", relayed.text());
        let got = proxy.get("/v1/models").await;
        assert_eq!(got.status, 200, "{manners:?}, round {round}: {}", got.text());
    }
    let retries = proxy.metrics().await.sum("mainpoint_upstream_retries_total", &[]);
    assert!(retries > 0.0, "requests were sent again, and that is counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_met_a_closing_connection_is_sent_again() {
    every_request_is_answered(Manners::ClosesAtTheNext).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_on_a_kept_connection_that_ends_without_a_byte_of_an_answer_is_sent_again() {
    every_request_is_answered(Manners::ClosesWithTheNext).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_came_in_pieces_is_sent_again_as_well() {
    let upstream = RawUpstream::start(Manners::ClosesAtTheNext).await;
    let proxy = relaying(&upstream.base_url()).start().await;
    for round in 0..ROUNDS {
        assert_eq!(proxy.get("/v1/models").await.status, 200, "round {round}");
        let answer = post(&proxy, "/v1/embeddings", in_pieces()).await;
        assert_eq!(answer.status, 200, "round {round}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_on_a_new_connection_is_never_sent_again() {
    let upstream = RawUpstream::start(Manners::NeverAnswers).await;
    let proxy = relaying(&upstream.base_url()).start().await;
    for round in 1..=3 {
        let answer = proxy.chat(CHAT).await;
        assert_eq!(answer.status, 502);
        assert_eq!(answer.error()["code"], "upstream_unreachable");
        assert_eq!(upstream.taken(), round, "each was sent once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_was_answered_in_part_is_never_sent_again() {
    let upstream = RawUpstream::start(Manners::BreaksOffTheNext).await;
    let proxy = relaying(&upstream.base_url()).start().await;
    assert_eq!(proxy.chat(CHAT).await.status, 200);
    let broken = proxy.open_chat(CHAT).await;
    assert_eq!(broken.status(), 200);
    assert!(broken.bytes().await.is_err(), "the answer breaks off for the client, too");
    assert_eq!(upstream.taken(), 2, "each was sent once");
    let retries = proxy.metrics().await.sum("mainpoint_upstream_retries_total", &[]);
    assert!(retries.abs() < f64::EPSILON, "{retries} were sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_answer_broke_off_in_its_head_is_never_sent_again() {
    let upstream = RawUpstream::start(Manners::BreaksOffTheNextHead).await;
    let proxy = relaying(&upstream.base_url()).start().await;
    assert_eq!(proxy.chat(CHAT).await.status, 200);
    assert_eq!(proxy.chat(CHAT).await.status, 502);
    assert_eq!(upstream.taken(), 2, "each was sent once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_is_not_cut_while_bytes_flow_however_long_it_takes() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = relaying(&upstream.base_url()).setting("upstream", "idle_timeout_seconds = 1").start().await;
    let pieces = stream::unfold(0, |sent| async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        (sent < 10).then_some((Ok::<_, std::io::Error>("piece "), sent + 1))
    });
    let answer = post(&proxy, "/v1/files", reqwest::Body::wrap_stream(pieces)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.last_request().body, "piece ".repeat(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_takes_an_upload_slowly_is_waited_for() {
    let upstream = RawUpstream::start(Manners::ReadsSlowly).await;
    let proxy = relaying(&upstream.base_url()).setting("upstream", "idle_timeout_seconds = 1").start().await;
    // Far more than fits into the sockets on the way.
    let body = || vec![b'a'; 8 << 20];
    for path in ["/v1/files", "/v1/chat/completions"] {
        let answer = post(&proxy, path, body()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    assert_eq!(upstream.taken(), 2);
}
