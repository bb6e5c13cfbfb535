//! Requests that are not what they should be: what the upstream would answer is preferred, our own refusals are OpenAI's.

use mainpoint_tests::{Answer, Reply, ScriptedUpstream, StartedProxy, wire};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_no_chat_is_relayed_untouched_and_the_upstream_refuses_it() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(200, 50).start().await;
    let long = "word ".repeat(2000);
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"not JSON".to_vec(),
        b"{\"messages\":[".to_vec(),
        b"\xff\xfe{}".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"{\"model\":\"x\"}".to_vec(),
        b"{\"model\":\"x\",\"messages\":\"hello\"}".to_vec(),
        b"{\"model\":\"x\",\"messages\":[]}".to_vec(),
        b"{\"model\":\"x\",\"messages\":[1,null,\"a\"]}".to_vec(),
        b"{\"model\":\"x\",\"messages\":[{\"role\":7,\"content\":{}}]}".to_vec(),
        b"{\"model\":[],\"messages\":[{\"content\":\"no role\"}]}".to_vec(),
        b"{\"messages\":[{\"role\":\"user\",\"content\":\"a\\ud800b\"}]}".to_vec(),
        format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{long}\"}},]}}").into_bytes(),
        format!("{{\"messages\":{{\"role\":\"user\",\"content\":\"{long}\"}}}}").into_bytes(),
        [b"[".repeat(100_000), b"]".repeat(100_000)].concat(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let refusal = Reply::error(http::StatusCode::BAD_REQUEST, "the upstream's own words");
        upstream.reply_next(refusal.clone());
        let answer = proxy.chat(body.clone()).await;
        assert_eq!(upstream.last_request().body, body, "{shown}");
        assert_eq!(answer.status, 400, "{shown}");
        assert_eq!(answer.body, refusal.body(), "{shown}: the upstream's refusal arrives");
        assert_ne!(answer.outcome(), "rewritten", "{shown}");
    }
    // Nothing was harmed.
    proxy.ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_over_the_limit_is_refused_in_the_envelope_and_never_sent_on() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).setting("server", "max_body_bytes = 4096").start().await;
    let chat = |length: usize| {
        let frame = r#"{"model":"x","messages":[{"role":"user","content":""}]}"#;
        frame.replace("\"\"", &format!("\"{}\"", "a".repeat(length - frame.len())))
    };
    assert_eq!(proxy.chat(chat(4096)).await.status, 200, "as many bytes as are allowed");
    assert_eq!(upstream.requests().len(), 1);

    let announced = proxy.chat(chat(4097)).await;
    let pieces = chat(4097).into_bytes();
    let pieces: Vec<_> = pieces.chunks(1000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    let body = reqwest::Body::wrap_stream(futures::stream::iter(pieces));
    let request = proxy.request(http::Method::POST, "/v1/chat/completions").body(body);
    let unannounced = Answer::from_response(request.send().await.expect("an answer")).await;
    for answer in [announced, unannounced] {
        assert_eq!(answer.status, 413);
        assert_eq!(answer.header("content-type"), "application/json");
        let error = answer.error();
        assert_eq!(error["type"], "invalid_request_error");
        assert!(error["message"].as_str().is_some_and(|text| text.contains("4096")), "the limit is named: {error}");
    }
    assert_eq!(upstream.requests().len(), 1, "nothing too large is sent on");
    let refused = proxy.metrics().await.sum("mainpoint_requests_total", &[("status", "413")]);
    assert!((refused - 2.0).abs() < f64::EPSILON, "{refused} refusals were counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_methods_and_bytes_that_nobody_serves_are_refused_in_the_envelope() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    for (method, path, status) in [
        (http::Method::GET, "/", 404),
        (http::Method::POST, "/chat/completions", 404),
        (http::Method::GET, "/v12/models", 404),
        (http::Method::GET, "/v1/%2e%2e/admin", 404),
        (http::Method::POST, "/healthz", 405),
        (http::Method::DELETE, "/metrics", 405),
    ] {
        let raw = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        let answer = wire::exchange(proxy.authority(), raw.as_bytes()).await;
        assert_eq!(wire::status(&answer), status, "{method} {path}");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (_, body) = answer.split_once("\r\n\r\n").expect("head and body");
        let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert_eq!(body["error"]["type"], "invalid_request_error", "{method} {path}");
    }
    assert_eq!(upstream.requests().len(), 0, "nothing of that is the upstream's");
    for nonsense in [&b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"[..], b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
    {
        // Whatever the answer to noise is, the next client is served.
        let _ = wire::exchange(proxy.authority(), nonsense).await;
        assert_eq!(proxy.get("/healthz").await.text(), "ok");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_at_all_is_refused_in_the_envelope_too() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    let long = format!("GET /v1/{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(70_000));
    let many = format!("GET /v1/models HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-A: 1\r\n".repeat(1100));
    let cases: [(&[u8], u16, &str); 6] = [
        (b"HELLO\r\n\r\n", 400, "malformed_request"),
        (b"GET / HTTP/9.9\r\n\r\n", 400, "malformed_request"),
        (b"GET /v1/models HTTP/1.1\r\nHost x\r\n\r\n", 400, "malformed_request"),
        (b"GET /v1/\"<> HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request"),
        (long.as_bytes(), 414, "url_too_long"),
        (many.as_bytes(), 431, "headers_too_large"),
    ];
    for (raw, status, code) in cases {
        let shown = String::from_utf8_lossy(&raw[..raw.len().min(60)]).into_owned();
        let answer = wire::exchange(proxy.authority(), raw).await;
        assert_eq!(wire::status(&answer), status, "{shown}");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{shown}: {head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert_eq!(body["error"]["type"], "invalid_request_error", "{shown}");
        assert_eq!(body["error"]["code"], code, "{shown}");
        let counted = proxy.metrics().await.sum("mainpoint_requests_total", &[("outcome", code)]);
        assert!(counted > 0.0, "{shown}: refusals are counted");
    }
    // An upstream's own answer of that kind, without a body, is its own.
    upstream.reply_next(Reply::status(http::StatusCode::BAD_REQUEST));
    let answer = proxy.get("/v1/models").await;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (400, ""));

    for (method, path, status) in [
        ("HEAD", "/nowhere", 404),
        ("BREW", "/nowhere", 404),
        ("OPTIONS", "*", 404),
        ("CONNECT", "example.com:443", 404),
        ("PROPFIND", "/healthz", 405),
        ("HEAD", "/metrics", 200),
    ] {
        let raw = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = wire::exchange(proxy.authority(), raw.as_bytes()).await;
        assert_eq!(wire::status(&answer), status, "{method} {path}");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        if status != 200 {
            assert!(head.contains("application/json"), "{method} {path}: {head}");
            assert_eq!(body.contains("\"error\""), method != "HEAD", "{method} {path}: {body}");
        }
    }
}
