//! Clients that say nothing, little or nothing more lock nobody out, and are sent away after a while.

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream;
use mainpoint_tests::metrics::Metrics;
use mainpoint_tests::{
    Answer, Crowd, Gate, ProxyBuilder, Reply, ScriptedUpstream, StartedProxy, wait_until, wire, within,
};

/// More than the 1,024 connections that a proxy takes by default.
const MANY: usize = 1100;
const CHAT: &str = r#"{"messages":[{"role":"user","content":"hi"}],"model":"x"}"#;

fn relaying(upstream: &ScriptedUpstream) -> ProxyBuilder {
    StartedProxy::before(upstream).setting("memory", "mode = \"off\"")
}

/// The head of a request whose body never comes completely, and the beginning of that body.
fn half_a_body(path: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{")
        .into_bytes()
}

/// Asks for everything on new connections; each answer comes within a second.
async fn a_normal_client_is_answered(proxy: &StartedProxy, beside: &str) {
    let chat = |client: reqwest::Client| client.post(format!("{}/chat/completions", proxy.base_url())).body(CHAT);
    let get = |client: reqwest::Client, path: &str| client.get(format!("http://{}{path}", proxy.authority()));
    for (what, request) in [
        ("/healthz", get(wire::client(), "/healthz")),
        ("/readyz", get(wire::client(), "/readyz")),
        ("/metrics", get(wire::client(), "/metrics")),
        ("/v1/models", get(wire::client(), "/v1/models")),
        ("a chat", chat(wire::client())),
    ] {
        let what = format!("{what} is answered beside {beside}");
        let answer = within(&what, Duration::from_secs(1), request.send()).await;
        assert_eq!(answer.expect("an answer").status(), 200, "{what}");
    }
}

async fn lock_nobody_out(first: &[u8], beside: &str) {
    let upstream = ScriptedUpstream::start().await;
    let proxy = relaying(&upstream).start().await;
    let crowd = Crowd::gather(proxy.authority(), MANY, first).await;
    a_normal_client_is_answered(&proxy, beside).await;
    room_is_made(&proxy, &crowd).await;
    let metrics = proxy.metrics().await;
    let closed = metrics.sum("mainpoint_connections_closed_total", &[("reason", "cap")]);
    assert!(closed >= (MANY - 1024) as f64, "each of them is counted: {closed}");
    let open = metrics.sum("mainpoint_connections", &[]);
    assert!(open <= 1024.0, "{open} connections are open");
}

async fn trickling_bodies_lock_nobody_out(path: &str) {
    let upstream = ScriptedUpstream::start().await;
    let proxy = relaying(&upstream).start().await;
    let crowd = Crowd::gather(proxy.authority(), MANY, &half_a_body(path)).await.trickling(b' ');
    a_normal_client_is_answered(&proxy, "trickling bodies").await;
    room_is_made(&proxy, &crowd).await;
}

/// Those beyond the limit are closed, at the latest when somebody else comes after them.
async fn room_is_made(proxy: &StartedProxy, crowd: &Crowd) {
    let health = format!("http://{}/healthz", proxy.authority());
    wait_until("those beyond the limit are closed", Duration::from_secs(20), || async {
        let answer = wire::client().get(&health).send().await;
        assert_eq!(answer.expect("an answer").status(), 200);
        crowd.closed() >= MANY - 1024
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_silent_connections_lock_nobody_out() {
    lock_nobody_out(b"", "silent connections").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_that_sent_one_byte_lock_nobody_out() {
    lock_nobody_out(b"P", "connections that sent one byte").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_half_heads_lock_nobody_out() {
    let half = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Ty";
    lock_nobody_out(half, "half heads").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_bodies_that_trickle_into_a_chat_lock_nobody_out() {
    trickling_bodies_lock_nobody_out("/v1/chat/completions").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_bodies_that_trickle_through_a_relay_lock_nobody_out() {
    trickling_bodies_lock_nobody_out("/v1/embeddings").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_of_http2_whose_bodies_never_end_lock_nobody_out() {
    const STREAMS: usize = 190;
    let upstream = ScriptedUpstream::start().await;
    let proxy = relaying(&upstream).start().await;
    let mut idle = Vec::new();
    for _ in 0..MANY.div_ceil(STREAMS) {
        let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build();
        let client = client.expect("a client");
        let health = || client.get(format!("http://{}/healthz", proxy.authority())).send();
        assert_eq!(health().await.expect("an answer").status(), 200);
        for _ in 0..STREAMS {
            let begun = stream::iter([Ok::<_, std::io::Error>("{")]).chain(stream::pending());
            let request = client.post(format!("{}/chat/completions", proxy.base_url()));
            idle.push(tokio::spawn(request.body(reqwest::Body::wrap_stream(begun)).send()));
        }
        // What is asked last on a connection is answered after what was asked before has come.
        assert_eq!(health().await.expect("an answer").status(), 200);
    }
    a_normal_client_is_answered(&proxy, "idle streams of HTTP/2").await;
    idle.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_no_whole_head_in_time_is_sent_away_and_who_waits_for_the_next_request_is_not() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = relaying(&upstream).setting("server", "head_timeout_seconds = 1").start().await;
    let kept = Crowd::gather(proxy.authority(), 3, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    wait_until("the kept connections are answered", Duration::from_secs(10), || async {
        proxy.metrics().await.sum("mainpoint_requests_total", &[("route", "own")]) >= 3.0
    })
    .await;
    for first in [&b""[..], b"P", b"GET /healthz HTTP/1.1\r\nHo", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        Crowd::gather(proxy.authority(), 3, first).await.is_sent_away().await;
    }
    assert_eq!(kept.closed(), 0, "these wait for nothing but the next request");
    let closed = proxy.metrics().await.sum("mainpoint_connections_closed_total", &[("reason", "head_timeout")]);
    assert!((closed - 12.0).abs() < f64::EPSILON, "each is counted: {closed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_kept_alive_for_as_long_as_the_configuration_says() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = relaying(&upstream).setting("server", "keep_alive_seconds = 1").start().await;
    let kept = Crowd::gather(proxy.authority(), 3, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    kept.is_sent_away().await;
    let closed = proxy.metrics().await.sum("mainpoint_connections_closed_total", &[("reason", "idle")]);
    assert!(closed >= 3.0, "each is counted: {closed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_pauses_or_trickles_for_too_long_is_refused_in_the_envelope() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = relaying(&upstream).setting("server", "body_timeout_seconds = 1").start().await;
    let silent = |first: &'static str| {
        let body = stream::iter([Ok::<_, std::io::Error>(first)]).chain(stream::pending());
        reqwest::Body::wrap_stream(body)
    };
    let trickling = || {
        let body = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Some((Ok::<_, std::io::Error>(" "), ()))
        });
        reqwest::Body::wrap_stream(body)
    };
    for path in ["/v1/chat/completions", "/v1/embeddings"] {
        for (kind, body) in [("a pause", silent("{\"mess")), ("a trickle", trickling())] {
            let request = proxy.request(http::Method::POST, path).body(body).send();
            let answer = within("an answer", Duration::from_secs(20), request).await;
            let answer = Answer::from_response(answer.expect("an answer")).await;
            assert_eq!(answer.status, 408, "{path}, {kind}: {}", answer.text());
            assert_eq!(answer.error()["code"], "body_timeout", "{path}, {kind}");
        }
    }
    assert_eq!(upstream.requests().len(), 0, "nothing incomplete was taken for a request");
    let closed = proxy.metrics().await.sum("mainpoint_connections_closed_total", &[("reason", "body_timeout")]);
    assert!((closed - 4.0).abs() < f64::EPSILON, "each is counted: {closed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_take_its_answer_is_sent_away() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = relaying(&upstream).setting("server", "body_timeout_seconds = 1").start().await;
    upstream.reply_next(Reply::bytes("application/octet-stream", vec![0; 64 << 20]));
    let mut stream = tokio::net::TcpStream::connect(proxy.authority()).await.expect("a connection");
    let request = b"GET /v1/files/1/content HTTP/1.1\r\nHost: x\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.expect("it is sent");
    wait_until("the client is sent away", Duration::from_secs(30), || async {
        let metrics = proxy.metrics().await;
        metrics.sum("mainpoint_connections_closed_total", &[("reason", "write_timeout")]) > 0.0
    })
    .await;
    drop(stream);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_every_place_is_taken_health_is_answered_some_wait_and_the_others_are_told_so() {
    const PLACES: usize = 2;
    const MORE: usize = 40;
    let upstream = ScriptedUpstream::start().await;
    let proxy = relaying(&upstream).setting("server", &format!("max_connections = {PLACES}")).start().await;
    let gate = Gate::closed();
    for _ in 0..PLACES + MORE {
        upstream.reply_next(Reply::chat("at last").held_back(&gate));
    }
    let ask = || {
        let request = wire::client().post(format!("{}/chat/completions", proxy.base_url())).body(CHAT);
        tokio::spawn(async move { Answer::from_response(request.send().await.expect("an answer")).await })
    };
    let mut asked: Vec<_> = (0..PLACES).map(|_| ask()).collect();
    upstream.arrived(PLACES).await;
    asked.extend((0..MORE).map(|_| ask()));
    wait_until("some are told that there is no place", Duration::from_secs(20), || async {
        // Each time on a new connection.
        let client = wire::client();
        for path in ["/healthz", "/readyz"] {
            let request = client.get(format!("http://{}{path}", proxy.authority())).send();
            let answer = within("health is answered", Duration::from_secs(1), request).await;
            assert_eq!(answer.expect("an answer").status(), 200);
        }
        let scrape = client.get(format!("http://{}/metrics", proxy.authority())).send().await;
        let metrics = Metrics::parse(&Answer::from_response(scrape.expect("an answer")).await.text());
        metrics.sum("mainpoint_requests_total", &[("outcome", "overloaded")]) >= 8.0
    })
    .await;
    assert_eq!(upstream.requests().len(), PLACES, "no more are answered at once");
    gate.open();
    let mut answered = 0;
    for answer in asked {
        let answer = answer.await.expect("a task");
        if answer.status == 200 {
            answered += 1;
        } else {
            assert_eq!(answer.status, 503);
            assert_eq!(answer.error()["code"], "overloaded");
            assert_eq!(answer.header("retry-after"), "1");
        }
    }
    assert!(answered > PLACES, "those that waited were answered: {answered}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fewer_connections_are_taken_when_the_process_may_not_open_as_many_files() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = relaying(&upstream).open_files(600).start().await;
    let output = proxy.output();
    assert!(
        output.contains("server.max_connections = 1024") && output.contains("is 600"),
        "a warning names key, value and limit: {output}"
    );
    let crowd = Crowd::gather(proxy.authority(), MANY, b"").await;
    a_normal_client_is_answered(&proxy, "more connections than files").await;
    crowd.made_room(MANY / 2).await;
    let begun = Instant::now();
    proxy.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "idle connections do not hold up a stop");
}
